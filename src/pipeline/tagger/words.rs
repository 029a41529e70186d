//! The words of a text as training's sentences have them.

use super::TaggerVocabulary;
use crate::text::RuleTokenizer;
use std::ops::Range;

/// The most words by the rules that are looked at as one.
const MOST: usize = 8;

/// The words of each sentence of a text, by their places in it.
///
/// What training has as one word is one, where no white space is in it (`well-known`, `No.`), but for the mark that ends a sentence. And
/// what it parts is parted: a word with an apostrophe, that training does not know, is two where it knows both parts, the one with the
/// apostrophe by itself (`don't`: `do`, `n't`; `l'homme`: `l'`, `homme`), as treebanks of English have it.
pub(super) fn sentences(
    tokenizer: &RuleTokenizer,
    vocabulary: &TaggerVocabulary,
    text: &str,
) -> Vec<Vec<Range<usize>>> {
    let of_training = |words: Vec<Range<usize>>| {
        joined(vocabulary, text, &words).into_iter().flat_map(|word| parts(vocabulary, text, word)).collect()
    };
    tokenizer.sentences(text).into_iter().map(of_training).collect()
}

/// The words of a sentence, of which several are one where training knows them as one: as many as can be.
fn joined(vocabulary: &TaggerVocabulary, text: &str, words: &[Range<usize>]) -> Vec<Range<usize>> {
    let is_end = |at: usize| at + 1 == words.len() && text[words[at].clone()].starts_with(['.', '!', '?', '…']);
    let adjoins = |at: usize| words.get(at).is_some_and(|word| word.start == words[at - 1].end) && !is_end(at);
    let (mut joined, mut at) = (Vec::with_capacity(words.len()), 0);
    while at < words.len() {
        let (mut last, mut end) = (at, at);
        while end - at + 1 < MOST && adjoins(end + 1) {
            end += 1;
            if vocabulary.knows(&text[words[at].start..words[end].end]) {
                last = end;
            }
        }
        joined.push(words[at].start..words[last].end);
        at = last + 1;
    }
    joined
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
