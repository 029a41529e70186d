//! Which layout a file of vectors has, told by its first bytes.

use super::WordVectors;
use serde::{Deserialize, Serialize};

/// How many bytes are looked at: room for a vector of any length that is accepted.
pub(super) const PEEK: usize = WordVectors::MAX_DIM * 4;

/// A layout of word vectors in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VectorFormat {
    /// word2vec's text, also fastText's `.vec`: a line `N D`, then N lines of a word and D numbers, parted by spaces.
    Word2vecText,
    /// word2vec's binary layout: a line `N D`, then N times a word, a space and D little-endian `f32`, with a line end
    /// after each vector (as word2vec writes) or without (as gensim does).
    Word2vecBinary,
    /// GloVe's text: as [`Word2vecText`](Self::Word2vecText), without the first line.
    Glove,
}

/// What files that are taken for word vectors begin with, and what to do about them.
const OTHERS: [(&[u8], &str); 6] = [
    (&793_712_314_i32.to_le_bytes(), FASTTEXT),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
];
const FASTTEXT: &str = "fastText's own binary format, a model rather than a table: take the `.vec` file published with it, or \
                        write one with `fasttext print-word-vectors`";
const PICKLE: &str = "a Python pickle, as gensim's own `save` writes: write it anew with `save_word2vec_format`";

/// What `head`, the beginning of a file, says against reading it as vectors.
pub(super) fn refuse(head: &[u8]) -> Result<(), String> {
    let expected = "expected word vectors in the layout of word2vec or GloVe, found";
    let other = OTHERS.iter().find(|(magic, _)| head.starts_with(magic));
    let other = other.map(|(_, what)| *what).or_else(|| is_old_fasttext(head).then_some(FASTTEXT));
    match other {
        Some(what) => Err(format!("{expected} {what}")),
        None if head.is_empty() => Err(format!("{expected} an empty file")),
        None => Ok(()),
    }
}

/// fastText's first layout had no magic number; it begins with the twelve numbers of its options.
fn is_old_fasttext(head: &[u8]) -> bool {
    let numbers: Vec<i32> = head.as_chunks::<4>().0.iter().take(12).map(|&bytes| i32::from_le_bytes(bytes)).collect();
    let &[dim, window, epochs, _, _, ngrams, loss, model, ..] = &numbers[..] else { return false };
    // Text cannot look so: four printable bytes make a number above 2^29.
    let small = |x: i32| (0..1 << 20).contains(&x);
    dim > 0
        && [dim, window, epochs, ngrams].into_iter().all(small)
        && (1..=4).contains(&loss)
        && (1..=3).contains(&model)
}

/// The format of a file that begins with `head`.
pub(super) fn detect(head: &[u8]) -> VectorFormat {
    let (first, rest) = split_line(head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head));
    match header(first) {
        Err(_) => VectorFormat::Glove,
        Ok((_, dim)) if is_text(split_line(rest).0, dim) => VectorFormat::Word2vecText,
        Ok(_) => VectorFormat::Word2vecBinary,
    }
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

/// Whether what follows a header up to the next line end is a word with `dim` numbers in text, sound or nearly so.
fn is_text(line: &[u8], dim: usize) -> bool {
    let word = line.iter().position(|&byte| byte == b' ' || byte == b'\t').unwrap_or(line.len());
    let numbers = &line[word..];
    let printable = |byte: &u8| matches!(byte, b'\t' | b'\r' | b' '..=b'~');
    let fields = || numbers.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|field| !field.is_empty());
    let parsed = fields().filter(|field| number(field).is_ok()).count();
    // With spaces in the word, or broken: most of it is numbers all the same, and about as many as there should be.
    let nearly = || numbers.iter().all(printable) && 2 * parsed >= fields().count() && 2 * fields().count() > dim;
    numbers.is_empty() || parsed >= dim || nearly()
}

/// The two numbers of a header `N D`.
pub(super) fn header(line: &[u8]) -> Result<(u64, usize), String> {
    let text = String::from_utf8_lossy(line.get(..100).unwrap_or(line));
    let error = |what: &str| Err(format!("expected a header of two numbers, words and their dimension, found {what}"));
    let fields: Vec<&str> = text.split([' ', '\t', '\r', '\n']).filter(|field| !field.is_empty()).collect();
    let &[words, dim] = &fields[..] else { return error(&crate::file::cut(&text)) };
    if ![words, dim].iter().all(|field| field.bytes().all(|byte| byte.is_ascii_digit())) {
        return error(&crate::file::cut(&text));
    }
    // A number too large for the machine is absurd, not text.
    Ok((words.parse().unwrap_or(u64::MAX), dim.parse().unwrap_or(usize::MAX)))
}

/// What was expected, where `dim` cannot be a vector's length.
pub(super) fn check_dim(dim: usize) -> Result<(), String> {
    if (1..=WordVectors::MAX_DIM).contains(&dim) {
        return Ok(());
    }
    Err(format!("vectors of 1 to {} numbers", WordVectors::MAX_DIM))
}

/// A finite number in text; what is wrong with it otherwise.
pub(super) fn number(field: &[u8]) -> Result<f32, &'static str> {
    match std::str::from_utf8(field).ok().and_then(|text| text.parse::<f32>().ok()) {
        Some(x) if x.is_finite() => Ok(x),
        Some(_) => Err("a finite number"),
        None => Err("a number"),
    }
}
