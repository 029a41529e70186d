//! Damaged checkpoints: an error, or a training that goes on; never a panic, and a model that is as it was upon an error.

use crate::toy::{bits, data, fit, model};
use elman::checkpoint::{Checkpoint, Extras};
use elman::model::{History, Model};
use elman::optim::Nadam;
use elman_reference::Reference;
use proptest::prelude::*;
use std::path::Path;
use std::sync::LazyLock;

type R = Reference<f64>;

fn build() -> Model<R> {
    model(&R::new(), 1, elman::optim::Optimizer::new(Nadam::new(0.05)).accumulate(2))
}

/// A checkpoint with all that one can hold: within the third epoch, of best weights, in the midst of an accumulation.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let extras = Extras::new().with("words", &["grain", "trade"]).unwrap();
    let checkpoint = Checkpoint::new(folder.path().join("run.st")).every_steps(11).keep(9).extras(extras);
    build().fit(&data(), fit().checkpoint(checkpoint)).unwrap();
    std::fs::read(folder.path().join("run.step-11.st")).unwrap()
});

/// Tries to go on from these bytes in all ways; the errors.
fn errors(bytes: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    std::fs::write(&path, bytes).unwrap();
    let before = bits(&build(), &History::default());
    type Way = fn(&mut Model<R>, &Path) -> elman::Result<()>;
    let ways: [Way; 4] = [
        |model, path| model.fit(&data(), fit().resume_from(path)).map(drop),
        |model, path| model.load_checkpoint(path).map(drop),
        |model, path| model.load_weights(path),
        |_, path| Extras::read(path).map(drop),
    ];
    let mut errors = Vec::new();
    for way in ways {
        let mut model = build();
        if let Err(error) = way(&mut model, &path) {
            // A rate or weights that are no longer sensible may also end the training that they began.
            let untouched = bits(&model, &History::default()) == before;
            assert!(untouched || model.optimizer().unwrap().iteration() > 0, "{error}");
            errors.push(error.to_string());
        }
    }
    errors
}

fn header_length() -> usize {
    u64::from_le_bytes(WHOLE[..8].try_into().unwrap()) as usize
}

/// The file with another text in its header, of whatever length.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let (header, rest) = WHOLE[8..].split_at(header_length());
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains(from), "{from} is not in {header}");
    let header = header.replacen(from, to, 1);
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), rest].concat()
}

#[test]
fn a_whole_file_goes_on() {
    let expected = "expected a checkpoint between two epochs";
    let errors = errors(&WHOLE);
    assert!(errors.len() == 1 && errors[0].contains(expected), "{errors:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_in_the_header_are_errors_or_other_numbers(at in 0..header_length() + 8, bit in 0..8u32) {
        let mut bytes = WHOLE.clone();
        bytes[at] ^= 1u8 << bit;
        errors(&bytes);
    }

    #[test]
    fn flipped_bits_in_the_arrays_are_other_numbers(at in header_length() + 8..WHOLE.len(), bit in 0..8u32) {
        let mut bytes = WHOLE.clone();
        bytes[at] ^= 1u8 << bit;
        errors(&bytes);
    }

    #[test]
    fn what_is_cut_off_is_an_error(end in 0..WHOLE.len()) {
        let errors = errors(&WHOLE[..end]);
        prop_assert_eq!(errors.len(), 4);
        for error in errors {
            prop_assert!(error.contains("not a whole safetensors file ("), "{}", error);
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let first = |bytes: Vec<u8>| errors(&bytes).first().cloned().unwrap_or_default();
    let most = u64::MAX.to_string();
    for (from, to, expected) in [
        ("\\\"steps\\\":11", format!("\\\"steps\\\":{most}"), "18446744073709551615 steps, more than can be counted"),
        ("\\\"epochs\\\":2", format!("\\\"epochs\\\":{most}"), "18446744073709551615 epochs, more than can be counted"),
        ("\\\"calls\\\":11", format!("\\\"calls\\\":{most}"), "calls, more than can be counted"),
        ("\\\"updates\\\":5", format!("\\\"updates\\\":{most}"), "updates, more than can be counted"),
        ("\\\"accumulated\\\":1", format!("\\\"accumulated\\\":{most}"), "gradients, more than can be counted"),
        ("\\\"waited\\\":", format!("\\\"waited\\\":{}", &most[..19]), "expected a number of epochs"),
        ("\\\"batch\\\":3", "\\\"batch\\\":4".into(), "expected a place before batch 4, found 4"),
        ("\\\"steps\\\":11", "\\\"steps\\\":-1".into(), "not the state of a training (invalid value"),
        ("\\\"position\\\":", "\\\"positioN\\\":".into(), "not the state of a training (unknown field `positioN`"),
        ("\\\"seed\\\":1", "\\\"seed\\\":[[[[[[".into(), "not the state of a training (invalid type"),
        ("\\\"rule\\\":\\\"nadam\\\"", "\\\"rule\\\":\\\"adam\\\"".into(), "expected that of nadam, found adam"),
        ("\"elman.format\":\"1\"", "\"elman.format\":\"2\"".into(), "version 2 of the layout, this library reads 1"),
        ("early_stopping(val_accuracy)", "early_stopping(x)".into(), "callbacks that have a state"),
        ("\\\"metrics\\\":[\\\"accuracy\\\",", "\\\"metrics\\\":[\\\"precision\\\",".into(), "checkpoint: metrics"),
    ] {
        let message = first(edited(from, &to));
        assert!(message.contains(expected), "{from} -> {to}: {message}");
    }
    // A state of a callback that is none.
    let message = first(edited("{\\\"best\\\":", "{\\\"rest\\\":"));
    assert!(message.contains("expected the state of this callback, found "), "{message}");
}
