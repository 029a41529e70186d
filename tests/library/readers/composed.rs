//! What looks the same is the same word, in new vocabularies and tokenizers; old files stay as they are.

use elman::text::{Tokenizer, Vocabulary, VocabularyBuilder, WordTokenizer, tokenizer_from_json};
use serde_json::{Value, json};

/// é as one character and as two.
const COMPOSED: &str = "caf\u{e9}";
const DECOMPOSED: &str = "cafe\u{301}";

#[test]
fn composed_and_decomposed_words_are_one() {
    let text = format!("{COMPOSED} {DECOMPOSED} CAFE\u{301}");
    for tokenizer in [WordTokenizer::new(), WordTokenizer::keras(), WordTokenizer::tweets()] {
        assert_eq!(tokenizer.tokenize(&text).unwrap(), [COMPOSED; 3]);
        assert_eq!(tokenizer.clone().nfc(false).tokenize(&text).unwrap(), [COMPOSED, DECOMPOSED, DECOMPOSED]);
        let vocabulary = VocabularyBuilder::new().fit_texts(&tokenizer, [&text]).unwrap();
        assert_eq!(vocabulary.words().collect::<Vec<_>>(), [(COMPOSED, 3)]);
    }
    // Runs of one letter are seen as such.
    assert_eq!(WordTokenizer::tweets().tokenize(&"e\u{301}".repeat(5)).unwrap(), ["\u{e9}\u{e9}\u{e9}"]);
    // Hangul is composed by rule, and marks are put in their order.
    let vocabulary = VocabularyBuilder::new().fit([["\u{1112}\u{1161}\u{11ab}", "a\u{302}\u{323}"]]).unwrap();
    assert_eq!(vocabulary.words().map(|(word, _)| word).collect::<Vec<_>>(), ["\u{d55c}", "\u{1ead}"]);
}

#[test]
fn vocabularies_of_any_tokens_know_both_forms() {
    let vocabulary = VocabularyBuilder::new().fit([[DECOMPOSED, COMPOSED, "tea"]]).unwrap();
    assert_eq!((vocabulary.len(), vocabulary.index(COMPOSED), vocabulary.index(DECOMPOSED)), (2, Some(2), Some(2)));
    assert_eq!(vocabulary.encode([DECOMPOSED, "tea", COMPOSED, "milk"]), [2, 3, 2, 1]);
    let off = VocabularyBuilder::new().nfc(false).fit([[DECOMPOSED, COMPOSED]]).unwrap();
    assert_eq!((off.len(), off.index(COMPOSED), off.index(DECOMPOSED)), (2, Some(3), Some(2)));
    // What is given word by word stays as it is given.
    let given = Vocabulary::from_words([DECOMPOSED, COMPOSED], true).unwrap();
    assert_eq!((given.index(DECOMPOSED), given.index(COMPOSED)), (Some(2), Some(3)));
}

#[test]
fn what_is_saved_says_so_and_old_files_are_read_as_they_are() {
    let new = VocabularyBuilder::new().fit([[COMPOSED]]).unwrap();
    let saved = serde_json::to_value(&new).unwrap();
    assert_eq!(saved["nfc"], json!(true));
    let read = serde_json::from_value::<Vocabulary>(saved).unwrap();
    assert_eq!((&read, read.index(DECOMPOSED)), (&new, Some(2)));
    // A vocabulary and a tokenizer as they were written before.
    let old = json!({"words": [COMPOSED, DECOMPOSED], "counts": [2, 1], "unknown": true});
    let old = serde_json::from_value::<Vocabulary>(old).unwrap();
    assert_eq!((old.index(COMPOSED), old.index(DECOMPOSED)), (Some(2), Some(3)));
    let settings = json!({"split_at": null, "lowercase": true, "apostrophes": true, "names": "keep", "urls": "keep",
        "numbers": "keep", "emoticons": "keep", "hashtags": "keep", "emoji": true, "punctuation": true, "repeats": null});
    let tokens = |settings: Value| {
        let tokenizer = tokenizer_from_json(&json!({"kind": "words", "settings": settings})).unwrap();
        // What it says of itself makes the same again.
        let again = tokenizer_from_json(&tokenizer.to_json()).unwrap();
        let text = format!("{COMPOSED} {DECOMPOSED}");
        assert_eq!(tokenizer.tokenize(&text).unwrap(), again.tokenize(&text).unwrap());
        tokenizer.tokenize(&text).unwrap()
    };
    assert_eq!(tokens(settings), [COMPOSED, DECOMPOSED]);
    assert_eq!(tokens(json!({})), [COMPOSED, DECOMPOSED]);
    let today = WordTokenizer::new().to_json()["settings"].clone();
    assert_eq!((today["nfc"].clone(), tokens(today)), (json!(true), vec![COMPOSED.to_string(); 2]));
}
