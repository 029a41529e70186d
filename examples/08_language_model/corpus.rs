//! The texts that a training sees, as numbers: read from the user's files, or made up.

use super::common::files::Input;
use super::common::run::{Fingerprint, Part, Run};
use super::grammar;
use super::settings::Settings;
use super::tell;
use super::tokens::Tokens;
use anyhow::ensure;
use elman::data::read_lines;
use std::path::Path;

/// A text to train on, cut into tokens, and one to choose by.
pub struct Corpus {
    pub tokens: Tokens,
    pub train: Vec<u32>,
    pub valid: Option<Vec<u32>>,
    /// All of it, to know it again.
    pub parts: Vec<Part>,
}

/// A text from a file, plain or gzip-compressed, or standard input; line ends are `\n`.
pub fn read(path: &Path) -> anyhow::Result<String> {
    Ok(Input::open(path)?.read(|path| read_lines(path))?.join("\n"))
}

impl Corpus {
    /// What the settings say. Of made-up sentences some to test on go into the run's folder.
    pub fn read(settings: &Settings, run: &Run) -> anyhow::Result<Self> {
        let text = match &settings.data {
            Some(path) => read(path)?,
            None => {
                let test = run.file("test.txt");
                tell!("No --data given: training on sentences that the project makes up, whose verbs agree with nouns");
                tell!("far before them. More of them to evaluate are in {}.\n", test.display());
                run.write("test.txt", &grammar::text(10_000, 2))?;
                grammar::text(100_000, 1)
            }
        };
        let tokens = Tokens::new(&settings.level, &text, settings.max_words, settings.min_count)?;
        let what =
            settings.data.as_ref().map_or("the made-up text".into(), |path| format!("--data {}", path.display()));
        // What of it is unknown is so by choice: rare words.
        let mut train = tokens.encode(&text)?.tokens;
        let valid = match &settings.valid {
            Some(path) => Some(tokens.read(&format!("--valid {}", path.display()), &read(path)?, 2)?.tokens),
            None if settings.valid_part > 0.0 => {
                let count = (train.len() as f64 * settings.valid_part).round() as usize;
                let (part, all, unit) = (settings.valid_part, train.len(), tokens.unit());
                ensure!(
                    count > 1 && count + 1 < all,
                    "{what}: --valid-part {part} of {all} {unit}s leaves none to choose by or to train on"
                );
                Some(train.split_off(train.len() - count))
            }
            None => None,
        };
        let (rows, all, unit) = (settings.learning.batch_size, train.len(), tokens.unit());
        ensure!(all > rows, "{what}: expected more {unit}s than --batch-size {rows} to train on, found {all}");
        let (data, valid_file) = (settings.data.as_deref(), settings.valid.as_deref().or(settings.data.as_deref()));
        let parts = vec![
            Part::new("train", "text to train on", "--data", data, print(&train)),
            Part::new(
                "valid",
                "text to choose by",
                "--valid",
                valid_file,
                valid.as_deref().map_or_else(String::new, print),
            ),
            Part::new("tokens", "tokens", "--data or --level", data, {
                let mut of_tokens = Fingerprint::new();
                of_tokens.add(&serde_json::to_vec(&tokens)?);
                of_tokens.text()
            }),
        ];
        let chosen_by = valid.as_ref().map_or(0, Vec::len);
        tell!("{all} {unit}s to train on, {chosen_by} to choose by; {} of them differ", tokens.width());
        Ok(Corpus { tokens, train, valid, parts })
    }
}

/// The fingerprint of numbers.
fn print(tokens: &[u32]) -> String {
    let mut print = Fingerprint::new();
    print.add(&tokens.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>());
    print.text()
}
