//! Files good and bad: what is read from them, and what is said about them.

use super::*;

/// Writes `bytes` to a file of that name and reads it; errors come back as text that begins after the file's name.
fn read_named(name: &str, bytes: &[u8], columns: &TextColumns) -> Result<Texts, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read_texts(&path, columns).map_err(|error| {
        let (text, name) = (error.to_string(), path.display().to_string());
        text.strip_prefix(&name).map(str::to_string).unwrap_or(text)
    })
}

fn read(name: &str, text: impl AsRef<[u8]>) -> Result<Texts, String> {
    read_named(name, text.as_ref(), &TextColumns::default())
}

fn error(name: &str, text: impl AsRef<[u8]>) -> String {
    read(name, text).unwrap_err()
}

fn names(texts: &Texts) -> Vec<&str> {
    texts.labels.names().iter().map(String::as_str).collect()
}

#[test]
fn every_format_gives_the_same() {
    let tsv = "good\tOne, \"two\"\nbad\t\ngood\tthree\n";
    let csv = "id,text,label\n1,\"One, \"\"two\"\"\",good\n2,,bad\n3,three,good\n";
    let jsonl = "{\"label\": \"good\", \"text\": \"One, \\\"two\\\"\"}\n\n{\"text\": \"\", \"x\": [1, {}], \"label\": \"bad\"}\n\
                 {\"label\":\"good\",\"text\":\"three\"}";
    for (name, text) in [("a.tsv", tsv), ("a.CSV", csv), ("a.jsonl", jsonl), ("a.ndjson", jsonl)] {
        let found = read(name, text).unwrap_or_else(|error| panic!("{name}{error}"));
        assert_eq!(found.texts, ["One, \"two\"", "", "three"], "{name}");
        assert_eq!((found.classes.clone(), names(&found)), (vec![0, 1, 0], vec!["good", "bad"]), "{name}");
    }
    let marked = format!("\u{feff}{tsv}");
    assert_eq!(names(&read("a.tsv", &marked).unwrap()), ["good", "bad"]);
    assert_eq!(names(&read("a.csv", format!("\u{feff}{csv}")).unwrap()), ["good", "bad"]);
    let elsewhere = TextColumns::new("l", "t").format(TextFormat::Csv).separator(b';');
    assert_eq!(read_named("a.txt", b"t;l\r\n\"two\nlines\";x\r\n", &elsewhere).unwrap().texts, ["two\nlines"]);
}

#[test]
fn labels_are_numbered_as_given_or_as_they_come() {
    let labels = Labels::new(["0", "1", "2"]).unwrap();
    let given = TextColumns::default().labels(labels.clone());
    let found = read_named("a.tsv", b"2\tx\n0\ty\n", &given).unwrap();
    assert_eq!((found.classes, &found.labels), (vec![2, 0], &labels));
    assert_eq!(read("a.tsv", "2\tx\n0\ty\n").unwrap().classes, [0, 1]);
    let unknown = read_named("a.tsv", b"2\tx\n3\ty\n", &given).unwrap_err();
    assert_eq!(unknown, ", line 2: expected one of the labels \"0\", \"1\", \"2\", found \"3\"");
    let json = "{\"label\": -1, \"text\": \"\"}\n{\"label\": true, \"text\": \"\"}\n{\"label\": 18446744073709551615, \"text\": \"\"}";
    assert_eq!(names(&read("a.jsonl", json).unwrap()), ["-1", "true", "18446744073709551615"]);
}

#[test]
fn bad_tsv_is_named_with_its_line() {
    assert_eq!(error("a.tsv", "a\tb\nno tab\n"), ", line 2: expected a tab after the label in \"no tab\"");
    assert_eq!(error("a.tsv", "\tb\n"), ", line 1: expected a label, found an empty one");
    assert_eq!(error("a.tsv", b"a\tb\na\t\xff\n"), ", line 2: expected UTF-8, found the byte 0xff at column 3");
    assert_eq!(error("a.tsv", ""), ": expected texts, found none");
}

#[test]
fn bad_csv_is_named_with_its_line() {
    let head = "label,text\n";
    let csv = |rest: &str| error("a.csv", format!("{head}{rest}"));
    assert_eq!(csv("a,b\nc\n"), ", line 3: expected 2 values, as many as the header has, found 1");
    assert_eq!(csv("a,\"two\nlines\"\nc,d,e\n"), ", line 4: expected 2 values, as many as the header has, found 3");
    assert_eq!(csv("a,b\n,d\n"), ", line 3: expected a label, found an empty one");
    assert_eq!(
        csv("a,b\nc,\"open\nd,e\n"),
        ", line 3: expected every quote to be closed, found the end of the file within one"
    );
    assert_eq!(csv(""), ": expected texts, found none");
    assert_eq!(error("a.csv", ""), ": expected texts, found none");
    assert_eq!(
        error("a.csv", "name,text\n"),
        ", line 1: expected the column \"label\" in the header, found \"name\", \"text\""
    );
    assert_eq!(error("a.csv", "label,text,label\n"), ", line 1: expected the column \"label\" once, found it twice");
    let not_utf8 = error("a.csv", b"label,text\na,b\nc,\xff\n");
    assert_eq!(not_utf8, ", line 3: expected UTF-8, found the byte 0xff at column 3");
    let quote = read_named("a.csv", b"", &TextColumns::default().separator(b'"')).unwrap_err();
    assert!(quote.starts_with("text columns: expected a separator"), "{quote}");
    // A quote within a value that is not quoted is a quote.
    assert_eq!(read("a.csv", "label,text\na,5\" disk\nb,c\n").unwrap().texts, ["5\" disk", "c"]);
}

#[test]
fn bad_json_is_named_with_its_line() {
    let good = "{\"label\": \"a\", \"text\": \"b\"}\n";
    let json = |line: &str| {
        let error = error("a.jsonl", format!("{good}\n{line}\n"));
        let expected = ", line 3: expected a JSON object with a label and a text, found ";
        error.strip_prefix(expected).unwrap_or_else(|| panic!("{error}")).to_string()
    };
    assert!(json("{\"label\": \"a\"}").starts_with("no field `text`"));
    assert!(json("{\"text\": \"a\"}").starts_with("no field `label`"));
    assert!(json("{\"label\": \"a\", \"text\": \"b\", \"text\": \"c\"}").starts_with("the field `text` a second time"));
    assert!(
        json("{\"label\": 1.5, \"text\": \"b\"}").contains("expected text, a whole number or a boolean as the label")
    );
    assert!(json("{\"label\": null, \"text\": \"b\"}").contains("invalid type: null"));
    assert!(json("{\"label\": [1], \"text\": \"b\"}").contains("invalid type: sequence"));
    assert!(json("{\"label\": \"a\", \"text\": 7}").contains("invalid type: integer `7`, expected a string"));
    assert!(json("[1]").contains("an object with the fields `label` and `text`"));
    assert!(json("{\"label\": \"a\", \"text\"").contains("EOF while parsing an object at column"));
    assert!(json(&format!("{}{}", good.trim(), good.trim())).contains("trailing characters"));
    assert!(json(&"[".repeat(100_000)).contains("an object"));
    assert!(json(&format!("{{\"x\": {}", "[".repeat(100_000))).contains("EOF"));
    assert_eq!(
        error("a.jsonl", "{\"label\": \"\", \"text\": \"b\"}"),
        ", line 1: expected a label, found an empty one"
    );
    assert!(error("a.jsonl", b"\xff\n").starts_with(", line 1: expected UTF-8"));
}

#[test]
fn a_name_that_says_nothing_is_an_error() {
    assert!(error("a.txt", "a\tb\n").contains("expected a name that ends in .tsv, .csv, .jsonl or .ndjson"));
    assert!(error(".gz", "a\tb\n").contains("expected a name that ends in"));
    assert!(matches!(read_texts("no/such.tsv", &TextColumns::default()), Err(Error::Io { .. })));
}

#[cfg(feature = "gz")]
#[test]
fn gzip_is_read_and_checked() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let jsonl = "{\"label\": \"a\", \"text\": \"b\"}\n";
    for (name, text) in [("a.tsv.gz", "a\tb\n"), ("a.csv.gz", "label,text\na,b\n"), ("a.jsonl.gz", jsonl)] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        let whole = encoder.finish().unwrap();
        assert_eq!(read(name, &whole).unwrap().texts, ["b"]);
        assert!(error(name, &whole[..whole.len() - 3]).contains("the gzip data are cut off"));
        let mut broken = whole.clone();
        let checksum = broken.len() - 8;
        broken[checksum] ^= 1;
        assert!(error(name, &broken).contains("the gzip data are malformed"));
    }
}
