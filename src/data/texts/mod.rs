//! [`read_texts`]: files of texts with labels, as users have them.

mod csv;
mod found;
mod jsonl;
mod tsv;

use super::Labels;
use crate::error::{Error, Result};
use crate::file::Source;
use found::Found;
use std::path::Path;

/// A layout of texts with labels in a file, plain or gzip-compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// Lines `label<TAB>text` without a header; the text may be empty and may hold more tabs. Quotes are text like any
    /// other: tables that Excel or pandas wrote with tabs are [`Csv`](Self::Csv) with the separator `b'\t'`.
    Tsv,
    /// Comma-separated values with a header that names the columns, strictly by RFC 4180: a value with commas, quotes or
    /// line breaks stands in quotes, each quote within it written twice; a backslash is a character like any other. A
    /// quote within a value that does not begin with one is text (`5" pipe`). A first line `sep=;`, as Excel has it, tells
    /// the separator.
    Csv,
    /// A JSON object on each line. Of the numbers that a label may be, `1` and `1.0` are the same.
    JsonLines,
}

/// Where a file has its texts and labels.
///
/// ```
/// use elman::data::{Labels, TextColumns, TextFormat};
/// let columns = TextColumns::new("sentiment", "review").labels(Labels::new(["negative", "positive"])?);
/// let semicolons = columns.clone().format(TextFormat::Csv).separator(b';');
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TextColumns {
    label: String,
    text: String,
    pub(super) format: Option<TextFormat>,
    pub(super) separator: u8,
    pub(super) labels: Option<Labels>,
}

impl Default for TextColumns {
    fn default() -> Self {
        TextColumns::new("label", "text")
    }
}

impl TextColumns {
    /// The names of the columns (CSV) or fields (JSON) of label and text; TSV has no names. The default is `label` and
    /// `text`.
    pub fn new(label: impl Into<String>, text: impl Into<String>) -> Self {
        TextColumns { label: label.into(), text: text.into(), format: None, separator: b',', labels: None }
    }

    /// The file's format. Default: by the end of its name, `.tsv`, `.csv`, `.jsonl` or `.ndjson`, with or without
    /// `.gz`.
    pub fn format(mut self, format: TextFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// What separates the values of CSV. Default: a comma.
    pub fn separator(mut self, separator: u8) -> Self {
        self.separator = separator;
        self
    }

    /// The classes with their numbers, such as those of the training set for a test set; another label is an error
    /// then. Default: classes are numbered in the order in which they come.
    pub fn labels(mut self, labels: Labels) -> Self {
        self.labels = Some(labels);
        self
    }
}

/// Texts with the numbers of their classes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Texts {
    /// The texts, in the order of the file.
    pub texts: Vec<String>,
    /// The number of each text's class: fit for [`Targets::classes`](super::Targets::classes).
    pub classes: Vec<u32>,
    /// The names of the classes.
    pub labels: Labels,
}

/// Reads a file of texts with labels: TSV, CSV or JSON lines, plain or gzip-compressed (known by its magic bytes, with
/// the feature `gz`). Labels are names; JSON may have whole numbers and booleans in their place.
///
/// White space around a label (and a byte order mark) is no part of it, and a label in composed and in decomposed
/// characters (Unicode's NFC and NFD) is one: ` pos`, `pos ` and `pos` are one class in every format. Only where
/// [`TextColumns::labels`] has the name as it stands in the file is it that one. The text is kept as it is.
///
/// Text is UTF-8, or UTF-16 with a byte order mark, which is passed over. Lines end in `\n` or `\r\n`, or all of them in
/// `\r`. Blank lines are passed over.
///
/// Labels that are numbers are names like others: `1` is class 0 where it comes first. Give [`TextColumns::labels`] to
/// have them in order, or take [`read_labelled`](super::read_labelled).
///
/// Errors name the file and the line: a file that cannot be read, or is of another kind (zip, zstd, Excel, Parquet, ...);
/// gzip data cut off or malformed; a line that is not UTF-8, has a zero byte or a carriage return within, or is longer
/// than 64 MiB; a column or field that is not there, or there twice; an empty label, or one that is not among those given;
/// a header in TSV, or a second time in CSV; a CSV record with more or fewer values than the header, a quote that is not
/// closed, or text behind one that is; a line that is not a JSON object; a file without a text.
///
/// What is in doubt is a warning through crate `log`: a first line that may be a header, labels that differ in their case
/// alone, texts of TSV that all have another column, or stand in quotes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("reviews.jsonl");
/// use elman::data::{TextColumns, read_texts};
/// std::fs::write(&path, r#"{"stars": 5, "review": "A delight."}
/// {"stars": 1, "review": "Two hours too long."}"#)?;
/// let reviews = read_texts(&path, &TextColumns::new("stars", "review"))?;
/// assert_eq!(reviews.texts[1], "Two hours too long.");
/// assert_eq!((reviews.classes, reviews.labels.names()), (vec![0, 1], &["5".to_string(), "1".to_string()][..]));
/// # Ok(())
/// # }
/// ```
pub fn read_texts(path: impl AsRef<Path>, columns: &TextColumns) -> Result<Texts> {
    let path = path.as_ref();
    let format = columns.format.map_or_else(|| by_name(path), Ok)?;
    let source = Source::open(path)?;
    let mut found = Found::new(path, columns);
    match format {
        TextFormat::Tsv => tsv::read(source, columns, &mut found)?,
        TextFormat::Csv => csv::read(source, columns, &mut found)?,
        TextFormat::JsonLines => jsonl::read(source, columns, &mut found)?,
    }
    found.finish()
}

/// Texts of a piece of a file that begins in line `line`: whole records, behind the header where they are of CSV.
pub(super) struct Piece<'a> {
    pub(super) path: &'a Path,
    pub(super) bytes: Vec<u8>,
    pub(super) line: usize,
    /// Whether another label than those known is an error.
    pub(super) given: bool,
    pub(super) warns: bool,
}

impl Piece<'_> {
    /// Reads it, as [`read_texts`] would, to which of the labels it has are added.
    pub(super) fn read(self, format: TextFormat, columns: &TextColumns, labels: Labels) -> Result<Texts> {
        let Piece { path, bytes, line, given, warns } = self;
        let source = Source::of(path, bytes);
        let mut found = Found::piece(path, labels, given, warns);
        let read = match format {
            TextFormat::Tsv => tsv::read(source, columns, &mut found),
            TextFormat::Csv => csv::read(source, columns, &mut found),
            TextFormat::JsonLines => jsonl::read(source, columns, &mut found),
        };
        match read {
            Ok(()) => Ok(found.into_piece()),
            Err(Error::Parse { path, line: Some(within), why }) => {
                Err(Error::Parse { path, line: Some(within + line - 1), why })
            }
            Err(other) => Err(other),
        }
    }
}

pub(super) fn by_name(path: &Path) -> Result<TextFormat> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let ends = [
        (".tsv", TextFormat::Tsv),
        (".csv", TextFormat::Csv),
        (".jsonl", TextFormat::JsonLines),
        (".ndjson", TextFormat::JsonLines),
    ];
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let format = ends.iter().find(|(end, _)| name.ends_with(end)).map(|(_, format)| *format);
    format.ok_or_else(|| {
        let why = "expected a name that ends in .tsv, .csv, .jsonl or .ndjson, with or without .gz; or give TextColumns a format";
        Error::Parse { path: path.into(), line: None, why: why.into() }
    })
}

#[cfg(test)]
mod tests;
