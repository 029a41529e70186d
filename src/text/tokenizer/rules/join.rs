//! Points that belong to the word before them.

use super::{Found, Kind};

/// Before a name or a number: no sentence ends behind them.
const TITLES: [&str; 30] = [
    "Mr", "Mrs", "Ms", "Messrs", "Dr", "Prof", "St", "Gen", "Col", "Sgt", "Capt", "Lt", "Maj", "Rev", "Hon", "Gov",
    "Sen", "Rep", "Mme", "Mlle", "Hr", "Fr", "Sra", "vs", "Fig", "Figs", "Vol", "cf", "approx", "ca",
];

/// Those that may also be the end of a sentence.
const OTHERS: [&str; 24] = [
    "etc", "al", "Jr", "Sr", "Inc", "Ltd", "Co", "Corp", "Bros", "Jan", "Feb", "Aug", "Sept", "Oct", "Nov", "Dec",
    "Ave", "Blvd", "Rd", "Dept", "Univ", "resp", "usw", "bzw",
];

/// Those that are one only before a number: `No. 5`.
const BEFORE_NUMBERS: [&str; 9] = ["No", "Nos", "Nr", "p", "pp", "Art", "Sec", "Ch", "Bd"];

/// Makes one word of an abbreviation and its point, of `U.S.` and its like, and of an initial before a name.
pub(super) fn abbreviations(text: &str, words: Vec<Found>) -> Vec<Found> {
    let mut joined: Vec<Found> = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        let last = last(text, &words, at);
        let range = words[at].range.start..words[last].range.end;
        let kind = if last > at { Kind::Abbreviation } else { words[at].kind };
        joined.push(Found { range, kind });
        at = last + 1;
    }
    joined
}

/// Whether no sentence ends behind an abbreviation, whatever follows.
pub(super) fn is_title(abbreviation: &str) -> bool {
    abbreviation.strip_suffix('.').is_some_and(|word| TITLES.contains(&word))
}

/// The last of what is one with the word at `at`.
fn last(text: &str, words: &[Found], at: usize) -> usize {
    let form = |at: usize| words.get(at).map_or("", |word| &text[word.range.clone()]);
    // Right behind the one before.
    let follows = |at: usize| words.get(at).is_some_and(|word| word.range.start == words[at - 1].range.end);
    let has_point = |at: usize| follows(at + 1) && form(at + 1) == ".";
    if words[at].kind != Kind::Word {
        return at;
    }
    let is_letter = |at: usize| {
        let mut letters = form(at).chars();
        letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
    };
    let mut end = at;
    while is_letter(end) && has_point(end) && follows(end + 2) && is_letter(end + 2) {
        end += 2;
    }
    if end > at {
        return if has_point(end) { end + 1 } else { end };
    }
    if !has_point(at) {
        return at;
    }
    let begins_name = |word: &str| word.starts_with(char::is_uppercase);
    let is_initial = is_letter(at) && begins_name(form(at)) && form(at) != "I" && begins_name(form(at + 2));
    let is_known = TITLES.contains(&form(at)) || OTHERS.contains(&form(at));
    let is_numbered =
        BEFORE_NUMBERS.contains(&form(at)) && words.get(at + 2).is_some_and(|next| next.kind == Kind::Number);
    if is_initial || is_known || is_numbered { at + 1 } else { at }
}
