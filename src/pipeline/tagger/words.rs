//! The words of a text as training's sentences have them.

use super::TaggerVocabulary;
use crate::text::RuleTokenizer;
use std::ops::Range;

/// The words of each sentence of a text, by their places in it.
///
/// What training parts is parted: a word with an apostrophe, that training does not know, is two where it knows both parts, the one with the
/// apostrophe by itself (`don't`: `do`, `n't`; `l'homme`: `l'`, `homme`), as treebanks of English have it.
pub(super) fn sentences(
    tokenizer: &RuleTokenizer,
    vocabulary: &TaggerVocabulary,
    text: &str,
) -> Vec<Vec<Range<usize>>> {
    let parted = |words: Vec<Range<usize>>| words.into_iter().flat_map(|word| parts(vocabulary, text, word)).collect();
    tokenizer.sentences(text).into_iter().map(parted).collect()
}

fn parts(vocabulary: &TaggerVocabulary, text: &str, word: Range<usize>) -> Vec<Range<usize>> {
    let form = &text[word.clone()];
    let has_apostrophe = |part: &str| part.contains(['\'', '\u{2019}', '\u{2bc}']);
    if !has_apostrophe(form) || form.chars().count() == 1 || vocabulary.knows(form) {
        return vec![word];
    }
    let fits = |&at: &usize| {
        let (left, right) = form.split_at(at);
        (has_apostrophe(left) != has_apostrophe(right)) && vocabulary.knows(left) && vocabulary.knows(right)
    };
    // The first cut leaves the longest ending: `n't` and not `'t`.
    match form.char_indices().map(|(at, _)| at).skip(1).find(fits) {
        Some(at) => vec![word.start..word.start + at, word.start + at..word.end],
        None => vec![word],
    }
}
