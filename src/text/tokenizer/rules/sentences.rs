//! Where sentences end.

use super::join::is_title;
use super::{Found, Kind};
use std::ops::Range;

/// What ends a sentence where white space follows, and what ends it always.
const ENDS: [char; 4] = ['.', '!', '?', '…'];
const WIDE_ENDS: [char; 4] = ['。', '！', '？', '｡'];

/// What may stand between the end and the white space.
const CLOSING: [char; 12] = ['"', '\'', ')', ']', '}', '”', '’', '»', '」', '』', '）', '›'];

/// The words of each sentence.
pub(super) fn parted(text: &str, words: Vec<Found>) -> Vec<Vec<Range<usize>>> {
    let mut sentences = Vec::new();
    let (mut begins, mut mark) = (0, 0);
    for at in 0..words.len() {
        // The mark before what closes; looking back for it each time would take the square of what closes.
        let adjoins = at > begins && words[at].range.start == words[at - 1].range.end;
        if !(adjoins && made_of(&text[words[at].range.clone()], &CLOSING)) {
            mark = at;
        }
        if at + 1 == words.len() || is_last(text, &words[begins..], at - begins, mark - begins) {
            sentences.push(words[begins..=at].iter().map(|word| word.range.clone()).collect());
            begins = at + 1;
        }
    }
    sentences
}

fn made_of(word: &str, marks: &[char]) -> bool {
    word.chars().all(|letter| marks.contains(&letter))
}

/// Whether the sentence that begins with the first of the words ends behind that at `at`, which is not the last of the text; the one at
/// `mark` is that before what closes there.
fn is_last(text: &str, words: &[Found], at: usize, mark: usize) -> bool {
    let form = |at: usize| &text[words[at].range.clone()];
    let gap = &text[words[at].range.end..words[at + 1].range.start];
    if is_blank_line(gap) {
        return true;
    }
    let made_of = |at: usize, marks: &[char]| made_of(form(at), marks);
    // Whatever closes too, or is one more mark, is part of the sentence.
    let goes_on =
        gap.is_empty() && (made_of(at + 1, &CLOSING) || made_of(at + 1, &ENDS) || made_of(at + 1, &WIDE_ENDS));
    if made_of(mark, &WIDE_ENDS) {
        return !goes_on;
    }
    if goes_on || !gap.contains(char::is_whitespace) {
        return false;
    }
    let next = form(at + 1);
    let small = next.starts_with(char::is_lowercase);
    if words[mark].kind == Kind::Abbreviation {
        // `in the U.S. Senate`: the point of letters ends nothing; that of `etc.` may.
        let inner = form(mark).trim_end_matches('.').contains('.') || form(mark).chars().count() == 2;
        return !inner && form(mark).ends_with('.') && !is_title(form(mark)) && next.starts_with(char::is_uppercase);
    }
    if !made_of(mark, &ENDS) {
        return false;
    }
    // `1. First of all`
    let is_number = mark == 1 && at == mark && words[0].kind == Kind::Number && form(mark) == ".";
    let asks = form(mark).starts_with(['!', '?']) && mark == at;
    !is_number && (!small || asks)
}

fn is_blank_line(gap: &str) -> bool {
    let ends = if gap.contains('\n') { gap.matches('\n').count() } else { gap.matches('\r').count() };
    ends > 1 || gap.contains('\u{2029}')
}
