//! Sentences: CoNLL-U, which comes out to the byte, and words in columns.

use super::texts::{both, is_gzip};
use super::{Target, seeds};
use crate::mutate::Shape;
use crate::place::Place;
use elman::data::{Columns, Sentence, read_columns, read_conllu, write_columns};

pub(crate) const CONLLU: Target = Target {
    name: "conllu",
    shape: Shape::Bytes,
    words: &[
        "\t",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        "# ",
        "_",
        "1",
        "2",
        "1-2\t",
        "1.1\t",
        "0",
        "\t_\t_",
        "SpaceAfter=No",
        "\u{feff}",
    ],
    seeds: || {
        let (rest, end) = ("\t_\t_", "\tx\t_\t_\n");
        let word = |id: &str, head: &str| format!("{id}\ta\tb\tX{rest}\t{head}{end}");
        let one = format!("# text = a\n{}{}{}\n", word("1", "2"), word("2", "0"), word("2.1", "_"));
        let two = format!("\n\n#\n{}{}{}", word("1-2", "_"), word("1", "_"), word("2", "1"));
        seeds(&[&one, &two, &one.replace('\n', "\r\n"), &format!("{one}{two}"), one.trim_end()])
    },
    run: conllu,
};

pub(crate) const COLUMNS: Target = Target {
    name: "columns",
    shape: Shape::Bytes,
    words: &["\t", "\n", "\r\n", "\r", "\n\n", " ", "B-X", "O", "\u{feff}"],
    seeds: || seeds(&["a\tB-X\nb\tI-X\n\nc\tO\n", "a N B-X\r\nb N O\r\n\r\n", "a\n\nb"]),
    run: columns,
};

fn conllu(place: &Place, bytes: &[u8]) {
    let Ok(read) = both(place, bytes, |path| read_conllu(path)) else { return };
    for sentence in &read {
        sentence.check().unwrap_or_else(|error| panic!("what was read does not hold: {error}"));
        if let Ok(heads) = sentence.tree() {
            assert_eq!(heads.iter().filter(|&&head| head == 0).count(), 1, "a tree has one root");
        }
        assert!(sentence.text().len() <= bytes.len());
    }
    let written: String = read.iter().map(Sentence::to_string).collect();
    // A mark, UTF-16 and compression are passed over.
    if !is_gzip(bytes) && !bytes.starts_with(&[0xff, 0xfe]) && !bytes.starts_with(&[0xfe, 0xff]) {
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        assert!(written.as_bytes() == text, "what was read is not written as it was");
    }
    let again = place.read("again", written.as_bytes(), |path| read_conllu(path));
    assert!(again.is_ok_and(|again| again == read), "what was read does not come back");
}

fn columns(place: &Place, bytes: &[u8]) {
    let Ok(read) = both(place, bytes, |path| read_columns(path)) else { return };
    let mut written = Vec::new();
    let path = place.file("first", bytes);
    let mut reader = Columns::open(&path).expect("a file that was read");
    assert!(reader.next().is_some_and(|first| first.is_ok()));
    let separator = reader.separator();
    for rows in &read {
        assert!(rows.iter().all(|row| row.len() == read[0][0].len() && row.iter().all(|column| !column.is_empty())));
        write_columns(&mut written, rows, separator).expect("memory can be written");
    }
    // At the beginning it would be taken for the file's.
    if !written.starts_with("\u{feff}".as_bytes()) {
        let again = place.read("again", &written, |path| read_columns(path));
        assert!(again.is_ok_and(|again| again == read), "what was read does not come back");
    }
}
