//! State that a stateful layer carries: whose it is, and who must not touch it.

use super::toy::{R, numbers};
use elman::checkpoint::Checkpoint;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Bidirectional, Dense, Elman, Layer, Sequential};
use elman::loss::MeanSquaredError;
use elman::model::Model;
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Result, Spec};

/// Two streams, cut into `n / 2` batches of two sequences of three steps.
fn data(n: usize) -> Dataset {
    let inputs = Inputs::dense((0..3 * n).map(|i| (i as f32 * 0.9).sin()).collect(), &[3, 1]).unwrap();
    Dataset::new(inputs, Targets::values((0..n).map(|i| (i as f32 * 0.4).cos()).collect(), &[1]).unwrap()).unwrap()
}

fn build(layer: impl Layer<R> + 'static, rate: f64) -> Result<Model<R>> {
    let network = Sequential::new().add(layer).add(Dense::new(1));
    let mut model = network.build(&R::new(), Spec::dense(&[3, 1]), 3)?;
    model.compile(Sgd::new(rate), MeanSquaredError);
    Ok(model)
}

fn model(rate: f64) -> Model<R> {
    build(Elman::new(2).stateful(), rate).unwrap()
}

fn options<'a>() -> Fit<'a, R> {
    Fit::new().epochs(2).batch_size(2).shuffle(false).quiet()
}

#[test]
fn validation_does_not_enter_the_next_epoch() {
    let alone = model(0.0).fit(&data(6), options()).unwrap();
    let validated = model(0.0).fit(&data(6), options().validation_data(&data(4))).unwrap();
    assert_eq!(alone.series("loss"), validated.series("loss"));
}

#[test]
fn evaluation_between_two_fits_changes_nothing() {
    let run = |between: bool| {
        let mut model = model(0.1);
        model.fit(&data(6), options()).unwrap();
        if between {
            model.evaluate(&data(4), 2).unwrap();
            model.predict(data(4).inputs(), 2).unwrap();
        }
        let history = model.fit(&data(6), options()).unwrap();
        (history.series("loss"), numbers(&model))
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn predictions_are_the_same_every_time_and_at_every_batch_size() {
    let (model, inputs) = (model(0.1), data(6).inputs().clone());
    let first = model.predict(&inputs, 2).unwrap();
    assert_eq!(first, model.predict(&inputs, 2).unwrap());
    assert_eq!(model.evaluate(&data(6), 2).unwrap(), model.evaluate(&data(6), 2).unwrap());
    model.predict(&inputs, 6).unwrap();
    model.predict(&inputs, 4).unwrap();
}

/// In another order nothing continues anything.
#[test]
fn shuffling_a_stream_is_refused() {
    let mut model = model(0.1);
    let before = numbers(&model);
    let error = model.fit(&data(6), options().shuffle(true)).unwrap_err().to_string();
    assert!(error.contains("shuffle"), "{error}");
    assert_eq!(numbers(&model), before);
}

/// What reads a sequence from its end cannot go on where the last one ended.
#[test]
fn a_stateful_layer_in_both_directions_is_refused() {
    let built = build(Bidirectional::new(Elman::new(2).stateful()), 0.1);
    let error = built.and_then(|mut model| model.fit(&data(6), options())).unwrap_err().to_string();
    assert!(error.contains("bidirectional") && error.contains("stateful"), "{error}");
}

/// Five sequences in batches of two: the last is smaller.
#[test]
fn a_batch_of_another_size_is_found_before_the_weights_move() {
    let mut model = model(0.1);
    let before = numbers(&model);
    assert!(model.fit(&data(5), options()).is_err());
    assert_eq!(numbers(&model), before);
}

#[test]
fn a_resumed_stream_is_the_one_that_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let mut whole = model(0.1);
    let every = Checkpoint::new(&path).every_steps(1).keep(9);
    let history = whole.fit(&data(6), options().checkpoint(every)).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let mut resumed = model(0.1);
        let again = resumed.fit(&data(6), options().resume_from(entry.unwrap().path())).unwrap();
        assert_eq!((again.series("loss"), numbers(&resumed)), (history.series("loss"), numbers(&whole)));
    }
}

/// The new streams of another `fit` begin with no state.
#[test]
fn each_fit_begins_its_streams_anew() {
    let mut model = model(0.0);
    let losses = [(); 2].map(|()| model.fit(&data(6), options().epochs(1)).unwrap().series("loss"));
    assert_eq!(losses[0], losses[1]);
}
