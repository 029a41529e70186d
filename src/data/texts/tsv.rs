//! Texts in lines `label<TAB>text`, and what such lines are when they are something else.

use super::TextColumns;
use super::found::Found;
use crate::error::Result;
use crate::file::{Lines, Source, cut, is_blank, whole};

/// What columns of labels and of texts are usually called, in lower case.
const LABELS: [&str; 15] = [
    "label",
    "labels",
    "class",
    "category",
    "target",
    "sentiment",
    "topic",
    "stars",
    "rating",
    "score",
    "polarity",
    "intent",
    "emotion",
    "author",
    "language",
];
const TEXTS: [&str; 15] = [
    "text",
    "texts",
    "review",
    "sentence",
    "tweet",
    "content",
    "message",
    "comment",
    "document",
    "phrase",
    "title",
    "description",
    "body",
    "utterance",
    "question",
];

pub(super) fn read(source: Source, columns: &TextColumns, found: &mut Found) -> Result<()> {
    let mut lines = Lines::new(source);
    let mut seen = Seen::default();
    loop {
        let number = lines.number() + 1;
        let Some(record) = lines.next_line()? else { break };
        if is_blank(record) {
            continue;
        }
        let parted = whole(record).and_then(|()| part(record)).map_err(|why| found.error(number, why))?;
        let (label, text) = parted;
        if seen.lines == 0 && !found.knows(label) && is_header(record, columns) {
            return Err(found.error(number, header(record)));
        }
        seen.line(number, text);
        found.add(number, label, text.to_string())?;
    }
    seen.warn(columns, found);
    Ok(())
}

/// Label and text of a line; what is wrong with it otherwise.
fn part(line: &str) -> Result<(&str, &str), String> {
    line.split_once('\t').ok_or_else(|| {
        let cure = if line.trim_start().starts_with("__label__") {
            "; of fastText's layout make lines `label<TAB>text`"
        } else {
            ""
        };
        format!("expected a tab after the label in {}{cure}", cut(line))
    })
}

/// Whether these are the names of columns: those given, or usual ones, one of a label and one of a text among them.
fn is_header(line: &str, columns: &TextColumns) -> bool {
    let is = |field: &str, usual: &[&str], given: &str| usual.contains(&field) || field == given.to_lowercase();
    let names: Vec<String> = line.split('\t').map(|field| field.trim().to_lowercase()).collect();
    let label = |name: &String| is(name, &LABELS, &columns.label);
    let text = |name: &String| is(name, &TEXTS, &columns.text);
    let other = |name: &String| matches!(name.as_str(), "" | "id" | "index");
    names.iter().any(label)
        && names.iter().any(text)
        && names.iter().all(|name| label(name) || text(name) || other(name))
}

fn header(line: &str) -> String {
    let names = line.split('\t').map(cut).collect::<Vec<_>>().join(", ");
    format!(
        "expected a label, a tab and a text, found what looks like a header ({names}): take the line out, or read the file \
         as CSV separated by tabs"
    )
}

/// What the lines had in common.
#[derive(Default)]
struct Seen {
    lines: usize,
    first: usize,
    /// Tabs in the first text, and whether another has more or fewer.
    tabs: usize,
    uneven: bool,
    /// The first text that is quoted as in CSV.
    quoted: Option<usize>,
}

impl Seen {
    fn line(&mut self, number: usize, text: &str) {
        let tabs = text.bytes().filter(|&byte| byte == b'\t').count();
        if self.lines == 0 {
            (self.first, self.tabs) = (number, tabs);
        }
        self.lines += 1;
        self.uneven |= tabs != self.tabs;
        if self.quoted.is_none() && is_quoted(text) {
            self.quoted = Some(number);
        }
    }

    /// Says what is in doubt of a file that has been read.
    fn warn(&self, columns: &TextColumns, found: &Found) {
        const FEW: usize = 10;
        if self.lines > 2 && found.is_first() && may_have_header(columns, found) {
            let why = "is this a header? Its label comes once; a file of label, tab and text has none";
            found.warn(Some(self.first), why.into());
        }
        if self.lines >= FEW && self.tabs > 0 && !self.uneven {
            let columns = self.tabs + 2;
            found.warn(None, format!("every line has {columns} columns; all behind the first are taken as the text"));
        }
        if let Some(line) = self.quoted {
            let why = "the text stands in quotes as in CSV, and is taken with them; read such a file as CSV separated by tabs";
            found.warn(Some(line), why.into());
        }
    }
}

/// Whether the first line's label is no other line's, and is what a column is called or a name among numbers.
fn may_have_header(columns: &TextColumns, found: &Found) -> bool {
    let read = found.read();
    let Some((first, rest)) = read.classes.split_first() else { return false };
    let (Some(name), false) = (read.labels.name(*first), rest.contains(first)) else { return false };
    let is_number = |name: &String| name.parse::<f64>().is_ok();
    let usual = LABELS.contains(&&*name.to_lowercase()) || name == columns.label;
    usual || !is_number(&name.to_string()) && read.labels.names().iter().skip(1).all(is_number)
}

/// Whether a text stands in quotes, those within written twice, of which there is one at least.
fn is_quoted(text: &str) -> bool {
    let inside = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.is_some_and(|inside| inside.contains("\"\"") && !inside.replace("\"\"", "").contains('"'))
}
