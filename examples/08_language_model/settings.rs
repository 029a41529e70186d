//! What a training is told: flags, kept with the run as JSON.

use super::NAME;
use super::common::cell::{Cell, Recurrent};
use super::common::files::{Files, input_problem, input_problems};
use super::common::limits::{TRAINED, memory_problem, part_problems, range_problem, zero_problems};
use super::common::run::{Learning, RunSettings};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Minutes at most: a year.
const MOST_MINUTES: f64 = 525_600.0;

/// Everything that decides what comes out of a training, besides the seed and the content of the files.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(
    mut_arg("schedule", |arg| arg.default_value("cosine")),
    mut_arg("rate", |arg| arg.default_value("0.002")),
    mut_arg("batch_size", |arg| arg.default_value("64").help("Streams side by side that the text is cut into")),
    mut_arg("epochs", |arg| arg.help("Rounds of the text")),
)]
pub struct Settings {
    /// A text to train on, plain or .gz; -: standard input [default: made-up sentences]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// A text to choose the best weights by
    #[arg(long, value_name = "FILE", requires = "data", help_heading = "Data")]
    pub valid: Option<PathBuf>,
    /// Part at the end of --data that is kept to choose by where there is no --valid; 0: none, the last weights are taken
    #[arg(long, value_name = "PART", default_value_t = 0.1, conflicts_with = "valid", help_heading = "Data")]
    pub valid_part: f64,
    /// What is foretold: char, word, or the tokens of a Hugging Face tokenizer.json
    #[arg(long, value_name = "char|word|FILE", default_value = "char", help_heading = "Data")]
    pub level: String,
    /// The most frequent words that are known, with --level word
    #[arg(long, default_value_t = 10_000, help_heading = "Data")]
    pub max_words: usize,
    /// How often a word must come to be known, with --level word
    #[arg(long, default_value_t = 2, help_heading = "Data")]
    pub min_count: u64,

    /// The recurrent network
    #[arg(long, value_enum, default_value = "lstm", help_heading = "Model")]
    pub model: Cell,
    /// Recurrent layers, one on the other
    #[arg(long, default_value_t = 1, help_heading = "Model")]
    pub layers: usize,
    /// Units of each of them
    #[arg(long, default_value_t = 256, help_heading = "Model")]
    pub units: usize,
    /// Numbers of a token's vector
    #[arg(long, default_value_t = 64, help_heading = "Model")]
    pub dim: usize,
    /// Dropout behind each recurrent layer
    #[arg(long, default_value_t = 0.3, help_heading = "Model")]
    pub dropout: f64,
    /// Dropout of the tokens' vectors
    #[arg(long, default_value_t = 0.0, help_heading = "Model")]
    pub input_dropout: f64,
    /// Dropout of whole tokens
    #[arg(long, default_value_t = 0.0, help_heading = "Model")]
    pub word_dropout: f64,
    /// Dropout of the state
    #[arg(long, default_value_t = 0.0, help_heading = "Model")]
    pub recurrent_dropout: f64,

    #[command(flatten)]
    #[serde(flatten)]
    pub learning: Learning,
    /// Minutes, in place of --epochs: as many steps as a measurement at the start says that there is time for
    #[arg(long, conflicts_with = "epochs", help_heading = "Training")]
    pub minutes: Option<f64>,
    /// Steps of a batch, through which the gradient goes back
    #[arg(long, default_value_t = 100, help_heading = "Training")]
    pub steps: usize,
    /// Decay of a running average of the weights, which is validated and kept in their place; 0: none
    #[arg(long, value_name = "DECAY", default_value_t = 0.0, help_heading = "Training")]
    pub average: f64,
    /// Rounds without progress before training stops [default: it does not]
    #[arg(long, value_name = "ROUNDS", help_heading = "Training")]
    pub patience: Option<u64>,
}

impl Settings {
    /// Whether there is a text to choose by.
    pub fn chooses(&self) -> bool {
        self.valid.is_some() || self.valid_part > 0.0
    }

    /// Each of the recurrent layers.
    pub fn recurrent(&self) -> Recurrent {
        let (cell, units, dropout) = (self.model, self.units, self.recurrent_dropout);
        Recurrent { cell, units, bidirectional: false, dropout, stateful: true }
    }

    /// The file of the tokenizer, if `--level` is one.
    pub fn tokenizer_file(&self) -> Option<&Path> {
        (!["char", "word"].contains(&self.level.as_str())).then(|| Path::new(&self.level))
    }

    /// What is wrong with the sizes of network and batches for so many tokens, if it is too much.
    pub fn size_problems(&self, width: usize) -> Vec<String> {
        let (units, dim, width) = (self.units as f64, self.dim as f64, width as f64);
        let weights = width * dim + self.recurrent().weights(self.layers, dim) + (units + 1.0) * width;
        let batch = self.learning.batch_size as f64 * self.steps as f64;
        let batch = batch * (dim + 6.0 * units * self.layers as f64 + 2.0 * width) * 4.0;
        let network = format!("--units {}, --layers {} and --dim {}", self.units, self.layers, self.dim);
        let batches = format!("--steps {} with --batch-size {}", self.steps, self.learning.batch_size);
        let needs = [(network, weights * TRAINED), (batches, batch)];
        needs.iter().filter_map(|(options, bytes)| memory_problem(options, *bytes)).collect()
    }
}

impl RunSettings for Settings {
    const NAME: &'static str = NAME;
    const OWN: &'static [&'static str] = &["steps.json", "test.txt"];

    fn files(&self) -> Files {
        let level = self.tokenizer_file().map(PathBuf::from);
        let files = [("--data", &self.data), ("--valid", &self.valid), ("--level", &level)];
        files.into_iter().filter_map(|(option, path)| Some((option.to_string(), path.clone()?))).collect()
    }

    fn problems(&self) -> Vec<String> {
        let mut files = self.files();
        files.retain(|(option, _)| option != "--level");
        let mut problems = input_problems(&files);
        if let Some(path) = self.tokenizer_file() {
            let problem = input_problem("--level", path);
            problems.extend(problem.map(|problem| format!("{problem}; expected char, word or a tokenizer.json")));
        }
        let whole = [
            ("--max-words", self.max_words),
            ("--layers", self.layers),
            ("--units", self.units),
            ("--dim", self.dim),
            ("--steps", self.steps),
        ];
        problems.extend(zero_problems(&whole));
        problems.extend(self.learning.problems());
        let parts = [
            ("--valid-part", self.valid_part),
            ("--dropout", self.dropout),
            ("--input-dropout", self.input_dropout),
            ("--word-dropout", self.word_dropout),
            ("--recurrent-dropout", self.recurrent_dropout),
            ("--average", self.average),
        ];
        problems.extend(part_problems(&parts));
        problems.extend(
            self.minutes.and_then(|minutes| range_problem("--minutes", minutes, f64::MIN_POSITIVE, MOST_MINUTES)),
        );
        if self.patience.is_some() && !self.chooses() {
            problems.push("--patience needs a text to choose by: leave out --valid-part 0, or give --valid".into());
        }
        problems.extend(self.size_problems(2));
        problems
    }

    /// With `--minutes` as many as it takes: [`Rounds`](super::rounds::Rounds) know where they end.
    fn epochs(&self) -> u64 {
        if self.minutes.is_some() { u64::MAX } else { self.learning.epochs }
    }

    fn epochs_matter(&self) -> bool {
        self.learning.is_laid_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(flags: &str) -> Settings {
        Cli::parse_from(["train"].into_iter().chain(flags.split_whitespace())).settings
    }

    #[test]
    fn settings_come_back_from_json() {
        let given = settings("--data a.txt --level word --minutes 2.5 --average 0.99 --model gru --patience 3");
        assert_eq!(serde_json::from_str::<Settings>(&serde_json::to_string(&given).unwrap()).unwrap(), given);
        // What this program presets otherwise than others.
        assert_eq!((given.learning.rate, given.learning.batch_size, given.learning.is_laid_out()), (0.002, 64, true));
    }

    #[test]
    fn contradictions_are_found_all_at_once() {
        let flags = "--rate 0 --dropout 1 --units 0 --valid-part 0 --patience 2 --minutes -1 --level none.json";
        let flags = flags.replace("--minutes -1", "--minutes=-1");
        let problems = settings(&flags).problems();
        let begin =
            ["--level none.json: No such file", "--units 0", "--rate 0", "--dropout 1:", "--minutes -1:", "--patience"];
        assert_eq!(problems.len(), begin.len(), "{problems:?}");
        assert!(problems.iter().zip(begin).all(|(problem, begin)| problem.starts_with(begin)), "{problems:?}");
        assert_eq!(settings("").problems(), [""; 0]);
    }
}
