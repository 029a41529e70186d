//! New inputs from old ones: bytes, numbers and words are changed, and where an input has a structure, that.

pub(crate) mod json;
pub(crate) mod tensors;

use crate::random::Random;

/// What an input is, besides bytes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Bytes,
    /// A JSON value.
    Json,
    /// A safetensors file.
    Tensors,
    /// A gzip file: what is in it is changed, too.
    Gzip,
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "255",
    "65536",
    "65537",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "99999999999999999999999",
    "1e400",
    "-0.0",
    "NaN",
];

/// An input made of `base`, perhaps with a part of `other`.
pub(crate) fn mutate(base: &[u8], other: &[u8], shape: Shape, words: &[&str], random: &mut Random) -> Vec<u8> {
    let mut input = base.to_vec();
    // Few changes are often, many seldom.
    let changes = 1 + random.below(8).min(random.below(8));
    for _ in 0..changes {
        let structured = random.below(4) > 0;
        match shape {
            Shape::Json if structured => json::mutate(&mut input, words, random),
            Shape::Tensors if structured => tensors::mutate(&mut input, words, random),
            Shape::Gzip if structured => within_gzip(&mut input, other, words, random),
            _ => bytes(&mut input, other, words, random),
        }
    }
    input
}

/// A change of the bytes.
fn bytes(input: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    let length = input.len();
    let at = random.below(length + 1);
    let most = 1 + random.below(32);
    let end = (at + 1 + random.below(most)).min(length);
    match random.below(11) {
        0 if at < length => input[at] ^= 1 << random.below(8),
        1 if at < length => input[at] = random.next() as u8,
        2 => drop(input.drain(at.min(end)..end)),
        3 => input.truncate(at),
        // A part a second time, here or elsewhere.
        4 => {
            let part = input[at.min(end)..end].to_vec();
            let to = random.below(length + 1);
            input.splice(to..to, part);
        }
        5 if !words.is_empty() => {
            let word = random.pick(words).as_bytes().to_vec();
            input.splice(at..at, word);
        }
        6 if !words.is_empty() && at < end => {
            let word = random.pick(words).as_bytes().to_vec();
            input.splice(at..end, word);
        }
        7 => number(input, random),
        // The end of another input.
        8 => {
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        9 => {
            let (from, many) = (random.below(other.len() + 1), random.below(64));
            let part: Vec<u8> = other[from..].iter().take(many).copied().collect();
            input.splice(at..at, part);
        }
        // Four or eight bytes that are numbers with a meaning.
        _ if at + 8 <= length => {
            let extremes = [0, 1, u64::MAX, 1 << 63, 0x7f80_0000, 0x7fc0_0000_7f80_0000, 100_000_000, length as u64];
            let word = random.pick(&extremes).to_le_bytes();
            let many = if random.one_in(2) { 4 } else { 8 };
            input[at..at + many].copy_from_slice(&word[..many]);
        }
        _ => input.insert(at, random.pick(b"\0\t\n\r \",:;{}[]\\0-9.\x7f\xef\xbb\xbf\xff")),
    }
}

/// Another number in the place of one in text.
fn number(input: &mut Vec<u8>, random: &mut Random) {
    let from = random.below(input.len() + 1);
    let Some(start) = (from..input.len()).find(|&at| input[at].is_ascii_digit()) else { return };
    let end = (start..input.len()).find(|&at| !input[at].is_ascii_digit()).unwrap_or(input.len());
    input.splice(start..end, random.pick(NUMBERS).bytes());
}

fn within_gzip(input: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
    use std::io::{Read, Write};
    let open = |bytes: &[u8]| {
        let mut content = Vec::new();
        // What can be read of it; no more than an input may have.
        MultiGzDecoder::new(bytes).take(1 << 14).read_to_end(&mut content).ok();
        content
    };
    let (mut content, other) = (open(input), open(other));
    bytes(&mut content, &other, words, random);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(random.below(3) as u32));
    encoder.write_all(&content).expect("memory can be written");
    *input = encoder.finish().expect("memory can be written");
}
