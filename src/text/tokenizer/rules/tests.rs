use super::*;
use crate::text::tokenizer_from_json;
use proptest::prelude::*;

/// Words apart by spaces, sentences by `|`.
fn parted(text: &str) -> String {
    let sentence = |words: Vec<Range<usize>>| words.into_iter().map(|range| &text[range]).collect::<Vec<_>>().join(" ");
    RuleTokenizer::new().sentences(text).into_iter().map(sentence).collect::<Vec<_>>().join(" | ")
}

#[test]
fn sentences_end_where_a_reader_sees_it() {
    for (text, expected) in [
        ("The cat sat. It slept.", "The cat sat . | It slept ."),
        ("He left.\nWhy?! \"No idea.\" (So what.) End", "He left . | Why ? ! | \" No idea . \" | ( So what . ) | End"),
        ("\"Stop!\" he said. \"Why?\" she asked.", "\" Stop ! \" he said . | \" Why ? \" she asked ."),
        ("ok! see you... there? yes", "ok ! | see you ... there ? | yes"),
        (
            "Dr. J. R. Smith met Mr. Lee, e.g. in the U.S. Senate.",
            "Dr. J. R. Smith met Mr. Lee , e.g. in the U.S. Senate .",
        ),
        ("Apples, pears, etc. They grow.", "Apples , pears , etc. | They grow ."),
        ("Apples, etc. grow here.", "Apples , etc. grow here ."),
        ("So do I. Then it cost 3.5 or 1,000. Good", "So do I . | Then it cost 3.5 or 1,000 . | Good"),
        ("1. First of all. 2. No", "1 . First of all . | 2 . No"),
        ("See No. 5, pp. 6. He said No. Then", "See No. 5 , pp. 6 . | He said No . | Then"),
        ("A title\n\nA text\nof lines\r\n\r\nanother", "A title | A text of lines | another"),
        ("www.a.org is a.b, at 10:30 a.m. sharp", "www.a.org is a.b , at 10:30 a.m. sharp"),
        ("雨だ。「本当？」はい。", "雨だ 。 | 「 本当 ？ 」 | はい 。"),
        ("No end.Here", "No end . Here"),
        (" \u{200b}\n", ""),
        ("...", "..."),
    ] {
        assert_eq!(parted(text), expected, "{text:?}");
    }
}

#[test]
fn versions_are_told_apart() {
    let tokenizer = RuleTokenizer::new();
    let again = tokenizer_from_json(&tokenizer.to_json()).unwrap();
    assert_eq!(again.tokenize("Mr. X!").unwrap(), ["Mr.", "X", "!"]);
    let later = serde_json::json!({ "kind": "rules", "settings": { "version": 2 } });
    let error = tokenizer_from_json(&later).unwrap_err().to_string();
    assert_eq!(error, "tokenizer: expected rules of version 1, found version 2: another version of elman has it");
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_added(text in "[a-cA-C .!?\"')(\n1\u{301}\u{200d}é…。Mr]{0,24}") {
        let tokenizer = RuleTokenizer::new();
        let words = tokenizer.sentences(&text).concat();
        prop_assert_eq!(&words, &tokenizer.words(&text));
        let mut end = 0;
        for word in words {
            prop_assert!(word.start >= end && word.end > word.start);
            prop_assert!(!text[end..word.start].contains(char::is_alphanumeric));
            end = word.end;
        }
        prop_assert!(!text[end..].contains(char::is_alphanumeric));
    }
}
