//! State that a stateful layer carries: whose it is, and who must not touch it.

use super::toy::{R, numbers};
use crate::common::near::{self, tensor};
use elman::checkpoint::Checkpoint;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Bidirectional, Carry, Dense, Elman, Layer, Mode, Sequential};
use elman::loss::{MeanSquaredError, Target};
use elman::model::{Batch, Model};
use elman::optim::{Optimizer, Sgd};
use elman::training::Fit;
use elman::{Backend, Result, Spec};
use elman_candle::Candle;

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

/// Streams one after another by hand: the losses of batches that go on, and of batches that begin anew.
fn losses(model: &Model<R>, data: &Dataset, mut carry: Option<Carry<R>>) -> Vec<f64> {
    let batch = |i: usize| Batch::new(model.backend(), data.slice(2 * i..2 * i + 2).unwrap()).unwrap();
    let one = |i: usize| {
        let mut pass = model.pass(Mode::Evaluation);
        if let Some(carry) = &mut carry {
            pass = pass.carrying(carry);
        }
        model.run_loss(&batch(i), &mut pass).unwrap().0.to_scalar().unwrap()
    };
    (0..data.len() / 2).map(one).collect()
}

#[test]
fn evaluation_goes_through_its_streams() {
    let (model, data) = (model(0.1), data(6));
    let mean = |losses: Vec<f64>| losses.iter().sum::<f64>() / losses.len() as f64;
    let [carried, anew] = [Some(Carry::new()), None].map(|carry| mean(losses(&model, &data, carry)));
    let loss = model.evaluate(&data, 2).unwrap().loss();
    assert!((loss - carried).abs() < 1e-12 && (carried - anew).abs() > 1e-4, "{loss}: {carried}, {anew}");
}

/// A loop of one's own over `train_step_carried` is `fit`.
#[test]
fn steps_of_ones_own_go_on_as_those_of_fit() {
    let (mut fitted, mut own, data) = (model(0.1), model(0.1), data(6));
    fitted.fit(&data, options()).unwrap();
    for _epoch in 0..2 {
        let mut carry = Carry::new();
        for i in 0..3 {
            let batch = Batch::new(own.backend(), data.slice(2 * i..2 * i + 2).unwrap()).unwrap();
            own.train_step_carried(&batch, &mut carry).unwrap();
        }
    }
    assert_eq!(numbers(&own), numbers(&fitted));
    let mut alone = model(0.1);
    for i in [0, 1, 2, 0, 1, 2] {
        alone.train_step(&Batch::new(&R::new(), data.slice(2 * i..2 * i + 2).unwrap()).unwrap()).unwrap();
    }
    assert_ne!(numbers(&alone), numbers(&own));
}

/// Trained in rows of 64 streams, a model reads one stream, in batches and step by step.
#[test]
fn many_streams_train_what_reads_one() {
    let mut model = model(0.1);
    model.fit(&data(192), options().batch_size(64)).unwrap();
    let data = data(6);
    let mut both = Carry::new();
    let x = |rows: std::ops::Range<usize>| Batch::<R>::new(&R::new(), data.slice(rows).unwrap()).unwrap().input;
    let two: Vec<_> =
        (0..3).map(|i| model.forward_carried(x(2 * i..2 * i + 2), &mut both).unwrap().to_vec().unwrap()).collect();
    for stream in 0..2 {
        let mut carry = Carry::new();
        for (i, two) in two.iter().enumerate() {
            let one = model.forward_carried(x(2 * i + stream..2 * i + stream + 1), &mut carry).unwrap();
            assert_eq!(one.to_vec().unwrap()[..], two[stream..=stream]);
        }
    }
}

#[test]
fn batches_that_do_not_follow_one_another_are_refused_by_name() {
    let mut model = model(0.1);
    let before = numbers(&model);
    let said = |error: elman::Error| error.to_string();
    let sizes = "batches of one size, as sequences go on from batch to batch (layer `elman` is stateful): a multiple of 2 \
                 samples, found 5";
    assert_eq!(said(model.evaluate(&data(5), 2).unwrap_err()), format!("evaluation data: expected {sizes}"));
    assert_eq!(said(model.fit(&data(5), options()).unwrap_err()), format!("training data: expected {sizes}"));
    let (five, halves) = (data(5), options().validation_split(0.5));
    let fit = options().validation_data(&five);
    assert_eq!(said(model.fit(&data(6), fit).unwrap_err()), format!("validation data: expected {sizes}"));
    // Three samples on either side.
    assert!(said(model.fit(&data(6), halves).unwrap_err()).starts_with("training data: expected batches of one size"));
    let shuffled = said(model.fit(&data(6), options().shuffle(true)).unwrap_err());
    let why = "sequences go on from batch to batch, layer `elman` is stateful";
    let found = "batches in another order each epoch";
    assert_eq!(shuffled, format!("fit: expected `shuffle(false)`: {why}, found {found}"));
    let by_length = said(model.fit(&data(6), options().by_length(0)).unwrap_err());
    assert_eq!(by_length, format!("fit: expected batches in the order of the data: {why}, found `by_length`"));
    assert_eq!(numbers(&model), before);
    // A single batch, and one of all, are of one size.
    model.evaluate(&data(5), 7).unwrap();
    model.fit(&data(5), options().batch_size(7)).unwrap();
}

/// Who carries nothing has nothing to say about order and sizes.
#[test]
fn other_layers_take_batches_as_they_come() {
    let mut plain = build(Elman::new(2), 0.1).unwrap();
    plain.fit(&data(5), options().shuffle(true)).unwrap();
    plain.evaluate(&data(5), 2).unwrap();
}

/// A checkpoint within an epoch of another network, whose state is of another shape, or that has none.
#[test]
fn state_of_another_network_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let within = |name: &str, layer: Elman| {
        let path = folder.path().join(name);
        let mut model = build(layer, 0.1).unwrap();
        let every = Checkpoint::new(&path).every_steps(1).keep(9);
        model.fit(&data(6), options().checkpoint(every)).unwrap();
        path.with_file_name(format!("{}.step-2.st", path.file_stem().unwrap().to_str().unwrap()))
    };
    let stateful = within("stateful.st", Elman::new(2).stateful());
    let plain = within("plain.st", Elman::new(2));
    let go_on = |layer: Elman, path| build(layer, 0.1).unwrap().fit(&data(6), options().resume_from(path));
    for (layer, path) in [(Elman::new(2), &stateful), (Elman::new(2).stateful(), &plain)] {
        let error = go_on(layer, path).unwrap_err().to_string();
        let words = "expected the state that this model's stateful layers carry from batch to batch, found other state, or none";
        assert!(error.contains(words), "{error}");
    }
    for (layer, path) in [(Elman::new(2).stateful(), &stateful), (Elman::new(2), &plain)] {
        go_on(layer, path).unwrap();
    }
    // What a checkpoint between two epochs holds is the same with and without: there is nothing to go on from.
    let text = |path: &std::path::Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains("@carry/0");
    assert!(text(&stateful) && !text(&plain));
    assert!(!text(&folder.path().join("stateful.step-6.st")));
}

/// A batch that goes astray is left out, and its state with it: the batches after it go on from the one before.
fn astray<B: Backend>(b: &B) {
    let network =
        Sequential::new().add(Elman::new(2).activation(elman::Activation::Linear).stateful()).add(Dense::new(1));
    let model = || {
        let mut model = network.build(b, Spec::dense(&[3, 1]), 3).unwrap();
        model.compile(Optimizer::new(Sgd::new(0.01)).skip_not_finite(), MeanSquaredError);
        model
    };
    let batch = |numbers: [f64; 6]| {
        let input = tensor(b, &numbers, &[2, 3, 1]).into();
        Batch { input, target: Target::Values(tensor(b, &[0.5, -0.5], &[2, 1])), weights: None, len: 2 }
    };
    let good = [batch([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), batch([-0.5, 0.1, 0.9, 0.0, -0.3, 0.2])];
    let bad = batch([f64::INFINITY; 6]);
    let run = |batches: &[&Batch<B>]| {
        let (mut model, mut carry) = (model(), Carry::new());
        for batch in batches {
            model.train_step_carried(batch, &mut carry).unwrap();
        }
        let y = model.forward_carried(good[0].input.clone(), &mut carry).unwrap();
        let all = model.params().iter().map(|param| param.tensor()).chain([&y]);
        all.flat_map(|tensor| near::numbers(tensor)).collect::<Vec<f64>>()
    };
    let expected = run(&[&good[0], &good[1]]);
    assert!(expected.iter().all(|x| x.is_finite()));
    for batches in [[&good[0], &bad, &good[1]], [&bad, &good[0], &good[1]]] {
        near::assert_near(&b.name(), &run(&batches), &expected, 1e-6);
    }
}

#[test]
fn a_batch_that_goes_astray_leaves_no_state() {
    astray(&R::new());
    astray(&Candle::cpu());
    // As on a device, which tells later.
    astray(&Candle::portable(elman_candle::candle_core::Device::Cpu));
}
