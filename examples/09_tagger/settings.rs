//! What a training is told: flags, kept with the run as JSON.

use super::NAME;
use super::common::cell::Cell;
use super::common::files::{Files, input_problems};
use super::common::limits::{part_problems, zero_problems};
use super::common::run::{Learning, RunSettings};
use super::corpus::Format;
use super::task;
use clap::Args;
use elman::Backend;
use elman::optim::{Adam, Optimizer};
use elman::pipeline::TaggerTask;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that decides what comes out of a training, besides the seed and the content of the files.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(
    mut_arg("rate", |arg| arg.default_value("0.002")),
    mut_arg("clip_norm", |arg| arg.default_value_ifs(parsers("2")).help("Norm that all gradients together are shortened to; 0: they are not [of trees: 2]")),
    mut_arg("batch_size", |arg| arg.help("Sentences a mini-batch"))
)]
pub struct Settings {
    /// Tagged sentences to train on, plain or .gz; -: standard input [default: sentences that the project makes up]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub train: Option<PathBuf>,
    /// Tagged sentences to choose the best epoch by
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub valid: Option<PathBuf>,
    /// Part of the training's sentences that is kept to choose by where there is no --valid, every tenth say; 0: none
    #[arg(long, value_name = "PART", default_value_t = 0.1, conflicts_with = "valid", help_heading = "Data")]
    pub valid_part: f64,
    /// Format of the files [default: by the end of their names]
    #[arg(long, value_enum, help_heading = "Data")]
    pub format: Option<Format>,
    /// What is learnt
    #[arg(long, value_parser = task::parser(), default_value = "tags", help_heading = "Data")]
    pub task: TaggerTask,

    /// How often a word must come to be known by itself
    #[arg(long, default_value_t = 2, help_heading = "Text")]
    pub min_count: u64,
    /// Word vectors of word2vec or GloVe beside those that are trained
    #[arg(long, value_name = "FILE", help_heading = "Text")]
    pub vectors: Option<PathBuf>,
    /// The most frequent of them that are read
    #[arg(long, default_value_t = 200_000, help_heading = "Text")]
    pub max_vectors: usize,
    /// Train the --vectors too
    #[arg(long, requires = "vectors", help_heading = "Text")]
    pub train_vectors: bool,
    /// Read the columns between word and tag too
    #[arg(long, help_heading = "Text")]
    pub features: bool,

    /// Numbers of a word's vector
    #[arg(long, default_value_t = 128, help_heading = "Model")]
    pub dim: usize,
    /// Numbers of a letter's vector
    #[arg(long, default_value_t = 64, help_heading = "Model")]
    pub letter_dim: usize,
    /// Units of the network that reads a word's letters, in each direction
    #[arg(long, default_value_t = 64, help_heading = "Model")]
    pub letter_units: usize,
    /// The recurrent network over the words
    #[arg(long, value_enum, default_value = "lstm", help_heading = "Model")]
    pub model: Cell,
    /// Its layers, one on the other [of trees: 2]
    #[arg(long, default_value_t = 1, default_value_ifs = parsers("2"), help_heading = "Model")]
    pub layers: usize,
    /// Units of each of them in each direction
    #[arg(long, default_value_t = 200, help_heading = "Model")]
    pub units: usize,
    /// Numbers that stand for a word where its head is found, of trees
    #[arg(long, default_value_t = 512, help_heading = "Model")]
    #[serde(default)]
    pub arc_units: usize,
    /// Numbers that stand for a word where its label is found, of trees
    #[arg(long, default_value_t = 128, help_heading = "Model")]
    #[serde(default)]
    pub label_units: usize,
    /// Choose all tags of a sentence together, by a conditional random field, and none that tags in BIO or BIOES cannot be
    #[arg(long, help_heading = "Model")]
    pub crf: bool,
    /// Dropout before and behind the recurrent layers
    #[arg(long, default_value_t = 0.5, help_heading = "Model")]
    pub dropout: f64,
    /// Dropout of whole words
    #[arg(long, default_value_t = 0.2, help_heading = "Model")]
    pub word_dropout: f64,
    /// Dropout of the state
    #[arg(long, default_value_t = 0.0, help_heading = "Model")]
    pub recurrent_dropout: f64,

    #[command(flatten)]
    #[serde(flatten)]
    pub learning: Learning,
    /// Part of the certainty that is spread over all tags, or heads with labels [of trees: 0.03]
    #[arg(long, value_name = "PART", default_value_t = 0.0, default_value_ifs = parsers("0.03"), help_heading = "Training")]
    pub label_smoothing: f64,
    /// Epochs without progress before training stops [default: it does not]
    #[arg(long, value_name = "EPOCHS", help_heading = "Training")]
    pub patience: Option<u64>,
}

/// What a default is for tasks with trees: UDPipe 2's settings, where two cores can bear them.
fn parsers(default: &'static str) -> [(&'static str, &'static str, &'static str); 2] {
    [TaggerTask::Trees, TaggerTask::All].map(|task| ("task", task.name(), default))
}

impl Settings {
    /// For so many sentences. Second moments of a parser's gradients are forgotten soon, as in UDPipe 2.
    pub fn optimizer<B: Backend>(&self, sentences: usize) -> Optimizer<B> {
        let adam = Adam::new(self.learning.rate);
        let adam = if self.task.has_trees() { adam.betas(0.9, 0.99) } else { adam };
        self.learning.optimizer_of(adam, sentences)
    }

    fn chooses(&self) -> bool {
        self.valid.is_some() || self.valid_part > 0.0
    }
}

impl RunSettings for Settings {
    const NAME: &'static str = NAME;
    const OWN: &'static [&'static str] = &["test.conllu", "test.tsv"];

    fn files(&self) -> Files {
        let files = [("--train", &self.train), ("--valid", &self.valid), ("--vectors", &self.vectors)];
        files.into_iter().filter_map(|(option, path)| Some((option.to_string(), path.clone()?))).collect()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = input_problems(&self.files());
        let whole = [
            ("--dim", self.dim),
            ("--letter-dim", self.letter_dim),
            ("--letter-units", self.letter_units),
            ("--layers", self.layers),
            ("--units", self.units),
            ("--max-vectors", self.max_vectors),
        ];
        problems.extend(zero_problems(&whole));
        if self.task.has_trees() {
            problems.extend(zero_problems(&[("--arc-units", self.arc_units), ("--label-units", self.label_units)]));
        }
        problems.extend(self.learning.problems());
        let parts = [
            ("--valid-part", self.valid_part),
            ("--dropout", self.dropout),
            ("--word-dropout", self.word_dropout),
            ("--recurrent-dropout", self.recurrent_dropout),
            ("--label-smoothing", self.label_smoothing),
        ];
        problems.extend(part_problems(&parts));
        if self.task.has_trees() {
            let task = self.task.name();
            if self.crf {
                problems.push(format!("--crf: --task {task} has none; leave out one of both"));
            }
            for (option, path) in [("--train", &self.train), ("--valid", &self.valid)] {
                let found = path.as_ref().map(|path| (path, Format::of(path, self.format)));
                if let Some((path, Format::Columns)) = found {
                    let path = path.display();
                    problems.push(format!(
                        "{option} {path}: --task {task} needs CoNLL-U, found columns by name or --format"
                    ));
                }
            }
        } else if self.crf && self.label_smoothing > 0.0 {
            problems.push("--label-smoothing: a --crf learns from sentences as they are; leave out one of both".into());
        }
        if self.format == Some(Format::Text) {
            problems.push("--format text: expected conllu or columns, which have tags".into());
        }
        if self.valid.is_some() && self.train.is_none() {
            problems.push("--valid: sentences to choose by go with those of --train; give both".into());
        }
        if self.patience.is_some() && !self.chooses() {
            problems.push("--patience needs sentences to choose by: leave out --valid-part 0, or give --valid".into());
        }
        problems.extend(self.problems_of_size(0.0, [2, 2]));
        problems
    }

    fn epochs(&self) -> u64 {
        self.learning.epochs
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
        let given = settings("--train a.tsv --task spans --features --label-smoothing 0.1 --model gru --patience 3");
        assert_eq!(serde_json::from_str::<Settings>(&serde_json::to_string(&given).unwrap()).unwrap(), given);
        assert_eq!((given.learning.rate, given.task.best_by()), (0.002, "val_span_f1"));
        assert_eq!(settings("").train, None);
    }

    #[test]
    fn parsers_have_defaults_of_their_own() {
        let own = |settings: Settings| (settings.layers, settings.label_smoothing, settings.learning.clip_norm);
        for task in [TaggerTask::Trees, TaggerTask::All] {
            assert_eq!(own(settings(&format!("--train a --task {}", task.name()))), (2, 0.03, 2.0));
        }
        assert_eq!(own(settings("--train a")), (1, 0.0, 1.0));
        assert_eq!(own(settings("--train a --task all --layers 1 --clip-norm 3")), (1, 0.03, 3.0));
    }

    #[test]
    fn contradictions_are_found_all_at_once() {
        let flags = "--train none.tsv --rate 0 --dropout 1 --units 0 --valid-part 0 --patience 2 --format text";
        let problems = settings(flags).problems();
        let begin =
            ["--train none.tsv: No such file", "--units 0", "--rate 0", "--dropout 1:", "--format text", "--patience"];
        assert_eq!(problems.len(), begin.len(), "{problems:?}");
        assert!(problems.iter().zip(begin).all(|(problem, begin)| problem.starts_with(begin)), "{problems:?}");
        assert!(settings("--train none --units 1000000000").problems()[1].starts_with("--units, --layers"));
    }
}
