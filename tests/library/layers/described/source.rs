//! What the library's own source says that there is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The types that have the trait, by their names without parameters; documentation left out.
pub(super) fn implementors(of: &str) -> BTreeSet<String> {
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let mut found = BTreeSet::new();
    for path in paths {
        for line in std::fs::read_to_string(path).unwrap().lines().filter(|line| line.starts_with("impl<")) {
            let Some((_, name)) = line.split_once(&format!(" {of}<B> for ")) else { continue };
            found.insert(name.split(['<', ' ', '{']).next().unwrap().to_string());
        }
    }
    assert!(found.len() > 5, "not what was meant to be read: {found:?}");
    found
}

/// The merging layers, of one macro.
pub(super) fn merging() -> BTreeSet<String> {
    let text = std::fs::read_to_string(source().join("layers/merge.rs")).unwrap();
    let named = text.lines().filter(|line| line.starts_with("    ") && line.contains("\" How::"));
    let found: BTreeSet<String> = named.filter_map(|line| line.split_whitespace().next().map(String::from)).collect();
    assert!(found.len() > 5, "not what was meant to be read: {found:?}");
    found
}

/// The library's metrics: what implements the trait by itself, and what the macros for several of a kind are given.
pub(super) fn metrics() -> BTreeSet<String> {
    let mut paths = Vec::new();
    files(&source().join("metrics"), &mut paths);
    let mut found = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(path).unwrap();
        // Those of tests stand within their module.
        for line in text.lines() {
            let own = line.strip_prefix("impl Metric for ");
            let first = line
                .strip_prefix("of_the_loss!(")
                .or(line.strip_prefix("    "))
                .filter(|l| l.contains(", \"") && l.starts_with(char::is_uppercase));
            let name = own.or(first).map(|rest| rest.split([' ', ',']).next().unwrap());
            let is_type = |name: &&str| name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric);
            found.extend(name.filter(is_type).map(String::from));
        }
    }
    found
}

/// The variants of an enum, in snake case.
pub(super) fn variants(path: &str, name: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(source().join(path)).unwrap();
    let (_, body) = text.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let variants = body.lines().filter_map(|line| {
        let line = line.strip_prefix("    ").filter(|line| line.starts_with(char::is_uppercase))?;
        line.split(['(', ' ', ',']).next()
    });
    variants.map(snake).collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The last part of a type's name, without parameters.
pub(super) fn type_name<T: ?Sized>() -> String {
    let whole = std::any::type_name::<T>();
    let name = whole.split('<').next().unwrap();
    name.rsplit("::").next().unwrap().to_string()
}

/// The names of enum values as serde writes them.
pub(super) fn written(values: &[serde_json::Value]) -> BTreeSet<String> {
    let name = |value: &serde_json::Value| match value {
        serde_json::Value::String(name) => name.clone(),
        other => other.as_object().unwrap().keys().next().unwrap().clone(),
    };
    values.iter().map(name).collect()
}
