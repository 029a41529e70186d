//! The best weights put back at the end, and what the last checkpoint holds then.

use super::toy::{bits, data, model};
use elman::checkpoint::Checkpoint;
use elman::model::Model;
use elman::optim::Adam;
use elman::training::Fit;
use elman::training::callbacks::{Callback, EarlyStopping};
use elman::{Error, Result};
use elman_reference::Reference;
use std::path::Path;

type R = Reference<f64>;

fn build() -> Model<R> {
    model(&R::new(), 1, Adam::new(0.05))
}

/// Five epochs, of which the first counts as the best.
fn options<'a>(epochs: u64) -> Fit<'a, R> {
    let stop = EarlyStopping::new("loss").min_delta(100.0).patience(100).restore_best();
    Fit::new().epochs(epochs).batch_size(5).callback(stop).quiet()
}

fn loss(path: &Path, load: fn(&mut Model<R>, &Path) -> Result<()>) -> f64 {
    let mut loaded = build();
    load(&mut loaded, path).unwrap();
    loaded.evaluate(&data(), 8).unwrap().loss()
}

#[test]
fn the_last_checkpoint_holds_what_is_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    for keep in [false, true] {
        let checkpoint = match keep {
            true => Checkpoint::new(&path).keep(2),
            false => Checkpoint::new(&path),
        };
        let mut trained = build();
        let history = trained.fit(&data(), options(5).checkpoint(checkpoint.clone())).unwrap();
        let file = checkpoint.latest().unwrap().unwrap();
        let in_memory = trained.evaluate(&data(), 8).unwrap().loss();
        let mut best = build();
        best.fit(&data(), Fit::new().batch_size(5).quiet()).unwrap();
        assert_eq!(in_memory, best.evaluate(&data(), 8).unwrap().loss(), "that of the first epoch");
        assert_eq!(loss(&file, |model, path| model.load_weights(path)), in_memory);
        assert_eq!(loss(&file, |model, path| model.load_checkpoint(path).map(drop)), in_memory);
        // All of it: the next `fit` goes on from the one as from the other.
        let mut loaded = build();
        let (read, _) = loaded.load_checkpoint(&file).unwrap();
        assert_eq!(bits(&loaded, &read), bits(&trained, &history));
        let [a, b] = [&mut loaded, &mut trained].map(|model| {
            let history = model.fit(&data(), Fit::new().batch_size(5).quiet()).unwrap();
            bits(model, &history)
        });
        assert_eq!(a, b);
    }
}

/// Fails when training has ended, before the last checkpoint can be written anew.
struct Killed;

impl Callback<R> for Killed {
    fn on_train_end(&mut self, _: &elman::training::History, _: &mut Model<R>) -> Result<()> {
        Err(Error::invalid("test", "a long life", "an end"))
    }
}

#[test]
fn a_training_that_ended_goes_on_for_longer_as_if_it_had_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let mut whole = build();
    let history = whole.fit(&data(), options(7)).unwrap();
    build().fit(&data(), options(4).checkpoint(Checkpoint::new(&path))).unwrap();
    let mut resumed = build();
    let again = resumed.fit(&data(), options(7).resume_from(&path)).unwrap();
    assert_eq!(bits(&resumed, &again), bits(&whole, &history));
    // Nothing more to train: the best weights come back, and the file is written as it was.
    let before = std::fs::read(&path).unwrap();
    let mut ended = build();
    let again = ended.fit(&data(), options(4).resume_from(&path).checkpoint(Checkpoint::new(&path))).unwrap();
    let mut four = build();
    let straight = four.fit(&data(), options(4)).unwrap();
    assert_eq!(bits(&ended, &again), bits(&four, &straight));
    assert!(std::fs::read(&path).unwrap() == before);
    // Interrupted between the last epoch and the end.
    std::fs::remove_file(&path).unwrap();
    assert!(build().fit(&data(), options(4).checkpoint(Checkpoint::new(&path)).callback(Killed)).is_err());
    let mut ended = build();
    let again = ended.fit(&data(), options(4).resume_from(&path).checkpoint(Checkpoint::new(&path))).unwrap();
    assert_eq!(bits(&ended, &again), bits(&four, &straight));
    // Times are others, and the length of the header with them.
    assert!(arrays(&std::fs::read(&path).unwrap()) == arrays(&before));
    let mut loaded = build();
    loaded.load_weights(&path).unwrap();
    assert_eq!(loaded.evaluate(&data(), 8).unwrap().loss(), four.evaluate(&data(), 8).unwrap().loss());
}

/// Names and bytes of all arrays in a file.
fn arrays(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let file = safetensors::SafeTensors::deserialize(file).unwrap();
    let mut arrays: Vec<_> = file.tensors().into_iter().map(|(name, array)| (name, array.data().to_vec())).collect();
    arrays.sort();
    arrays
}

/// Ended and gone on with again and again, from within epochs too: each time as if it had not ended.
#[test]
fn a_training_can_end_and_go_on_many_times() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = build();
    let history = whole.fit(&data(), options(7)).unwrap();
    let mut file: Option<std::path::PathBuf> = None;
    for (i, epochs) in [2, 2, 4, 7].into_iter().enumerate() {
        let checkpoint = Checkpoint::new(folder.path().join(format!("run{i}.st"))).every_steps(3).keep(2);
        let resumed = |fit| file.iter().fold(fit, Fit::resume_from);
        let (mut model, mut straight) = (build(), build());
        let again = model.fit(&data(), resumed(options(epochs)).checkpoint(checkpoint.clone())).unwrap();
        let once = straight.fit(&data(), options(epochs)).unwrap();
        assert_eq!(bits(&model, &again), bits(&straight, &once), "{epochs} epochs");
        if let Some(latest) = checkpoint.latest().unwrap() {
            assert_eq!(loss(&latest, |m, p| m.load_weights(p)), straight.evaluate(&data(), 8).unwrap().loss());
            file = Some(latest);
        }
        if epochs == 7 {
            assert_eq!(bits(&model, &again), bits(&whole, &history));
        }
    }
    // The one before the last is within an epoch, and of a training that went on.
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("run3."));
    assert_eq!(files.len(), 2);
    for file in files {
        let mut model = build();
        let again = model.fit(&data(), options(7).resume_from(file)).unwrap();
        assert_eq!(bits(&model, &again), bits(&whole, &history));
    }
}
