//! Marks, encodings and line ends: what other programs put around the text of a file.

use super::said::{error, holds, of_file, texts};
use elman::data::{read_labelled, read_lines, read_sequences};
use elman::text::{ReadVectors, VectorFormat, WordVectors};
use proptest::prelude::*;

const MARK: &str = "\u{feff}";

/// A file of each kind with the same two texts.
const FILES: [(&str, &str); 3] = [
    ("a.tsv", "good\tone\nbad\ttwo\n"),
    ("a.csv", "label,text\ngood,one\nbad,two\n"),
    ("a.jsonl", "{\"label\": \"good\", \"text\": \"one\"}\n{\"label\": \"bad\", \"text\": \"two\"}\n"),
];
const FOUND: [(&str, &str); 2] = [("good", "one"), ("bad", "two")];

#[cfg(feature = "gz")]
fn gz(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// `text` in every form in which a file may hold it: plain and compressed.
fn forms(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("", text.to_vec()),
        #[cfg(feature = "gz")]
        (".gz", gz(text)),
    ]
}

#[test]
fn a_byte_order_mark_is_passed_over_in_every_format_and_form() {
    for (name, text) in FILES {
        for (end, bytes) in forms(format!("{MARK}{text}").as_bytes()) {
            holds(&format!("{name}{end}"), bytes, &FOUND);
        }
    }
    for (_, bytes) in forms(format!("{MARK}1\ttext\n").as_bytes()) {
        assert_eq!(of_file("a", &bytes, |path| read_labelled(path)).unwrap(), [(1, "text".to_string())]);
    }
    for (_, bytes) in forms(format!("{MARK}1\t2 3\n").as_bytes()) {
        assert_eq!(of_file("a", &bytes, |path| read_sequences(path)).unwrap(), [(1, vec![2, 3])]);
    }
    for (_, bytes) in forms(format!("{MARK}cocoa\n").as_bytes()) {
        assert_eq!(of_file("a", &bytes, |path| read_lines(path)).unwrap(), ["cocoa"]);
    }
    let binary = [MARK.as_bytes(), b"1 2\ncat ", &1f32.to_le_bytes(), &(-2f32).to_le_bytes()].concat();
    for (text, format) in [
        (format!("{MARK}1 2\ncat 1 -2\n").into_bytes(), VectorFormat::Word2vecText),
        (format!("{MARK}cat 1 -2\n").into_bytes(), VectorFormat::Glove),
        (binary, VectorFormat::Word2vecBinary),
    ] {
        for (_, bytes) in forms(&text) {
            for reader in [ReadVectors::new(), ReadVectors::new().format(format)] {
                let vectors = of_file("a", &bytes, |path| reader.read(path)).unwrap();
                assert_eq!(vectors.get("cat"), Some(&[1.0, -2.0][..]), "{format:?}");
            }
        }
    }
}

#[cfg(feature = "tokenizers")]
#[test]
fn a_byte_order_mark_is_passed_over_in_a_tokenizer_too() {
    let json = r#"{"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": null, "decoder": null, "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}}"#;
    for (_, bytes) in forms(format!("{MARK}{json}").as_bytes()) {
        assert_eq!(of_file("a", bytes, |path| elman::text::HfTokenizer::from_file(path)).unwrap().width(), 1);
    }
}

/// `cat` puts marks in the midst of a file.
#[test]
fn a_mark_before_a_later_line_is_no_part_of_its_label() {
    holds("a.tsv", format!("good\tone\n{MARK}good\ttwo\n"), &[("good", "one"), ("good", "two")]);
    holds("a.csv", format!("label,text\ngood,one\n{MARK}good,two\n"), &[("good", "one"), ("good", "two")]);
    let json = FILES[2].1;
    holds("a.jsonl", format!("{json}{MARK}{json}"), &[FOUND, FOUND].concat());
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn utf_16_with_a_mark_is_read() {
    let text = "good\tone 😀\r\nbad\tдва\r\n";
    for big in [false, true] {
        let bytes = utf16(&format!("{MARK}{text}"), big);
        for (end, bytes) in forms(&bytes) {
            holds(&format!("a.tsv{end}"), bytes, &[("good", "one 😀"), ("bad", "два")]);
        }
        let csv = utf16(&format!("{MARK}label,text\nя,\"a\nb\"\n"), big);
        holds("a.csv", csv, &[("я", "a\nb")]);
        // Longer than any buffer, so that pairs and halves fall on its ends.
        let long = "😀é".repeat(20_000);
        holds(
            "a.tsv",
            utf16(&format!("{MARK}a\tx{long}\nb\ty{long}\n"), big),
            &[("a", &format!("x{long}")), ("b", &format!("y{long}"))],
        );
        assert_eq!(error("a.tsv", &bytes[..bytes.len() - 1]), ", line 2: the UTF-16 text is cut off");
    }
    let lone = [0xff, 0xfe, b'a', 0, b'\t', 0, 0x3d, 0xd8, b'b', 0];
    assert_eq!(error("a.tsv", lone), ", line 1: the UTF-16 text is malformed (half a pair of surrogates, 0xd83d)");
    let vectors = of_file("a", utf16(&format!("{MARK}1 2\ncat 1 -2\n"), false), |path| WordVectors::read(path));
    assert_eq!(vectors.unwrap().get("cat"), Some(&[1.0, -2.0][..]));
}

#[test]
fn utf_16_without_a_mark_and_utf_32_are_told_by_name() {
    for (name, text) in [FILES[0], FILES[1], FILES[2], ("b.tsv", "да\tдва\nнет\tтри\n")] {
        for (big, what) in [(false, "little"), (true, "big")] {
            let expected = format!(
                ": expected UTF-8, found what looks like UTF-16 ({what}-endian) without a mark: save it as UTF-8"
            );
            assert_eq!(error(name, utf16(text, big)), expected, "{name}");
        }
    }
    let units = |text: &str| text.chars().flat_map(|c| (c as u32).to_le_bytes()).collect::<Vec<u8>>();
    assert_eq!(error("a.tsv", units("\u{feff}a\tb\n")), ": expected UTF-8, found UTF-32: save it as UTF-8");
    let unmarked = of_file("a", utf16("2 1\na 1\nb 2\n", false), |path| WordVectors::read(path)).unwrap_err();
    assert!(unmarked.contains("UTF-16 (little-endian) without a mark"), "{unmarked}");
}

#[test]
fn a_zero_byte_is_named_with_its_line() {
    let expected = ", line 2: expected text, found the byte 0x00 at column 4";
    assert_eq!(error("a.tsv", "a\tb\nb\tx\0y\n"), expected);
    assert_eq!(error("a.csv", "label,text\nb,x\0y\n"), expected);
    assert_eq!(of_file("a", "a\nabc\0\n", |path| read_lines(path)).unwrap_err(), expected);
    // Escaped in JSON it is meant.
    holds("a.jsonl", r#"{"label": "a", "text": "x\u0000y"}"#, &[("a", "x\0y")]);
}

#[test]
fn lines_may_end_as_on_an_old_mac() {
    for (name, text) in FILES {
        holds(name, text.replace('\n', "\r"), &FOUND);
        holds(name, text.trim_end().replace('\n', "\r"), &FOUND);
        holds(name, text.replace('\n', "\r\n"), &FOUND);
    }
    assert_eq!(error("a.tsv", "a\tb\rno tab\r"), ", line 2: expected a tab after the label in \"no tab\"");
    assert_eq!(
        error("a.csv", "label,text\ra,b\ra\r"),
        ", line 3: expected 2 values, as many as the header has, found 1"
    );
    holds("a.csv", "label,text\ra,\"b\rc\"\r", &[("a", "b\rc")]);
    assert_eq!(of_file("a", "cocoa\r\rgrain\r", |path| read_lines(path)).unwrap(), ["cocoa", "", "grain"]);
    let vectors = of_file("a", "2 1\ra 1\rb 2\r", |path| WordVectors::read(path)).unwrap();
    assert!(vectors.words().eq(["a", "b"]) && vectors.data() == [1.0, 2.0]);
    let glove = of_file("a", "a 1\rb 2\r", |path| WordVectors::read(path)).unwrap();
    assert!(glove.words().eq(["a", "b"]));
}

/// Two kinds of line ends in one file: what is one line and what is two is in doubt.
#[test]
fn a_carriage_return_within_a_line_is_refused() {
    let why = "expected lines that end in \\n or \\r\\n, found a carriage return within one";
    assert_eq!(error("a.tsv", "a\tb\rb\tc\nc\td\n"), format!(", line 1: {why}, at column 4"));
    assert_eq!(error("a.tsv", "a\tb\r\r\nc\td\r\n"), format!(", line 1: {why}, at column 4"));
    assert_eq!(error("a.csv", "label,text\na,b\rb,c\nc,d\n"), format!(", line 2: {why}, at column 4"));
    let labelled = of_file("a", "1\tb\r2\tc\n3\td\n", |path| read_labelled(path)).unwrap_err();
    assert_eq!(labelled, format!(", line 1: {why}, at column 4"));
    // Between quotes it is text.
    holds("a.csv", "label,text\na,\"b\rc\"\r\n", &[("a", "b\rc")]);
    holds("a.jsonl", "{\"label\":\"a\",\r\"text\":\"b\"}\r\n", &[("a", "b")]);
    let later = format!("a\tb\r{}\rc\td\ne\tf", "x\ty\r".repeat(30_000));
    assert!(error("a.tsv", later).contains("expected lines that end in \\r as the first does, found \\n"));
}

#[test]
fn other_kinds_of_files_are_told_by_name() {
    let kinds: [(&[u8], &str); 9] = [
        (b"PK\x03\x04rest", "a zip archive"),
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
        (b"\xfd7zXZ\x00rest", "xz"),
        (b"BZh91AY&SYrest", "bzip2"),
        (b"7z\xbc\xaf\x27\x1crest", "7-Zip"),
        (b"PAR1\x15rest", "Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "Excel"),
        (b"%PDF-1.7", "PDF"),
        (b"\x80\x04\x95rest", "Python pickle"),
    ];
    for (bytes, kind) in kinds {
        for name in ["a.tsv", "a.csv", "a.jsonl"] {
            let error = error(name, bytes);
            assert!(error.starts_with(": expected") && error.contains(kind), "{kind}: {error}");
        }
        let error = of_file("a", bytes, |path| WordVectors::read(path)).unwrap_err();
        assert!(error.contains(kind), "{kind}: {error}");
    }
}

#[cfg(feature = "gz")]
#[test]
fn what_is_compressed_twice_or_in_parts_is_clear() {
    let twice = gz(&gz(b"a\tb\n"));
    assert!(error("a.tsv.gz", twice).contains("gzip-compressed twice"));
    let members = [gz(b"a\tb\n"), gz(b""), gz(b"c\t"), gz(b"d\n")].concat();
    holds("a.tsv.gz", members, &[("a", "b"), ("c", "d")]);
    let marked = [gz(format!("{MARK}a\tb\n").as_bytes()), gz(format!("{MARK}a\td\n").as_bytes())].concat();
    holds("a.tsv.gz", marked, &[("a", "b"), ("a", "d")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Marks, encodings, line ends and compression are no part of what a file says.
    #[test]
    fn every_form_of_a_file_says_the_same(
        rows in prop::collection::vec(("[a-zж😀]{1,3}", "[a-zж😀\",\\\\ ]{0,20}"), 1..20),
        last_end: bool,
    ) {
        // A space in front, so that no text is in quotes and no line blank; a label in front that no header has.
        let tsv: Vec<String> = rows.iter().map(|(label, text)| format!("_{label}\t {text}")).collect();
        let quoted = |text: &str| format!("\" {}\"", text.replace('"', "\"\""));
        let csv = rows.iter().map(|(label, text)| format!("_{label},{}", quoted(text)));
        let csv: Vec<String> = ["label,text".to_string()].into_iter().chain(csv).collect();
        let record = |(label, text): &(String, String)| {
            serde_json::json!({"label": format!("_{label}"), "text": format!(" {text}")}).to_string()
        };
        let json: Vec<String> = rows.iter().map(record).collect();
        let expected = texts("a.tsv", tsv.join("\n")).unwrap();
        for (name, lines) in [("a.tsv", &tsv), ("a.csv", &csv), ("a.jsonl", &json)] {
            for end in ["\n", "\r\n", "\r"] {
                let text = lines.join(end) + if last_end { end } else { "" };
                let marked = format!("{MARK}{text}");
                let encoded = [text.into_bytes(), marked.clone().into_bytes(), utf16(&marked, false), utf16(&marked, true)];
                for bytes in encoded.iter().flat_map(|bytes| forms(bytes)).map(|(_, bytes)| bytes) {
                    prop_assert_eq!(&texts(name, bytes).unwrap(), &expected, "{} {:?}", name, end);
                }
            }
        }
    }
}
