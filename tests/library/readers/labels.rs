//! Labels as people write them, and lines that are no texts.

use super::said::{error, holds, of_file, texts};
use crate::common::logged::warnings;
use elman::data::{Labels, TextColumns, read_labelled, read_sequences, read_texts};

#[test]
fn white_space_around_a_label_is_no_part_of_it() {
    let expected = [("pos", "a"), ("pos", " b "), ("pos", "c"), ("pos", "d")];
    holds("a.tsv", "pos\ta\n pos\t b \npos \tc\n\u{a0}pos\u{3000}\td\n", &expected);
    holds("a.csv", "label,text\npos,a\n pos, b \n\"pos \",c\n\u{a0}pos\u{3000},d\n", &expected);
    let json = ["pos", " pos", "pos\\n", "\\u00a0pos\\u3000"];
    let json: String = json
        .iter()
        .zip(["a", " b ", "c", "d"])
        .map(|(label, text)| format!("{{\"label\": \"{label}\", \"text\": \"{text}\"}}\n"))
        .collect();
    holds("a.jsonl", json, &expected);
    assert_eq!(error("a.tsv", "  \tx\n"), ", line 1: expected a label, found an empty one");
    // A test file against the training's labels, and labels that an old model has with their spaces.
    let against = |names: &[&str], file: &str| {
        let columns = TextColumns::default().labels(Labels::new(names.iter().copied()).unwrap());
        of_file("a.tsv", file, |path| read_texts(path, &columns)).map(|found| found.classes)
    };
    assert_eq!(against(&["neg", "pos"], " pos\ta\nneg \tb\n").unwrap(), [1, 0]);
    assert_eq!(against(&["pos ", "pos"], "pos \ta\npos\tb\n pos\tc\n").unwrap(), [0, 1, 1]);
    assert!(against(&["neg"], "pos\ta\n").is_err());
}

#[test]
fn labels_that_look_the_same_are_the_same() {
    // é as one character and as two.
    holds("a.tsv", "caf\u{e9}\ta\ncafe\u{301}\tb\n", &[("caf\u{e9}", "a"), ("caf\u{e9}", "b")]);
}

#[test]
fn numbers_as_labels_in_json() {
    let json = |labels: &[&str]| -> String {
        labels.iter().map(|label| format!("{{\"label\": {label}, \"text\": \"\"}}\n")).collect()
    };
    let names = |labels: &[&str]| texts("a.jsonl", json(labels)).unwrap().labels.names().to_vec();
    assert_eq!(names(&["1", "1.0", "\"1\"", "1e0", "10e-1"]), ["1"]);
    assert_eq!(names(&["0", "-0", "-0.0", "-1", "-1.0", "true", "\"true\""]), ["0", "-1", "true"]);
    for bad in ["1.5", "1e300", "null", "[1]", "{}"] {
        assert!(texts("a.jsonl", json(&[bad])).is_err(), "{bad}");
    }
    let why = error("a.jsonl", json(&["1.5"]));
    assert!(why.contains("expected text, a whole number or a boolean as the label"), "{why}");
}

#[test]
fn blank_lines_are_no_texts() {
    let expected = [("a", "x"), ("b", "y")];
    holds("a.tsv", "a\tx\nb\ty\n\n", &expected);
    holds("a.tsv", "a\tx\r\n\r\nb\ty\r\n  \r\n\r\n", &expected);
    holds("a.csv", "label,text\na,x\n\nb,y\n  \n\n", &expected);
    holds("a.jsonl", "{\"label\":\"a\",\"text\":\"x\"}\n \n{\"label\":\"b\",\"text\":\"y\"}\n\n", &expected);
    assert_eq!(of_file("a", "1\tx\n\n\n", |path| read_labelled(path)).unwrap(), [(1, "x".to_string())]);
    assert_eq!(of_file("a", "1\t2\n\r\n", |path| read_sequences(path)).unwrap(), [(1, vec![2])]);
    assert_eq!(error("a.tsv", "\n\n"), ": expected texts, found none");
}

#[test]
fn a_header_line_in_tsv_is_an_error() {
    let why = ", line 1: expected a label, a tab and a text, found what looks like a header";
    let cure = "take the line out, or read the file as CSV separated by tabs";
    for header in [
        "label\ttext",
        "Label\tText",
        "sentiment\treview",
        "class\ttweet",
        "id\tlabel\ttext",
        "text\tlabel",
        "\tlabel\ttext",
        "category\tsentence",
    ] {
        let error = error("a.tsv", format!("{header}\npos\tx\nneg\ty\n"));
        assert!(error.starts_with(why) && error.ends_with(cure), "{header}: {error}");
    }
    // The names that the caller gave.
    let columns = TextColumns::new("stars", "opinion");
    let error = of_file("a.tsv", "stars\topinion\n5\tx\n", |path| read_texts(path, &columns)).unwrap_err();
    assert!(error.starts_with(why), "{error}");
    // A class of a usual name, and texts of one word.
    holds("a.tsv", "label\ta text\npos\tx\nlabel\ty\n", &[("label", "a text"), ("pos", "x"), ("label", "y")]);
    holds("a.tsv", "pos\ttext\nneg\tlabel\n", &[("pos", "text"), ("neg", "label")]);
}

#[test]
fn what_may_be_a_header_is_a_warning() {
    let said = |file: &str| warnings(|| texts("a.tsv", file).unwrap()).1;
    let header = |file: &str| said(file).iter().any(|warning| warning.contains("line 1: is this a header?"));
    assert!(header("y\tx\n0\ta\n1\tb\n0\tc\n"), "all other labels are numbers");
    assert!(header("label\tthe text of it\npos\ta\nneg\tb\npos\tc\n"), "a usual name that comes once");
    assert!(!header("one\ta\n0\tb\none\tc\n"), "it comes again");
    assert!(!header("pos\ta\nneg\tb\nneutral\tc\n"));
    assert!(!header("0\ta\n1\tb\n"));
    assert!(!header("pos\ta\n"));
}

#[test]
fn what_is_in_doubt_is_a_warning() {
    let said = |name: &str, file: &str| warnings(|| texts(name, file).unwrap()).1.join("\n");
    assert!(said("a.tsv", "Pos\ta\npos\tb\n").contains("the labels \"Pos\" and \"pos\" differ in their case alone"));
    let columns: String = (0..20).map(|row| format!("{row}\tpos\ttext\n")).collect();
    assert!(said("a.tsv", &columns).contains("every line has 3 columns"));
    let quoted = said("a.tsv", "pos\t\"He said \"\"no\"\"\"\nneg\ta\n");
    assert!(quoted.contains("line 1: the text stands in quotes"), "{quoted}");
    assert_eq!(said("a.tsv", "pos\t\"No\" \"yes\"\nneg\ta\tb\npos\tc\n"), "");
    assert_eq!(said("a.csv", "label,text\npos,a\nneg,b\n"), "");
}

#[test]
fn layouts_of_others_are_told_by_name() {
    let why = error("a.tsv", "__label__pos a text\n");
    assert!(why.starts_with(", line 1: expected a tab after the label in") && why.contains("fastText"), "{why}");
    for json in
        ["[{\"label\": \"a\", \"text\": \"b\"}]", "[\n{\"label\": \"a\", \"text\": \"b\"}\n]", "{\n\"label\": \"a\",\n"]
    {
        let why = error("a.jsonl", json);
        assert!(why.contains("each object stands on one line of its own"), "{why}");
    }
    let surrogate = error("a.jsonl", r#"{"label": "a", "text": "\ud83d"}"#);
    assert!(surrogate.starts_with(", line 1: ") && surrogate.contains("hex escape"), "{surrogate}");
    let twice = error("a.jsonl", r#"{"label": "a", "text": "b", "label": "c"}"#);
    assert!(twice.contains("the field `label` a second time"), "{twice}");
    assert!(error("a.jsonl", r#"{"label": "a", "text": "b"},"#).contains("trailing characters"));
    holds("a.jsonl", "{\"label\": \"a\", \"text\": \"x\u{2028}y\"}\n", &[("a", "x\u{2028}y")]);
}
