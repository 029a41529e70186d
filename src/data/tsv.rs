//! Text files of labelled lines, plain or gzip-compressed.
//!
//! A line ends in `\n` (or `\r\n`, or all of them in `\r`) and nowhere else: Unicode's other line ends may occur within a
//! text.

use crate::error::{Error, Result};
use crate::file::{Lines, cut, is_blank, whole};
use std::path::Path;
#[cfg(test)]
use {crate::file::LONGEST_LINE, std::path::PathBuf};

/// Reads lines `label<TAB>text` as pairs; the text may be empty and may hold more tabs. Blank lines are passed over.
///
/// A file that begins with gzip's magic bytes is decompressed, whatever its name (with the feature `gz`). Errors name
/// the file and, where there is one, the line: a file that cannot be read, truncated or malformed gzip data, a file
/// without a line, a line that is not UTF-8 or longer than 64 MiB or has a zero byte or a carriage return within, a missing
/// tab, a label that is not a whole number from 0 to 4,294,967,295.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("reviews.tsv");
/// std::fs::write(&path, "1\tA delight.\n0\tTwo hours too long.\n")?;
/// let reviews = elman::data::read_labelled(&path)?;
/// assert_eq!(reviews[1], (0, "Two hours too long.".to_string()));
/// # Ok(())
/// # }
/// ```
pub fn read_labelled(path: impl AsRef<Path>) -> Result<Vec<(u32, String)>> {
    read_each(path.as_ref(), is_blank, |line| labelled(line).map(|(label, text)| (label, text.to_string())))
}

/// Reads lines `label<TAB>index index ...` as pairs, the indices parted by spaces; there may be none.
///
/// Errors: as [`read_labelled`], and an index that is not a whole number from 0 to 4,294,967,295.
pub fn read_sequences(path: impl AsRef<Path>) -> Result<Vec<(u32, Vec<u32>)>> {
    read_each(path.as_ref(), is_blank, |line| {
        let (label, indices) = labelled(line)?;
        let indices = indices.split(' ').filter(|word| !word.is_empty()).map(|word| number("an index", word));
        Ok((label, indices.collect::<Result<_, _>>()?))
    })
}

/// Reads lines `source<TAB>target` as pairs of texts, such as sentences and their translations. Blank lines are passed over.
///
/// Errors: as [`read_labelled`], but for the label; another number of columns; a text that is empty or white space.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("pairs.tsv");
/// std::fs::write(&path, "ein hund\ta dog\n")?;
/// assert_eq!(elman::data::read_pairs(&path)?, [("ein hund".to_string(), "a dog".to_string())]);
/// # Ok(())
/// # }
/// ```
pub fn read_pairs(path: impl AsRef<Path>) -> Result<Vec<(String, String)>> {
    // A mark at the beginning is none of the text's; where files were put together, such stand in their midst.
    let text = |text: &str| text.trim_start_matches('\u{feff}').to_string();
    read_each(path.as_ref(), is_blank, |line| match line.split('\t').collect::<Vec<_>>()[..] {
        [source, target] if source.trim().is_empty() || target.trim().is_empty() => {
            let side = if source.trim().is_empty() { "before" } else { "behind" };
            Err(format!("expected a text {side} the tab in {}", cut(line)))
        }
        [source, target] => Ok((text(source), text(target))),
        ref columns => {
            Err(format!("expected a text, a tab and a text, found {} columns in {}", columns.len(), cut(line)))
        }
    })
}

/// Reads the lines of a file as they are: the names of classes, for instance, name `i` on line `i + 1`.
///
/// Errors: as [`read_labelled`], as far as they concern a line.
pub fn read_lines(path: impl AsRef<Path>) -> Result<Vec<String>> {
    read_each(path.as_ref(), |_| false, |line| Ok(line.to_string()))
}

fn labelled(line: &str) -> Result<(u32, &str), String> {
    let (label, rest) =
        line.split_once('\t').ok_or_else(|| format!("expected a tab after the label in {}", cut(line)))?;
    // Where files were put together, marks stand in their midst.
    let label = label.trim_start_matches('\u{feff}').trim();
    Ok((number("a label", label)?, rest))
}

fn number(what: &str, word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("expected {what} from 0 to {}, found {}", u32::MAX, cut(word)))
}

/// Hands every line but those to skip to `parse`, whose errors become errors of the line.
fn read_each<T>(path: &Path, skip: impl Fn(&str) -> bool, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>> {
    let mut lines = Lines::open(path)?;
    let mut records = Vec::new();
    while let Some(line) = lines.next_line()? {
        if skip(line) {
            continue;
        }
        let record = whole(line).and_then(|()| parse(line));
        records.push(record.map_err(|why| lines.error(why))?);
    }
    if records.is_empty() {
        return Err(Error::Parse { path: path.into(), line: None, why: "expected lines, found an empty file".into() });
    }
    Ok(records)
}

#[cfg(test)]
mod tests;
