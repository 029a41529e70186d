//! Trainings whose disk fails: the last checkpoint is whole, and going on from it ends where an untouched training does.

use crate::names;
use crate::system::{Fault, failing};
use crate::toy::{bits, data, fit, model};
use elman::checkpoint::Checkpoint;
use elman::model::Model;
use elman::optim::Adam;
#[cfg(feature = "csv")]
use elman::training::callbacks::CsvLog;
use elman::training::callbacks::{BestWeights, Callback};
use elman::training::{EpochLog, Fit};
use elman_reference::Reference;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

type R = Reference<f64>;

fn build() -> Model<R> {
    model(&R::new(), 1, Adam::new(0.05))
}

fn checkpoint(folder: &Path) -> Checkpoint {
    Checkpoint::new(folder.join("run.st")).every_steps(3).keep(2)
}

/// With all that writes: checkpoints, the best weights, a log.
fn writing(folder: &Path) -> Fit<'static, R> {
    let fit = fit().checkpoint(checkpoint(folder)).callback(BestWeights::new(folder.join("best.st"), "val_loss"));
    #[cfg(feature = "csv")]
    let fit = fit.callback(CsvLog::new(folder.join("log.csv")));
    fit
}

/// A log without the seconds, which are measured.
#[cfg(feature = "csv")]
fn log(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("log.csv")).unwrap_or_default();
    let line = |line: &str| line.rsplit_once(',').map_or(line, |(line, _)| line).to_string() + "\n";
    text.lines().map(line).collect()
}

#[test]
fn it_goes_on_from_the_last_checkpoint() {
    let untouched = tempfile::tempdir().unwrap();
    let mut whole = build();
    let history = whole.fit(&data(), writing(untouched.path())).unwrap();
    let expected = bits(&whole, &history);
    let (mut errors, mut resumed) = (0, 0);
    let faults: [fn(u64) -> Fault; 3] = [Fault::Once, Fault::From, |n| Fault::Room(400 * n)];
    for fault in faults {
        // Each third call: a training makes some two hundred of them.
        for n in (1..).step_by(3) {
            let folder = tempfile::tempdir().unwrap();
            let (trained, failed) = failing(fault(n), || build().fit(&data(), writing(folder.path())));
            if failed == 0 {
                break;
            }
            let case = format!("{:?}", fault(n));
            // Some calls may fail without harm: the looking for what others have left.
            if let Err(error) = trained {
                let error = error.to_string();
                assert!(error.contains(&folder.path().display().to_string()), "{case}: {error}");
                errors += 1;
            }
            let mut again = writing(folder.path());
            if let Some(last) = checkpoint(folder.path()).latest().unwrap() {
                resumed += 1;
                again = again.resume_from(last);
            }
            let mut model = build();
            let history = model.fit(&data(), again).unwrap_or_else(|error| panic!("{case}: {error}"));
            assert!(bits(&model, &history) == expected, "{case}: another training");
            // An old checkpoint that could not be deleted at the very end stays; nothing else does.
            let mut left = names(folder.path());
            left.retain(|name| !name.starts_with("run.step-") || untouched.path().join(name).exists());
            assert_eq!(left, names(untouched.path()), "{case}");
            #[cfg(feature = "csv")]
            assert_eq!(log(folder.path()), log(untouched.path()), "{case}");
        }
    }
    assert!(errors > 60 && resumed > 40, "{errors} errors, {resumed} trainings went on");
}

#[test]
fn a_read_only_folder_is_found_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = build();
    let (trained, _) = failing(Fault::From(1), || model.fit(&data(), writing(folder.path())));
    let error = trained.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}/", folder.path().display())), "{error}");
    assert_eq!(model.optimizer().unwrap().iteration(), 0);
}

/// Takes the folder away after an epoch.
struct Away(PathBuf);

impl Callback<R> for Away {
    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<R>) -> elman::Result<ControlFlow<String>> {
        if log.epoch == 2 {
            fs::remove_dir_all(&self.0).unwrap();
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn a_folder_that_goes_away_is_named_and_the_model_stays() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    fs::create_dir(&folder).unwrap();
    let mut model = build();
    let fit = fit().checkpoint(checkpoint(&folder)).callback(Away(folder.clone()));
    let error = model.fit(&data(), fit).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}/run.step-", folder.display())), "{error}");
    assert!(error.ends_with("No such file or directory (os error 2)"), "{error}");
    assert!(!folder.exists());
    // The epochs until then are not lost: another place may have room for them.
    let elsewhere = place.path().join("elsewhere.st");
    model.save_weights(&elsewhere).unwrap();
    let mut saved = build();
    saved.load_weights(&elsewhere).unwrap();
    assert!(model.optimizer().unwrap().iteration() >= 8);
}
