//! Bad input of every kind: an error that names the place, what was expected and what came, and never a panic.
//!
//! `cargo test --test library training::bad -- --nocapture --test-threads 1` prints all messages.

use super::toy::{R, classifier, fit, network, numbered, numbers, points, says, wires};
use elman::data::{Dataset, Inputs, Targets, read_labelled};
use elman::layers::{Dense, Dropout, Flatten, Mode, Reshape, Sequential};
use elman::loss::{BinaryCrossEntropy, MeanSquaredError};
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Spec, Tensor};

/// Points of these classes.
pub(crate) fn labelled(labels: Vec<u32>) -> Dataset {
    Dataset::new(points(labels.len()).inputs().clone(), Targets::classes(labels).unwrap()).unwrap()
}

#[test]
fn layers_that_cannot_be_built() {
    let build = |layers: Sequential<R>, input| layers.build(&R::new(), input, 0);
    let layers = Sequential::new;
    let plane = || Spec::dense(&[2]);
    says("no layers", build(layers(), plane()), "sequential: expected at least one layer, found none");
    let none = layers().add(Dense::new(3)).add(Dense::new(0));
    says("a layer without units", build(none, plane()), "layer `dense_1`: units: expected at least 1, found 0");
    says(
        "dropout of all there is",
        build(layers().add(Dropout::new(1.0)), plane()),
        "layer `dropout`: rate: expected a number in [0, 1), found 1",
    );
    says(
        "indices into a dense layer",
        build(layers().add(Dense::new(3)), Spec::indices(4)),
        "layer `dense`: input: expected numbers with a last axis of known size above 0, found indices [batch, 4]",
    );
    says(
        "indices into dropout",
        build(layers().add(Dropout::new(0.5)), Spec::indices(4)),
        "layer `dropout`: input: expected numbers, found indices [batch, 4]",
    );
    says(
        "a shape of another size",
        build(layers().add(Dense::new(6)).add(Reshape::new(&[4])), plane()),
        "layer `reshape`: shape: expected as many numbers as in [batch, 6], found [batch, 4]",
    );
    says(
        "flattening what has no fixed length",
        build(layers().add(Flatten), Spec::Dense(vec![None, Some(2)])),
        "layer `flatten`: input: expected numbers of known sizes, found [batch, any, 2]",
    );
    says(
        "the same within a layer within a layer",
        build(layers().add(layers().add(Dense::new(0))), plane()),
        "layer `sequential.dense`: units: expected at least 1, found 0",
    );
    says(
        "a name with a dot",
        build(layers().add_named("a.b", Dense::new(1)), plane()),
        "layer: expected a name that is not empty and holds no dot, found `a.b`",
    );
}

#[test]
fn inputs_of_another_kind_or_width() {
    let model = classifier(&R::new(), 0);
    let three = Inputs::rows(&[[1.0, 2.0, 3.0]]).unwrap();
    let words = Inputs::indices(&[[1, 2]]).unwrap();
    says(
        "prediction for rows of another width",
        model.predict(&three, 8),
        "inputs to predict: expected [batch, 2], found [batch, 3]",
    );
    says(
        "prediction for indices by a dense model",
        model.predict(&words, 8),
        "inputs to predict: expected [batch, 2], found indices [batch, 2]",
    );
    says(
        "training a dense model on bags",
        fit(&wires(8, 30, 2), Fit::new()),
        "training data: expected [batch, 2], found bags [batch, 30]",
    );
    let bags = network::<R>().build(&R::new(), Spec::bags(20), 0).unwrap();
    says(
        "prediction for bags of another width",
        bags.predict(wires(8, 30, 2).inputs(), 8),
        "inputs to predict: expected bags [batch, 20], found bags [batch, 30]",
    );
    says(
        "a tensor of another shape into a model",
        model.forward(Tensor::full(&R::new(), &[4, 3], 0.0).unwrap(), Mode::Evaluation),
        "model input: expected [batch, 2], found [batch, 3]",
    );
    says(
        "a single number into a model",
        model.forward(Tensor::full(&R::new(), &[], 0.0).unwrap(), Mode::Evaluation),
        "model input: expected [batch, 2], found a single number without a batch axis",
    );
    says(
        "evaluation on other data",
        model.evaluate(&numbered(4), 8),
        "evaluation data: expected [batch, 2], found [batch, 1]",
    );
    let other = numbered(4);
    says(
        "validation on other data",
        fit(&points(8), Fit::new().validation_data(&other)),
        "validation data: expected [batch, 2], found [batch, 1]",
    );
}

#[test]
fn labels_out_of_range() {
    let (bad, good) = (labelled(vec![0, 1, 1, 7]), points(8));
    let below = "targets, sample 3: expected a label below 2, found 7";
    says("a label beyond the classes", fit(&bad, Fit::new()), &format!("training data: {below}"));
    says(
        "the same in the part held out",
        fit(&bad, Fit::new().validation_split(0.5)),
        &format!("training data: {below}"),
    );
    says(
        "the same in validation data",
        fit(&good, Fit::new().validation_data(&bad)),
        &format!("validation data: {below}"),
    );
    says("the same in evaluation", classifier(&R::new(), 0).evaluate(&bad, 2), &format!("evaluation data: {below}"));
}

#[test]
fn data_that_are_empty_or_no_numbers() {
    says(
        "no rows",
        Inputs::rows::<[f32; 2]>(&[]),
        "inputs: expected at least one row of at least one element, found none",
    );
    says("no labels", Targets::classes(vec![]), "targets: expected at least one label, found none");
    let empty = points(4).select(&[]).unwrap();
    says("training on nothing", fit(&empty, Fit::new()), "training data: expected at least one sample, found none");
    let fit_validated = fit(&points(4), Fit::new().validation_data(&empty));
    says("validation on nothing", fit_validated, "validation data: expected at least one sample, found none");
    let model = classifier(&R::new(), 0);
    says(
        "evaluation on nothing",
        model.evaluate(&empty, 8),
        "evaluation data: expected at least one sample, found none",
    );
    says(
        "prediction for nothing",
        model.predict(empty.inputs(), 8),
        "inputs to predict: expected at least one sample, found none",
    );
    says(
        "NaN in the inputs",
        Inputs::rows(&[[0.0, 1.0], [2.0, f32::NAN]]),
        "inputs, sample 1, feature 1: expected a finite number, found NaN",
    );
    says(
        "infinity in the targets",
        Targets::values(vec![0.0, f32::INFINITY], &[1]),
        "targets, sample 1, feature 0: expected a finite number, found inf",
    );
    says(
        "fewer targets than inputs",
        Dataset::new(points(3).inputs().clone(), Targets::classes(vec![0]).unwrap()),
        "data set: expected as many targets as inputs (3 samples), found targets of 1 samples",
    );
}

#[test]
fn targets_of_another_shape() {
    let data = points(4);
    let valued = |sizes: &[usize]| {
        let values = vec![0.5; 4 * sizes.iter().product::<usize>()];
        Dataset::new(data.inputs().clone(), Targets::values(values, sizes).unwrap()).unwrap()
    };
    let mut model = Sequential::new().add(Dense::new(1)).build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    says(
        "targets of another shape",
        model.fit(&valued(&[3]), Fit::new().quiet()),
        "training data: mean_squared_error: expected targets of the predictions' shape [4, 1], found [4, 3]",
    );
    let before = numbers(&model);
    let (fine, other) = (valued(&[1]), valued(&[2]));
    says(
        "targets of another shape in validation data",
        model.fit(&fine, Fit::new().validation_data(&other).quiet()),
        "validation data: mean_squared_error: expected targets of the predictions' shape [4, 1], found [4, 2]",
    );
    assert_eq!(before, numbers(&model), "found before training");
    model.compile(Sgd::new(0.1), BinaryCrossEntropy::from_logits());
    says(
        "a third class for a single output",
        model.fit(&labelled(vec![0, 1, 2, 1]), Fit::new().quiet()),
        "training data: targets, sample 2: expected a label below 2, as there is a single output (map the two classes to 0 \
        and 1), found 2",
    );
    let steps = Dataset::new(data.inputs().clone(), Targets::classes_per_step(&[[0, 1]; 4]).unwrap()).unwrap();
    says(
        "a class for every step where there is one output",
        fit(&steps, Fit::new()),
        "training data: sparse_categorical_crossentropy: expected one target a sample, as the model has outputs for the whole \
        sample and none for its steps (a target for every step needs an output at every step: `return_sequences`, no \
        pooling), found targets for every step, [4, 2] for outputs [4, 2]",
    );
}

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.tsv.gz");
    // Without the folder, which has another name each time.
    let said = |what: &str| {
        let message = read_labelled(&path).unwrap_err().to_string().replace(&*folder.path().display().to_string(), "");
        println!("{what}\n    {message}");
        message
    };
    assert!(said("a file that is not there").starts_with("/train.tsv.gz: No such file"));
    std::fs::write(&path, "3\tgrain\nfour\tcocoa\n").unwrap();
    let expected = "/train.tsv.gz, line 2: expected a label from 0 to 4294967295, found \"four\"";
    assert_eq!(said("a label that is no number"), expected);
    #[cfg(feature = "gz")]
    {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"3\tgrain prices rose\n4\tcocoa prices fell\n").unwrap();
        let whole = encoder.finish().unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(said("a truncated gzip file"), "/train.tsv.gz, line 1: the gzip data are cut off");
        std::fs::write(&path, [&whole[..10], &[0xff; 20]].concat()).unwrap();
        assert!(said("a malformed gzip file").starts_with("/train.tsv.gz, line 1: the gzip data are malformed"));
    }
}
