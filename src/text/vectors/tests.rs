//! Files of vectors good and bad, neighbours and tables.

use super::*;
use crate::random::Key;
use crate::text::{Vocabulary, VocabularyBuilder};

/// Writes `bytes` to a file of its own and reads it; errors come back as text that begins after the file's name.
fn read_with(bytes: impl AsRef<[u8]>, reader: &ReadVectors) -> Result<WordVectors, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors");
    std::fs::write(&path, bytes).unwrap();
    reader.read(&path).map_err(|error| {
        let (text, name) = (error.to_string(), path.display().to_string());
        text.strip_prefix(&name).unwrap_or_else(|| panic!("{text} does not begin with the path")).to_string()
    })
}

fn read(bytes: impl AsRef<[u8]>) -> Result<WordVectors, String> {
    read_with(bytes, &ReadVectors::new())
}

fn error(bytes: impl AsRef<[u8]>) -> String {
    read(bytes).unwrap_err()
}

/// A binary file: a header and entries, each followed by `end`.
fn binary(header: &str, entries: &[(&[u8], &[f32])], end: &str) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    for (word, vector) in entries {
        bytes.extend_from_slice(word);
        bytes.push(b' ');
        vector.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
        bytes.extend_from_slice(end.as_bytes());
    }
    bytes
}

const CATS: [(&[u8], &[f32]); 2] = [(b"cat", &[1.0, -2.5]), (b"dog", &[0.25, 3e-7])];

fn is_cats(vectors: &WordVectors) -> bool {
    vectors.words().eq(["cat", "dog"]) && vectors.dim() == 2 && vectors.data() == [1.0, -2.5, 0.25, 3e-7]
}

#[test]
fn every_format_is_known_by_what_it_begins_with() {
    assert!(is_cats(&read("2 2\ncat 1 -2.5\ndog 0.25 3e-7\n").unwrap()));
    assert!(is_cats(&read("2 2\r\ncat 1 -2.5 \r\ndog\t0.25\t3e-7").unwrap()));
    assert!(is_cats(&read("\u{feff}2 2\ncat 1 -2.5\ndog 0.25 3e-7\n\n\n").unwrap()));
    assert!(is_cats(&read("cat 1 -2.5\ndog 0.25 3e-7\n").unwrap()));
    assert!(is_cats(&read(binary("2 2\n", &CATS, "")).unwrap()));
    assert!(is_cats(&read(binary("2 2\n", &CATS, "\n")).unwrap()));
    let glove = read("3 5\n7 8\n").unwrap_err();
    assert!(glove.contains("expected a word and 5 numbers"), "two whole numbers are a header: {glove}");
    assert_eq!(read_with("3 5\n7 8\n", &ReadVectors::new().format(VectorFormat::Glove)).unwrap().data(), [5.0, 8.0]);
}

#[test]
fn a_number_that_begins_with_a_line_end_makes_no_text_of_a_binary_file() {
    // Little-endian 0A FF FF 3F: the rest of its line has no space either, and is no text.
    let odd = f32::from_bits(0x3fff_ff0a);
    let vectors = read(binary("1 3\n", &[(b"cat", &[odd, -1.5, odd])], "\n")).unwrap();
    assert!(vectors.words().eq(["cat"]) && vectors.data() == [odd, -1.5, odd]);
}

#[test]
fn words_may_have_spaces_and_broken_bytes() {
    let spaces = read("the 1 2\n. . 3 4\nat a@b.org 5 6\n").unwrap();
    assert!(spaces.words().eq(["the", ". .", "at a@b.org"]));
    let broken = read(b"2 1\na\xffb 1\na\xfeb 2\n").unwrap();
    assert!(broken.words().eq(["a\u{fffd}b"]));
    assert_eq!((broken.lossy_words(), broken.duplicates(), broken.data()), (2, 1, &[1.0][..]));
    let broken = read(binary("1 2\n", &[(b"\xc3", &[1.0, 2.0])], "\n")).unwrap();
    assert_eq!((broken.words().next(), broken.lossy_words()), (Some("\u{fffd}"), 1));
    assert_eq!(read("\u{a0} 1 2\n\u{2028} 3 4\n").unwrap().len(), 2);
}

#[test]
fn of_words_that_come_twice_the_first_counts() {
    let vectors = read("3 1\na 1\nb 2\na 3\n").unwrap();
    assert_eq!((vectors.len(), vectors.duplicates(), vectors.get("a")), (2, 1, Some(&[1.0][..])));
}

#[test]
fn a_part_of_a_file_can_be_read() {
    let text = "4 1\na 1\nb 2\nc 3\nd 4\n";
    let binary = binary("4 1\n", &[(b"a", &[1.]), (b"b", &[2.]), (b"c", &[3.]), (b"d", &[4.])], "");
    let vocabulary = Vocabulary::from_words(["d", "b", "x"], true).unwrap();
    for bytes in [text.as_bytes(), &binary] {
        let words = |reader: ReadVectors| read_with(bytes, &reader).unwrap().words().collect::<Vec<_>>().join(" ");
        assert_eq!(words(ReadVectors::new().vocabulary(&vocabulary)), "b d");
        assert_eq!(words(ReadVectors::new().limit(3).only(|word| word != "a")), "b c");
        assert_eq!(words(ReadVectors::new().limit(9)), "a b c d");
        assert_eq!(words(ReadVectors::new().only(|_| false)), "");
        assert_eq!(words(ReadVectors::new().limit(0)), "");
    }
    // What lies beyond the limit is not looked at.
    assert_eq!(read_with("9 1\na 1\nb x\n", &ReadVectors::new().limit(1)).unwrap().len(), 1);
}

#[test]
fn bad_text_is_named_with_its_line() {
    assert_eq!(error("2 3\na 1 2 3\nb 1 2\n"), ", line 3: expected a word and 3 numbers, found a word and 2");
    assert_eq!(error("a 1 2\nb 1 2 3\n"), ", line 2: expected a word and 2 numbers, found a word and 3");
    assert_eq!(error("1 2\na 1 x\n"), ", line 2: expected a number as number 1 of the vector, found \"x\"");
    assert_eq!(error("1 2\na 1 nan\n"), ", line 2: expected a finite number as number 1 of the vector, found \"nan\"");
    assert_eq!(error("a 1 -inf\n"), ", line 1: expected a finite number as number 1 of the vector, found \"-inf\"");
    assert_eq!(error("a 1e39 1\n"), ", line 1: expected a finite number as number 0 of the vector, found \"1e39\"");
    let few = ", line 3: expected 2 words, as the header promises, found the end of the file after 1";
    assert_eq!(error("2 1\na 1\n"), few);
    assert_eq!(error("1 1\na 1\nb 2\n"), ", line 3: expected 1 words, as the header promises, found one more");
    assert_eq!(error("a 1\n\nb 1\n"), ", line 3: expected no blank line before this one");
    assert_eq!(error("a 1\n 1\n"), ", line 2: expected a word at the beginning of the line, found white space");
    assert_eq!(error("word\n"), ", line 1: expected a word and vectors of 1 to 65536 numbers, found 0 numbers");
    assert_eq!(error("1 0\na\n"), ", line 1: expected vectors of 1 to 65536 numbers, found 0");
    assert!(error("\n\n").contains("expected a word and numbers, found none"));
    assert!(error("").contains("an empty file"));
}

#[test]
fn bad_binary_data_are_named_with_entry_and_byte() {
    let whole = binary("2 2\n", &CATS, "\n");
    assert_eq!(error(&whole[..20]), ": entry 1, byte 20: expected a space after the word, found the end of the file");
    assert_eq!(
        error(&whole[..23]),
        ": entry 1, byte 21: expected 2 numbers of 4 bytes, found the end of the file after 0"
    );
    let few = ": entry 2, byte 30: expected 3 words, as the header promises, found the end of the file after 2";
    assert_eq!(error(binary("3 2\n", &CATS, "\n")), few);
    let many = binary("1 2\n", &CATS, "\n");
    assert_eq!(error(many), ": byte 17: expected 1 words, as the header promises, found more data after them");
    let nan = binary("1 2\n", &[(b"a", &[1.0, f32::NAN])], "");
    assert_eq!(error(nan), ": entry 0, byte 10: expected finite numbers, found NaN");
    let infinite = binary("1 2\n", &[(b"a", &[f32::NEG_INFINITY, 0.0])], "");
    assert_eq!(error(infinite), ": entry 0, byte 6: expected finite numbers, found -inf");
    let empty = binary("1 2\n", &[(b"", &[-1.0, -2.0])], "");
    assert_eq!(error(empty), ": entry 0, byte 5: expected a word, found an empty one");
    let explicit =
        |bytes: &[u8]| read_with(bytes, &ReadVectors::new().format(VectorFormat::Word2vecBinary)).unwrap_err();
    assert!(explicit(b"1 0\na").contains("expected vectors of 1 to 65536 numbers, found 0 in the header"));
    assert!(explicit(b"9 99999999999999999999999\n\xff").contains("found 18446744073709551615 in the header"));
    assert!(explicit(b"cat\n").contains("expected a header of two numbers"));
    assert!(explicit(&[b'1'; 200]).contains("a header of at most 100 bytes"));
    assert!(explicit(&[b"1 1\n".as_slice(), &[b'a'; 70_000]].concat()).contains("a word of at most 65536 bytes"));
}

#[test]
fn a_wrong_count_is_taken_when_asked() {
    let any = ReadVectors::new().any_count();
    assert_eq!(read_with("3 1\na 1\n", &any).unwrap().len(), 1);
    assert_eq!(read_with("1 1\na 1\nb 2\n", &any).unwrap().len(), 2);
    assert!(is_cats(&read_with(binary("1 2\n", &CATS, ""), &any).unwrap()));
    assert!(is_cats(&read_with(binary("3 2\n", &CATS, "\n"), &any).unwrap()));
    let cut = binary("3 2\n", &CATS, "\n");
    assert!(read_with(&cut[..cut.len() - 3], &any).unwrap_err().contains("found the end of the file after 1"));
}

#[test]
fn other_formats_are_refused_by_name() {
    let magic = 793_712_314_i32.to_le_bytes();
    assert!(error(magic).contains("fastText's own binary format") && error(magic).contains("`.vec`"));
    let options = [2, 5, 5, 5, 5, 1, 2, 2, 10_000, 2, 4, 10_000].map(i32::to_le_bytes).concat();
    assert!(error(options).contains("fastText's own binary format"));
    assert!(error(b"PK\x03\x04rest").contains("a zip archive"));
    assert!(error(b"\x80\x04\x95").contains("`save_word2vec_format`"));
}

#[test]
fn what_is_in_memory_is_checked_too() {
    let new = |words: &[&str], dim, data: &[f32]| WordVectors::new(words, dim, data).unwrap_err().to_string();
    assert_eq!(new(&["a"], 0, &[]), "word vectors: expected vectors of 1 to 65536 numbers, found 0");
    assert_eq!(new(&["a", "b"], 2, &[1., 2., 3.]), "word vectors, `b`: expected 2 numbers, found fewer");
    assert_eq!(new(&["a"], 1, &[1., 2.]), "word vectors: expected 1 numbers for each of 1 words, found 2 in all");
    assert_eq!(new(&["a"], 1, &[f32::NAN]), "word vectors, `a`: expected finite numbers, found NaN");
    assert_eq!(new(&["a", "a"], 1, &[1., 2.]), "word vectors, `a`: expected every word once, found it a second time");
    assert!(WordVectors::new([""; 0], 3, &[]).unwrap().is_empty());
}

/// Angles of 0, 30, 60 and 180 degrees, of any length, and a vector of zeros.
fn fan() -> WordVectors {
    let root = 3f32.sqrt();
    let data = [2.0, 0.0, 3.0 * root, 3.0, 1.0, root, -5.0, 0.0, 0.0, 0.0];
    WordVectors::new(["east", "30", "60", "west", "zero"], 2, &data).unwrap()
}

#[test]
fn neighbours_are_ordered_by_their_angle() {
    let fan = fan();
    let near = |found: Vec<(&str, f32)>, expected: &[(&str, f64)]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((word, cosine), (expected_word, expected)) in found.into_iter().zip(expected) {
            assert!(word == *expected_word && (f64::from(cosine) - expected).abs() < 1e-6, "{word} {cosine}");
        }
    };
    let root = 3f64.sqrt() / 2.0;
    let all = [("30", root), ("60", 0.5), ("zero", 0.0), ("west", -1.0)];
    near(fan.neighbours("east", 10).unwrap(), &all);
    near(fan.neighbours("east", 2).unwrap(), &all[..2]);
    near(fan.neighbours("east", 0).unwrap(), &[]);
    near(fan.neighbours_of(&[0.0, 7.0], 2).unwrap(), &[("60", root), ("30", 0.5)]);
    near(fan.neighbours_of(&[f32::MAX, 0.0], 1).unwrap(), &[("east", 1.0)]);
    assert!((fan.similarity("30", "60").unwrap() - root as f32).abs() < 1e-6);
    assert_eq!(fan.similarity("zero", "60").unwrap(), 0.0);
    // Over vectors of length 1: east - west + 60 is (1 + 1 + 1/2, root); over the raw ones it would be nearer to east.
    near(fan.analogy("30", "west", "zero", 1).unwrap(), &[("east", (15f64).to_radians().cos())]);
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let fan = fan();
    let unknown = |error: Error| error.to_string().ends_with("expected one of the 5 words, found \"north\"");
    assert!(unknown(fan.neighbours("north", 1).unwrap_err()));
    assert!(unknown(fan.similarity("east", "north").unwrap_err()));
    assert!(unknown(fan.analogy("east", "west", "north", 1).unwrap_err()));
    let message = |vector: &[f32]| fan.neighbours_of(vector, 1).unwrap_err().to_string();
    assert_eq!(message(&[1.0]), "neighbours: expected a vector of 2 numbers, found 1");
    assert_eq!(message(&[1.0, f32::NAN]), "neighbours: expected a vector of finite numbers, found NaN");
}

#[test]
fn products_are_summed_over_every_length() {
    for length in 0..40 {
        let a: Vec<f32> = (0..length).map(|x| x as f32).collect();
        let squares = (0..length).map(|x| f64::from(x) * f64::from(x)).sum::<f64>();
        assert_eq!(nearest::dot(&a, &a), squares);
    }
}

#[test]
fn the_table_of_an_embedding_has_rows_for_every_index() {
    let fan = fan();
    let vocabulary = Vocabulary::from_words(["west", "north", "east", "south"], true).unwrap();
    let zeros = fan.matrix(&vocabulary, UnknownRows::Zeros).unwrap();
    assert_eq!(zeros, [0., 0., 0., 0., -5., 0., 0., 0., 2., 0., 0., 0.]);
    let random = |seed| fan.matrix(&vocabulary, UnknownRows::Random(Key::new(seed))).unwrap();
    let table = random(1);
    assert_eq!((table == random(1), table == random(2)), (true, false));
    assert_eq!((&table[..2], &table[4..6], &table[8..10]), (&[0.; 2][..], &[-5., 0.][..], &[2., 0.][..]));
    assert!(table[2..4].iter().chain(&table[6..8]).chain(&table[10..]).all(|x| *x != 0.0));
    // A word's numbers do not depend on where it stands.
    let other = Vocabulary::from_words(["south"], false).unwrap();
    assert_eq!(fan.matrix(&other, UnknownRows::Random(Key::new(1))).unwrap()[2..], table[10..]);
}

#[test]
fn random_rows_have_the_spread_of_the_vectors() {
    let vectors = WordVectors::new(["a", "b"], 2, &[1.0, 3.0, 1.0, 3.0]).unwrap();
    let words: Vec<String> = (0..5000).map(|word| format!("w{word}")).collect();
    let vocabulary = Vocabulary::from_words(&words, false).unwrap();
    let table = vectors.matrix(&vocabulary, UnknownRows::Random(Key::new(5))).unwrap();
    let drawn = &table[2..];
    let mean = drawn.iter().map(|&x| f64::from(x)).sum::<f64>() / drawn.len() as f64;
    let variance = drawn.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
    // Mean 2 and standard deviation 1; five standard errors, 1/sqrt(n) and sqrt(2/n), n = 10,000.
    assert!((mean - 2.0).abs() < 0.05 && (variance - 1.0).abs() < 0.0708, "{mean} {variance}");
}

#[test]
fn coverage_counts_types_and_tokens() {
    let texts = [vec!["east", "north", "east", "south"], vec!["south", "west", "up"]];
    let vocabulary = VocabularyBuilder::new().fit(texts).unwrap();
    let coverage = fan().coverage(&vocabulary, 2);
    assert_eq!((coverage.types, coverage.types_found, coverage.tokens, coverage.tokens_found), (5, 2, 7, 3));
    let shown = "2 of 5 words (40.0 %), 3 of 7 tokens (42.9 %); missing: south (2), north (1)";
    assert_eq!(coverage.to_string(), shown);
    let uncounted = fan().coverage(&Vocabulary::from_words(["east"], true).unwrap(), 2);
    assert_eq!(uncounted.to_string(), "1 of 1 words (100.0 %)");
}

#[test]
fn words_that_a_format_cannot_hold_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors");
    let write = |words: &[&str], format| {
        let vectors = WordVectors::new(words, 1, &vec![1.0; words.len()]).unwrap();
        vectors.write(&path, format).map_err(|error| error.to_string())
    };
    use VectorFormat::*;
    assert!(
        write(&["a b"], Word2vecBinary).unwrap_err().ends_with("the format Word2vecBinary can hold, found \"a b\"")
    );
    for bad in ["", "a\nb", "a 1", " a", "a  b", "a\tb", "nan 1"] {
        assert!(write(&["x", bad], Word2vecText).is_err(), "{bad:?}");
    }
    for (word, format) in [("", Word2vecBinary), ("a\nb", Word2vecBinary), ("a b", Glove), ("\u{feff}a", Glove)] {
        assert!(write(&[word], format).is_err(), "{word:?}");
    }
    assert!(write(&[], Glove).unwrap_err().contains("at least one word, as the format has no header"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    write(&["x", "a b"], Word2vecText).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "2 1\nx 1.0\na b 1.0\n");
    assert!(WordVectors::read(&path).unwrap().words().eq(["x", "a b"]));
    write(&[], Word2vecBinary).unwrap();
    assert!(WordVectors::read(&path).unwrap().is_empty());
}
