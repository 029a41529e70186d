//! Faces made of punctuation, and what GloVe's Twitter vectors call them.

/// Eyes, noses and mouths, as the script that prepared the texts of GloVe's Twitter vectors has them; but for its eyes
/// `8`, which are the end of many a remark in brackets (`(at 8)`).
const EYES: [char; 3] = [':', '=', ';'];
const NOSES: [char; 4] = ['\'', '`', '-', '^'];

/// The length in bytes and the name of the emoticon that `text` begins with.
pub(super) fn emoticon(text: &str) -> Option<(usize, &'static str)> {
    if let Some(rest) = text.strip_prefix("<3") {
        return (!rest.starts_with(|c: char| c.is_ascii_digit())).then_some((2, "<heart>"));
    }
    let found = face(text).or_else(|| mirrored(text))?;
    // `:down` is no face.
    (!text[found.0..].starts_with(char::is_alphanumeric)).then_some(found)
}

/// Such as `:-)`.
fn face(text: &str) -> Option<(usize, &'static str)> {
    let rest = text.strip_prefix(EYES)?;
    let rest = rest.strip_prefix(NOSES).unwrap_or(rest);
    let mouth = rest.chars().next()?;
    let (name, repeats) = match mouth {
        ')' | 'd' | 'D' => ("<smile>", true),
        'p' | 'P' => ("<lolface>", true),
        '(' => ("<sadface>", true),
        '/' | '|' | 'l' | 'L' | '*' => ("<neutralface>", false),
        _ => return None,
    };
    let more = if repeats { rest.trim_start_matches(mouth) } else { &rest[mouth.len_utf8()..] };
    // `://` is the middle of an address.
    (!more.starts_with('/')).then_some((text.len() - more.len(), name))
}

/// Such as `(-:`.
fn mirrored(text: &str) -> Option<(usize, &'static str)> {
    let mouth = text.chars().next().filter(|mouth| matches!(mouth, '(' | ')'))?;
    let rest = text.trim_start_matches(mouth);
    let rest = rest.strip_prefix(NOSES).unwrap_or(rest);
    // `(=` begins a remark in brackets more often than a face.
    let rest = rest.strip_prefix([':', ';'])?;
    Some((text.len() - rest.len(), if mouth == '(' { "<smile>" } else { "<sadface>" }))
}
