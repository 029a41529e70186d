//! What a training cannot go on with is said before anything has changed.

use super::toy::{Stateless, bits, data, fit, model};
use elman::checkpoint::{Checkpoint, Extras};
use elman::metrics::Accuracy;
use elman::model::Model;
use elman::optim::{Adam, Sgd};
use elman::training::callbacks::EarlyStopping;
use elman::training::{Fit, History};
use elman_reference::Reference;
use std::path::PathBuf;

type R = Reference<f64>;

/// Checkpoints after step 2, in the midst of the first epoch, and after the epoch.
fn saved() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::new(folder.path().join("run.st")).every_steps(2).keep(9);
    model(&R::new(), 1, Adam::new(0.05)).fit(&data(), fit().epochs(1).checkpoint(checkpoint)).unwrap();
    let [within, after] = [2, 4].map(|step| folder.path().join(format!("run.step-{step}.st")));
    (folder, within, after)
}

/// The message without the folder, after a check that nothing was changed.
fn says(model: &mut Model<R>, path: &std::path::Path, fit: Option<Fit<'_, R>>) -> String {
    let before = bits(model, &History::default());
    let error = match fit {
        Some(fit) => model.fit(&data(), fit.resume_from(path)).map(drop).unwrap_err(),
        None => model.load_checkpoint(path).map(drop).unwrap_err(),
    };
    assert_eq!(before, bits(model, &History::default()));
    error.to_string().replace(&format!("{}/", path.parent().unwrap().display()), "")
}

#[test]
fn another_program_is_refused() {
    let (_folder, within, after) = saved();
    let adam = || model(&R::new(), 2, Adam::new(0.05));
    let message = says(&mut model(&R::new(), 2, Sgd::new(0.1)), &after, None);
    assert_eq!(message, "optimizer state: expected that of sgd, found adam");
    let message = says(&mut model(&R::new(), 2, Adam::new(0.1).amsgrad()), &after, Some(fit()));
    assert!(message.starts_with("weights do not fit the model: missing: dense.kernel/velocity_hat, "), "{message}");
    let message = says(&mut adam(), &within, None);
    let expected = "run.step-2.st: expected a checkpoint between two epochs (`Fit::resume_from` goes on within one), \
        found one in the midst of an epoch";
    assert_eq!(message, expected);
    let message = says(&mut adam(), &within, Some(fit().batch_size(6)));
    assert_eq!(message, "run.step-2.st: checkpoint: batch size: expected 5, as it was saved, found 6");
    let message = says(&mut adam(), &within, Some(fit().validation_split(0.5)));
    assert_eq!(message, "run.step-2.st: checkpoint: samples: expected 18, as it was saved, found 11");
    let message = says(&mut adam(), &within, Some(fit().shuffle(false)));
    assert_eq!(message, "run.step-2.st: checkpoint: shuffling: expected true, as it was saved, found false");
    let message = says(&mut adam(), &within, Some(fit().callback(EarlyStopping::new("loss"))));
    assert!(message.contains("found [\"early_stopping(loss)\", \"early_stopping(val_accuracy)\", "), "{message}");
    let mut other = adam();
    other.compile(Adam::new(0.05), elman::loss::SparseCategoricalCrossEntropy::new()).metric(Accuracy::new());
    let fit = Fit::new().batch_size(5).validation_split(0.2).quiet();
    assert!(
        says(&mut other, &within, Some(fit)).starts_with("run.step-2.st: checkpoint: callbacks that have a state: ")
    );
}

#[test]
fn another_precision_or_model_is_refused() {
    let (folder, _, after) = saved();
    let mut single = model(&Reference::<f32>::new(), 2, Adam::new(0.05));
    let message = single.load_checkpoint(&after).unwrap_err().to_string();
    assert!(message.contains("expected a checkpoint in f32, the model's precision") && message.ends_with("found f64"));
    single.load_weights(&after).unwrap();

    let weights = folder.path().join("weights.st");
    single.save_weights(&weights).unwrap();
    let message = says(&mut model(&R::new(), 2, Adam::new(0.05)), &weights, None);
    assert_eq!(message, "weights.st: weights alone and not a checkpoint: `load_weights` takes them");

    let mut other = elman::layers::Sequential::new().add(elman::layers::Dense::new(4));
    other = other.add_named("last", elman::layers::Dense::new(2).without_bias());
    let mut other = other.build(&R::new(), elman::Spec::dense(&[2]), 0).unwrap();
    let message = says(&mut other, &after, None);
    let expected = "missing: last.kernel; superfluous: dense_1.bias, dense_1.kernel";
    assert!(message.starts_with("weights do not fit the model: another network: ") && message.ends_with(expected));
    let plain = folder.path().join("plain.st");
    other.save_checkpoint(&plain, &History::default(), &Extras::new()).unwrap();
    other.compile(Adam::new(0.1), elman::loss::SparseCategoricalCrossEntropy::from_logits());
    let message = says(&mut other, &plain, None);
    let expected = "expected the state of adam (`load_weights` does without), found a model that was not compiled";
    assert_eq!(message, format!("plain.st: {expected}"));
}

#[test]
fn options_out_of_range_are_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let message = |checkpoint: Checkpoint, stateless: bool| {
        let mut model = model(&R::new(), 2, Adam::new(0.05));
        if stateless {
            let loss = elman::loss::SparseCategoricalCrossEntropy::new();
            model.compile(Adam::new(0.05), loss).metric(Stateless);
        }
        let before = bits(&model, &History::default());
        let message = model.fit(&data(), Fit::new().quiet().checkpoint(checkpoint)).unwrap_err().to_string();
        assert_eq!(before, bits(&model, &History::default()));
        message
    };
    let new = || Checkpoint::new(folder.path().join("run.st"));
    assert_eq!(message(new().every(0), false), "checkpoint: every: expected at least 1, found 0");
    assert_eq!(message(new().every_steps(0), false), "checkpoint: every_steps: expected at least 1, found 0");
    assert_eq!(message(new().keep(0), false), "checkpoint: keep: expected at least 1, found 0");
    let expected = "checkpoint: every_steps: expected metrics that have a state where checkpoints are written within \
        epochs, found `stateless` without";
    assert_eq!(message(new().every_steps(1), true), expected);
    assert!(message(Checkpoint::new(folder.path().join("no/run.st")), false).contains("No such file"));
    assert!(message(Checkpoint::new(folder.path()), false).contains("directory"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
