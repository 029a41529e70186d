//! What is not run, and why: disabled.toml.

use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    disabled: Vec<Entry>,
}

/// Cases that are not run for one reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Patterns for titles, in which `*` stands for anything.
    pub(crate) cases: Vec<String>,
    /// Why.
    reason: String,
    /// The backends that it is about, by a part of their names; all of them without.
    on: Option<String>,
}

pub(crate) struct Disabled(Vec<Entry>);

impl Disabled {
    pub(crate) fn read() -> Disabled {
        let path = super::suite::folder().join("disabled.toml");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file: File = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for entry in &file.disabled {
            assert!(!entry.reason.is_empty() && !entry.cases.is_empty(), "{:?}: no reason", entry.cases);
        }
        Disabled(file.disabled)
    }

    /// The first pattern that speaks of a case on a backend, with its reason.
    pub(crate) fn of(&self, title: &str, backend: &str) -> Option<(&str, &str)> {
        let entries = self.0.iter().filter(|entry| entry.on.as_ref().is_none_or(|on| backend.contains(on.as_str())));
        let patterns = entries.flat_map(|entry| entry.cases.iter().map(|pattern| (&**pattern, &*entry.reason)));
        patterns.into_iter().find(|(pattern, _)| matches(pattern, title))
    }

    /// Patterns that no title of these needs, given all of them.
    pub(crate) fn idle<'a>(&'a self, titles: &[&str], backends: &[&str]) -> Vec<&'a str> {
        let mut needed = BTreeSet::new();
        for title in titles {
            needed.extend(backends.iter().filter_map(|backend| self.of(title, backend)).map(|(pattern, _)| pattern));
        }
        let all = self.0.iter().flat_map(|entry| &entry.cases).map(String::as_str);
        all.filter(|pattern| !needed.contains(pattern)).collect()
    }
}

/// Whether a text is as a pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((front, rest)) = pattern.split_once('*') else { return pattern == text.trim_end() };
    let Some(mut text) = text.strip_prefix(front) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let (last, middle) = parts.split_last().unwrap_or((&"", &[]));
    for part in middle {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.trim_end().ends_with(last)
}

#[test]
fn stars_stand_for_anything() {
    assert!(matches("a/nn.Conv*", "a/nn.Conv1d/000 train"));
    assert!(matches("a/* bias=false*", "a/nn.Linear/001 x bias=false train"));
    assert!(matches("a/b", "a/b ") && matches("a/*c", "a/b c") && matches("*", ""));
    assert!(!matches("a/b", "a/bc") && !matches("a/*c", "a/b") && !matches("a/*x*", "a/b c"));
    assert!(!matches("ab*b", "ab"));
}
