//! Where tokens begin and end in a text, and of what kind they are.

use super::emoticons::emoticon;
use unicode_segmentation::UnicodeSegmentation;

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits, underscores; apostrophes inside.
    Word,
    /// Digits, with points, commas and colons inside, perhaps with a sign.
    Number,
    /// `@anna`.
    Name,
    /// `https://...` or `www...`.
    Url,
    /// `#tag`.
    Hashtag,
    /// One emoji, of however many characters.
    Emoji,
    /// A face made of punctuation, with its name.
    Emoticon(&'static str),
    /// One character that is none of these, or the same several times.
    Punctuation,
}

/// Hands every token of `text` to `each`. White space and what is not seen part tokens and belong to none.
pub(super) fn scan(text: &str, apostrophes: bool, mut each: impl FnMut(Kind, &str)) {
    for part in text.split_whitespace() {
        let (mut rest, mut in_word) = (part, false);
        while let Some(first) = rest.chars().next() {
            let plain = plain(rest.as_bytes());
            if plain.is_none() && is_invisible(first) {
                in_word = false;
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let (kind, length) = plain.unwrap_or_else(|| token(rest, first, in_word, apostrophes));
            let (token, after) = rest.split_at(length);
            each(kind, token);
            in_word = matches!(kind, Kind::Word | Kind::Number);
            rest = after;
        }
    }
}

/// What [`token`] says where that can be seen from the bytes: of a word of ASCII's letters and digits that begins with a letter and
/// holds no apostrophe, and of one punctuation mark at the end. Nearly all of English is made of these.
fn plain(rest: &[u8]) -> Option<(Kind, usize)> {
    let is_letter = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let length = rest.iter().position(|byte| !is_letter(byte)).unwrap_or(rest.len());
    match (rest, rest.get(length)) {
        ([mark], _) if length == 0 => mark.is_ascii_punctuation().then_some((Kind::Punctuation, 1)),
        // What follows may belong to the word, and this may be an address.
        (_, Some(0x80.. | b'\'')) | ([b'0'..=b'9', ..], _) => None,
        ([b'h' | b'H', b't' | b'T', ..] | [b'w' | b'W', b'w' | b'W', ..], _) => None,
        _ => (length > 0).then_some((Kind::Word, length)),
    }
}

/// The token that `rest` begins with and its length in bytes; `in_word` says that a word ends right before it.
fn token(rest: &str, first: char, in_word: bool, apostrophes: bool) -> (Kind, usize) {
    if !in_word {
        let special = match first {
            '@' => after_sign(rest).map(|length| (Kind::Name, length)),
            '#' => after_sign(rest).map(|length| (Kind::Hashtag, length)),
            'h' | 'H' | 'w' | 'W' => url(rest).map(|length| (Kind::Url, length)),
            _ => emoticon(rest).map(|(length, name)| (Kind::Emoticon(name), length)),
        };
        if let Some(special) = special {
            return special;
        }
    }
    let cluster = first_cluster(rest);
    if is_emoji(cluster) {
        return (Kind::Emoji, cluster.len());
    }
    if let Some(length) = number(rest, in_word) {
        return (Kind::Number, length);
    }
    if begins_word(cluster) {
        return (Kind::Word, word(rest, apostrophes));
    }
    let mut length = cluster.len();
    while first_cluster(&rest[length..]) == cluster {
        length += cluster.len();
    }
    (Kind::Punctuation, length)
}

/// The length of `@` or `#` and the word behind it, if one is there.
fn after_sign(rest: &str) -> Option<usize> {
    let length = word(&rest[1..], false);
    (length > 0).then_some(1 + length)
}

/// The length of the word at the beginning.
fn word(text: &str, apostrophes: bool) -> usize {
    let (bytes, mut length) = (text.as_bytes(), 0);
    // A letter of ASCII before another character of ASCII is as it looks.
    let plain = |at: usize| {
        let is_letter = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'_';
        bytes.get(at).is_some_and(is_letter) && bytes.get(at + 1).is_none_or(u8::is_ascii)
    };
    loop {
        while plain(length) {
            length += 1;
        }
        let cluster = first_cluster(&text[length..]);
        let inside = apostrophes
            && length > 0
            && matches!(cluster, "'" | "\u{2019}" | "\u{2bc}")
            && begins_word(&text[length + cluster.len()..]);
        if !inside && !begins_word(cluster) {
            break length;
        }
        length += cluster.len();
    }
}

/// The first character as it is seen, with what is combined with it (Unicode Standard Annex 29); empty where there is none.
/// Between two of ASCII there is always a border, but for the line ends that nothing here has, and most text is of these.
fn first_cluster(text: &str) -> &str {
    match text.as_bytes() {
        [] => text,
        [first] | [first, 0..0x80, ..] if first.is_ascii() => &text[..1],
        _ => text.graphemes(true).next().unwrap_or(text),
    }
}

fn begins_word(text: &str) -> bool {
    let cluster = first_cluster(text);
    cluster.starts_with(|c: char| c.is_alphanumeric() || c == '_') && !is_emoji(cluster)
}

/// The length of the number at the beginning, up to its last mark where letters follow: `2.5kg` is `2`, `.` and `5kg`.
fn number(text: &str, in_word: bool) -> Option<usize> {
    const MARKS: [char; 3] = ['.', ',', ':'];
    let unsigned = if in_word { text } else { text.strip_prefix(['+', '-']).unwrap_or(text) };
    // A point before the first digit is part of the number; a comma or a colon is not.
    if !unsigned.starts_with(|c: char| c.is_numeric() || c == '.' && !in_word) {
        return None;
    }
    let mut length = text.len() - unsigned.len();
    let mut characters = unsigned.chars().peekable();
    while let Some(character) = characters.next() {
        let digit_follows = characters.peek().is_some_and(|next| next.is_numeric());
        if !(character.is_numeric() || MARKS.contains(&character) && digit_follows) {
            break;
        }
        length += character.len_utf8();
    }
    let (digits, after) = text.split_at(length);
    let end = if begins_word(after) { digits.rfind(MARKS)? } else { length };
    text[..end].contains(char::is_numeric).then_some(end)
}

/// The length of the address at the beginning, without the punctuation of the sentence around it.
fn url(text: &str) -> Option<usize> {
    const BEGINNINGS: [&str; 3] = ["https://", "http://", "www."];
    let begins = |with: &&&str| text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    let least = BEGINNINGS.iter().find(begins)?.len();
    let address = text.trim_end_matches(['.', ',', '!', '?', ':', ';', ')', ']', '"', '\'', '\u{2026}', '\u{201d}']);
    (address.len() > least).then_some(address.len())
}

/// Formatting characters that stand alone: zero-width spaces and joiners, marks of direction, soft hyphens, variation
/// selectors.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}')
        || matches!(c, '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

/// Pictographs by the blocks they lie in, and whatever asks to be shown as one (variation selector 16, keycaps).
fn is_emoji(cluster: &str) -> bool {
    let blocks = |c: char| {
        matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{231a}' | '\u{231b}')
            || matches!(c, '\u{23e9}'..='\u{23fa}' | '\u{2b1b}' | '\u{2b1c}' | '\u{2b50}' | '\u{2b55}')
    };
    cluster.starts_with(blocks) || cluster.contains(['\u{fe0f}', '\u{20e3}'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_cluster_is_unicodes(text in "[a-z0-9 '!\u{301}\u{200d}\u{fe0f}\u{20e3}\u{e9}\u{1f44d}\u{1f3fd}\u{0}\u{939}\u{93f}]{0,6}") {
            prop_assert_eq!(first_cluster(&text), text.graphemes(true).next().unwrap_or_default());
        }

        #[test]
        fn what_is_plain_is_what_it_is_by_all_rules(
            text in "[a-cA-C0-2_'.,:;()!@#<=/-]{1,3}|[hHwWtTpP]{1,4}(s?://|\\.)?[a-z0-9']{0,3}|[a-z'\u{301}\u{e9}\u{2019}!]{1,5}",
            in_word: bool,
            apostrophes: bool,
        ) {
            if let (Some(found), Some(first)) = (plain(text.as_bytes()), text.chars().next()) {
                prop_assert_eq!(found, token(&text, first, in_word, apostrophes), "{}", text);
            }
        }
    }
}
