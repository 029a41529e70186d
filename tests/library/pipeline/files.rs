//! One file is all that is needed, and what is no tagger's is told.

use super::{builder, untrained};
use elman::checkpoint::Extras;
use elman::layers::{Dense, Sequential};
use elman::pipeline::{Tagger, TaggerTask};
use elman::text::WordVectors;
use elman::{Backend, Spec};
use elman_candle::Candle;
use elman_reference::Reference;
use serde_json::{Value, json};
use std::path::Path;

type R = Reference<f32>;

fn error(path: &Path) -> String {
    Tagger::load(&R::new(), path).expect_err("an error").to_string()
}

#[test]
fn a_file_is_all_that_is_needed() {
    fn check<B: Backend>(b: &B, again: &B) {
        let folder = tempfile::tempdir().unwrap();
        for task in TaggerTask::ALL {
            let path = folder.path().join("model.safetensors");
            let vectors = WordVectors::new(["anna", "Bert"], 2, &[0.5, -0.5, 1.0, 2.0]).unwrap();
            let builder = builder(task).crf(task == TaggerTask::Spans).vectors(vectors);
            let text = "Anna doesn't know Bert. Old Tom sleeps; so what?";
            let (before, extras) = {
                let tagger = untrained(b, &builder, task);
                tagger.save(&path).unwrap();
                (tagger.tag(text).unwrap(), tagger.extras().unwrap())
            };
            let loaded = Tagger::load(again, &path).unwrap();
            assert_eq!((loaded.task(), loaded.tag(text).unwrap()), (task, before));
            assert_eq!(loaded.extras().unwrap(), extras);
            // Saved again it is the same file.
            let other = folder.path().join("other.safetensors");
            loaded.save(&other).unwrap();
            assert!(std::fs::read(&path).unwrap() == std::fs::read(&other).unwrap());
        }
    }
    check(&Reference::<f64>::new(), &Reference::<f64>::new());
    check(&Candle::cpu(), &Candle::cpu());
}

/// A tagger's file with other extras than it should have.
fn saved_with(path: &Path, change: impl Fn(&str, &mut Value)) {
    let tagger = untrained(&R::new(), &builder(TaggerTask::Tags), TaggerTask::Tags);
    let whole = tagger.extras().unwrap();
    let mut extras = Extras::new();
    for name in whole.names() {
        let mut value: Value = whole.get(name).unwrap();
        change(name, &mut value);
        extras = extras.with(name, &value).unwrap();
    }
    tagger.model().save_with(path, &extras).unwrap();
}

#[test]
fn files_of_others_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let place = path.display();
    assert!(error(&path).contains("No such file"));
    let dense = Sequential::new().add(Dense::new(2)).build(&R::new(), Spec::dense(&[1]), 0).unwrap();
    dense.save(&path).unwrap();
    let none = format!(
        "{place}: expected the file of a tagger, found a model without tokenizer and vocabularies: it was not saved by a pipeline"
    );
    assert_eq!(error(&path), none);
    let translator = Extras::new().with("pipeline", &json!({ "kind": "translator", "version": 3 })).unwrap();
    dense.save_with(&path, &translator).unwrap();
    assert_eq!(error(&path), format!("{place}: expected the file of a tagger, found that of a translator"));
    std::fs::write(&path, "words\n").unwrap();
    assert!(error(&path).starts_with(&format!("{place}: ")), "{}", error(&path));

    saved_with(&path, |name, value| {
        if name == "pipeline" {
            value["version"] = json!(2);
        }
    });
    let newer =
        "expected a tagger of version 1 of its layout or older, found version 2, written by a newer version of elman";
    assert_eq!(error(&path), format!("{place}: {newer}"));
    let tokenizer = |tokenizer: Value| {
        saved_with(&path, |name, value| {
            if name == "tagger" {
                value["tokenizer"] = tokenizer.clone();
            }
        });
        error(&path)
    };
    let later = tokenizer(json!({ "kind": "rules", "settings": { "version": 9 } }));
    assert!(
        later.ends_with("expected rules of version 1, found version 9: another version of elman has it"),
        "{later}"
    );
    let learnt = tokenizer(json!({ "kind": "learnt", "settings": {} }));
    assert!(learnt.contains("one of the kinds `words`, `rules` and `hugging_face`, found \"learnt\""), "{learnt}");
    let words = tokenizer(elman::text::Tokenizer::to_json(&elman::text::WordTokenizer::new()));
    assert!(words.ends_with("expected a tokenizer of the kind `rules`, found `words`"), "{words}");
    for field in ["settings", "vocabulary"] {
        saved_with(&path, |name, value| {
            if name == "tagger" {
                value[field]["wings"] = json!(2);
            }
        });
        assert!(error(&path).contains("unknown field `wings`"), "{}", error(&path));
    }
    // Names that are not those of the network's outputs.
    saved_with(&path, |name, value| {
        if name == "tagger" {
            value["vocabulary"]["tags"].as_array_mut().unwrap().pop();
        }
    });
    assert!(error(&path).contains("expected a network for the task `tags` and 4 tags"), "{}", error(&path));
    saved_with(&path, |name, value| {
        if name == "tagger" {
            value["settings"]["task"] = json!("trees");
        }
    });
    assert!(error(&path).contains("expected a network for the task `trees`"), "{}", error(&path));
}

#[test]
fn a_damaged_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    untrained(&R::new(), &builder(TaggerTask::Tags), TaggerTask::Tags).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(error(&path).starts_with(&format!("{}: ", path.display())), "{length}: {}", error(&path));
    }
    let mut flipped = whole.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    assert!(error(&path).contains("checksum"), "{}", error(&path));
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let (b, task) = (R::new(), TaggerTask::Tags);
    let tagger = untrained(&b, &builder(task), task);
    for number in [f32::NAN, f32::INFINITY] {
        let mut model = untrained(&b, &builder(task), task).model().clone();
        let mut weights: Vec<_> = model.weights().map(|(name, array)| (name.to_string(), array.clone())).collect();
        let (name, last) = weights.last_mut().unwrap();
        let name = name.clone();
        let mut numbers = b.download(last).unwrap();
        numbers[0] = number;
        *last = b.upload(numbers, b.shape(last)).unwrap();
        model.set_weights(weights).unwrap();
        model.save_with(&path, &tagger.extras().unwrap()).unwrap();
        let expected =
            format!("expected numbers in the weights `{name}`, found NaN or infinity: the training diverged");
        assert!(error(&path).ends_with(&expected), "{}", error(&path));
    }
}
