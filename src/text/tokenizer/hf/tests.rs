//! Files good and bad.

use super::*;
use crate::text::{Vocabulary, tokenizer_from_json};
use serde_json::json;

/// A tokenizer of a few pieces of words, in the layout of today.
fn word_pieces() -> Value {
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                    "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [{"id": 0, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false,
                          "normalized": false, "special": true}],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "un": 4, "##known": 5, "cat": 6}}
    })
}

fn read(json: &Value) -> Result<HfTokenizer> {
    HfTokenizer::from_json(json.to_string())
}

#[test]
fn tokens_and_numbers_go_together() {
    let tokenizer = read(&word_pieces()).unwrap();
    assert_eq!(tokenizer.tokenize("Unknown cat dog").unwrap(), ["[CLS]", "un", "##known", "cat", "[UNK]", "[SEP]"]);
    assert_eq!(tokenizer.encode("Unknown cat dog").unwrap(), [2, 4, 5, 6, 1, 3]);
    let bare = tokenizer.clone().special_tokens(false);
    assert_eq!(bare.encode("Unknown cat dog").unwrap(), [4, 5, 6, 1]);
    assert_eq!(bare.decode(&[4, 5, 6]).unwrap(), "unknown cat");
    assert_eq!((bare.width(), bare.id("cat"), bare.token(6), bare.token(7)), (7, Some(6), Some("cat".into()), None));
    assert_eq!(bare.decode(&[7]).unwrap_err().to_string(), "tokenizer: expected numbers of tokens, found 7");
    let vocabulary = Vocabulary::from_words(["cat"], true).unwrap();
    assert_eq!(vocabulary.encode_text(&bare, "cat unknown").unwrap(), [2, 1, 1]);
}

#[test]
fn a_model_without_its_type_is_read() {
    let mut old = word_pieces();
    old["model"].as_object_mut().unwrap().remove("type");
    assert_eq!(read(&old).unwrap().encode("unknown").unwrap(), [2, 4, 5, 3]);
}

#[test]
fn it_is_saved_whole() {
    let tokenizer = read(&word_pieces()).unwrap().special_tokens(false);
    let again = tokenizer_from_json(&tokenizer.to_json()).unwrap();
    assert_eq!(
        (again.name(), again.tokenize("unknown").unwrap()),
        ("hugging_face", vec!["un".into(), "##known".into()])
    );
    let error = tokenizer_from_json(&json!({"kind": "hugging_face", "settings": {}})).unwrap_err().to_string();
    assert!(error.contains("missing field"), "{error}");
}

#[test]
fn bad_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let error = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let text = HfTokenizer::from_file(&path).unwrap_err().to_string();
        text.strip_prefix(&path.display().to_string()).unwrap().to_string()
    };
    assert!(matches!(HfTokenizer::from_file("no/such/file"), Err(Error::Io { .. })));
    assert!(error(b"").starts_with(": not a tokenizer.json that can be read (EOF"));
    assert!(error(b"\xff").contains("expected UTF-8"));
    assert!(error(b"{}").contains("not a tokenizer.json that can be read"));
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut json = word_pieces();
        change(&mut json);
        error(json.to_string().as_bytes())
    };
    assert!(changed(&|json| json["version"] = json!("9")).contains("version"));
    assert!(changed(&|json| json["model"]["type"] = json!("Magic")).contains("not a tokenizer.json"));
    assert!(changed(&|json| json["model"]["vocab"]["cat"] = json!(-1)).contains("not a tokenizer.json"));
    let moved = changed(&|json| json["added_tokens"][0]["id"] = json!(5));
    assert!(moved.contains("the added token \"[PAD]\" to have the number 5, found 0"), "{moved}");
    let high = changed(&|json| json["model"]["vocab"]["cat"] = json!(u32::MAX));
    assert!(high.contains("expected tokens numbered below 16777216, found 4294967295"), "{high}");
    let twice = changed(&|json| json["model"]["vocab"]["dog"] = json!(6));
    assert!(twice.ends_with("expected one token for each number, found \"cat\" and \"dog\" for 6"), "{twice}");
    let beyond = changed(&|json| json["post_processor"]["sep"][1] = json!(7));
    assert!(beyond.ends_with("expected special tokens numbered below 7, as the tokens are, found 7"), "{beyond}");
}

#[test]
fn a_file_that_contradicts_itself_is_an_error_and_no_panic() {
    // The library cuts the prefix off a piece that is shorter than it.
    let mut json = word_pieces();
    json["model"] = json!({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "######",
        "end_of_word_suffix": null, "fuse_unk": false, "vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]});
    json["added_tokens"] = json!([]);
    let error = read(&json).unwrap_err().to_string();
    assert!(error.contains("the content of a tokenizer.json"), "{error}");
}

/// Byte-pair encoding with dropout: what a model is trained with must not cut words otherwise at every call.
#[test]
fn bpe_dropout_is_off() {
    let of = |dropout: Value| {
        read(&json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "BPE", "dropout": dropout, "unk_token": null, "continuing_subword_prefix": null,
                      "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                      "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4}, "merges": [["a", "b"], ["ab", "c"]]}
        }))
        .unwrap()
    };
    // The right cut is that of a file without dropout.
    let expected = of(Value::Null).encode("abc ab abc").unwrap();
    assert_eq!(expected, [4, 3, 4]);
    // Each merge was left out with these probabilities: that it was never shows in 50 calls.
    for dropout in [0.1, 0.5, 1.0] {
        let tokenizer = of(json!(dropout));
        for _ in 0..50 {
            assert_eq!(tokenizer.encode("abc ab abc").unwrap(), expected, "dropout {dropout}");
        }
        // Nor after a round through a checkpoint's description.
        let again = tokenizer_from_json(&tokenizer.to_json()).unwrap();
        assert_eq!(again.tokenize("abc ab abc").unwrap(), ["abc", "ab", "abc"]);
    }
}
