//! The texts that a training sees: read from the user's files, or made up.

use super::common::{self, corpus::Texts, files::Input};
use super::settings::{Columns, Settings};
use anyhow::{bail, ensure};
use elman::data::{self, Labels, read_texts};
use elman::random::Key;
use std::io::Read;
use std::path::Path;

/// Labelled texts to train on and to choose by; of made-up ones some to test on too.
pub struct Corpus {
    pub train: Texts,
    pub valid: Texts,
    pub test: Texts,
    pub labels: Labels,
}

impl Corpus {
    /// What the settings say. Labels are numbered in the order of their names, or of their values where all of them are
    /// whole numbers.
    pub fn read(settings: &Settings, seed: u64) -> anyhow::Result<Self> {
        let Some(path) = &settings.train else { return made_up() };
        let read = read(path, &settings.columns, None)?;
        let labels = sorted(&read.labels)?;
        if labels.len() < 2 {
            bail!(
                "{}: expected texts of at least two labels, found only `{}`",
                path.display(),
                labels.names().join(", ")
            );
        }
        let numbers: Vec<u32> = read.labels.names().iter().filter_map(|name| labels.number(name)).collect();
        let classes = read.classes.iter().map(|&class| numbers[class as usize]);
        let mut train: Texts = classes.zip(read.texts).collect();
        let valid = match &settings.valid {
            Some(path) => labelled(path, &settings.columns, &labels)?,
            None => {
                let valid = (train.len() as f64 * settings.held_out()).round() as usize;
                let place = path.display();
                if settings.chooses() {
                    ensure!(
                        valid > 0 && valid < train.len(),
                        "{place}: --valid-part {} of {} texts leaves none to choose by or to train on",
                        settings.held_out(),
                        train.len()
                    );
                }
                Key::new(seed).named("split").shuffle(&mut train);
                train.split_off(train.len() - valid)
            }
        };
        Ok(Corpus { train, valid, test: Texts::new(), labels })
    }
}

/// Reads texts with labels of a set that is known.
pub fn labelled(path: &Path, columns: &Columns, labels: &Labels) -> anyhow::Result<Texts> {
    let read = read(path, columns, Some(labels))?;
    Ok(read.classes.into_iter().zip(read.texts).collect())
}

fn read(path: &Path, columns: &Columns, labels: Option<&Labels>) -> anyhow::Result<data::Texts> {
    let (input, reader) = (Input::open(path)?, columns.reader(labels)?);
    let mut head = None;
    let read = input.read(|path| read_texts(path, &reader).inspect_err(|_| head = first_line(path)));
    read.map_err(|error| {
        let csv = columns.is_csv(path) && columns.separator == ',';
        let head = head.filter(|head| csv && !head.contains(','));
        let other = head.and_then(|head| [';', '\t', '|'].into_iter().find(|&separator| head.contains(separator)));
        match other {
            Some('\t') => error.context("give --separator $'\\t', or --format tsv"),
            Some(other) => error.context(format!("give --separator '{other}'")),
            None => error,
        }
    })
}

/// What a file begins with, as far as a hint may need it.
fn first_line(path: &Path) -> Option<String> {
    let mut head = Vec::new();
    std::fs::File::open(path).ok().filter(|_| path.is_file())?.take(4096).read_to_end(&mut head).ok()?;
    String::from_utf8_lossy(&head).lines().next().map(String::from)
}

/// The labels in an order that does not depend on that of the texts.
fn sorted(labels: &Labels) -> elman::Result<Labels> {
    let mut names = labels.names().to_vec();
    match names.iter().map(|name| name.parse::<i64>()).collect::<Result<Vec<_>, _>>() {
        Ok(_) => names.sort_by_key(|name| name.parse::<i64>().unwrap_or(0)),
        Err(_) => names.sort_unstable(),
    }
    Labels::new(names)
}

/// Reviews that the project makes up.
fn made_up() -> anyhow::Result<Corpus> {
    let made = common::corpus::Corpus::reviews();
    Ok(Corpus { train: made.train, valid: made.valid, test: made.test, labels: Labels::new(made.labels)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_in_the_order_of_names_or_of_numbers() {
        let order = |names: &[&str]| sorted(&Labels::new(names.iter().copied()).unwrap()).unwrap().names().to_vec();
        assert_eq!(order(&["spam", "10", "ham"]), ["10", "ham", "spam"]);
        assert_eq!(order(&["10", "9", "-1"]), ["-1", "9", "10"]);
    }
}
