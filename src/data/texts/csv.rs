//! Texts in comma-separated values, strictly by RFC 4180: a file that can be read in two ways is refused, where crate `csv`
//! would decide for one of them.

use super::TextColumns;
use super::found::Found;
use crate::error::{Error, Result};
use crate::file::{LONGEST_LINE, Lines, Source, cut, is_blank, returns};

pub(super) fn read(source: Source, columns: &TextColumns, found: &mut Found) -> Result<()> {
    if !columns.separator.is_ascii() || matches!(columns.separator, b'"' | b'\n' | b'\r' | 0) {
        let separator = (columns.separator as char).escape_default();
        return Err(Error::invalid(
            "text columns",
            "a separator of one ASCII character, no quote or line end",
            separator,
        ));
    }
    let mut records = Records { lines: Lines::new(source), separator: columns.separator as char };
    let (mut header, mut record) = (Record::default(), Record::default());
    if !records.next(&mut header)? {
        return Ok(());
    }
    let [label, text] = places(&header, columns, records.separator, found)?;
    while records.next(&mut record)? {
        if record.len() != header.len() {
            let (expected, len) = (header.len(), record.len());
            let why = format!("expected {expected} values, as many as the header has, found {len}");
            return Err(found.error(record.line, why));
        }
        if record.same(&header) {
            let why = "expected texts, found the header again: files put together keep the first one alone";
            return Err(found.error(record.line, why.into()));
        }
        found.add(record.line, record.value(label), record.value(text).to_string())?;
    }
    Ok(())
}

/// The places of label and text in the header.
fn places(header: &Record, columns: &TextColumns, separator: char, found: &Found) -> Result<[usize; 2]> {
    let place = |name: &str| {
        let named = |wanted: &str, trim: bool| -> Vec<usize> {
            let is = |&at: &usize| if trim { header.value(at).trim() == wanted } else { header.value(at) == wanted };
            (0..header.len()).filter(is).collect()
        };
        // Spaces around a name count where nothing goes by the name without.
        let mut places = named(name, false);
        if places.is_empty() {
            places = named(name, true);
        }
        match places[..] {
            [place] => Ok(place),
            [_, _, ..] => Err(found.error(header.line, format!("expected the column {name:?} once, found it twice"))),
            [] => Err(found.error(header.line, missing(header, columns, name, separator))),
        }
    };
    Ok([place(&columns.label)?, place(&columns.text)?])
}

/// What is said of a header without a column.
fn missing(header: &Record, columns: &TextColumns, name: &str, separator: char) -> String {
    let names = (0..header.len().min(10)).map(|at| cut(header.value(at))).collect::<Vec<_>>().join(", ");
    let whole = (0..header.len()).map(|at| header.value(at)).collect::<Vec<_>>().join(&separator.to_string());
    let wanted = [&columns.label, &columns.text];
    let separates = |&other: &char| wanted.iter().all(|name| whole.split(other).any(|part| part.trim() == **name));
    let cure = match [',', ';', '\t', '|'].into_iter().filter(|&other| other != separator).find(separates) {
        None => String::new(),
        Some('\t') => ", which a tab would separate: give that as the separator".into(),
        Some(other) => format!(", which {other:?} would separate: give that as the separator"),
    };
    format!("expected the column {name:?} in the header, found {names}{cure}")
}

/// The values of a record, one after the other in one text.
#[derive(Default)]
struct Record {
    text: String,
    /// Where each value ends.
    ends: Vec<usize>,
    /// The line on which it begins.
    line: usize,
}

impl Record {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn value(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[at]]
    }

    fn same(&self, other: &Record) -> bool {
        (&self.text, &self.ends) == (&other.text, &other.ends)
    }

    fn push(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
    }
}

/// A file's records, of one line or, with quotes, of several.
struct Records {
    lines: Lines,
    separator: char,
}

impl Records {
    /// Reads the next record; false after the last one. Lines without anything are passed over.
    fn next(&mut self, record: &mut Record) -> Result<bool> {
        record.text.clear();
        record.ends.clear();
        // The line of the quote that is not closed yet.
        let mut open = None;
        loop {
            let number = self.lines.number() + 1;
            let Some(line) = self.lines.next_line()? else {
                let why = "expected every quote to be closed, found the end of the file within one";
                return open.map_or(Ok(false), |line| Err(self.lines.error_at(line, why.into())));
            };
            let mut line = line;
            if open.is_none() {
                // Where files were put together, marks stand in their midst.
                line = line.strip_prefix('\u{feff}').unwrap_or(line);
                if is_blank(line) {
                    continue;
                }
                if let Some(separator) = told(line).filter(|_| number == 1) {
                    self.separator = separator;
                    continue;
                }
                record.line = number;
            }
            take(line, number, self.separator, record, &mut open).map_err(|(at, why)| self.lines.error_at(at, why))?;
            let Some(opened) = open else { return Ok(true) };
            record.text.push_str(self.lines.end());
            if record.text.len() > LONGEST_LINE {
                let most = LONGEST_LINE >> 20;
                let why =
                    format!("expected records of at most {most} MiB, found a longer one (is a quote not closed?)");
                return Err(self.lines.error_at(opened, why));
            }
        }
    }
}

/// The separator that Excel's own first line tells: `sep=;`.
fn told(line: &str) -> Option<char> {
    let mut rest = line.strip_prefix("sep=")?.chars();
    rest.next().filter(|separator| rest.next().is_none() && separator.is_ascii() && *separator != '"')
}

/// Takes a line's values into `record`; `open` is the line of the quote that is not closed, before and after. Errors: what
/// is wrong, and the line where it begins.
fn take(
    line: &str,
    number: usize,
    separator: char,
    record: &mut Record,
    open: &mut Option<usize>,
) -> Result<(), (usize, String)> {
    let mut rest = line;
    loop {
        if let Some(opened) = *open {
            let Some((inside, after)) = rest.split_once('"') else {
                record.text.push_str(rest);
                return Ok(());
            };
            record.text.push_str(inside);
            rest = after;
            if let Some(after) = rest.strip_prefix('"') {
                record.text.push('"');
                rest = after;
                continue;
            }
            *open = None;
            record.push("");
            if rest.is_empty() {
                return Ok(());
            }
            rest = rest.strip_prefix(separator).ok_or_else(|| (opened, behind(rest, opened, number, separator)))?;
        }
        if let Some(after) = rest.strip_prefix('"') {
            *open = Some(number);
            rest = after;
            continue;
        }
        let end = rest.find(separator).unwrap_or(rest.len());
        if let Some(at) = rest[..end].find('\r') {
            return Err((number, returns(line.len() - rest.len() + at)));
        }
        record.push(&rest[..end]);
        match rest.get(end + 1..) {
            Some(after) => rest = after,
            None => return Ok(()),
        }
    }
}

/// What is said of text behind a closing quote.
fn behind(rest: &str, opened: usize, number: usize, separator: char) -> String {
    let on = if opened < number { format!(" on line {number}") } else { String::new() };
    let separator = match separator {
        ',' => "a comma".into(),
        '\t' => "a tab".into(),
        other => format!("{other:?}"),
    };
    format!(
        "expected {separator} or the line's end behind the quote that closes the value, found {}{on}; a quote within a \
         quoted value is written twice",
        cut(rest)
    )
}
