//! Files of texts: TSV, CSV, JSON lines, and what is gzip-compressed.

use super::{Target, seeds};
use crate::mutate::Shape;
use crate::place::{Place, agree, in_pieces};
use elman::Result;
use elman::data::{TextColumns, TextFormat, Texts, read_labelled, read_lines, read_sequences, read_texts};
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::path::Path;

pub(crate) const TSV: Target = Target {
    name: "tsv",
    shape: Shape::Bytes,
    words: &["\t", "\n", "\r\n", "\r", "1\t", "\u{feff}", " ", "4294967296", "0 1 2", "label\ttext\n", "\u{2028}"],
    seeds: || seeds(&["good\tOne, two\nbad\t\ngood\t1 2 3\n", "1\t1 2 3\r\n4\t\r\n", "\u{feff}0\tdéjà\tvu"]),
    run: tsv,
};

pub(crate) const CSV: Target = Target {
    name: "csv",
    shape: Shape::Bytes,
    words: &[
        "\"", "\"\"", ",", "\n", "\r\n", "\r", "label", "text", "\u{feff}", ";", "\t", "\\\"", "good,", "\"a\nb\"",
    ],
    seeds: || {
        seeds(&[
            "id,text,label\n1,\"One, \"\"two\"\"\nlines\",good\n2,,bad\n",
            "label;text\ngood;a, b\r\nbad;\"c;d\"\r\n",
            "\u{feff}label,text\na,b\n\"a\",\"é\"\n",
        ])
    },
    run: csv,
};

pub(crate) const JSONL: Target = Target {
    name: "jsonl",
    shape: Shape::Bytes,
    words: &[
        "\"label\": ",
        "\"text\": ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\\u00e9",
        "\\ud800",
        "null",
        "true",
        "\n",
        "\"",
        ":",
    ],
    seeds: || {
        seeds(&[
            "{\"label\": \"good\", \"text\": \"\\u00e9\"}\n{\"x\": [1, {}], \"text\": \"\", \"label\": 2}\n",
            "\n{\"text\":\"a\",\"label\":true}",
        ])
    },
    run: jsonl,
};

pub(crate) const GZ: Target = Target {
    name: "gz",
    shape: Shape::Gzip,
    words: &["\t", "\n", "\u{1f}\u{8b}"],
    seeds: || {
        let texts = ["good\tOne, two\nbad\t\n", "1\t1 2 3\n", "label,text\na,b\n"];
        texts.iter().map(|text| in_pieces(text.as_bytes())).collect()
    },
    run: gz,
};

/// Whether a reader would decompress the content itself.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Reads bytes plain and compressed, which must not differ; gives what the plain file has.
pub(super) fn both<T: PartialEq>(place: &Place, bytes: &[u8], read: impl Fn(&Path) -> Result<T>) -> Result<T> {
    let plain = place.read("plain", bytes, &read);
    // In pieces of all lengths, so that no reader depends on what comes in one go. Now and then: it takes its time.
    if !is_gzip(bytes) && bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) % 4 == 0 {
        let pieces = in_pieces(bytes);
        agree("plain and in pieces", &plain, &place.read_sized("plain.gz", &pieces, 2 * pieces.len(), &read));
    }
    plain
}

fn columns(format: TextFormat) -> TextColumns {
    TextColumns::default().format(format)
}

/// Pairs of a label and a text.
fn pairs(texts: &Texts) -> Vec<(&str, &str)> {
    let label = |&class: &u32| texts.labels.name(class).expect("a class that was numbered");
    assert_eq!(texts.classes.len(), texts.texts.len());
    texts.classes.iter().map(label).zip(texts.texts.iter().map(String::as_str)).collect()
}

/// What was read, written anew and read again, is the same.
fn comes_back(place: &Place, read: &Texts, columns: &TextColumns, file: &[u8]) {
    let again = place.read("again", file, |path| read_texts(path, columns));
    let again = again.unwrap_or_else(|error| panic!("what was read cannot be read again: {error}"));
    assert_eq!(pairs(&again), pairs(read), "what was read does not come back");
}

fn tsv(place: &Place, bytes: &[u8]) {
    let columns = columns(TextFormat::Tsv);
    if let Ok(read) = both(place, bytes, |path| read_texts(path, &columns)) {
        let line = |(label, text): (&str, &str)| format!("{label}\t{text}\n");
        let file: String = pairs(&read).into_iter().map(line).collect();
        // What the layout cannot hold: an end of line within a text, a mark as the beginning.
        if !file.contains('\r') && !file.starts_with('\u{feff}') {
            comes_back(place, &read, &columns, file.as_bytes());
        }
    }
    let lines = both(place, bytes, |path| read_lines(path));
    if let Ok(lines) = &lines {
        assert!(lines.iter().all(|line| !line.contains('\n')));
    }
    let labelled = both(place, bytes, |path| read_labelled(path));
    let sequences = both(place, bytes, |path| read_sequences(path));
    assert!(lines.is_ok() || labelled.is_err(), "labelled lines that are no lines");
    assert!(labelled.is_ok() || sequences.is_err(), "sequences that are not labelled");
}

fn csv(place: &Place, bytes: &[u8]) {
    for separator in [b',', b';'] {
        let columns = columns(TextFormat::Csv).separator(separator);
        if let Ok(read) = both(place, bytes, |path| read_texts(path, &columns)) {
            comes_back(place, &read, &columns, &written(pairs(&read), separator));
        }
    }
    // Texts of whatever characters, as a spreadsheet writes them, are read as they are.
    let texts = String::from_utf8_lossy(bytes);
    let given: Vec<(&str, &str)> = texts.split('\0').map(|text| ("a", text)).collect();
    let columns = columns(TextFormat::Csv);
    let read = place.read("given", &written(given.clone(), b','), |path| read_texts(path, &columns));
    assert_eq!(pairs(&read.expect("sound CSV")), given, "what was written is not what is read");
}

/// A column of its own numbers the rows, so that none repeats the header, which the reader refuses.
fn written(pairs: Vec<(&str, &str)>, separator: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    writer.write_record(["label", "text", "row"]).expect("memory can be written");
    for (row, (label, text)) in pairs.into_iter().enumerate() {
        writer.write_record([label, text, &row.to_string()]).expect("memory can be written");
    }
    writer.into_inner().expect("memory can be written")
}

fn jsonl(place: &Place, bytes: &[u8]) {
    let columns = columns(TextFormat::JsonLines);
    let written = |pairs: &[(&str, &str)]| -> String {
        let line = |(label, text): &(&str, &str)| serde_json::json!({"label": label, "text": text}).to_string() + "\n";
        pairs.iter().map(line).collect()
    };
    if let Ok(read) = both(place, bytes, |path| read_texts(path, &columns)) {
        comes_back(place, &read, &columns, written(&pairs(&read)).as_bytes());
    }
    let texts = String::from_utf8_lossy(bytes);
    let given: Vec<(&str, &str)> = texts.split('\0').map(|text| ("a", text)).collect();
    let read = place.read("given", written(&given).as_bytes(), |path| read_texts(path, &columns));
    assert_eq!(pairs(&read.expect("sound JSON lines")), given, "what was written is not what is read");
}

/// A compressed file is read as its content is, or refused: as a whole if it is broken anywhere.
fn gz(place: &Place, bytes: &[u8]) {
    if !is_gzip(bytes) {
        return;
    }
    const MOST: u64 = 1 << 24;
    let mut content = Vec::new();
    let decompressed = MultiGzDecoder::new(bytes).take(MOST).read_to_end(&mut content);
    let size = content.len().max(bytes.len());
    let columns = columns(TextFormat::Tsv);
    type Reader<'a> = &'a dyn Fn(&Path) -> Result<Vec<String>>;
    let readers: [Reader; 2] = [&|path| read_lines(path), &|path| read_texts(path, &columns).map(|read| read.texts)];
    for read in readers {
        let compressed = place.read_sized("file.gz", bytes, size, read);
        match decompressed {
            Err(_) => assert!(compressed.is_err(), "broken gzip data are read"),
            Ok(_) if is_gzip(&content) || content.len() as u64 == MOST => {}
            Ok(_) => agree("content and compressed", &place.read("content", &content, read), &compressed),
        }
    }
}
