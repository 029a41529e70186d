//! Damaged checkpoints: an error, or a training that goes on; never a panic, and a model that is as it was upon an error.

use super::toy::{bits, data, fit, model};
use elman::checkpoint::{Checkpoint, Extras};
use elman::model::Model;
use elman::optim::Nadam;
use elman::training::History;
use elman_reference::Reference;
use proptest::prelude::*;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
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

/// The same as it was before there were checksums, so that damage gets past them.
static OLD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (header, rest) = WHOLE[8..].split_at(header_length(&WHOLE));
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    metadata.remove("elman.checksum");
    metadata.insert("elman.format".into(), "1".into());
    let mut header = header.to_string();
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), rest].concat()
});

/// Ways to go on from a file.
type Way = fn(&mut Model<R>, &Path) -> elman::Result<()>;
const WAYS: [Way; 4] = [
    |model, path| model.fit(&data(), fit().resume_from(path)).map(drop),
    |model, path| model.load_checkpoint(path).map(drop),
    |model, path| model.load_weights(path),
    |_, path| Extras::read(path).map(drop),
];

/// Tries to go on from these bytes in all ways; the errors.
fn errors(bytes: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    std::fs::write(&path, bytes).unwrap();
    let before = bits(&build(), &History::default());
    let mut errors = Vec::new();
    for way in WAYS {
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

fn header_length(file: &[u8]) -> usize {
    u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

/// The old file with another text in its header, of whatever length.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let (header, rest) = OLD[8..].split_at(header_length(&OLD));
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains(from), "{from} is not in {header}");
    let header = header.replacen(from, to, 1);
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), rest].concat()
}

#[test]
fn a_whole_file_goes_on() {
    let expected = "expected a checkpoint between two epochs";
    for file in [&WHOLE, &OLD] {
        let errors = errors(file);
        assert!(errors.len() == 1 && errors[0].contains(expected), "{errors:?}");
    }
}

/// A bit of each byte, wherever it is: of the length, the header's names and numbers, its padding, every array.
#[test]
fn a_flipped_bit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    std::fs::write(&path, &*WHOLE).unwrap();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    let mut put = |at: usize, byte: u8| {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    let arrays = 8 + header_length(&WHOLE);
    let mut model = build();
    let before = bits(&model, &History::default());
    let mut said_so = 0;
    for at in 0..WHOLE.len() {
        put(at, WHOLE[at] ^ (1 << (at % 8)));
        // The header is looked at by all, an array when it is read: going on reads all of them.
        let ways = match at {
            _ if at >= arrays => &WAYS[..1],
            _ if at % 16 == 0 => &WAYS[..],
            _ => &WAYS[3..],
        };
        for way in ways {
            let error = way(&mut model, &path).expect_err(&format!("byte {at}")).to_string();
            let damaged = error.contains(" is damaged: its checksum is ");
            said_so += usize::from(damaged);
            assert!(damaged || at < arrays, "byte {at}: {error}");
            // What is no longer a header is told as that.
            let known =
                ["not a whole safetensors file (", " is damaged: its checksum is", "of the layout, this library"];
            assert!(known.iter().any(|known| error.contains(known)), "byte {at}: {error}");
        }
        put(at, WHOLE[at]);
    }
    assert_eq!(bits(&model, &History::default()), before);
    assert!(said_so > WHOLE.len() / 2, "{said_so}");
}

/// The words of the errors: what is damaged, and what to do when nothing is.
#[test]
fn the_error_says_what_is_damaged() {
    let arrays = 8 + header_length(&WHOLE);
    let header: serde_json::Value = serde_json::from_slice(&WHOLE[8..arrays]).unwrap();
    let kernel = header["dense.kernel"]["data_offsets"][0].as_u64().unwrap() as usize;
    let mut bytes = WHOLE.clone();
    bytes[arrays + kernel + 3] ^= 0x10;
    let found = errors(&bytes);
    assert_eq!(found.len(), 3, "the extras are whole: {found:?}");
    let crc = |bytes: &[u8]| format!("{:08x}", crc32fast::hash(bytes));
    let length = 8 * 2 * 4;
    let [now, written] = [&bytes, &*WHOLE].map(|file| crc(&file[arrays + kernel..][..length]));
    let expected = format!("run.st: `dense.kernel` is damaged: its checksum is {now}, what was written had {written}");
    found.iter().for_each(|error| assert!(error.ends_with(&expected), "{error}"));

    let mut bytes = WHOLE.clone();
    let steps = WHOLE.windows(10).position(|text| text == b"steps\\\":11").unwrap();
    bytes[steps + 9] ^= 1;
    let found = errors(&bytes);
    assert!(
        found.len() == 4 && found.iter().all(|error| error.contains("run.st: the header is damaged: its checksum is "))
    );

    // A program that writes the metadata anew, in an order of its own.
    let mut rewritten = header.clone();
    let metadata = rewritten["__metadata__"].as_object_mut().unwrap();
    let checksum = metadata.remove("elman.checksum").unwrap();
    let mut file = |metadata: serde_json::Value| {
        rewritten["__metadata__"] = metadata;
        let header = rewritten.to_string();
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &WHOLE[arrays..]].concat()
    };
    let mut metadata = header["__metadata__"].clone();
    metadata.as_object_mut().unwrap().remove("elman.checksum");
    let without = errors(&file(metadata.clone()));
    metadata["elman.checksum"] = checksum;
    let elsewhere = errors(&file(metadata));
    for found in [without, elsewhere] {
        assert_eq!(found.len(), 4);
        let expected =
            "(a program that writes the file anew must leave `elman.checksum` and `elman.format` out of the metadata)";
        found.iter().for_each(|error| assert!(error.ends_with(expected), "{error}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_checksums_flipped_bits_in_the_header_are_errors_or_other_numbers(at in 0..header_length(&OLD) + 8, bit in 0..8u32) {
        let mut bytes = OLD.clone();
        bytes[at] ^= 1u8 << bit;
        errors(&bytes);
    }

    #[test]
    fn without_checksums_flipped_bits_in_the_arrays_are_other_numbers(at in header_length(&OLD) + 8..OLD.len(), bit in 0..8u32) {
        let mut bytes = OLD.clone();
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
        (
            "\\\"seed\\\":1,\\\"steps",
            "\\\"seed\\\":[[[[[[,\\\"steps".into(),
            "not the state of a training (invalid type",
        ),
        ("\\\"rule\\\":\\\"nadam\\\"", "\\\"rule\\\":\\\"adam\\\"".into(), "expected that of nadam, found adam"),
        (
            "\"elman.format\":\"1\"",
            "\"elman.format\":\"3\"".into(),
            "version 3 of the layout, this library reads 1 and 2",
        ),
        (
            "\\\"momentum\\\",\\\"velocity\\\"",
            "\\\"momentum\\\",\\\"momentum\\\"".into(),
            "`dense.kernel/momentum` twice",
        ),
        ("\\\"name\\\":\\\"dense.bias\\\"", "\\\"name\\\":\\\"dense.kernel\\\"".into(), "`dense.kernel` twice"),
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
