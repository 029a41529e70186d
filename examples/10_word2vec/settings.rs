//! What a training is told.

use super::common::files::{Files, STANDARD, input_problem, output_problem};
use super::common::limits::{memory_problem, range_problem, zero_problems};
use clap::{Args, ValueEnum};
use elman::backend::Meeting;
use elman::text::{VectorFormat, WordVectors};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What is learnt from a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To tell the word by each of its neighbours: slower, better for rare words and small corpora
    SkipGram,
    /// To tell the word by the mean of its neighbours
    Cbow,
}

impl Kind {
    pub fn meeting(self) -> Meeting {
        if self.is_mean() { Meeting::Mean } else { Meeting::Each }
    }

    pub fn is_mean(self) -> bool {
        self == Kind::Cbow
    }
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// word2vec's text: a header, then a word and its numbers a line
    Text,
    /// word2vec's binary layout
    Binary,
    /// Text without a header, as GloVe's
    Glove,
}

#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Texts to train on, a sentence a line, words apart by spaces; plain or .gz, of any size [default: made-up sentences]
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = "Data")]
    pub data: Vec<PathBuf>,
    /// Where the vectors go; compressed where the name ends in .gz
    #[arg(long, value_name = "FILE", default_value = "vectors.txt", help_heading = "Data")]
    pub output: PathBuf,
    /// How they are written [default: binary where the name ends in .bin or .bin.gz, else text]
    #[arg(long, value_enum, help_heading = "Data")]
    pub format: Option<Format>,
    /// How often a word must come to get a vector
    #[arg(long, default_value_t = 5, help_heading = "Data")]
    pub min_count: u64,
    /// The most frequent words that get vectors, at most
    #[arg(long, value_name = "WORDS", default_value_t = 10_000_000, help_heading = "Data")]
    pub max_words: usize,
    /// Rounds that look for phrases (new_york); two rounds find such of up to four words
    #[arg(long, value_name = "ROUNDS", default_value_t = 0, help_heading = "Data")]
    pub phrases: usize,
    /// How much more often than by chance words of a phrase stand together
    #[arg(long, value_name = "TIMES", default_value_t = 100.0, help_heading = "Data")]
    pub phrase_threshold: f64,

    /// What is learnt from a window
    #[arg(long, value_enum, default_value = "skip-gram", help_heading = "Model")]
    pub model: Kind,
    /// Numbers of a word's vector
    #[arg(long, default_value_t = 100, help_heading = "Model")]
    pub dim: usize,
    /// Neighbours on either side at most; of each word a number from 1 to this is drawn
    #[arg(long, default_value_t = 5, help_heading = "Model")]
    pub window: usize,
    /// Words of noise drawn for each window
    #[arg(long, default_value_t = 5, help_heading = "Model")]
    pub negative: usize,
    /// The power of their frequency by which they are drawn
    #[arg(long, default_value_t = 0.75, help_heading = "Model")]
    pub noise_power: f64,
    /// The part of all words from which on a word is too frequent and sometimes passed over; 0: none is
    #[arg(long, default_value_t = 0.001, help_heading = "Model")]
    pub sample: f64,

    /// Times that the texts are read
    #[arg(long, default_value_t = 5, help_heading = "Training")]
    pub epochs: u64,
    /// Learning rate at the start, falling in a line [default: 0.025; with --model cbow 0.05]
    #[arg(long, help_heading = "Training")]
    pub rate: Option<f64>,
    /// Learning rate at the end
    #[arg(long, default_value_t = 0.0001, help_heading = "Training")]
    pub last_rate: f64,
    /// Windows that are computed together; more keep more threads at work, and are less stable
    #[arg(long, default_value_t = 32, help_heading = "Training")]
    pub block: usize,
}

impl Settings {
    pub fn first_rate(&self) -> f64 {
        self.rate.unwrap_or(if self.model.is_mean() { 0.05 } else { 0.025 })
    }

    pub fn vector_format(&self) -> VectorFormat {
        let name = self.output.to_string_lossy();
        let binary = name.strip_suffix(".gz").unwrap_or(&name).ends_with(".bin");
        match self.format.unwrap_or(if binary { Format::Binary } else { Format::Text }) {
            Format::Text => VectorFormat::Word2vecText,
            Format::Binary => VectorFormat::Word2vecBinary,
            Format::Glove => VectorFormat::Glove,
        }
    }

    pub fn files(&self) -> Files {
        self.data.iter().map(|path| ("--data".to_string(), path.clone())).collect()
    }

    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.data.iter().filter_map(|path| data_problem(path)).collect();
        problems.extend(output_problem("--output", &self.output, &self.files()));
        let whole = [
            ("--max-words", self.max_words),
            ("--dim", self.dim),
            ("--window", self.window),
            ("--negative", self.negative),
            ("--block", self.block),
            ("--epochs", self.epochs as usize),
        ];
        problems.extend(zero_problems(&whole));
        let most = [("--dim", self.dim, WordVectors::MAX_DIM), ("--window", self.window, 1000)];
        let most = most.into_iter().chain([("--negative", self.negative, 1000), ("--block", self.block, 1 << 20)]);
        let above = |(option, x, most): (&str, usize, usize)| {
            (x > most).then(|| format!("{option} {x}: expected at most {most}"))
        };
        problems.extend(most.filter_map(above));
        let rates = [("--rate", self.first_rate(), f64::MIN_POSITIVE), ("--last-rate", self.last_rate, 0.0)];
        problems
            .extend(rates.into_iter().filter_map(|(option, rate, least)| range_problem(option, rate, least, 100.0)));
        problems.extend(range_problem("--sample", self.sample, 0.0, 1.0));
        problems.extend(range_problem("--noise-power", self.noise_power, -10.0, 10.0));
        problems.extend(range_problem("--phrase-threshold", self.phrase_threshold, 0.0, f64::MAX));
        problems
    }

    /// What is wrong with the tables of so many words, if it is too much.
    pub fn memory_problem(&self, words: usize) -> Option<String> {
        // Two tables, and the vectors once more to be written.
        memory_problem(&format!("--dim {} for {words} words", self.dim), words as f64 * self.dim as f64 * 12.0)
    }
}

/// A text is read several times.
fn data_problem(path: &Path) -> Option<String> {
    if path.as_os_str() == STANDARD {
        return Some("--data -: texts are read several times; give a file".into());
    }
    input_problem("--data", path).or_else(|| {
        let plain = std::fs::metadata(path).is_ok_and(|found| found.is_file());
        (!plain).then(|| format!("--data {}: texts are read several times; give a plain file", path.display()))
    })
}
