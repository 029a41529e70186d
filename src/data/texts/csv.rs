//! Texts in comma-separated values.

use super::{Found, TextColumns};
use crate::error::{Error, Result};
use crate::file::{LONGEST_RECORD, Source, cut};
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// What the reader of records is fed with.
struct Fed {
    source: Source,
    seen: Rc<Seen>,
}

/// What has gone by.
#[derive(Default)]
struct Seen {
    /// Bytes since a record was whole: one record gets no more than the longest that is accepted.
    since_record: Cell<usize>,
    /// Whether the number of quotes is odd.
    odd_quotes: Cell<bool>,
}

impl Read for Fed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.seen.since_record.get() > LONGEST_RECORD {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.source.read(into)?;
        let quotes = into.iter().take(read).filter(|&&byte| byte == b'"').count();
        self.seen.odd_quotes.set(self.seen.odd_quotes.get() ^ (quotes % 2 == 1));
        self.seen.since_record.set(self.seen.since_record.get() + read);
        Ok(read)
    }
}

pub(super) fn read(source: Source, columns: &TextColumns, found: &mut Found) -> Result<()> {
    if !columns.separator.is_ascii() || matches!(columns.separator, b'"' | b'\n' | b'\r') {
        let separator = (columns.separator as char).escape_default();
        return Err(Error::invalid(
            "text columns",
            "a separator of one ASCII character, no quote or line end",
            separator,
        ));
    }
    let seen = Rc::new(Seen::default());
    let fed = Fed { source, seen: seen.clone() };
    let mut reader = ReaderBuilder::new().delimiter(columns.separator).has_headers(false).from_reader(fed);
    let mut record = ByteRecord::new();
    let (mut header, mut last, mut runs_on) = (None, 1, false);
    loop {
        let more = reader.read_byte_record(&mut record);
        // A record may end lines below the one where it begins.
        let line = record.position().map_or(1, |position| position.line() as usize);
        if !more.map_err(|error| explain(error, &reader, found))? {
            break;
        }
        seen.since_record.set(0);
        last = line;
        runs_on = record.iter().next_back().is_some_and(|value| value.contains(&b'\n'));
        match header {
            None => header = Some((column(&record, &columns.label, found)?, column(&record, &columns.text, found)?)),
            Some((label, text)) => {
                let text = value(&record, text, line, found)?.to_string();
                found.add(line, value(&record, label, line, found)?, text)?;
            }
        }
    }
    // A quote that is not closed takes in all lines to the end of the file; closed ones are even in number.
    if seen.odd_quotes.get() && runs_on {
        return Err(found.error(last, "expected every quote to be closed, found the end of the file within one".into()));
    }
    Ok(())
}

/// The place of a column in the header.
fn column(header: &ByteRecord, name: &str, found: &Found) -> Result<usize> {
    let mut places = (0..header.len()).filter(|&at| header.get(at) == Some(name.as_bytes()));
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => Err(found.error(1, format!("expected the column {name:?} once, found it twice"))),
        (None, _) => {
            let names = header.iter().take(10).map(|name| cut(&String::from_utf8_lossy(name)));
            let names = names.collect::<Vec<_>>().join(", ");
            Err(found.error(1, format!("expected the column {name:?} in the header, found {names}")))
        }
    }
}

fn value<'a>(record: &'a ByteRecord, at: usize, line: usize, found: &Found) -> Result<&'a str> {
    let value = std::str::from_utf8(record.get(at).unwrap_or_default());
    value.map_err(|_| found.error(line, format!("expected UTF-8 in value {at} of the record that begins here")))
}

fn explain(error: csv::Error, reader: &Reader<Fed>, found: &Found) -> Error {
    let line = reader.position().line() as usize;
    match error.into_kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.map_or(line, |pos| pos.line() as usize);
            found.error(line, format!("expected {expected_len} values, as many as the header has, found {len}"))
        }
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let most = LONGEST_RECORD >> 20;
            found.error(
                line,
                format!("expected records of at most {most} MiB, found a longer one (is a quote not closed?)"),
            )
        }
        ErrorKind::Io(error) => reader.get_ref().source.error(Some(line), error),
        other => found.error(line, format!("expected comma-separated values, found something else ({other:?})")),
    }
}
