//! Word vectors in text and in binary.

use super::{Target, seeds};
use crate::mutate::Shape;
use crate::place::{Place, agree, in_pieces};
use elman::text::{ReadVectors, VectorFormat, WordVectors};

pub(crate) const TEXT: Target = Target {
    name: "vectors_text",
    shape: Shape::Bytes,
    words: &[
        "2 2\n", " ", "\n", "\r\n", "\t", " 1 2", "1e-7", "inf", "nan", "0,1", "-2.5", "\u{feff}", ". .", "+1", "3e39",
    ],
    seeds: || {
        seeds(&[
            "3 2\ncat 1 -2.5\ndog 0.25 3e-7\n. . 1 2\n",
            "cat 1 -2.5\ndog 0.25 3e-7\n",
            "2 1\r\na 1\r\nb 2 \r\n\r\n",
        ])
    },
    run: |place, bytes| {
        run(place, bytes, VectorFormat::Word2vecText);
        run(place, bytes, VectorFormat::Glove);
        told(place, bytes);
    },
};

pub(crate) const BINARY: Target = Target {
    name: "vectors_binary",
    shape: Shape::Bytes,
    words: &["2 2\n", " ", "\n", "new york ", "\0\0\u{80}?", "\0\0\u{7f}", "\u{feff}"],
    seeds: || {
        let vectors = WordVectors::new(["été", "dog", "a"], 2, &[1., -2.5, 0.25, 3e-7, 0., 1.]).expect("sound vectors");
        let place = Place::new("vectors-seed");
        let path = place.path("vectors");
        vectors.write(&path, VectorFormat::Word2vecBinary).expect("room for vectors");
        let with_ends = std::fs::read(path).expect("what was written");
        let mut without = b"2 2\n".to_vec();
        for (word, numbers) in [("a ", [1f32, 2.]), ("b ", [3., 4.])] {
            without.extend_from_slice(word.as_bytes());
            numbers.iter().for_each(|number| without.extend_from_slice(&number.to_le_bytes()));
        }
        vec![with_ends, without]
    },
    run: |place, bytes| {
        run(place, bytes, VectorFormat::Word2vecBinary);
        told(place, bytes);
    },
};

/// Words and the bits of their numbers.
fn content(vectors: WordVectors) -> (Vec<String>, Vec<u32>) {
    assert_eq!(vectors.data().len(), vectors.len() * vectors.dim());
    assert!(vectors.data().iter().all(|number| number.is_finite()));
    (vectors.words().map(String::from).collect(), vectors.data().iter().map(|number| number.to_bits()).collect())
}

fn run(place: &Place, bytes: &[u8], format: VectorFormat) {
    let new = || ReadVectors::new().format(format);
    let plain = place.read("plain", bytes, |path| new().read(path));
    if !bytes.starts_with(&[0x1f, 0x8b]) && bytes.len().is_multiple_of(4) {
        let pieces = in_pieces(bytes);
        let compressed = place.read_sized("plain.gz", &pieces, 2 * pieces.len(), |path| new().read(path));
        agree(
            "plain and in pieces",
            &plain.as_ref().map(|read| content(read.clone())).map_err(copy),
            &compressed.map(content),
        );
    }
    let some = place.read("plain", bytes, |path| new().limit(2).read(path));
    let any = place.read("plain", bytes, |path| new().any_count().read(path));
    let Ok(vectors) = plain else { return };
    // A part of what is sound is sound, and the same.
    let (words, numbers) = content(vectors.clone());
    let (first, of_first) = content(some.expect("the first two of a sound file"));
    assert!(words.starts_with(&first) && numbers.starts_with(&of_first), "the first two are others");
    assert_eq!(content(any.expect("a sound file whose count is not looked at")), (words.clone(), numbers.clone()));
    // What is read is written and comes back, unless the format says that it cannot hold it.
    let path = place.path("again");
    if vectors.write(&path, format).is_ok() {
        let again = new().read(&path).unwrap_or_else(|error| panic!("what was written cannot be read: {error}"));
        assert_eq!(content(again), (words, numbers), "what was read does not come back");
    }
}

/// A format that is not named is one of the three, with the same outcome.
fn told(place: &Place, bytes: &[u8]) {
    let told = place.read("plain", bytes, |path| WordVectors::read(path)).map(content);
    let formats = [VectorFormat::Word2vecText, VectorFormat::Word2vecBinary, VectorFormat::Glove];
    let same = formats.into_iter().any(|format| {
        let named = place.read("plain", bytes, |path| ReadVectors::new().format(format).read(path)).map(content);
        match (&told, named) {
            (Ok(told), Ok(named)) => *told == named,
            (Err(told), Err(named)) => told.to_string() == named.to_string(),
            _ => false,
        }
    });
    assert!(same, "the format that was told is none of the three");
}

/// An error in another place.
fn copy(error: &elman::Error) -> elman::Error {
    match error {
        elman::Error::Parse { path, line, why } => {
            elman::Error::Parse { path: path.clone(), line: *line, why: why.clone() }
        }
        other => elman::Error::invalid("", "", other),
    }
}
