//! Raw text: sentences, words and where they stand.

use super::{builder, sentences, untrained};
use elman::pipeline::{Tagger, TaggerExample, TaggerTask};
use elman_reference::Reference;
use proptest::prelude::*;
use std::sync::LazyLock;

type R = Reference<f32>;

static TAGGER: LazyLock<Tagger<R>> =
    LazyLock::new(|| untrained(&R::new(), &builder(TaggerTask::Tags), TaggerTask::Tags));

fn words(tagger: &Tagger<R>, text: &str) -> Vec<String> {
    tagger.tag(text).unwrap().iter().flat_map(|sentence| &sentence.words).map(|word| word.text.clone()).collect()
}

#[test]
fn text_is_parted_into_sentences_and_words() {
    let text = "Anna sees Bert. \"Old Tom sleeps!\"\n\nNo end";
    let found = TAGGER.tag(text).unwrap();
    let sentences: Vec<Vec<&str>> =
        found.iter().map(|sentence| sentence.words.iter().map(|word| word.text.as_str()).collect()).collect();
    let expected: [&[&str]; 3] =
        [&["Anna", "sees", "Bert", "."], &["\"", "Old", "Tom", "sleeps", "!", "\""], &["No", "end"]];
    assert_eq!(sentences, expected);
    assert_eq!((found[0].words[1].range.clone(), found[2].words[1].range.clone()), (5..9, 38..41));
    // Of words, places are those in the words with spaces between them.
    let given = TAGGER.tag_words(&[["Anna", "sées", "."]]).unwrap();
    assert_eq!(given[0].words.iter().map(|word| word.range.clone()).collect::<Vec<_>>(), [0..4, 5..10, 11..12]);
    let all = TAGGER.tag_all(&["One. Two.", "", "Three."]).unwrap();
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0, 1]);
    assert_eq!(all[0][1].words[0].range, 5..8);
}

#[test]
fn words_are_parted_as_training_parts_them() {
    assert_eq!(words(&TAGGER, "Anna doesn't sleep"), ["Anna", "does", "n't", "sleep"]);
    // A typographic apostrophe is the same, and stays as it is written.
    assert_eq!(words(&TAGGER, "Anna doesn\u{2019}t"), ["Anna", "does", "n\u{2019}t"]);
    // So does one that training has with it.
    let curved = TaggerExample::new(["do", "n\u{2019}t", "go"]).tags(["A", "B", "C"]);
    let tagger = builder(TaggerTask::Tags).build(&R::new(), &[curved], &[], 0).unwrap();
    assert_eq!(words(&tagger, "don\u{2019}t go"), ["do", "n\u{2019}t", "go"]);
    // What training does not know is left.
    assert_eq!(words(&TAGGER, "O'Brien won't 'see'"), ["O'Brien", "won't", "'", "see", "'"]);
    let known = TaggerExample::new(["does", "n't", "doesn't", "l'", "homme"]).tags(["A", "B", "C", "D", "E"]);
    let tagger = builder(TaggerTask::Tags).build(&R::new(), &[known], &[], 0).unwrap();
    assert_eq!(words(&tagger, "doesn't L'homme"), ["doesn't", "L'", "homme"]);
}

#[test]
fn what_training_has_as_one_word_is_one() {
    let words_of = ["A", "well-known", "a/c", "no.", "no", ".", ":-", "."];
    let known = TaggerExample::new(words_of).tags(["X"; 8]);
    let tagger = builder(TaggerTask::Tags).build(&R::new(), &[known], &[], 0).unwrap();
    let expected = ["A", "well-known", "a/c", "no.", "five", "is", "well", "-", "off", "."];
    assert_eq!(words(&tagger, "A well-known a/c no. five is well-off."), expected);
    // The mark that ends a sentence, and what white space parts, stay apart.
    assert_eq!(
        words(&tagger, "He said no. well -known a /c"),
        ["He", "said", "no.", "well", "-", "known", "a", "/", "c"]
    );
    assert_eq!(words(&tagger, "He said no."), ["He", "said", "no", "."]);
}

/// The two spellings of an apostrophe and of an accent are the same to the network.
#[test]
fn spellings_of_one_word_have_one_answer() {
    let probability = |word: &str| TAGGER.tag_words(&[["Anna", word]]).unwrap()[0].words[1].probability;
    assert_eq!(probability("n't"), probability("n\u{2019}t"));
    assert_ne!(probability("n't"), probability("n\u{2018}t"));
    assert_eq!(probability("é"), probability("e\u{301}"));
}

#[test]
fn a_hundred_thousand_closing_marks_are_one_ending() {
    // In the square of their number this would take minutes.
    let text = format!("Anna sleeps.{} Bert sleeps.", ")]".repeat(50_000));
    let found = elman::text::RuleTokenizer::new().sentences(&text);
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [100_003, 3]);
    // Those that white space parts from the mark close nothing.
    let text = text.replacen('.', ". ", 1);
    assert_eq!(elman::text::RuleTokenizer::new().sentences(&text)[0].len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn places_lead_back_to_the_words(texts in prop::collection::vec("[A-Ca-c1 .!?'\n\u{301}é漢👍]{0,24}", 0..4)) {
        let all = TAGGER.tag_all(&texts).unwrap();
        prop_assert_eq!(all.len(), texts.len());
        for (text, found) in texts.iter().zip(&all) {
            let words: Vec<_> = found.iter().flat_map(|sentence| &sentence.words).collect();
            for word in &words {
                prop_assert_eq!(&text[word.range.clone()], &word.text);
                prop_assert!(word.probability > 0.0 && word.probability <= 1.0 && !word.tag.is_empty());
            }
            prop_assert!(words.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
            // Each by itself is what it is among others.
            let alone = TAGGER.tag(text).unwrap();
            let texts = |found: &[elman::pipeline::Tagged]| -> Vec<Vec<String>> {
                found.iter().map(|sentence| sentence.words.iter().map(|word| word.text.clone()).collect()).collect()
            };
            prop_assert_eq!(texts(&alone), texts(found));
        }
    }
}

#[test]
fn all_sentences_of_training_come_back() {
    for example in sentences(TaggerTask::Tags) {
        let text = example.words.join(" ").replace(" .", ".").replace(" n't", "n't");
        assert_eq!(words(&TAGGER, &text), example.words);
    }
}
