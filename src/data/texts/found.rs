//! What a reader has found so far: texts, and the numbers of their labels.

use super::{Labels, TextColumns, Texts};
use crate::error::{Error, Result};
use crate::file::cut;
use crate::text::nfc;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What has been read so far.
pub(super) struct Found {
    path: PathBuf,
    given: bool,
    /// Whether what is in doubt is told.
    warns: bool,
    read: Texts,
}

impl Found {
    pub(super) fn new(path: &Path, columns: &TextColumns) -> Self {
        let labels = columns.labels.clone().unwrap_or_default();
        let read = Texts { texts: Vec::new(), classes: Vec::new(), labels };
        Found { path: path.into(), given: columns.labels.is_some(), warns: true, read }
    }

    /// Of a piece of a file, with the labels of those before it, to which it may add where `given` is not.
    pub(super) fn piece(path: &Path, labels: Labels, given: bool, warns: bool) -> Self {
        Found { path: path.into(), given, warns, read: Texts { texts: Vec::new(), classes: Vec::new(), labels } }
    }

    /// What was read of a piece: nothing, perhaps.
    pub(super) fn into_piece(self) -> Texts {
        self.read
    }

    /// Takes a text. Errors: a label that is empty, or not among those given.
    pub(super) fn add(&mut self, line: usize, label: &str, text: String) -> Result<()> {
        // As it stands first: the labels of an old model may have spaces around.
        let name = if self.read.labels.number(label).is_some() { Cow::Borrowed(label) } else { clean(label) };
        let number = match self.read.labels.number(&name) {
            Some(number) => number,
            None if name.is_empty() => return Err(self.error(line, "expected a label, found an empty one".into())),
            None if self.given => {
                let names = self.read.labels.names();
                let more = if names.len() > 10 { ", ..." } else { "" };
                let names = names.iter().take(10).map(|name| cut(name)).collect::<Vec<_>>().join(", ");
                return Err(self.error(line, format!("expected one of the labels {names}{more}, found {}", cut(&name))));
            }
            None => self.read.labels.add(&name)?,
        };
        self.read.classes.push(number);
        self.read.texts.push(text);
        Ok(())
    }

    /// Whether labels were given, and this is one of them.
    pub(super) fn knows(&self, label: &str) -> bool {
        self.given && self.read.labels.number(&clean(label)).is_some()
    }

    /// Whether the labels are those of this file.
    pub(super) fn is_first(&self) -> bool {
        !self.given
    }

    /// What has been read so far.
    pub(super) fn read(&self) -> &Texts {
        &self.read
    }

    /// All that has been read. Errors: nothing.
    pub(super) fn finish(self) -> Result<Texts> {
        if self.read.texts.is_empty() {
            return Err(Error::Parse { path: self.path, line: None, why: "expected texts, found none".into() });
        }
        if self.is_first() {
            let mut names: HashMap<String, &String> = HashMap::new();
            for name in self.read.labels.names() {
                if let Some(other) = names.insert(name.to_lowercase(), name) {
                    self.warn(None, format!("the labels {other:?} and {name:?} differ in their case alone"));
                }
            }
        }
        Ok(self.read)
    }

    pub(super) fn error(&self, line: usize, why: String) -> Error {
        Error::Parse { path: self.path.clone(), line: Some(line), why }
    }

    /// Says what is in doubt, as an error would.
    pub(super) fn warn(&self, line: Option<usize>, why: String) {
        if self.warns {
            log::warn!("{}", Error::Parse { path: self.path.clone(), line, why });
        }
    }
}

/// A label without the white space around it and the mark of a file that was put behind another, its characters composed.
fn clean(label: &str) -> Cow<'_, str> {
    nfc(label.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}'))
}
