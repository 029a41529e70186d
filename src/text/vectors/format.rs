//! Which layout a file of vectors has, told by its first bytes.

use super::{WordVectors, lines};
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

/// What fastText's own files begin with.
const MAGIC: [u8; 4] = 793_712_314_i32.to_le_bytes();
const FASTTEXT: &str = "fastText's own binary format, a model rather than a table: take the `.vec` file published with it, or \
                        write one with `fasttext print-word-vectors`";

/// What `head`, the beginning of a file, says against reading it as vectors.
pub(super) fn refuse(head: &[u8]) -> Result<(), String> {
    let expected = "expected word vectors in the layout of word2vec or GloVe, found";
    match head {
        [] => Err(format!("{expected} an empty file")),
        head if head.starts_with(&MAGIC) || is_old_fasttext(head) => Err(format!("{expected} {FASTTEXT}")),
        _ => Ok(()),
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
///
/// Behind a header it is text where one of these says so, and binary otherwise. What is taken for text and is not has no
/// numbers in it, what is taken for binary and is not has words with line ends in them: both readers refuse that.
pub(super) fn detect(head: &[u8]) -> VectorFormat {
    let (first, rest) = split_line(head);
    match header(first) {
        Err(_) => VectorFormat::Glove,
        Ok((_, dim)) if is_clean(rest) || first_fits(rest, dim) || has_text_for_numbers(rest) => {
            VectorFormat::Word2vecText
        }
        Ok(_) => VectorFormat::Word2vecBinary,
    }
}

/// The first line, and what is behind it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        Some(end) if bytes[end..].starts_with(b"\r\n") => (&bytes[..end], &bytes[end + 2..]),
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n')
}

/// Whether these are characters and nothing else, but for one that is cut off at the end.
fn is_clean(bytes: &[u8]) -> bool {
    let whole = std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    whole && !bytes.iter().any(|&byte| is_control(byte))
}

/// Whether the first line is a word with `dim` numbers, whatever the bytes of the word.
fn first_fits(bytes: &[u8], dim: usize) -> bool {
    lines::parse(split_line(bytes).0, Some(dim), &mut Vec::new(), &mut Vec::new()).is_ok()
}

/// Whether the first lines have text in the place of their numbers, such as decimal commas: binary numbers that all are
/// printable are as good as never met.
fn has_text_for_numbers(bytes: &[u8]) -> bool {
    const LINES: usize = 20;
    let mut rest = bytes;
    (0..LINES).all(|_| {
        let (line, after) = split_line(rest);
        rest = after;
        match line.iter().position(|&byte| byte == b' ' || byte == b'\t') {
            Some(word) => line[word..].iter().all(|&byte| byte.is_ascii() && !is_control(byte)),
            // Nothing in the place of numbers: of binary numbers that hold a line end by chance this is the rest.
            None => is_clean(line),
        }
    })
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
