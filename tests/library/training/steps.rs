//! Losses and rates by update.

use super::toy::{R, Steps, classifier, points, says};
use elman::backend::Backend;
use elman::checkpoint::Checkpoint;
use elman::data::Dataset;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::Model;
use elman::optim::{Optimizer, Schedule, Sgd};
use elman::training::{Fit, History, StepLog};
use elman_candle::Candle;
use elman_reference::Reference;

/// Five batches an epoch, the last of two samples.
fn data() -> Dataset {
    points(18)
}

fn fit<'a, B: Backend>() -> Fit<'a, B> {
    Fit::new().epochs(3).batch_size(4).quiet()
}

/// Trained by a rate that falls, with so many batches an update.
fn model<B: Backend>(backend: &B, accumulate: usize) -> Model<B> {
    let mut model = classifier(backend, 3);
    let optimizer = Optimizer::new(Sgd::new(0.2)).schedule(Schedule::cosine(20, 0.1)).accumulate(accumulate);
    model.compile(optimizer, SparseCategoricalCrossEntropy::new());
    model
}

/// Every bit of the entries.
fn bits(history: &History) -> Vec<(u64, u64, u64)> {
    history.steps().map(|log| (log.step, log.loss.to_bits(), log.learning_rate.to_bits())).collect()
}

/// What the log must be: the batches' losses, from a callback that waits for each, put together here.
fn expected(losses: &[f64], every: usize, accumulate: usize) -> Vec<(u64, f64)> {
    let (mut expected, mut update) = (Vec::new(), 0);
    for epoch in losses.chunks(5) {
        let (mut sum, mut count, mut last) = (0.0, 0.0, update);
        for (number, loss) in epoch.iter().enumerate() {
            let samples = if number == 4 { 2.0 } else { 4.0 };
            (sum, count) = (sum + loss * samples, count + samples);
            update += u64::from((number + 1) % accumulate == 0 || number == 4);
            if update - last == every as u64 || number == 4 {
                expected.push((update, sum / count));
                (sum, count, last) = (0.0, 0.0, update);
            }
        }
    }
    expected
}

fn are_means<B: Backend>(backend: &B) {
    for (accumulate, every) in [(1, 1), (1, 3), (1, 5), (1, 100), (2, 1), (2, 2), (3, 2)] {
        let (mut steps, mut rates) = (Steps::default(), Vec::new());
        let mut logged = model(backend, accumulate);
        let history = logged.fit(&data(), fit().log_steps(every).callback(&mut steps)).unwrap();
        let schedule = Schedule::cosine(20, 0.1);
        for (step, loss) in expected(&steps.0, every as usize, accumulate) {
            // The batch with which the update is made: whole groups, and what is left of each epoch.
            let updates = 5usize.div_ceil(accumulate) as u64;
            let (epoch, within) = ((step - 1) / updates, (step - 1) % updates + 1);
            let batch = epoch * 5 + (within * accumulate as u64).min(5);
            rates.push((step, loss, 0.2 * schedule.at(batch - 1)));
        }
        let found: Vec<&StepLog> = history.steps().collect();
        assert_eq!(found.len(), rates.len(), "{accumulate} batches an update, {every} updates an entry");
        for (log, (step, loss, rate)) in found.iter().zip(rates) {
            assert_eq!((log.step, log.learning_rate), (step, rate));
            // Sums of a few numbers, in the same order.
            assert!((log.loss - loss).abs() < 1e-12, "{log:?}, {loss} expected");
        }
        let mut silent = model(backend, accumulate);
        let without = silent.fit(&data(), fit()).unwrap();
        assert_eq!((without.steps().count(), without.series("loss")), (0, history.series("loss")));
    }
}

#[test]
fn an_entry_is_the_mean_of_its_batches() {
    are_means(&R::new());
    are_means(&Candle::cpu());
}

#[test]
fn numbers_go_on_with_the_next_fit() {
    let mut model = model(&R::new(), 1);
    let numbers = |history: History| history.steps().map(|log| log.step).collect::<Vec<_>>();
    assert_eq!(numbers(model.fit(&data(), fit().epochs(1).log_steps(2)).unwrap()), [2, 4, 5]);
    assert_eq!(numbers(model.fit(&data(), fit().epochs(1).log_steps(2)).unwrap()), [7, 9, 10]);
    let none = model.fit(&data(), fit().log_steps(0));
    says("every 0 updates", none, "fit: log_steps: expected at least 1 update, found 0");
}

fn goes_on<B: Backend>(backend: &B) {
    for (accumulate, every) in [(1, 2), (2, 2), (1, 7)] {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::new(folder.path().join("run.st")).every_steps(1).keep(99);
        let whole = model(backend, accumulate).fit(&data(), fit().log_steps(every).checkpoint(checkpoint)).unwrap();
        assert!(whole.steps().count() > 2);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let again = model(backend, accumulate).fit(&data(), fit().log_steps(every).resume_from(&path)).unwrap();
            assert_eq!(bits(&again), bits(&whole), "from {}", path.display());
        }
    }
}

#[test]
fn a_resumed_training_has_the_entries_of_the_whole() {
    goes_on(&Reference::<f32>::new());
    goes_on(&Candle::cpu());
}

#[cfg(feature = "csv")]
#[test]
fn a_file_of_entries_is_kept_as_that_of_epochs() {
    use elman::training::callbacks::CsvLog;
    use std::path::Path;
    let folder = tempfile::tempdir().unwrap();
    let [epochs, steps, run] = ["log.csv", "steps.csv", "run.st"].map(|name| folder.path().join(name));
    let lines = |path: &Path| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(path).unwrap();
        assert_eq!(reader.headers().unwrap().iter().take(2).collect::<Vec<_>>(), ["epoch", "step"]);
        reader.records().map(|line| line.unwrap().iter().map(String::from).collect()).collect()
    };
    let options = || fit().log_steps(2).callback(CsvLog::new(&epochs).steps(&steps));
    let history = model(&R::new(), 1).fit(&data(), options()).unwrap();
    let of = |history: &History| -> Vec<Vec<String>> {
        let entry = |epoch: u64, log: &StepLog| {
            vec![epoch.to_string(), log.step.to_string(), log.loss.to_string(), log.learning_rate.to_string()]
        };
        history.epochs.iter().flat_map(|epoch| epoch.steps.iter().map(|log| entry(epoch.epoch, log))).collect()
    };
    assert_eq!(lines(&steps), of(&history));
    // Another training moves both aside.
    let checkpoint = Checkpoint::new(&run).every_steps(1).keep(99);
    model(&R::new(), 1).fit(&data(), options().checkpoint(checkpoint)).unwrap();
    assert_eq!(lines(&folder.path().join("steps.1.csv")), of(&history));
    assert!(folder.path().join("log.1.csv").exists());
    // One that goes on from anywhere, over the lines of all epochs, leaves these lines.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "st") {
            model(&R::new(), 1).fit(&data(), options().resume_from(&path)).unwrap();
            assert_eq!(lines(&steps), of(&history), "from {}", path.display());
        }
    }
    // Behind those of another, which are of the same epochs.
    let appended = || fit().log_steps(2).callback(CsvLog::new(&epochs).append().steps(&steps));
    let checkpoint = Checkpoint::new(&run).every_steps(1).keep(99);
    model(&R::new(), 1).fit(&data(), appended().checkpoint(checkpoint)).unwrap();
    let both = [of(&history), of(&history)].concat();
    assert_eq!(lines(&steps), both);
    let from = folder.path().join("run.step-7.st");
    model(&R::new(), 1).fit(&data(), appended().resume_from(&from)).unwrap();
    assert_eq!(lines(&steps), both);
}

/// Batches by length are others than plain ones: what was done of an epoch is not done of the other's.
#[test]
fn an_epoch_in_another_order_is_not_gone_on_with() {
    use elman::Spec;
    use elman::data::{Inputs, Targets};
    use elman::layers::{Dense, Embedding, GlobalAveragePooling, Sequential};
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<Vec<u32>> = (0..12).map(|i| vec![1 + i % 3; 1 + i as usize % 5]).collect();
    let labels = Targets::classes((0..12).map(|i| i % 2).collect()).unwrap();
    let data = Dataset::new(Inputs::indices(&texts).unwrap(), labels).unwrap();
    let build = || {
        let network = Sequential::new().add(Embedding::new(4, 2)).add(GlobalAveragePooling).add(Dense::new(2));
        let mut model = network.build(&R::new(), Spec::Indices(None), 1).unwrap();
        model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::from_logits());
        model
    };
    let orders = || [Fit::new(), Fit::new().by_length(0), Fit::new().by_length(7)].map(|fit| fit.batch_size(4).quiet());
    let names = ["\"no\"", "\"padded with 0\"", "\"padded with 7\""];
    for (of, written) in orders().into_iter().enumerate() {
        let path = folder.path().join(format!("{of}.st"));
        let checkpoint = Checkpoint::new(&path).every_steps(2).keep(9);
        build().fit(&data, written.checkpoint(checkpoint)).unwrap();
        let within = folder.path().join(format!("{of}.step-2.st"));
        for (number, fit) in orders().into_iter().enumerate() {
            let result = build().fit(&data, fit.resume_from(&within));
            if number == of {
                result.unwrap();
                continue;
            }
            let error = result.unwrap_err().to_string();
            let expected =
                format!("batches by length: expected {}, as it was saved, found {}", names[of], names[number]);
            assert!(error.contains(&expected), "{error}");
        }
    }
}
