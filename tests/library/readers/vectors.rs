//! Word vectors in text and binary: neither is taken for the other in silence, and no word is lost.

use super::said::of_file;
use elman::text::{ReadVectors, VectorFormat, WordVectors};

fn read(bytes: impl AsRef<[u8]>) -> Result<WordVectors, String> {
    of_file("vectors", bytes, |path| WordVectors::read(path))
}

fn error(bytes: impl AsRef<[u8]>) -> String {
    read(bytes).map(|found| panic!("read: {found:?}")).unwrap_err()
}

/// A binary file with `end` behind each vector.
fn binary(words: &[&str], rows: &[&[f32]], end: &str) -> Vec<u8> {
    let mut bytes = format!("{} {}\n", words.len(), rows[0].len()).into_bytes();
    for (word, row) in words.iter().zip(rows) {
        bytes.extend_from_slice(word.as_bytes());
        bytes.push(b' ');
        row.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
        bytes.extend_from_slice(end.as_bytes());
    }
    bytes
}

/// Numbers as trained vectors have them.
fn numbers(count: usize) -> Vec<f32> {
    let key = elman::random::Key::new(7);
    (0..count as u64).map(|at| 0.1 * key.normal(at) as f32).collect()
}

#[test]
fn text_with_decimal_commas_is_an_error_at_the_line() {
    let why = ", line 2: expected a number as number 0 of the vector, found \"0,1\"";
    for header in ["2 2\n", "1 2\n", "3 2\n"] {
        assert_eq!(error(format!("{header}the 0,1 0,2\n")), why);
        assert_eq!(error(format!("{header}the 0,1 0,2\nof 1,5 2,5\n")), why);
    }
    assert_eq!(error("the 0,1 0,2\n"), why.replace("line 2", "line 1"));
    // Text whatever its words are.
    assert!(error("2 2\nthe one two\ncat 1 2\n").starts_with(", line 2: expected a number as number 0"));
    assert!(error("2 3\nthe 1 2\ncat 1 2 3\n").starts_with(", line 2: expected a word and 3 numbers"));
    // A dimension of one's own length would make the line's bytes a vector.
    assert!(error("1 2\nthe abcdefgh").starts_with(", line 2: "));
}

#[test]
fn a_binary_word_with_a_space_is_an_error_that_names_it() {
    for dim in [2, 3, 10, 50] {
        let data = numbers(4 * dim);
        let rows: Vec<&[f32]> = data.chunks(dim).collect();
        for words in [
            ["cat", "new york", "dog", "emu"],
            ["new york", "cat", "dog", "emu"],
            ["cat", "dog", "emu", "new york"],
            ["cat", "a b", "dog", "emu"],
            ["cat", "new yor", "dog", "emu"],
            ["cat", "new yorks", "dog", "emu"],
        ] {
            let at = words.iter().position(|word| word.contains(' ')).unwrap();
            for end in ["", "\n"] {
                let why = error(binary(&words, &rows, end));
                assert!(why.contains(&format!("entry {at}")), "{words:?}, {end:?}, {dim}: {why}");
                assert!(why.contains("a word with a space"), "{words:?}, {end:?}, {dim}: {why}");
            }
        }
    }
}

#[test]
fn the_line_ends_of_a_binary_file_are_all_alike() {
    let rows: [&[f32]; 3] = [&[0.5, 1.5], &[2.5, 3.5], &[4.5, 5.5]];
    let mut bytes = binary(&["cat", "dog", "emu"], &rows, "\n");
    assert_eq!(read(&bytes).unwrap().len(), 3);
    // The last one may be missing.
    bytes.pop();
    assert_eq!(read(&bytes).unwrap().len(), 3);
    let missing = bytes.iter().rposition(|&byte| byte == b'\n').unwrap();
    bytes.remove(missing);
    assert!(error(&bytes).contains("entry 1, "), "{}", error(&bytes));
}

/// A number whose bytes are `D`, a space and more: the rest of a word with a space, were there no line end.
#[test]
fn a_line_end_after_the_only_vector_says_how_the_file_was_written() {
    let number = f32::from_le_bytes([b'D', b' ', 0, 0]);
    assert_eq!(read(binary(&["0"], &[&[number]], "\n")).unwrap().data(), [number]);
    assert!(error(binary(&["0"], &[&[number]], "")).contains("a word with a space"));
}

/// Vectors of numbers that are like letters, and words that are like numbers.
#[test]
fn ordinary_binary_files_are_read_whatever_their_numbers() {
    for dim in [1, 2, 3, 25] {
        for seed in 0..40 {
            let key = elman::random::Key::new(seed);
            let words: Vec<String> = (0..200).map(|word| format!("w{word}")).collect();
            let data: Vec<f32> = (0..200 * dim as u64).map(|at| key.normal(at) as f32).collect();
            let vectors = WordVectors::new(&words, dim, &data).unwrap();
            let rows: Vec<&[f32]> = data.chunks(dim).collect();
            let names: Vec<&str> = words.iter().map(String::as_str).collect();
            for end in ["", "\n"] {
                let found = read(binary(&names, &rows, end)).unwrap();
                assert!(found.words().eq(vectors.words()) && found.data() == vectors.data(), "{dim}, {seed}, {end:?}");
            }
        }
    }
}

#[test]
fn blank_words_are_skipped_when_asked() {
    let skip = ReadVectors::new().skip_blank_words();
    let read = |bytes: &[u8]| of_file("vectors", bytes, |path| skip.read(path));
    for text in ["3 2\nthe 1 2\n 3 4\ncat 5 6\n", "the 1 2\n  3 4\ncat 5 6\n", "3 2\nthe 1 2\n\t3\t4\ncat 5 6\n"] {
        let found = read(text.as_bytes()).unwrap();
        assert!(found.words().eq(["the", "cat"]) && found.blank_words() == 1, "{text:?}");
        assert!(error(text).contains("expected a word at the beginning of the line, found white space"));
    }
    for end in ["", "\n"] {
        let bytes = binary(&["the", "", "cat"], &[&[1.5, 2.5], &[3.5, 4.5], &[5.5, 6.5]], end);
        let found = read(&bytes).unwrap();
        assert!(found.words().eq(["the", "cat"]) && found.data() == [1.5, 2.5, 5.5, 6.5]);
        assert!(error(&bytes).contains("expected a word, found an empty one"));
    }
    // What is broken otherwise stays an error.
    let broken = read(b"2 2\n the 1 2\ncat 5 6\n").unwrap_err();
    assert!(broken.starts_with(", line 2: expected a word at the beginning of the line"), "{broken}");
    assert!(read(b"3 2\n 1 2\ncat 5 6\n").unwrap_err().contains("found the end of the file after 2"));
}

#[test]
fn composed_and_decomposed_words_find_the_same_vector() {
    let composed = read("caf\u{e9} 1\n").unwrap();
    assert_eq!((composed.get("caf\u{e9}"), composed.get("cafe\u{301}")), (Some(&[1.0][..]), Some(&[1.0][..])));
    let decomposed = read("cafe\u{301} 1\n").unwrap();
    assert_eq!(decomposed.get("caf\u{e9}"), Some(&[1.0][..]));
    let both = read("caf\u{e9} 1\ncafe\u{301} 2\n").unwrap();
    assert_eq!((both.get("caf\u{e9}"), both.get("cafe\u{301}")), (Some(&[1.0][..]), Some(&[2.0][..])));
}

#[test]
fn trailing_garbage_is_an_error() {
    let whole = binary(&["cat", "dog"], &[&[0.5, 1.5], &[2.5, 3.5]], "\n");
    assert!(error([&whole[..], b"x"].concat()).contains("found more data after them"));
    assert!(error("2 1\na 1\nb 2\nrubbish\n").starts_with(", line 4: "));
    assert!(error("a 1\nb 2\nrubbish\n").starts_with(", line 3: "));
    let named = ReadVectors::new().format(VectorFormat::Word2vecText);
    assert!(of_file("v", &whole, |path| named.read(path)).is_err());
}
