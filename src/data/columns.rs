//! Sentences in columns: a word and what is said of it on a line, a blank line behind each sentence.

use crate::error::{Error, Result};
use crate::file::{Lines, Source, cut, is_blank, whole};
use std::io::{self, Read, Write};
use std::path::Path;

/// The sentences of a file in columns, as those of CoNLL's tasks on chunks (2000) and names (2002, 2003) and of WNUT: an iterator, each
/// item the rows of a sentence, each row its columns.
///
/// Columns are parted by tabs, or, where the first line has none, by single spaces, as CoNLL's own files have them. Files may be
/// gzip-compressed (with the feature `gz`). Errors name the file and the line, and end the reading: a line of another number of columns
/// than the first, an empty column. What a column means is not looked at; lines `-DOCSTART-` are sentences.
///
/// ```
/// use elman::data::Columns;
/// let text = "The\tB-NP\nsun\tI-NP\nrises\tB-VP\n\nIt\tB-NP\nsets\tB-VP\n";
/// let sentences = Columns::from_reader("standard input", text.as_bytes())?.collect::<elman::Result<Vec<_>>>()?;
/// assert_eq!((sentences.len(), &sentences[0][1]), (2, &vec!["sun".to_string(), "I-NP".to_string()]));
/// # Ok::<(), elman::Error>(())
/// ```
pub struct Columns {
    lines: Lines,
    /// What parts columns and how many there are, as the first line has it.
    layout: Option<(char, usize)>,
    done: bool,
}

impl Columns {
    /// The sentences of a file. Errors: a file that cannot be opened, or is of another kind by its first bytes.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Columns { lines: Lines::open(path.as_ref())?, layout: None, done: false })
    }

    /// The sentences of what is no file, with a name for messages. Errors: as [`Columns::open`].
    pub fn from_reader(name: impl AsRef<Path>, reader: impl Read + 'static) -> Result<Self> {
        let source = Source::from_reader(name.as_ref(), reader)?;
        Ok(Columns { lines: Lines::new(source), layout: None, done: false })
    }

    /// What parts the columns: known once a sentence was read, a tab before.
    pub fn separator(&self) -> char {
        self.layout.map_or('\t', |(separator, _)| separator)
    }

    fn sentence(&mut self) -> Result<Option<Vec<Vec<String>>>> {
        let mut rows = Vec::new();
        while let Some(line) = self.lines.next_line()? {
            if is_blank(line) {
                if rows.is_empty() {
                    continue;
                }
                break;
            }
            let row = whole(line).and_then(|()| part(line, &mut self.layout));
            rows.push(row.map_err(|why| self.lines.error(why))?);
        }
        Ok(Some(rows).filter(|rows| !rows.is_empty()))
    }
}

/// The columns of a line; the first line says how the others are.
fn part(line: &str, layout: &mut Option<(char, usize)>) -> Result<Vec<String>, String> {
    let spaces = line.contains(' ') && !line.contains('\t');
    let separator = layout.map_or(if spaces { ' ' } else { '\t' }, |(separator, _)| separator);
    let row: Vec<String> = line.split(separator).map(str::to_string).collect();
    let (_, columns) = *layout.get_or_insert((separator, row.len()));
    if row.len() != columns {
        let found = format!("found {} in {}", row.len(), cut(line));
        return Err(format!("expected {columns} columns parted by {separator:?}, as the first line has, {found}"));
    }
    match row.iter().position(String::is_empty) {
        None => Ok(row),
        Some(at) => Err(format!("column {}: expected something, found an empty column in {}", at + 1, cut(line))),
    }
}

impl Iterator for Columns {
    type Item = Result<Vec<Vec<String>>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let sentence = self.sentence().transpose();
        self.done = !matches!(sentence, Some(Ok(_)));
        sentence
    }
}

/// All sentences of a file in columns. Errors: as [`Columns`], and a file without a sentence.
pub fn read_columns(path: impl AsRef<Path>) -> Result<Vec<Vec<Vec<String>>>> {
    all_sentences(path.as_ref(), Columns::open(path.as_ref())?)
}

/// All of a file's sentences, of whatever format. Errors: theirs, and a file without one.
pub(super) fn all_sentences<S>(path: &Path, sentences: impl Iterator<Item = Result<S>>) -> Result<Vec<S>> {
    let sentences = sentences.collect::<Result<Vec<_>>>()?;
    if sentences.is_empty() {
        let why = "expected sentences, found an empty file".into();
        return Err(Error::Parse { path: path.into(), line: None, why });
    }
    Ok(sentences)
}

/// Writes a sentence in columns, with a blank line behind it: what [`Columns`] reads, as long as no column is empty or has the separator
/// or the end of a line in it.
pub fn write_columns(into: &mut impl Write, rows: &[Vec<String>], separator: char) -> io::Result<()> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&row.join(separator.encode_utf8(&mut [0; 4])));
        text.push('\n');
    }
    text.push('\n');
    into.write_all(text.as_bytes())
}
