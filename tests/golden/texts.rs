//! Translations against sacrebleu: they work on the host and know nothing of backends.

use crate::common::golden::{Golden, Reading};
use crate::common::near::assert_near;
use elman::metrics::{Bleu, ChrF, Distinct};

fn texts(case: &Reading<'_>, option: &str) -> Vec<String> {
    case.option(option).as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_string()).collect()
}

#[test]
fn texts_are_scored_as_sacrebleu_does() {
    Golden::open("texts").each(|case| {
        let (texts, references) = (texts(case, "texts"), texts(case, "references"));
        let (bleu, chrf) = (Bleu::corpus(&texts, &references).unwrap(), ChrF::corpus(&texts, &references).unwrap());
        // A few quotients, logarithms and an exponential: the last digits of a number up to 100.
        assert_near(case.name(), &[bleu.score()], &case.numbers("bleu"), 1e-12);
        assert_near(case.name(), &[chrf.score()], &case.numbers("chrf"), 1e-12);
        assert_near(case.name(), &[bleu.brevity_penalty()], &case.numbers("brevity_penalty"), 1e-14);
        assert_near(case.name(), &bleu.precisions(), &case.numbers("precisions"), 1e-14);
        assert_eq!([bleu.tokens() as f64, bleu.reference_tokens() as f64][..], case.numbers("lengths"));

        let mut one_by_one = (Bleu::new(), ChrF::new());
        for (text, reference) in texts.iter().zip(&references) {
            // Python's white space, by which the file's texts are apart.
            let tokens = |text: &str| {
                text.split(|c: char| c.is_whitespace() || c == '\u{1c}')
                    .filter(|token| !token.is_empty())
                    .map(String::from)
                    .collect::<Vec<_>>()
            };
            one_by_one.0.add(&tokens(text), &tokens(reference));
            one_by_one.1.add(text, reference);
        }
        assert_eq!(one_by_one, (bleu, chrf));
    });
}

#[test]
fn texts_without_a_reference_are_refused() {
    let (texts, references) = (["a", "b"], ["a"]);
    let found = Bleu::corpus(&texts, &references).unwrap_err().to_string();
    assert_eq!(found, "bleu: expected a text for each of 1 references, found 2");
    let found = ChrF::corpus(&references, &texts).unwrap_err().to_string();
    assert_eq!(found, "chrf: expected a text for each of 2 references, found 1");
    assert_eq!((Bleu::new().score(), ChrF::new().score()), (0.0, 0.0));
}

#[test]
fn pieces_are_counted_once_and_not_across_texts() {
    let score = |order: usize, texts: &[&[&str]]| {
        let mut distinct = Distinct::new(order);
        texts.iter().for_each(|text| distinct.add(text));
        distinct.score()
    };
    let texts: [&[&str]; 3] = [&["a", "b", "a", "b"], &["b", "a"], &[]];
    // a b; and a b, b a.
    assert_eq!([1, 2, 3, 4, 5].map(|n| score(n, &texts)), [2.0 / 6.0, 2.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0, 0.0]);
    assert_eq!((score(0, &texts), score(1, &[])), (0.0, 0.0));
}
