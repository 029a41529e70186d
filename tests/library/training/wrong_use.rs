//! Wrong use that would train in silence: an error that says what to do, before the first step.

use super::toy::{R, says};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{
    BatchNorm, Bidirectional, Built, Dense, Dropout, Elman, Flatten, GlobalAveragePooling, GlobalMaxPooling, Gru,
    LastStep, Layer, LayerNorm, Lstm, Merge, Mode, Module, MultiHeadAttention, Pass, Reshape, Scope, Sequential,
    TimeDistributed, Value,
};
use elman::loss::*;
use elman::metrics::Accuracy;
use elman::model::Batch;
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Activation, Model, Result, Spec};

/// Four rows of two numbers with these targets.
fn rows(targets: Targets) -> Dataset {
    let rows: Vec<[f32; 2]> = (0..targets.len()).map(|i| [i as f32, 1.0 - 0.5 * i as f32]).collect();
    Dataset::new(Inputs::rows(&rows).unwrap(), targets).unwrap()
}

fn labels(labels: &[u32]) -> Dataset {
    rows(Targets::classes(labels.to_vec()).unwrap())
}

fn values(data: &[f32], shape: &[usize]) -> Dataset {
    rows(Targets::values(data.to_vec(), shape).unwrap())
}

fn model(network: Sequential<R>, input: Spec, loss: impl Loss<R> + 'static) -> Model<R> {
    let mut model = network.build(&R::new(), input, 0).unwrap();
    model.compile(Sgd::new(0.1), loss).metric(Accuracy::new());
    model
}

fn dense(units: usize, activation: Activation) -> Sequential<R> {
    Sequential::new().add(Dense::new(units).activation(activation))
}

/// `fit`, `evaluate` and a step of one's own all refuse, and no weight has moved.
#[track_caller]
fn refused(mut model: Model<R>, data: &Dataset, says: &str) {
    let before: Vec<Vec<f64>> = model.params().iter().map(|param| param.tensor().to_vec().unwrap()).collect();
    let fitted = model.fit(data, Fit::new().epochs(2).quiet()).map(drop).unwrap_err().to_string();
    let evaluated = model.evaluate(data, 2).map(drop).unwrap_err().to_string();
    assert_eq!(fitted, format!("{}{says}", if says.starts_with(": ") { "training data" } else { "" }));
    assert_eq!(evaluated, format!("{}{says}", if says.starts_with(": ") { "evaluation data" } else { "" }));
    let after: Vec<Vec<f64>> = model.params().iter().map(|param| param.tensor().to_vec().unwrap()).collect();
    assert_eq!(before, after);
}

const CLASSES: &str = "sparse_categorical_crossentropy: expected probabilities of the classes, so a model that ends in \
                       softmax (or the loss `from_logits` behind a linear layer), found a model that ends in";
const BINARY: &str = "binary_crossentropy: expected probabilities from 0 to 1, so a model that ends in sigmoid (or the \
                      loss `from_logits` behind a linear layer), found a model that ends in";

#[test]
fn softmax_over_one_unit_is_refused_where_it_is_built() {
    let build = |layers: Sequential<R>| layers.build(&R::new(), Spec::dense(&[2]), 0);
    let expected = "activation: expected sigmoid for a single unit, or at least 2 units, found";
    let softmax = format!("layer `dense`: {expected} softmax over one unit, which is always 1");
    says("a dense layer", build(dense(1, Activation::Softmax)), &softmax);
    let log = format!("layer `dense`: {expected} log_softmax over one unit, which is always 0");
    says("its logarithm", build(dense(1, Activation::LogSoftmax)), &log);
    let layer = format!("layer `activation`: {expected} softmax over one unit, which is always 1");
    says("a layer of its own", build(Sequential::new().add(Dense::new(1)).add(Activation::Softmax)), &layer);
    let reshaped = Sequential::new().add(Dense::new(4)).add(Reshape::new(&[4, 1])).add(Activation::Softmax);
    says("the last axis counts", build(reshaped), &layer);
    assert!(build(dense(2, Activation::Softmax)).is_ok() && build(dense(1, Activation::Sigmoid)).is_ok());
}

/// The same trap without a softmax layer: the loss normalises over the one output.
#[test]
fn categorical_losses_of_one_output_are_refused() {
    let expected = "expected an output for each class, at least 2 (or a single one with sigmoid and binary \
                    cross-entropy), found 1 output";
    let says = |loss: &str| format!("training data: {loss}: {expected}");
    let fit = |mut model: Model<R>, data: &Dataset| model.fit(data, Fit::new().quiet()).unwrap_err().to_string();
    let linear = || dense(1, Activation::Linear);
    let zeros = labels(&[0, 0, 0, 0]);
    let sparse = model(linear(), Spec::dense(&[2]), SparseCategoricalCrossEntropy::from_logits());
    assert_eq!(fit(sparse, &zeros), says("sparse_categorical_crossentropy"));
    let ones = values(&[1.0; 4], &[1]);
    let several = model(linear(), Spec::dense(&[2]), CategoricalCrossEntropy::from_logits());
    assert_eq!(fit(several, &ones), says("categorical_crossentropy"));
    assert_eq!(fit(model(linear(), Spec::dense(&[2]), CategoricalHinge), &ones), says("categorical_hinge"));
}

#[test]
fn losses_on_probabilities_behind_what_gives_none_are_refused() {
    let data = labels(&[0, 1, 2, 1]);
    let plane = || Spec::dense(&[2]);
    for last in [Activation::Linear, Activation::Tanh, Activation::Relu, Activation::Sigmoid] {
        let sparse = SparseCategoricalCrossEntropy::new;
        refused(model(dense(3, last), plane(), sparse()), &data, &format!("{CLASSES} {last}"));
        // As a layer of its own, with dropout behind, and normalised.
        let apart = Sequential::new().add(Dense::new(3)).add(last).add(Dropout::new(0.1));
        refused(model(apart, plane(), sparse()), &data, &format!("{CLASSES} {last}"));
    }
    let binary = labels(&[0, 1, 1, 0]);
    for last in [Activation::Linear, Activation::Tanh, Activation::Relu] {
        refused(model(dense(1, last), plane(), BinaryCrossEntropy::new()), &binary, &format!("{BINARY} {last}"));
    }
    let normed = || Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    let sparse = SparseCategoricalCrossEntropy::new;
    refused(model(normed().add(LayerNorm::new()), plane(), sparse()), &data, &format!("{CLASSES} linear"));
    refused(model(normed().add(BatchNorm::new()), plane(), sparse()), &data, &format!("{CLASSES} linear"));
}

#[test]
fn what_ends_in_a_recurrent_layer_or_in_attention_is_known_too() {
    let sequences = |targets: Targets| {
        let data = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
        Dataset::new(Inputs::dense(data, &[3, 2]).unwrap(), targets).unwrap()
    };
    let steps = || Spec::dense(&[3, 2]);
    let one = sequences(Targets::classes(vec![0, 1, 1, 0]).unwrap());
    let ends: [(Sequential<R>, &str); 9] = [
        (Sequential::new().add(Lstm::new(1)), "tanh"),
        (Sequential::new().add(Elman::new(1)), "tanh"),
        (Sequential::new().add(Gru::new(1)), "tanh"),
        (Sequential::new().add(Elman::new(1).activation(Activation::Relu)), "relu"),
        (Sequential::new().add(Bidirectional::new(Lstm::new(1)).merge(Merge::Average)), "tanh"),
        (Sequential::new().add(Lstm::new(1).return_sequences()).add(LastStep), "tanh"),
        (Sequential::new().add(Lstm::new(1).return_sequences()).add(GlobalMaxPooling), "tanh"),
        (Sequential::new().add(Dense::new(1)).add(GlobalAveragePooling), "linear"),
        (Sequential::new().add(MultiHeadAttention::new(1, 2).outputs(1)).add(LastStep), "linear"),
    ];
    for (network, last) in ends {
        refused(model(network, steps(), BinaryCrossEntropy::new()), &one, &format!("{BINARY} {last}"));
    }
    // A class for every step: a tagger that forgot its softmax.
    let tags = sequences(Targets::classes_per_step(&[[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]]).unwrap());
    let tagger = Sequential::new().add(TimeDistributed::new(Dense::new(2)));
    refused(model(tagger, steps(), SparseCategoricalCrossEntropy::new()), &tags, &format!("{CLASSES} linear"));
    // What gives probabilities passes, by itself or through what keeps them.
    let right: [Sequential<R>; 6] = [
        Sequential::new().add(Elman::new(1).activation(Activation::Sigmoid)),
        Sequential::new().add(Lstm::new(1).activation(Activation::Sigmoid)),
        Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid)).add(GlobalMaxPooling),
        Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid)).add(GlobalAveragePooling),
        Sequential::new().add(Dense::new(1).activation(Activation::HardSigmoid)).add(LastStep),
        Sequential::new().add(LastStep).add(Dense::new(1).activation(Activation::Sigmoid)).add(Flatten),
    ];
    for network in right {
        model(network, steps(), BinaryCrossEntropy::new()).fit(&one, Fit::new().quiet()).unwrap();
    }
    let mean = Sequential::new().add(Dense::new(2).activation(Activation::Softmax)).add(GlobalAveragePooling);
    model(mean, steps(), SparseCategoricalCrossEntropy::new()).fit(&one, Fit::new().quiet()).unwrap();
}

#[test]
fn logits_behind_an_activation_and_margins_of_one_sign_are_refused() {
    let (three, two) = (labels(&[0, 1, 2, 1]), labels(&[0, 1, 1, 0]));
    let plane = || Spec::dense(&[2]);
    let expected = "expected logits, so a model that ends in a linear layer (or the loss on probabilities), found a \
                    model that ends in";
    for last in [Activation::Sigmoid, Activation::Softmax, Activation::HardSigmoid] {
        let says = format!("sparse_categorical_crossentropy: {expected} {last}");
        refused(model(dense(3, last), plane(), SparseCategoricalCrossEntropy::from_logits()), &three, &says);
    }
    let expected = "expected logits or margins of both signs, so a model that ends in a linear layer (or a loss on \
                    probabilities), found a model that ends in";
    for last in [Activation::Sigmoid, Activation::Relu, Activation::Softplus] {
        let binary = model(dense(1, last), plane(), BinaryCrossEntropy::from_logits());
        refused(binary, &two, &format!("binary_crossentropy: {expected} {last}"));
        refused(model(dense(1, last), plane(), Hinge), &two, &format!("hinge: {expected} {last}"));
        refused(model(dense(1, last), plane(), SquaredHinge), &two, &format!("squared_hinge: {expected} {last}"));
    }
    model(dense(1, Activation::Tanh), plane(), Hinge).fit(&two, Fit::new().quiet()).unwrap();
}

/// Multiplies by a number: a layer of a user's own, of whose activation nothing is known.
#[derive(Clone, Debug)]
struct Times(f64);

impl Layer<R> for Times {
    fn kind(&self) -> &'static str {
        "times"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, R>) -> Result<Built<R>> {
        Ok(Built::new(self.clone(), input.clone()))
    }
}

impl Module<R> for Times {
    fn forward(&self, input: Value<R>, pass: &mut Pass<'_, R>) -> Result<Value<R>> {
        input.map(pass, |x, _| x.affine(self.0, 0.0))
    }
}

#[test]
fn a_layer_of_ones_own_is_taken_by_what_it_gives() {
    let (three, two) = (labels(&[0, 1, 2, 1]), labels(&[0, 1, 1, 0]));
    let plane = || Spec::dense(&[2]);
    let through = |units, last, factor| dense(units, last).add(Times(factor));
    let sparse = |factor| model(through(3, Activation::Softmax, factor), plane(), SparseCategoricalCrossEntropy::new());
    sparse(1.0).fit(&three, Fit::new().quiet()).unwrap();
    let binary = |last, factor| model(through(1, last, factor), plane(), BinaryCrossEntropy::new());
    binary(Activation::Sigmoid, 1.0).fit(&two, Fit::new().quiet()).unwrap();
    // What the first batch shows is refused: a row of thirds of probabilities, and what is beyond 1.
    let error = sparse(0.5).fit(&three, Fit::new().quiet()).unwrap_err().to_string();
    let expected = "probabilities of the classes, so a model that ends in softmax (or the loss `from_logits` behind a \
                    linear layer), found a row of them that sums to 0.5000";
    assert_eq!(error, format!("training data: sparse_categorical_crossentropy: expected {expected}"));
    let error = sparse(0.5).evaluate(&three, 2).unwrap_err().to_string();
    assert_eq!(error, format!("sparse_categorical_crossentropy: expected {expected}"));
    let error = binary(Activation::Sigmoid, 9.0).fit(&two, Fit::new().quiet()).unwrap_err().to_string();
    assert!(error.contains("expected probabilities from 0 to 1, so a model that ends in sigmoid"), "{error}");
    assert!(error.contains("found an output of "), "{error}");
    // A loss that wants no probabilities asks nothing.
    let squared = |factor| model(through(1, Activation::Linear, factor), plane(), MeanSquaredError);
    squared(9.0).fit(&values(&[0.5; 4], &[1]), Fit::new().quiet()).unwrap();
}

#[test]
fn targets_that_the_loss_cannot_mean_are_refused_by_sample() {
    let plane = || Spec::dense(&[2]);
    let binary = |units| model(dense(units, Activation::Sigmoid), plane(), BinaryCrossEntropy::new());
    let cases = [
        (-1.0, "for -1 write 0"),
        (2.0, "for 1 and 2 write 0 and 1"),
        (255.0, "divide by 255"),
        (7.5, "map the two classes to 0 and 1"),
    ];
    for (wrong, cure) in cases {
        let says =
            format!(": targets, sample 2: binary_crossentropy: expected targets from 0 to 1 ({cure}), found {wrong}");
        refused(binary(1), &values(&[1.0, 0.0, wrong, wrong], &[1]), &says);
        refused(binary(1), &values(&[1.0, 0.0, wrong, wrong], &[]), &says);
        refused(binary(2), &values(&[1.0, 0.0, 0.5, 1.0, 1.0, wrong], &[2]), &says);
    }
    // Labels count from 0.
    let says = ": targets, sample 0: expected a label below 2 (classes are numbered from 0: subtract 1), found 2";
    refused(binary(1), &labels(&[2, 1, 2, 1]), says);
    let says = ": targets, sample 1: expected a label below 2, as there is a single output (map the two classes to 0 and 1), found 255";
    refused(binary(1), &labels(&[0, 255, 0, 255]), says);
    let says = ": targets, sample 3: expected a label below 3 (classes are numbered from 0: subtract 1), found 3";
    let softmax = || dense(3, Activation::Softmax);
    refused(model(softmax(), plane(), SparseCategoricalCrossEntropy::new()), &labels(&[1, 2, 1, 3]), says);
    // Hinges take signs.
    for loss in ["hinge", "squared_hinge"] {
        let linear = || dense(1, Activation::Linear);
        let hinge = || match loss {
            "hinge" => model(linear(), plane(), Hinge),
            _ => model(linear(), plane(), SquaredHinge),
        };
        let says = format!(
            ": targets, sample 1: {loss}: expected targets -1 and 1, or 0 and 1 (map the two classes to them), found 0.5"
        );
        refused(hinge(), &values(&[-1.0, 0.5, 1.0, 1.0], &[1]), &says);
        hinge().fit(&values(&[-1.0, 0.0, 1.0, 1.0], &[1]), Fit::new().quiet()).unwrap();
    }
    // Distributions over the classes.
    let several = || model(softmax(), plane(), CategoricalCrossEntropy::new());
    let sums = "expected targets of a row that sum to 1 (for several labels a row: sigmoid and binary cross-entropy)";
    for (row, found) in [([1.0, 1.0, 0.0], "2"), ([0.0; 3], "0"), ([20.0, 30.0, 50.0], "100")] {
        let data = values(&[&[0.0, 1.0, 0.0], &row[..]].concat(), &[3]);
        let says = format!(": targets, sample 1: categorical_crossentropy: {sums}, found a row that sums to {found}");
        refused(several(), &data, &says);
    }
    let negative = "expected targets that are probabilities, none negative (one-hot rows are 0 and 1), found -1";
    let says = format!(": targets, sample 0: categorical_crossentropy: {negative}");
    refused(several(), &values(&[1.0, -1.0, 1.0], &[3]), &says);
    several().fit(&values(&[0.33, 0.33, 0.33, 0.0, 0.25, 0.75], &[3]), Fit::new().quiet()).unwrap();
    let says = ": targets, sample 1: categorical_hinge: expected one-hot targets: 1 for the class of the row, 0 for the others, found [1.0, 1.0, 0.0]";
    let hinge = model(dense(3, Activation::Linear), plane(), CategoricalHinge);
    refused(hinge, &values(&[0.0, 1.0, 0.0, 1.0, 1.0, 0.0], &[3]), says);
}

#[test]
fn what_does_not_count_may_have_any_target() {
    let plane = || Spec::dense(&[2]);
    let binary = || model(dense(1, Activation::Sigmoid), plane(), BinaryCrossEntropy::new());
    let weighted = values(&[1.0, 0.0, -1.0, 1.0], &[1]).with_weights(vec![1.0, 1.0, 0.0, 1.0]).unwrap();
    binary().fit(&weighted, Fit::new().quiet()).unwrap();
    // Steps of zeros are padding of one-hot targets.
    let steps = Inputs::dense((0..8).map(|i| i as f32).collect(), &[2, 2]).unwrap();
    let targets = Targets::values(vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0], &[2, 2]).unwrap();
    let tagger = || model(dense(2, Activation::Softmax), Spec::dense(&[2, 2]), CategoricalCrossEntropy::new());
    tagger().fit(&Dataset::new(steps.clone(), targets).unwrap(), Fit::new().quiet()).unwrap();
    let both = Targets::values(vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0], &[2, 2]).unwrap();
    let error = tagger().fit(&Dataset::new(steps, both).unwrap(), Fit::new().quiet()).unwrap_err().to_string();
    assert!(error.starts_with("training data: targets, sample 1, step 1: categorical_crossentropy: "), "{error}");
    // But something must.
    let nothing = labels(&[0, 1, 1, 0]).with_weights(vec![0.0; 4]).unwrap();
    refused(binary(), &nothing, ": expected a sample weight above 0, found weights that are all 0");
    let ignoring = SparseCategoricalCrossEntropy::new().ignore_class(1);
    let says = ": expected a target that counts, found class 1, which is ignored, throughout";
    refused(model(dense(2, Activation::Softmax), plane(), ignoring), &labels(&[1, 1, 1, 1]), says);
}

/// In validation data too, before the epoch.
#[test]
fn validation_data_is_checked_before_the_first_step() {
    let mut model = model(dense(1, Activation::Sigmoid), Spec::dense(&[2]), BinaryCrossEntropy::new());
    let (good, bad) = (values(&[0.0, 1.0], &[1]), values(&[0.0, 1.0, 1.0, 255.0], &[1]));
    let error = model.fit(&good, Fit::new().validation_data(&bad).quiet()).unwrap_err().to_string();
    let expected = "binary_crossentropy: expected targets from 0 to 1 (divide by 255), found 255";
    assert_eq!(error, format!("validation data: targets, sample 3: {expected}"));
}

#[test]
fn states_of_two_directions_are_not_merged() {
    let build = |merge, layer: Lstm| {
        Sequential::<R>::new().add(Bidirectional::new(layer).merge(merge)).build(&R::new(), Spec::dense(&[3, 2]), 0)
    };
    for merge in [Merge::Sum, Merge::Mul, Merge::Average] {
        let expected = "the states of both directions side by side (Merge::Concat): only outputs are merged";
        let expected = format!(
            "layer `bidirectional`: bidirectional: expected {expected}, found `return_state` with Merge::{merge:?}"
        );
        says("states", build(merge, Lstm::new(4).return_state()), &expected);
        assert_eq!(build(merge, Lstm::new(4)).unwrap().output(), &Spec::dense(&[4]));
    }
    let states = build(Merge::Concat, Lstm::new(4).return_state()).unwrap();
    assert_eq!(states.output(), &Spec::dense(&[16]));
    // The outputs are the h of both: the first and the third of four parts.
    let outputs = build(Merge::Concat, Lstm::new(4)).unwrap();
    let x = elman::Tensor::new(&R::new(), (0..6).map(|i| f64::from(i) - 2.5).collect(), &[1, 3, 2]).unwrap();
    let of = |model: &Model<R>| model.forward(x.clone(), Mode::Evaluation).unwrap().to_vec().unwrap();
    let (states, outputs) = (of(&states), of(&outputs));
    assert_eq!([&states[..4], &states[8..12]].concat(), outputs);
}

#[test]
fn targets_of_steps_and_outputs_of_none_are_told_apart() {
    let pooled = || Sequential::new().add(Dense::new(3).activation(Activation::Softmax)).add(GlobalAveragePooling);
    let sequences = || Inputs::dense((0..6).map(|i| i as f32).collect(), &[3, 2]).unwrap();
    let steps = Dataset::new(sequences(), Targets::classes_per_step(&[[0, 1, 2]]).unwrap()).unwrap();
    let mut tagger = model(pooled(), Spec::dense(&[3, 2]), SparseCategoricalCrossEntropy::new());
    let error = tagger.fit(&steps, Fit::new().quiet()).unwrap_err().to_string();
    let expected = "expected one target a sample, as the model has outputs for the whole sample and none for its steps \
                    (a target for every step needs an output at every step: `return_sequences`, no pooling), found \
                    targets for every step, [1, 3] for outputs [1, 3]";
    assert_eq!(error, format!("training data: sparse_categorical_crossentropy: {expected}"));
    let every = || Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    let one = Dataset::new(sequences(), Targets::classes(vec![1]).unwrap()).unwrap();
    let error = model(every(), Spec::dense(&[3, 2]), SparseCategoricalCrossEntropy::new())
        .fit(&one, Fit::new().quiet())
        .unwrap_err()
        .to_string();
    let expected = "expected a target for every step, as the model has outputs at every step (for one target a sample \
                    pool the steps, or take the last), found targets [1] for outputs [1, 3, 3]";
    assert_eq!(error, format!("training data: sparse_categorical_crossentropy: {expected}"));
    // Numbers as targets.
    let numbers = Dataset::new(sequences(), Targets::values(vec![0.0; 9], &[3, 3]).unwrap()).unwrap();
    let error = model(pooled(), Spec::dense(&[3, 2]), MeanSquaredError).fit(&numbers, Fit::new().quiet()).unwrap_err();
    assert!(error.to_string().ends_with("found targets for every step, [1, 3, 3] for outputs [1, 3]"), "{error}");
}

/// A loop of one's own has no data set to check; the last activation is.
#[test]
fn a_step_of_ones_own_is_refused_too() {
    let mut model = model(dense(3, Activation::Linear), Spec::dense(&[2]), SparseCategoricalCrossEntropy::new());
    let batch = Batch::new(&R::new(), labels(&[0, 1, 2, 1])).unwrap();
    assert_eq!(model.train_step(&batch).unwrap_err().to_string(), format!("{CLASSES} linear"));
    assert_eq!(model.loss(&batch, Mode::Evaluation).unwrap_err().to_string(), format!("{CLASSES} linear"));
}
