//! Averages of weights: beside the recursion by hand, in validation, with early stopping, through checkpoints.

use super::toy::points;
use crate::common::near::{assert_near, is_double};
use elman::backend::Backend;
use elman::checkpoint::Checkpoint;
use elman::data::Dataset;
use elman::layers::{BatchNorm, Dense, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::Model;
use elman::optim::{Adam, Optimizer};
use elman::training::callbacks::{BestWeights, Callback, EarlyStopping, WeightAverage};
use elman::training::{EpochLog, Fit, History};
use elman::{Activation, Element, Error, Result, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;
use std::ops::ControlFlow;

type R = Reference<f64>;

fn model<B: Backend>(b: &B, accumulate: usize) -> Model<B> {
    let layers = Sequential::new()
        .add(Dense::new(4).activation(Activation::Tanh))
        .add(BatchNorm::new().momentum(0.5))
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = layers.build(b, Spec::dense(&[2]), 3).unwrap();
    let optimizer = Optimizer::new(Adam::new(0.05)).accumulate(accumulate);
    model.compile(optimizer, SparseCategoricalCrossEntropy::new());
    model
}

/// Four batches of five and one of three.
fn data() -> Dataset {
    points(23)
}

fn weights<B: Backend>(model: &Model<B>) -> Vec<f64> {
    model.params().iter().flat_map(|param| param.tensor().to_vec().unwrap()).map(B::Elem::to_f64).collect()
}

/// The weights after each batch and after each epoch.
#[derive(Default)]
struct Course {
    batches: Vec<Vec<f64>>,
    epochs: Vec<Vec<f64>>,
}

impl<B: Backend> Callback<B> for Course {
    fn on_batch_end(&mut self, _: u64, _: usize, _: &Tensor<B>, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.batches.push(weights(model));
        Ok(ControlFlow::Continue(()))
    }

    fn on_epoch_end(&mut self, _: &EpochLog, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.epochs.push(weights(model));
        Ok(ControlFlow::Continue(()))
    }
}

fn fit<'a, B: Backend>(epochs: u64) -> Fit<'a, B> {
    Fit::new().epochs(epochs).batch_size(5).quiet()
}

/// `a ← d a + (1 - d) w`, `d` by the number of weights that are in `a` already.
fn recursion(course: &[Vec<f64>], decay: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut average = course[0].clone();
    for (n, weights) in course.iter().enumerate().skip(1) {
        let d = decay(n as f64);
        average.iter_mut().zip(weights).for_each(|(a, w)| *a = d * *a + (1.0 - d) * w);
    }
    average
}

/// Ends with the average of the course, and trains as without.
fn ends_with<B: Backend>(b: &B, average: WeightAverage<B>, accumulate: usize, expected: impl Fn(&Course) -> Vec<f64>) {
    let (mut plain, mut course) = (model(b, accumulate), Course::default());
    let history = plain.fit(&data(), fit(3).callback(&mut course)).unwrap();
    let (mut averaged, mut seen) = (model(b, accumulate), Course::default());
    let again = averaged.fit(&data(), fit(3).callback(average).callback(&mut seen)).unwrap();
    assert_eq!(seen.batches, course.batches, "training sees nothing of it");
    let last = |history: &History| history.epochs.last().unwrap().get("loss").unwrap();
    assert_eq!(last(&again), last(&history));
    // Fifteen steps round the averages fifteen times.
    let tolerance = if is_double::<B>() { 1e-14 } else { 2e-6 };
    assert_near("average", &weights(&averaged), &expected(&course), tolerance);
    assert_ne!(weights(&averaged), weights(&plain));
}

fn check<B: Backend>(b: &B) {
    let ema = || WeightAverage::<B>::ema(0.8);
    ends_with(b, ema(), 1, |course| recursion(&course.batches, |_| 0.8));
    let warm = |n: f64| ((1.0 + n) / (10.0 + n)).min(0.4);
    ends_with(b, WeightAverage::ema(0.4).warm_up(), 1, |course| recursion(&course.batches, warm));
    assert!(warm(1.0) < 0.2 && warm(14.0) == 0.4);
    // Epochs 2 and 3.
    ends_with(b, WeightAverage::swa(2), 1, |course| recursion(&course.epochs[1..], |n| n / (n + 1.0)));
    // Five batches an epoch are updates after the second, after the fourth, and at the end.
    ends_with(b, ema(), 2, |course| {
        let of_epoch = |(batches, end): (&[Vec<f64>], &Vec<f64>)| [batches[1].clone(), batches[3].clone(), end.clone()];
        let updates: Vec<_> = course.batches.chunks(5).zip(&course.epochs).flat_map(of_epoch).collect();
        assert_ne!(updates[1], updates[2]);
        recursion(&updates, |_| 0.8)
    });
}

#[test]
fn a_model_ends_with_the_average_of_its_weights() {
    check(&R::new());
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

/// Each epoch counts once, whether it is validated or not.
#[test]
fn validation_is_of_the_mean_of_the_epochs() {
    let held_out = points(10);
    let (mut plain, mut course) = (model(&R::new(), 1), Course::default());
    plain.fit(&data(), fit(4).callback(&mut course)).unwrap();
    let (mut averaged, mut seen) = (model(&R::new(), 1), Course::default());
    let options = fit(4).validation_data(&held_out).callback(WeightAverage::swa(2).validate()).callback(&mut seen);
    averaged.fit(&data(), options).unwrap();
    assert_eq!(seen.epochs[0], course.epochs[0], "none yet");
    for epoch in 1..4 {
        let expected = recursion(&course.epochs[1..=epoch], |n| n / (n + 1.0));
        assert_near("mean", &seen.epochs[epoch], &expected, 1e-14);
    }
    assert_eq!(weights(&averaged), seen.epochs[3]);
}

#[test]
fn a_mean_that_has_not_begun_leaves_the_weights() {
    let (mut plain, mut averaged) = (model(&R::new(), 1), model(&R::new(), 1));
    plain.fit(&data(), fit(2)).unwrap();
    averaged.fit(&data(), fit(2).callback(WeightAverage::swa(3).validate())).unwrap();
    assert_eq!(weights(&averaged), weights(&plain));
    // Epochs are numbered on over calls of `fit`.
    plain.fit(&data(), fit(2)).unwrap();
    averaged.fit(&data(), fit(2).callback(WeightAverage::swa(3))).unwrap();
    assert_ne!(weights(&averaged), weights(&plain));
}

#[test]
fn frozen_parameters_are_not_touched() {
    let b = Reference::<f32>::new();
    let (mut model, mut average) = (model(&b, 1), WeightAverage::ema(0.99));
    model.freeze("dense").unwrap();
    let before = model.snapshot();
    model.fit(&data(), fit(3).callback(&mut average)).unwrap();
    let place = |array: &<Reference<f32> as Backend>::Array| array.data().as_ptr();
    assert_eq!(place(&average.averages()[0]), place(&before[0]), "shared all the time");
    assert_ne!(place(&average.averages()[6]), place(&before[6]));
}

#[test]
fn a_decay_out_of_range_is_an_error() {
    for decay in [1.0, -0.1, f64::NAN] {
        let error = model(&R::new(), 1).fit(&data(), fit(1).callback(WeightAverage::ema(decay))).unwrap_err();
        assert!(error.to_string().starts_with("weight average: decay: expected a number in [0, 1), found"), "{error}");
    }
}

/// The average of each epoch by hand, and what `val_loss` says.
#[test]
fn the_averages_are_validated_where_asked_and_the_best_of_them_restored() {
    let held_out = points(40);
    for validate in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let best = folder.path().join("best.st");
        let average = || match validate {
            true => WeightAverage::ema(0.9).validate(),
            false => WeightAverage::ema(0.9),
        };
        let (mut trained, mut course) = (model(&R::new(), 1), Course::default());
        let mut stop = EarlyStopping::new("val_loss").patience(100).min_delta(0.02).restore_best();
        let fit = fit(5).validation_data(&held_out).callback(average()).callback(&mut stop);
        let fit = fit.callback(BestWeights::new(&best, "val_loss")).callback(&mut course);
        let history = trained.fit(&data(), fit).unwrap();
        for (epoch, log) in history.epochs.iter().enumerate() {
            let batches = &course.batches[..5 * (epoch + 1)];
            let expected = if validate { recursion(batches, |_| 0.9) } else { batches.last().unwrap().clone() };
            assert_near("in the model", &course.epochs[epoch], &expected, 1e-14);
            let mut model = model(&R::new(), 1);
            put(&mut model, &expected);
            let loss = model.evaluate(&held_out, 5).unwrap().loss();
            assert_near("val_loss", &[log.get("val_loss").unwrap()], &[loss], 1e-12);
        }
        // Early stopping came last and has the last word: its best are what was validated.
        let (epoch, loss) = stop.best().unwrap();
        assert_eq!(trained.evaluate(&held_out, 5).unwrap().loss(), loss, "epoch {epoch}");
        let least = history.epochs.iter().map(|log| log.get("val_loss").unwrap()).fold(f64::INFINITY, f64::min);
        trained.load_weights(&best).unwrap();
        assert_eq!(trained.evaluate(&held_out, 5).unwrap().loss(), least);
    }
}

fn put(model: &mut Model<R>, weights: &[f64]) {
    let (b, mut rest) = (R::new(), weights);
    for param in model.params_mut() {
        let (own, after) = rest.split_at(param.shape().elements());
        param.set_value(b.upload(own.to_vec(), param.shape()).unwrap()).unwrap();
        rest = after;
    }
}

/// Ends training with an error, where asked.
struct Fails(&'static str);

impl Callback<R> for Fails {
    fn on_batch_end(
        &mut self,
        epoch: u64,
        batch: usize,
        _: &Tensor<R>,
        _: &mut Model<R>,
    ) -> Result<ControlFlow<String>> {
        self.at(self.0 == "batch" && (epoch, batch) == (2, 3))
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<R>) -> Result<ControlFlow<String>> {
        self.at(self.0 == "epoch" && log.epoch == 2)
    }
}

impl Fails {
    fn at(&self, here: bool) -> Result<ControlFlow<String>> {
        if here { Err(Error::invalid("test", "a long life", "an end")) } else { Ok(ControlFlow::Continue(())) }
    }
}

#[test]
fn after_an_error_the_model_has_its_own_weights() {
    let held_out = points(10);
    let (mut averaged, mut plain) = (model(&R::new(), 1), model(&R::new(), 1));
    let fit_ = || fit(5).validation_data(&held_out);
    averaged.fit(&data(), fit_().callback(WeightAverage::ema(0.9).validate()).callback(Fails("epoch"))).unwrap_err();
    plain.fit(&data(), fit_().callback(Fails("epoch"))).unwrap_err();
    assert_eq!(weights(&averaged), weights(&plain));
}

/// The history without times.
fn losses(history: &History) -> Vec<(u64, Option<f64>, Option<f64>)> {
    history.epochs.iter().map(|log| (log.epoch, log.get("loss"), log.get("val_loss"))).collect()
}

fn resumes<B: Backend>(b: &B, average: impl Fn() -> WeightAverage<B>, accumulate: usize) {
    let held_out = points(10);
    let folder = tempfile::tempdir().unwrap();
    let options = |epochs: u64| {
        let stop = EarlyStopping::new("val_loss").patience(100);
        fit(epochs).validation_data(&held_out).callback(average()).callback(stop)
    };
    let mut whole = model(b, accumulate);
    let history = whole.fit(&data(), options(5)).unwrap();
    // Within epochs, at their ends, and after the end of a training.
    let checkpoint = Checkpoint::new(folder.path().join("run.st")).every_steps(3).keep(100);
    let mut short = model(b, accumulate);
    short.fit(&data(), options(4).checkpoint(checkpoint.clone())).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 8, "{files:?}");
    for file in &files {
        let mut resumed = model(b, accumulate);
        let again = resumed.fit(&data(), options(5).resume_from(file)).unwrap();
        assert_eq!(weights(&resumed), weights(&whole), "{file:?}");
        assert_eq!(losses(&again), losses(&history), "{file:?}");
    }
    // The last file has what is in memory, and nothing more to train ends the same.
    let last = checkpoint.latest().unwrap().unwrap();
    let mut loaded = model(b, accumulate);
    loaded.load_weights(&last).unwrap();
    assert_eq!(weights(&loaded), weights(&short));
    let mut ended = model(b, accumulate);
    ended.fit(&data(), options(4).resume_from(&last)).unwrap();
    assert_eq!(weights(&ended), weights(&short));
}

#[test]
fn a_resumed_training_ends_with_the_same_average() {
    let b = R::new();
    resumes(&b, || WeightAverage::ema(0.9).warm_up().validate(), 1);
    resumes(&b, || WeightAverage::ema(0.9), 2);
    resumes(&b, || WeightAverage::swa(2).validate(), 1);
    resumes(&Candle::cpu(), || WeightAverage::ema(0.9).validate(), 1);
}

#[test]
fn another_average_or_none_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let checkpoint = || Checkpoint::new(&path);
    let mut trained = model(&R::new(), 1);
    trained.fit(&data(), fit(2).callback(WeightAverage::ema(0.9)).checkpoint(checkpoint())).unwrap();
    for options in [fit(3), fit(3).callback(WeightAverage::swa(1))] {
        let error = model(&R::new(), 1).fit(&data(), options.resume_from(&path)).unwrap_err().to_string();
        assert!(error.contains("weight_average(ema)"), "{error}");
    }
}
