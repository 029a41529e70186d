//! Callbacks: ours by Keras' rules on values written down beforehand, one's own, and the order of calls.

use super::toy::{Epochs, R, Script, classifier, numbers, points};
use elman::backend::Backend;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Sequential};
use elman::loss::{MeanSquaredError, SparseCategoricalCrossEntropy};
use elman::model::Model;
use elman::optim::{Adam, Optimizer, Sgd};
use elman::training::callbacks::{BestWeights, Callback, Direction, EarlyStopping, ReduceOnPlateau, StopOnNan};
use elman::training::{EpochLog, Fit, History};
use elman::{Key, Result, Spec, Tensor, metrics};
use std::ops::ControlFlow;

/// A model that learns a little in each epoch while its `score` takes these values.
fn scripted(values: &[f64], up: bool) -> Model<R> {
    let mut model = classifier(&R::new(), 0);
    let (rule, loss) = (Adam::new(0.01), SparseCategoricalCrossEntropy::new());
    model.compile(rule, loss).metric(Script::new(values, up));
    model
}

/// Trains for as many epochs as there are values, or fewer; what happened, and the weights and rates after each epoch.
fn train(model: &mut Model<R>, epochs: usize, callback: impl Callback<R>) -> (History, Epochs<R>) {
    let mut seen = Epochs::new();
    let fit = Fit::new().epochs(epochs as u64).callback(callback).callback(&mut seen).quiet();
    (model.fit(&points(8), fit).unwrap(), seen)
}

/// After how many epochs early stopping ends a training whose score, less of it being better, takes these values.
fn stops_after(values: &[f64], stopping: EarlyStopping<R>) -> usize {
    train(&mut scripted(values, false), values.len(), stopping).0.epochs.len()
}

#[test]
fn early_stopping_counts_epochs_without_improvement() {
    let values = [1.0, 0.9, 0.95, 0.9, 0.8, 0.85, 0.84, 0.83, 0.1];
    let watch = || EarlyStopping::new("score");
    // 0.9 again is no improvement; 0.8 in epoch 5 comes too late for a patience of 2, in time for 3.
    assert_eq!([0, 1, 2, 3, 4].map(|patience| stops_after(&values, watch().patience(patience))), [3, 3, 4, 8, 9]);
    // Not NaN, wherever it stands.
    assert_eq!(stops_after(&[1.0, f64::NAN, f64::NAN, 0.5], watch().patience(2)), 3);
    assert_eq!(stops_after(&[f64::NAN, 1.0, 0.5, 0.6], watch().patience(2)), 4);
}

#[test]
fn early_stopping_wants_the_least_improvement_over_the_best() {
    // Each is 0.06 better than the one before, and none but the third 0.1 better than the best.
    let values = [1.0, 0.94, 0.88, 0.82, 0.79, 0.79];
    let watch = || EarlyStopping::new("score").min_delta(0.1);
    assert_eq!([1, 2].map(|patience| stops_after(&values, watch().patience(patience))), [2, 5]);
}

#[test]
fn early_stopping_takes_the_metrics_word_for_the_direction() {
    let values = [0.1, 0.2, 0.3, 0.2, 0.1];
    let epochs = |up, stopping| train(&mut scripted(&values, up), 5, stopping).0.epochs.len();
    assert_eq!(epochs(true, EarlyStopping::new("score")), 4);
    assert_eq!(epochs(false, EarlyStopping::new("score")), 2);
    assert_eq!(epochs(false, EarlyStopping::new("score").direction(Direction::Up)), 4);
}

/// Moves a model of one layer further from targets of 0 in each epoch.
struct Worse;

impl<B: Backend> Callback<B> for Worse {
    fn on_epoch_begin(&mut self, epoch: u64, model: &mut Model<B>) -> Result<()> {
        let away = Tensor::full(model.backend(), &[1], 100.0 * epoch as f64)?;
        model.params_mut()[1].set_value(away.value().clone())
    }
}

#[test]
fn the_direction_is_not_guessed_from_the_name() {
    let targets = Targets::values(vec![0.0; 8], &[1]).unwrap();
    let data = Dataset::new(points(8).inputs().clone(), targets).unwrap();
    let mut model = Sequential::new().add(Dense::new(1)).build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    // Keras' short name: no "loss", no "error" in it, and yet less is better.
    model.compile(Sgd::new(0.0), MeanSquaredError).metric(metrics::MeanAbsoluteError::new().named("mae"));
    let fit = Fit::new().epochs(5).callback(Worse).callback(EarlyStopping::new("mae")).quiet();
    assert_eq!(model.fit(&data, fit).unwrap().epochs.len(), 2);
}

#[test]
fn early_stopping_puts_the_best_weights_back() {
    let values = [1.0, 0.5, 0.7, 0.6];
    for (patience, epochs) in [(2, 4), (10, 4)] {
        let mut model = scripted(&values, false);
        let mut stopping = EarlyStopping::new("score").patience(patience).restore_best();
        let (history, seen) = train(&mut model, epochs, &mut stopping);
        assert_eq!(numbers(&model), seen.weights[1], "of epoch 2, bit for bit");
        assert_ne!(seen.weights[1], seen.weights[3]);
        assert_eq!(stopping.best(), Some((2, 0.5)));
        let reason = (patience == 2).then(|| "score has not improved on 0.5000 of epoch 2".to_string());
        assert_eq!(history.stopped, reason);
    }
    // Without being asked to it leaves the last ones.
    let mut model = scripted(&values, false);
    let (_, seen) = train(&mut model, 4, EarlyStopping::new("score").patience(2));
    assert_eq!(numbers(&model), seen.weights[3]);
}

#[test]
fn early_stopping_begins_anew_with_each_training() {
    let mut model = scripted(&[0.1, 0.2, 0.9, 0.8, 0.85, 0.1], false);
    let mut stopping = EarlyStopping::new("score");
    assert_eq!(train(&mut model, 2, &mut stopping).0.epochs.len(), 2);
    assert_eq!(train(&mut model, 4, &mut stopping).0.last().unwrap().epoch, 5);
}

/// Keras 3, `keras/src/callbacks/reduce_lr_on_plateau.py`, for `mode="min"`: the rate after each epoch.
fn keras_plateau(values: &[f64], patience: u64, cooldown: u64, min_delta: f64, min_rate: f64) -> Vec<f64> {
    let (mut best, mut wait, mut cooldown_counter, mut rate) = (f64::INFINITY, 0, 0, 1.0);
    let each = values.iter().map(|&current| {
        if cooldown_counter > 0 {
            cooldown_counter -= 1;
            wait = 0;
        }
        if current < best - min_delta {
            best = current;
            wait = 0;
        } else if cooldown_counter == 0 {
            wait += 1;
            if wait >= patience && rate > min_rate {
                rate = f64::max(rate * 0.5, min_rate);
                cooldown_counter = cooldown;
                wait = 0;
            }
        }
        rate
    });
    each.collect()
}

#[test]
fn the_rate_falls_on_a_plateau_as_in_keras() {
    let rates = |values: &[f64], plateau: ReduceOnPlateau| {
        let mut model = scripted(values, false);
        model.optimizer_mut().unwrap().set_learning_rate(1.0).unwrap();
        let (_, mut seen) = train(&mut model, values.len(), plateau.factor(0.5));
        std::mem::take(&mut seen.rates)
    };
    let plateau = || ReduceOnPlateau::new("score");
    assert_eq!(rates(&[0.5; 6], plateau().patience(1).cooldown(2)), [1.0, 0.5, 0.5, 0.25, 0.25, 0.125]);
    assert_eq!(rates(&[0.5; 5], plateau().patience(1).min_rate(0.3)), [1.0, 0.5, 0.3, 0.3, 0.3]);
    let key = Key::new(5).named("plateau");
    for case in 0..12u64 {
        let values: Vec<f64> = (0..15).map(|i| key.fold(case).uniform(i) - 0.02 * i as f64).collect();
        let (patience, cooldown, min_delta) = (1 + case % 3, case % 4, 0.05 * (case % 2) as f64);
        let ours = plateau().patience(patience).cooldown(cooldown).min_delta(min_delta).min_rate(0.1);
        assert_eq!(rates(&values, ours), keras_plateau(&values, patience, cooldown, min_delta, 0.1), "case {case}");
    }
}

/// Reads a file after each epoch.
struct Reader(std::path::PathBuf, Vec<Vec<u8>>);

impl<B: Backend> Callback<B> for Reader {
    fn on_epoch_end(&mut self, _: &EpochLog, _: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.1.push(std::fs::read(&self.0).unwrap());
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn the_best_weights_are_written_when_they_are_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("best.safetensors");
    let mut model = scripted(&[1.0, 2.0, 0.5, 0.7], false);
    let (mut best, mut reader, mut seen) =
        (BestWeights::new(&path, "score"), Reader(path.clone(), vec![]), Epochs::new());
    let fit = Fit::new().epochs(4).callback(&mut best).callback(&mut reader).callback(&mut seen).quiet();
    model.fit(&points(8), fit).unwrap();
    let [first, second, third, fourth] = &reader.1[..] else { panic!("four epochs") };
    assert!(first == second && second != third && third == fourth);
    assert_eq!(best.best(), Some((3, 0.5)));
    let mut loaded = classifier(&R::new(), 77);
    loaded.load_weights(&path).unwrap();
    assert_eq!(numbers(&loaded), seen.weights[2]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left in the folder");
}

#[test]
fn training_stops_when_the_loss_is_no_number() {
    let xs: Vec<f32> = (0..64).map(|i| i as f32).collect();
    let data = Dataset::new(Inputs::dense(xs.clone(), &[1]).unwrap(), Targets::values(xs, &[1]).unwrap()).unwrap();
    let run = |stop: Option<StopOnNan>| {
        let backend = elman_reference::Reference::<f32>::new();
        let mut model = Sequential::new().add(Dense::new(1)).build(&backend, Spec::dense(&[1]), 0).unwrap();
        // A step a thousand times too long: the weight grows by a factor of thousands with each.
        let optimizer = Optimizer::new(Sgd::new(1.0)).skip_not_finite();
        model.compile(optimizer, MeanSquaredError).metric(metrics::MeanSquaredError::new());
        let mut steps = super::toy::Steps::default();
        let mut fit = Fit::new().epochs(3).batch_size(1).callback(&mut steps).quiet();
        if let Some(stop) = stop {
            fit = fit.callback(stop);
        }
        (model.fit(&data, fit).unwrap(), steps.0)
    };
    let (history, losses) = run(None);
    assert_eq!((history.epochs.len(), losses.len(), &history.stopped), (3, 192, &None), "left alone, it goes on");
    let astray = 1 + losses.iter().position(|loss| !loss.is_finite()).unwrap();
    assert!((2..60).contains(&astray), "goes astray in the midst of an epoch: {astray}");
    for every in [1, 5] {
        let (history, losses) = run(Some(StopOnNan::every(every)));
        assert_eq!(losses.len(), astray.next_multiple_of(every));
        let reason = history.stopped.clone().unwrap();
        assert!(reason.ends_with(&format!("after batch {} of epoch 1", losses.len())), "{reason}");
        // Of those in between, what was skipped does not count.
        let counted = history.epochs[0].samples + history.epochs[0].skipped as usize;
        assert_eq!((history.epochs.len(), counted), (1, losses.len()));
        assert!(!history.series("loss")[0].is_finite() && history.series("mean_squared_error")[0].is_nan());
    }
    let (history, losses) = run(Some(StopOnNan::every(0)));
    assert_eq!((losses.len(), history.epochs.len()), (64, 1), "looks at the end of the epoch");
}

/// Writes down what is called, under its name.
struct Diary<'a>(&'static str, &'a std::sync::Mutex<Vec<String>>);

impl Diary<'_> {
    fn note(&self, what: impl std::fmt::Display) {
        self.1.lock().unwrap().push(format!("{}: {what}", self.0));
    }
}

impl<B: Backend> Callback<B> for Diary<'_> {
    fn on_train_begin(&mut self, _: &mut Model<B>) -> Result<()> {
        self.note("begin");
        Ok(())
    }

    fn on_epoch_begin(&mut self, epoch: u64, _: &mut Model<B>) -> Result<()> {
        self.note(format_args!("epoch {epoch}"));
        Ok(())
    }

    fn on_batch_end(
        &mut self,
        epoch: u64,
        batch: usize,
        _: &Tensor<B>,
        _: &mut Model<B>,
    ) -> Result<ControlFlow<String>> {
        self.note(format_args!("batch {batch} of {epoch}"));
        Ok(if (epoch, batch, self.0) == (2, 1, "a") {
            ControlFlow::Break("enough".into())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.note(format_args!("end of {}, {} samples", log.epoch, log.samples));
        Ok(ControlFlow::Break("never heard".into()))
            .map(|stop| if log.epoch == 2 { stop } else { ControlFlow::Continue(()) })
    }

    fn on_train_end(&mut self, history: &History, _: &mut Model<B>) -> Result<()> {
        self.note(format_args!("end after {}", history.epochs.len()));
        Ok(())
    }
}

#[test]
fn callbacks_are_called_in_order_and_the_first_reason_counts() {
    let diary = std::sync::Mutex::default();
    let mut second = Diary("b", &diary);
    let fit = Fit::new().epochs(5).batch_size(3).callback(Diary("a", &diary)).callback(&mut second).quiet();
    let history = classifier(&R::new(), 0).fit(&points(7), fit).unwrap();
    let expected = "begin; epoch 1; batch 0 of 1; batch 1 of 1; batch 2 of 1; end of 1, 7 samples; \
        epoch 2; batch 0 of 2; batch 1 of 2; end of 2, 6 samples; end after 2";
    let both = expected.split("; ").flat_map(|what| [format!("a: {what}"), format!("b: {what}")]);
    assert_eq!(diary.into_inner().unwrap(), both.collect::<Vec<_>>());
    assert_eq!((history.stopped.as_deref(), history.epochs.len()), (Some("enough"), 2));
}

/// Fails in an epoch.
struct Fails;

impl<B: Backend> Callback<B> for Fails {
    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<B>) -> Result<ControlFlow<String>> {
        Err(elman::Error::invalid("my callback", "nothing", log.epoch))
    }
}

#[test]
fn an_error_of_a_callback_ends_training() {
    let mut model = classifier(&R::new(), 0);
    let error = model.fit(&points(4), Fit::new().epochs(3).callback(Fails).quiet()).unwrap_err();
    assert_eq!(error.to_string(), "my callback: expected nothing, found 1");
}
