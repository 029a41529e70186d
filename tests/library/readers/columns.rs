//! Sentences in columns: what is read, what is said of what is not.

use super::said::of_file;
use elman::data::{Columns, read_columns, write_columns};
use proptest::prelude::*;

fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|column| column.to_string()).collect()).collect()
}

#[test]
fn sentences_are_parted_by_blank_lines_and_columns_by_what_the_first_line_has() {
    let expected = vec![rows(&[&["a b", "X"], &["c", "Y"]]), rows(&[&["d", "Z"]])];
    for text in ["a b\tX\nc\tY\n\nd\tZ\n", "\n\na b\tX\r\nc\tY\r\n  \r\n\r\nd\tZ\r\n\r\n", "a b\tX\nc\tY\n\nd\tZ"] {
        assert_eq!(of_file("a", text, |path| read_columns(path)).unwrap(), expected, "{text:?}");
    }
    let spaces = of_file("a", "a X 1\nb\tc Y 2\n", |path| read_columns(path)).unwrap();
    assert_eq!(spaces, [rows(&[&["a", "X", "1"], &["b\tc", "Y", "2"]])]);
    assert_eq!(of_file("a", "a\n\nb\n", |path| read_columns(path)).unwrap(), [rows(&[&["a"]]), rows(&[&["b"]])]);
}

#[test]
fn lines_that_differ_are_named() {
    let error = |text: &str| of_file("a", text, |path| read_columns(path)).unwrap_err();
    let columns = ", line 3: expected 2 columns parted by '\\t', as the first line has, found 3 in \"c\\tY\\tZ\"";
    assert_eq!(error("a\tX\n\nc\tY\tZ\n"), columns);
    assert!(error("a X\nc\n").starts_with(", line 2: expected 2 columns parted by ' '"));
    assert_eq!(error("a\tX\n\tY\n"), ", line 2: column 1: expected something, found an empty column in \"\\tY\"");
    assert!(error("a\tX\ry\nb\tY\n").contains("a carriage return within one"));
    assert_eq!(error("\n \n"), ": expected sentences, found an empty file");
    let mut reader = Columns::from_reader("-", "a\tX\n\nb\n\nc\tY\n".as_bytes()).unwrap();
    assert!(reader.next().unwrap().is_ok() && reader.next().unwrap().is_err() && reader.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        sentences in (1usize..4).prop_flat_map(|columns| {
            prop::collection::vec(prop::collection::vec(prop::collection::vec("[a-zж😀\u{85}#-]{1,4}", columns), 1..5), 1..5)
        }),
        tabs: bool,
    ) {
        let separator = if tabs { '\t' } else { ' ' };
        let mut file = Vec::new();
        sentences.iter().for_each(|rows| write_columns(&mut file, rows, separator).unwrap());
        let mut reader = Columns::from_reader("-", std::io::Cursor::new(file)).unwrap();
        let read = reader.by_ref().collect::<elman::Result<Vec<_>>>().unwrap();
        prop_assert_eq!(read, sentences.clone());
        prop_assert_eq!(reader.separator(), if sentences[0][0].len() == 1 { '\t' } else { separator });
    }
}
