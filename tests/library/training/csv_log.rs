//! The log of training as a file: what is in it, and that nothing is lost of what was.

use super::toy::{R, classifier, points};
use elman::Error;
use elman::model::Model;
use elman::training::callbacks::CsvLog;
use elman::training::{EpochLog, Fit, History};
use std::path::Path;

fn train(model: &mut Model<R>, epochs: u64, log: &mut CsvLog) -> History {
    model.fit(&points(8), Fit::new().epochs(epochs).callback(log).quiet()).unwrap()
}

/// The heading and the rows of a file.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let heading = reader.headers().unwrap().iter().map(String::from).collect();
    (heading, reader.records().map(|line| line.unwrap().iter().map(String::from).collect()).collect())
}

/// The numbers of a row, which hold each bit of an epoch's.
fn is_epoch(row: &[String], epoch: &EpochLog) {
    let numbers: Vec<u64> = row.iter().map(|cell| cell.parse::<f64>().unwrap().to_bits()).collect();
    let [loss, accuracy] = ["loss", "accuracy"].map(|name| epoch.get(name).unwrap());
    let expected = [epoch.epoch as f64, loss, accuracy, epoch.learning_rate, epoch.training_time.as_secs_f64()];
    assert_eq!(numbers, expected.map(f64::to_bits));
}

fn epochs(path: &Path) -> Vec<String> {
    table(path).1.into_iter().map(|mut row| row.remove(0)).collect()
}

#[test]
fn a_second_fit_goes_on_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    // Frozen, then as a whole; with one log, and with one for each phase.
    for one in [true, false] {
        std::fs::remove_file(&path).ok();
        let mut model = classifier(&R::new(), 0);
        let (mut log, mut other) = (CsvLog::new(&path), CsvLog::new(&path));
        model.freeze("dense").unwrap();
        let mut all = train(&mut model, 2, &mut log).epochs;
        model.unfreeze("dense").unwrap();
        all.extend(train(&mut model, 3, if one { &mut log } else { &mut other }).epochs);
        let (heading, rows) = table(&path);
        assert_eq!(heading, ["epoch", "loss", "accuracy", "learning_rate", "seconds"]);
        assert_eq!(rows.len(), 5);
        rows.iter().zip(&all).for_each(|(row, epoch)| is_epoch(row, epoch));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_value_that_comes_later_gets_a_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let (mut model, mut log) = (classifier(&R::new(), 0), CsvLog::new(&path));
    let validated = |log| Fit::new().validation_split(0.5).callback(log).quiet();
    train(&mut model, 1, &mut log);
    model.fit(&points(8), validated(&mut log)).unwrap();
    train(&mut model, 1, &mut log);
    let (heading, rows) = table(&path);
    let expected = ["epoch", "loss", "accuracy", "learning_rate", "seconds", "val_loss", "val_accuracy"];
    assert_eq!(heading, expected);
    assert_eq!(rows.iter().map(|row| row[5..].iter().all(String::is_empty)).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(epochs(&path), ["1", "2", "3"]);
}

#[test]
fn the_file_of_another_training_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let [path, first, second] = ["log.csv", "log.1.csv", "log.2.csv"].map(|name| folder.path().join(name));
    for epochs in [2, 3, 4] {
        train(&mut classifier(&R::new(), 0), epochs, &mut CsvLog::new(&path));
    }
    assert_eq!([&first, &second, &path].map(|path| epochs(path).len()), [2, 3, 4]);
    train(&mut classifier(&R::new(), 0), 1, &mut CsvLog::new(&path).append());
    assert_eq!(epochs(&path), ["1", "2", "3", "4", "1"]);
    train(&mut classifier(&R::new(), 0), 1, &mut CsvLog::new(&path).overwrite());
    assert_eq!(epochs(&path), ["1"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    // Something else altogether.
    std::fs::write(&path, "name,price\nnail,2\n").unwrap();
    let appending = Fit::new().callback(CsvLog::new(&path).append()).quiet();
    let error: Error = classifier(&R::new(), 0).fit(&points(8), appending).unwrap_err();
    assert!(error.to_string().ends_with("expected a log of training, whose first column is `epoch`, found `name`"));
    train(&mut classifier(&R::new(), 0), 1, &mut CsvLog::new(&path));
    assert_eq!(std::fs::read_to_string(folder.path().join("log.3.csv")).unwrap(), "name,price\nnail,2\n");
}

#[test]
fn a_resumed_training_keeps_the_phases_before_it() {
    use elman::checkpoint::Checkpoint;
    let folder = tempfile::tempdir().unwrap();
    let [path, run] = ["log.csv", "run.st"].map(|name| folder.path().join(name));
    let mut model = classifier(&R::new(), 0);
    train(&mut model, 2, &mut CsvLog::new(&path));
    let options = || Fit::new().batch_size(4).callback(CsvLog::new(&path)).quiet();
    for every_steps in [None, Some(1)] {
        let checkpoint = every_steps.into_iter().fold(Checkpoint::new(&run).keep(9), Checkpoint::every_steps);
        model.fit(&points(8), options().epochs(3).checkpoint(checkpoint)).unwrap();
        let all = table(&path);
        let before = epochs(&path);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|end| end == "st") {
                let mut resumed = classifier(&R::new(), 9);
                resumed.fit(&points(8), options().epochs(3).resume_from(&file)).unwrap();
                assert_eq!(epochs(&path), before, "{}", file.display());
                assert_eq!(table(&path).1[..2], all.1[..2]);
                std::fs::remove_file(file).unwrap();
            }
        }
    }
    assert_eq!(epochs(&path), ["1", "2", "3", "4", "5", "6", "7", "8"]);
}

/// Lines of others before the training's own, in a log that is appended to: they stay when it is resumed, from the end of an
/// epoch and from within the first.
#[test]
fn a_resumed_training_keeps_what_it_was_appended_to() {
    use elman::checkpoint::Checkpoint;
    let folder = tempfile::tempdir().unwrap();
    let [path, run] = ["log.csv", "run.st"].map(|name| folder.path().join(name));
    train(&mut classifier(&R::new(), 0), 4, &mut CsvLog::new(&path));
    let options = || Fit::new().batch_size(4).epochs(3).callback(CsvLog::new(&path).append()).quiet();
    let every = Checkpoint::new(&run).every_steps(1).keep(9);
    classifier(&R::new(), 1).fit(&points(8), options().checkpoint(every)).unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let expected = ["1", "2", "3", "4", "1", "2", "3"];
    assert_eq!(epochs(&path), expected);
    for step in 1..=6 {
        // As it was when the checkpoint was written: two steps an epoch.
        let lines = 1 + 4 + step / 2;
        std::fs::write(&path, whole.split_inclusive('\n').take(lines).collect::<String>()).unwrap();
        let file = folder.path().join(format!("run.step-{step}.st"));
        classifier(&R::new(), 9).fit(&points(8), options().resume_from(&file)).unwrap();
        assert_eq!(epochs(&path), expected, "from step {step}");
    }
}

#[test]
fn a_resumed_training_does_not_take_the_place_of_another_kind_of_file() {
    use elman::checkpoint::Checkpoint;
    let folder = tempfile::tempdir().unwrap();
    let [path, run] = ["log.csv", "run.st"].map(|name| folder.path().join(name));
    classifier(&R::new(), 0).fit(&points(8), Fit::new().checkpoint(Checkpoint::new(&run)).quiet()).unwrap();
    std::fs::write(&path, "name,price\nnail,2\n").unwrap();
    let options = Fit::new().epochs(2).resume_from(&run).callback(CsvLog::new(&path)).quiet();
    classifier(&R::new(), 0).fit(&points(8), options).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("log.1.csv")).unwrap(), "name,price\nnail,2\n");
    assert_eq!(epochs(&path), ["1", "2"]);
}
