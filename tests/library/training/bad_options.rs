//! Options, models and callbacks that cannot work: an error before anything is trained.

use super::bad_input::labelled;
use super::toy::{R, classifier, fit, network, points, says};
use elman::data::{ClassWeights, Dataset, Targets};
use elman::loss::{CategoricalCrossEntropy, MeanSquaredError, SparseCategoricalCrossEntropy};
use elman::metrics::Accuracy;
use elman::optim::{Adam, Sgd};
use elman::training::callbacks::{BestWeights, Callback, Direction, EarlyStopping, ReduceOnPlateau};
use elman::training::{Fit, History};
use elman::{Error, Result, Spec};

#[test]
fn options_of_fit() {
    let data = points(4);
    let batch = "batches: expected a batch size of at least 1, found 0";
    says("batches of nothing", fit(&data, Fit::new().batch_size(0)), batch);
    says("the same, for no epochs", fit(&data, Fit::new().epochs(0).batch_size(0)), batch);
    says("the same in evaluation", classifier(&R::new(), 0).evaluate(&data, 0), batch);
    says("the same in prediction", classifier(&R::new(), 0).predict(data.inputs(), 0), batch);
    // As in Keras.
    assert_eq!(fit(&data, Fit::new().epochs(0)).unwrap(), History::default());
    for fraction in [0.0, 1.0, -0.1, 1.5] {
        says(
            "a validation split that leaves one part nothing",
            fit(&data, Fit::new().validation_split(fraction)),
            &format!("validation split: expected a fraction between 0 and 1, neither of them, found {fraction}"),
        );
    }
    says(
        "a validation split too large for so few samples",
        fit(&data, Fit::new().validation_split(0.9)),
        "validation split: expected at least one sample in each part, found 0 and 4 for the fraction 0.9",
    );
    let weighted = |class| Fit::new().class_weights(ClassWeights::new([(class, 2.0)]).unwrap());
    says(
        "a weight for a class that there is not",
        fit(&data, weighted(5)),
        "class weights, class 5: expected a class below 2, found 5",
    );
    says(
        "a weight for a class that does not occur",
        fit(&labelled(vec![0, 0]), weighted(1)),
        "class weights, class 1: expected a class that occurs in the labels, found no sample of it",
    );
    let one_hot = Dataset::new(data.inputs().clone(), Targets::one_hot(&[0, 1, 1, 0], 2).unwrap()).unwrap();
    let mut model = classifier(&R::new(), 0);
    model.compile(Sgd::new(0.1), CategoricalCrossEntropy::new());
    says(
        "class weights for one-hot targets",
        model.fit(&one_hot, weighted(1).quiet()),
        "class weights: expected targets that are classes, found numbers of shape [2] a sample",
    );
    // Beyond what can be counted, with an error to end it.
    let mut model = classifier(&R::new(), 0);
    model.fit(&data, Fit::new().quiet()).unwrap();
    let endless = Fit::new().epochs(u64::MAX).callback(EarlyStopping::new("loss").direction(Direction::Up));
    assert!(model.fit(&data, endless.quiet()).unwrap().stopped.is_some());
}

#[test]
fn models_that_are_not_ready() {
    let data = points(4);
    let missing =
        "model: expected a call of `compile` before training and evaluation, found a model without optimiser and loss";
    let mut model = network::<R>().build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    says("training before compile", model.fit(&data, Fit::new().quiet()), missing);
    says("evaluation before compile", model.evaluate(&data, 8), missing);
    model.predict(data.inputs(), 8).unwrap();
    model.compile(Adam::new(0.1), SparseCategoricalCrossEntropy::new()).metric(Accuracy::new()).metric(Accuracy::new());
    says(
        "two metrics of one name",
        model.fit(&data, Fit::new().quiet()),
        "metrics: expected names that differ, found `accuracy` twice",
    );
    model.compile(Adam::new(-1.0), SparseCategoricalCrossEntropy::new());
    says(
        "a negative learning rate",
        model.fit(&data, Fit::new().quiet()),
        "adam: learning rate: expected a finite number from 0 on, found -1",
    );
    model.compile(Adam::new(0.1), SparseCategoricalCrossEntropy::from_logits());
    says(
        "a softmax too many",
        model.fit(&data, Fit::new().quiet()),
        "sparse_categorical_crossentropy: expected logits, so a model that ends in a linear layer (or the loss on \
        probabilities), found a model that ends in softmax",
    );
    model.compile(Adam::new(0.1), MeanSquaredError);
    says(
        "labels for a regression",
        model.fit(&data, Fit::new().quiet()),
        "training data: mean_squared_error: expected numbers as targets, found class labels",
    );
    says(
        "freezing what there is not",
        model.freeze("lstm"),
        "freeze: expected the path of a layer or parameter (dense.kernel, dense.bias, dense_1.kernel, dense_1.bias), \
        found `lstm`",
    );
    model.compile(Adam::new(0.1), SparseCategoricalCrossEntropy::new());
    model.freeze("dense").unwrap();
    model.freeze("dense_1").unwrap();
    says(
        "training with everything frozen",
        model.fit(&data, Fit::new().quiet()),
        "fit: expected a parameter to train, found none that is not frozen",
    );
}

#[test]
fn callbacks_that_cannot_do_their_work() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no/file");
    fn with(callback: impl Callback<R>) -> Result<History> {
        fit(&points(8), Fit::new().validation_split(0.5).callback(callback))
    }
    says(
        "watching what there is not",
        with(EarlyStopping::new("val_acc")),
        "callback: expected a value to watch among loss, accuracy, val_loss, val_accuracy, found `val_acc`",
    );
    says(
        "watching validation without validation data",
        fit(&points(8), Fit::new().callback(&mut ReduceOnPlateau::new("val_loss"))),
        "callback: expected a value to watch among loss, accuracy (there is no validation data), found `val_loss`",
    );
    says(
        "a least improvement below 0",
        with(EarlyStopping::new("loss").min_delta(-0.1)),
        "early stopping: expected a finite least improvement of at least 0, found -0.1",
    );
    says(
        "a plateau that raises the rate",
        with(ReduceOnPlateau::new("loss").factor(2.0)),
        "reduce on plateau: expected a factor between 0 and 1, neither of them, found 2",
    );
    says(
        "a least rate below 0",
        with(ReduceOnPlateau::new("loss").min_rate(-1.0)),
        "reduce on plateau: expected a least rate of at least 0, found -1",
    );
    let io = |what: &str, result: Result<History>| {
        let error = result.unwrap_err();
        println!("{what}\n    {error}");
        assert!(matches!(&error, Error::Io { path, .. } if *path == nowhere), "{error}");
    };
    io("weights to a folder that is not there", with(BestWeights::new(&nowhere, "loss")));
    #[cfg(feature = "csv")]
    io("a log to a folder that is not there", with(elman::training::callbacks::CsvLog::new(&nowhere)));
}
