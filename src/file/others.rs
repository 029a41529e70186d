//! Kinds of files that are no text, told by what they begin with, and what to do about them.

/// What a file of some kind begins with (its format's specification says so), and the kind.
const OTHERS: [(&[u8], &str); 16] = [
    (
        b"\x1f\x8b",
        "gzip-compressed data within gzip-compressed data: the file is gzip-compressed twice, decompress it once",
    ),
    (b"PK\x03\x04", "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file: save the sheet as CSV in UTF-8"),
    (b"\x28\xb5\x2f\xfd", "data compressed by zstd: decompress them, or compress them by gzip"),
    (b"\xfd7zXZ\x00", "data compressed by xz: decompress them, or compress them by gzip"),
    (b"BZh91AY&SY", "data compressed by bzip2: decompress them, or compress them by gzip"),
    (b"\x04\x22\x4d\x18", "data compressed by lz4: decompress them, or compress them by gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it"),
    (b"PAR1\x15", "a Parquet file: write it as CSV or JSON lines"),
    (b"ARROW1\x00", "an Arrow file: write it as CSV or JSON lines"),
    (b"SQLite format 3\x00", "an SQLite database: write its table as CSV"),
    (b"%PDF-", "a PDF document: save its text"),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
];
const PICKLE: &str =
    "a Python pickle: write the data anew, as text (word vectors of gensim's with `save_word2vec_format`)";

/// The kind of the file that begins with `head`, where it is one of those, and the cure.
pub(super) fn named(head: &[u8]) -> Option<&'static str> {
    OTHERS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what)
}
