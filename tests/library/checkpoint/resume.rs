//! A training that was interrupted and goes on is the one that was not, bit for bit.

use super::toy::{bits, data, fit, model};
use elman::backend::Backend;
use elman::checkpoint::{Checkpoint, Extras};
use elman::model::Model;
use elman::optim::{AdaDelta, AdaGrad, Adam, Nadam, Optimizer, RmsProp, Schedule, Sgd};
use elman::training::callbacks::{BestWeights, Callback, CsvLog, EarlyStopping};
use elman::training::{EpochLog, Fit};
use elman::{Error, Result, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Trains without checkpoints, with one after every step, and on from each of these.
fn goes_on<B: Backend>(backend: &B, optimizer: impl Fn() -> Optimizer<B>) {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let mut whole = model(backend, 3, optimizer());
    let history = whole.fit(&data, fit()).unwrap();
    let expected = bits(&whole, &history);
    assert_eq!((history.epochs.len(), whole.optimizer().unwrap().state().calls), (4, 16));

    let mut watched = model(backend, 3, optimizer());
    let every = Checkpoint::new(folder.path().join("run.st")).every_steps(1).keep(100);
    let history = watched.fit(&data, fit().checkpoint(every.clone())).unwrap();
    assert_eq!(bits(&watched, &history), expected, "writing checkpoints changes nothing");

    assert_eq!(every.latest().unwrap().unwrap().file_name().unwrap(), "run.step-16.st");
    let files = files(folder.path());
    assert_eq!(files.len(), 16);
    for file in files {
        let mut resumed = model(backend, 99, optimizer());
        let history = resumed.fit(&data, fit().resume_from(&file)).unwrap();
        assert_eq!(bits(&resumed, &history), expected, "{} from {}", backend.name(), file.display());
        assert_eq!(resumed.seed(), 3);
    }
}

/// Three gradients an update and four batches an epoch, so that epochs end amid an accumulation; a course of the rate.
fn with_everything<B: Backend>(optimizer: Optimizer<B>) -> Optimizer<B> {
    optimizer.accumulate(3).clip_global_norm(0.5).schedule(Schedule::cosine(30, 0.1).warm_up(5, 0.2))
}

fn every_rule<B: Backend>(backend: &B) {
    goes_on(backend, || with_everything(Sgd::new(0.1).into()));
    goes_on(backend, || with_everything(Sgd::new(0.1).momentum(0.9).into()));
    goes_on(backend, || with_everything(Sgd::new(0.1).momentum(0.9).nesterov().into()));
    goes_on(backend, || with_everything(AdaGrad::new(0.1).into()));
    goes_on(backend, || with_everything(AdaDelta::new(1.0).into()));
    goes_on(backend, || with_everything(RmsProp::new(0.01).into()));
    goes_on(backend, || with_everything(RmsProp::new(0.01).momentum(0.9).centered().into()));
    goes_on(backend, || with_everything(Adam::new(0.05).into()));
    goes_on(backend, || with_everything(Adam::new(0.05).amsgrad().weight_decay(0.01).into()));
    goes_on(backend, || with_everything(Nadam::new(0.05).into()));
    goes_on(backend, || Adam::new(0.05).into());
}

#[test]
fn every_rule_goes_on_from_every_step_on_the_reference() {
    every_rule(&Reference::<f64>::new());
    every_rule(&Reference::<f32>::new());
}

#[test]
fn every_rule_goes_on_from_every_step_on_candle() {
    every_rule(&Candle::cpu());
}

/// Training ends with this error in the midst of an epoch, as if the process had been killed.
struct Killed(u64);

impl<B: Backend> Callback<B> for Killed {
    fn on_batch_end(&mut self, _: u64, _: usize, _: &Tensor<B>, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        match model.optimizer().unwrap().state().calls == self.0 {
            true => Err(Error::invalid("test", "a long life", "an end")),
            false => Ok(ControlFlow::Continue(())),
        }
    }
}

#[test]
fn a_killed_run_goes_on_from_its_last_checkpoint() {
    let (data, folder, backend) = (data(), tempfile::tempdir().unwrap(), Reference::<f64>::new());
    let build = || model(&backend, 1, Adam::new(0.05));
    let mut whole = build();
    let history = whole.fit(&data, fit()).unwrap();
    let checkpoint = Checkpoint::new(folder.path().join("run.st")).every_steps(3);
    assert_eq!(checkpoint.latest().unwrap(), None);
    // Checkpoints after the steps 3, 4 (the epoch's end), 6, 8, 9.
    assert!(build().fit(&data, fit().checkpoint(checkpoint.clone()).callback(Killed(11))).is_err());
    let last = checkpoint.latest().unwrap().unwrap();
    let mut resumed = build();
    // Killed again at the same place, then at a later one.
    for at in [11, 13] {
        let fit = fit().checkpoint(checkpoint.clone()).resume_from(&last).callback(Killed(at));
        assert!(build().fit(&data, fit).is_err());
    }
    let resumed_history = resumed.fit(&data, fit().checkpoint(checkpoint).resume_from(&last)).unwrap();
    assert_eq!(bits(&resumed, &resumed_history), bits(&whole, &history));
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn best_weights_come_back_from_the_file() {
    let (data, folder, backend) = (data(), tempfile::tempdir().unwrap(), Reference::<f32>::new());
    let build = || model(&backend, 1, Adam::new(0.05));
    // The first epoch stays the best, so that its weights are put back by a run that has not seen it.
    let stop = || EarlyStopping::new("loss").min_delta(100.0).patience(3).restore_best();
    let options = || Fit::new().epochs(9).batch_size(5).quiet();
    let mut whole = build();
    let checkpoint = Checkpoint::new(folder.path().join("run.st")).keep(9);
    let history = whole.fit(&data, options().callback(stop()).checkpoint(checkpoint)).unwrap();
    assert_eq!(history.epochs.len(), 4);
    assert!(history.stopped.is_some());
    let files = files(folder.path());
    assert_eq!(files.len(), 4);
    for file in files {
        let (mut resumed, mut stop) = (build(), stop());
        let resumed_history = resumed.fit(&data, options().callback(&mut stop).resume_from(file)).unwrap();
        assert_eq!(bits(&resumed, &resumed_history), bits(&whole, &history));
        assert_eq!(stop.best().unwrap().0, 1);
    }
}

#[test]
fn the_best_weights_file_and_the_log_are_what_they_would_have_been() {
    let (data, folder, backend) = (data(), tempfile::tempdir().unwrap(), Reference::<f64>::new());
    let [best, csv, run] = ["best.st", "log.csv", "run.st"].map(|name| folder.path().join(name));
    let options = || {
        let (best, log) = (BestWeights::new(&best, "val_loss"), CsvLog::new(&csv));
        Fit::new().batch_size(5).validation_split(0.2).callback(best).callback(log).quiet()
    };
    let build = || model(&backend, 1, Adam::new(0.3));
    let log = || {
        let text = std::fs::read_to_string(&csv).unwrap();
        text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_string()).collect::<Vec<_>>()
    };
    build().fit(&data, options().epochs(6)).unwrap();
    let expected = (std::fs::read(&best).unwrap(), log());
    assert_eq!(expected.1.len(), 7);
    build().fit(&data, options().epochs(3).checkpoint(Checkpoint::new(&run))).unwrap();
    assert_ne!(log(), expected.1);
    build().fit(&data, options().epochs(6).resume_from(&run)).unwrap();
    assert!((std::fs::read(&best).unwrap(), log()) == expected);
}

/// Sets what only a checkpoint can bring back: what is frozen, and numbers that JSON has not.
struct Odd;

impl<B: Backend> Callback<B> for Odd {
    fn on_epoch_begin(&mut self, epoch: u64, model: &mut Model<B>) -> Result<()> {
        if epoch == 2 { model.freeze("dense") } else { Ok(()) }
    }
}

#[test]
fn what_a_callback_froze_stays_frozen() {
    let (data, folder, backend) = (data(), tempfile::tempdir().unwrap(), Reference::<f64>::new());
    let build = || model(&backend, 1, Adam::new(0.05));
    let mut whole = build();
    let every = Checkpoint::new(folder.path().join("run.st")).every_steps(1).keep(99);
    let history = whole.fit(&data, fit().callback(Odd).checkpoint(every)).unwrap();
    for file in files(folder.path()) {
        let mut resumed = build();
        let resumed_history = resumed.fit(&data, fit().callback(Odd).resume_from(file)).unwrap();
        assert_eq!(bits(&resumed, &resumed_history), bits(&whole, &history));
    }
}

#[test]
fn epochs_count_those_that_are_done() {
    let (data, folder, backend) = (data(), tempfile::tempdir().unwrap(), Reference::<f64>::new());
    let path = folder.path().join("run.st");
    let options = |epochs| Fit::new().epochs(epochs).batch_size(5).quiet();
    let mut trained = model(&backend, 1, Adam::new(0.05));
    // Two epochs of another call are none of this training's.
    trained.fit(&data, options(2)).unwrap();
    trained.fit(&data, options(3).checkpoint(Checkpoint::new(&path))).unwrap();
    let numbers = |epochs| {
        let mut resumed = model(&backend, 1, Adam::new(0.05));
        let history = resumed.fit(&data, options(epochs).resume_from(&path)).unwrap();
        history.epochs.iter().map(|log: &EpochLog| log.epoch).collect::<Vec<_>>()
    };
    assert_eq!(numbers(4), [3, 4, 5, 6]);
    assert_eq!(numbers(3), [3, 4, 5]);
    assert_eq!(numbers(1), [3, 4, 5], "nothing is trained");
}

#[test]
fn a_checkpoint_of_ones_own_has_all_but_callbacks() {
    let (data, folder, backend) = (data(), tempfile::tempdir().unwrap(), Reference::<f64>::new());
    let path = folder.path().join("model.st");
    let options = |epochs| Fit::new().epochs(epochs).batch_size(5).quiet();
    let build = |seed| model(&backend, seed, with_everything(Adam::new(0.05).into()));
    let mut whole = build(1);
    let mut first = whole.fit(&data, options(2)).unwrap();
    first.epochs[1].values[0].1 = f64::NAN;
    first.epochs[1].values[1].1 = f64::NEG_INFINITY;
    first.epochs[0].learning_rate = 0.1 + 0.2;
    first.stopped = Some("\"why\" é".into());
    let words = ["grain", "naïve \"quoted\"", "\u{0}"];
    let extras = Extras::new().with("words", &words).unwrap().with("", &None::<u8>).unwrap();
    whole.save_checkpoint(&path, &first, &extras).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    whole.save_checkpoint(&path, &first, &extras).unwrap();
    assert!(bytes == std::fs::read(&path).unwrap(), "the same training gives the same bytes");

    let mut loaded = build(9);
    let (history, found) = loaded.load_checkpoint(&path).unwrap();
    assert_eq!(bits(&loaded, &history), bits(&whole, &first));
    assert_eq!(history.epochs[0].training_time, first.epochs[0].training_time);
    assert_eq!((&found, &Extras::read(&path).unwrap()), (&extras, &extras));
    assert_eq!(found.get::<Vec<String>>("words").unwrap(), words);
    let message = found.get::<u8>("word").unwrap_err().to_string();
    assert_eq!(message, "checkpoint: expected an extra among [, words], found `word`");
    assert!(found.get::<u8>("words").unwrap_err().to_string().starts_with("extra `words`: expected u8, found invalid"));

    let (a, b) = (whole.fit(&data, options(2)).unwrap(), loaded.fit(&data, options(2)).unwrap());
    assert_eq!(bits(&whole, &a), bits(&loaded, &b));
    // Without being compiled it predicts.
    let mut plain = elman::layers::Sequential::new()
        .add(elman::layers::Dense::new(4).activation(elman::Activation::Tanh))
        .add(elman::layers::Dropout::new(0.3))
        .add(elman::layers::Dense::new(2).activation(elman::Activation::Softmax))
        .build(&backend, elman::Spec::dense(&[2]), 4)
        .unwrap();
    plain.load_checkpoint(&path).unwrap();
    loaded.load_weights(&path).unwrap();
    assert_eq!(plain.predict(data.inputs(), 4).unwrap(), loaded.predict(data.inputs(), 4).unwrap());
}

#[test]
fn old_files_go_and_later_ones_stay() {
    let (data, folder, backend) = (data(), tempfile::tempdir().unwrap(), Reference::<f64>::new());
    let names = || files(folder.path()).iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_string()).collect();
    let checkpoint = Checkpoint::new(folder.path().join("run.st")).every(2).keep(2);
    let options = |epochs| Fit::new().epochs(epochs).batch_size(23).quiet().checkpoint(checkpoint.clone());
    std::fs::write(folder.path().join("run.step-5"), "no extension: another's").unwrap();
    std::fs::write(folder.path().join("run.step-007.st"), "no number of ours").unwrap();
    std::fs::write(folder.path().join("run.step-100.st"), "of a longer run").unwrap();
    model(&backend, 1, Adam::new(0.05)).fit(&data, options(7)).unwrap();
    let found: Vec<String> = names();
    // After the epochs 2, 4, 6, and the last, of one step each.
    assert_eq!(found, ["run.step-007.st", "run.step-100.st", "run.step-5", "run.step-6.st", "run.step-7.st"]);
    assert_eq!(checkpoint.latest().unwrap().unwrap(), folder.path().join("run.step-100.st"));
}
