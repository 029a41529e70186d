//! [`read_texts`]: files of texts with labels, as users have them.

#[cfg(feature = "csv")]
mod csv;
mod jsonl;

use super::Labels;
use crate::error::{Error, Result};
use crate::file::{Lines, Source, cut};
use std::path::{Path, PathBuf};

/// A layout of texts with labels in a file, plain or gzip-compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// Lines `label<TAB>text` without a header; the text may be empty and may hold more tabs.
    Tsv,
    /// Comma-separated values with a header that names the columns (RFC 4180: a text with commas, quotes or line breaks
    /// stands in quotes). Needs the feature `csv`.
    Csv,
    /// A JSON object on each line.
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
pub struct TextColumns {
    label: String,
    text: String,
    format: Option<TextFormat>,
    separator: u8,
    labels: Option<Labels>,
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
/// Labels that are numbers are names like others: `1` is class 0 where it comes first. Give [`TextColumns::labels`] to
/// have them in order, or take [`read_labelled`](super::read_labelled).
///
/// Errors name the file and the line: a file that cannot be read; gzip data cut off or malformed; a line that is not
/// UTF-8, or longer than 64 MiB; a column or field that is not there, or there twice; an empty label, or one that is
/// not among those given; a CSV record with more or fewer values than the header, or a quote that is not closed; a line
/// that is not a JSON object; a file without a text.
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
        TextFormat::Tsv => read_tsv(source, &mut found)?,
        TextFormat::Csv => read_csv(source, columns, &mut found)?,
        TextFormat::JsonLines => jsonl::read(source, columns, &mut found)?,
    }
    if found.read.texts.is_empty() {
        return Err(Error::Parse { path: path.into(), line: None, why: "expected texts, found none".into() });
    }
    Ok(found.read)
}

fn by_name(path: &Path) -> Result<TextFormat> {
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

/// What has been read so far.
struct Found {
    path: PathBuf,
    given: bool,
    read: Texts,
}

impl Found {
    fn new(path: &Path, columns: &TextColumns) -> Self {
        let labels = columns.labels.clone().unwrap_or_default();
        let read = Texts { texts: Vec::new(), classes: Vec::new(), labels };
        Found { path: path.into(), given: columns.labels.is_some(), read }
    }

    fn add(&mut self, line: usize, label: &str, text: String) -> Result<()> {
        let number = match self.read.labels.number(label) {
            Some(number) => number,
            None if label.is_empty() => return Err(self.error(line, "expected a label, found an empty one".into())),
            None if self.given => {
                let names = self.read.labels.names();
                let more = if names.len() > 10 { ", ..." } else { "" };
                let names = names.iter().take(10).map(|name| cut(name)).collect::<Vec<_>>().join(", ");
                return Err(self.error(line, format!("expected one of the labels {names}{more}, found {}", cut(label))));
            }
            None => self.read.labels.add(label)?,
        };
        self.read.classes.push(number);
        self.read.texts.push(text);
        Ok(())
    }

    fn error(&self, line: usize, why: String) -> Error {
        Error::Parse { path: self.path.clone(), line: Some(line), why }
    }
}

fn read_tsv(source: Source, found: &mut Found) -> Result<()> {
    let mut lines = Lines::new(source);
    loop {
        let line = lines.number() + 1;
        let Some(record) = lines.next_line()? else { return Ok(()) };
        match record.split_once('\t') {
            Some((label, text)) => found.add(line, label, text.to_string())?,
            None => return Err(found.error(line, format!("expected a tab after the label in {}", cut(record)))),
        }
    }
}

#[cfg(feature = "csv")]
use csv::read as read_csv;

#[cfg(not(feature = "csv"))]
fn read_csv(_source: Source, _columns: &TextColumns, found: &mut Found) -> Result<()> {
    let why = "expected elman built with its feature `csv`, to read comma-separated values".into();
    Err(Error::Parse { path: found.path.clone(), line: None, why })
}

#[cfg(test)]
mod tests;
