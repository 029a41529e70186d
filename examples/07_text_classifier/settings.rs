//! What a training is told: flags, kept with the run as JSON.

mod checks;
mod files;
mod size;
mod weights;

pub use size::Found;

use super::common::cell::{Cell, Recurrent};
use super::common::run::Learning;
use anyhow::bail;
use clap::{Args, ValueEnum};
use elman::data::{Labels, TextColumns, TextFormat};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that decides what comes out of a training, besides the seed and the content of the files.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Labelled texts to train on: .tsv (label, tab, text), .csv with a header, or .jsonl, plain or .gz; -: standard input,
    /// with --format [default: made-up reviews]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub train: Option<PathBuf>,
    /// Labelled texts to choose the best epoch by
    #[arg(long, value_name = "FILE", requires = "train", help_heading = "Data")]
    pub valid: Option<PathBuf>,
    /// Part of the training texts that is drawn to choose by where there is no --valid; 0: none, the last epoch is taken
    /// [default: 0.1]
    #[arg(long, value_name = "PART", conflicts_with = "valid", help_heading = "Data")]
    pub valid_part: Option<f64>,
    #[command(flatten)]
    pub columns: Columns,

    /// words, tweets (names, addresses, tags), keras, glove-twitter, or a Hugging Face tokenizer.json
    #[arg(long, value_name = "NAME|FILE", default_value = "words", help_heading = "Text")]
    pub tokenizer: String,
    /// The most frequent words that are known, counting the indices of padding and unknown words
    #[arg(long, default_value_t = 20_000, help_heading = "Text")]
    pub max_features: usize,
    /// How often a word must come to be known
    #[arg(long, default_value_t = 1, help_heading = "Text")]
    pub min_count: u64,
    /// Tokens of a text that are read
    #[arg(long, default_value_t = 100, help_heading = "Text")]
    pub steps: usize,
    /// Where shorter texts are filled
    #[arg(long, value_enum, default_value = "pre", help_heading = "Text")]
    pub padding: End,
    /// Where longer texts are cut
    #[arg(long, value_enum, default_value = "pre", help_heading = "Text")]
    pub truncation: End,
    /// Word vectors to begin with, of word2vec or GloVe [default: drawn at random]
    #[arg(long, value_name = "FILE", help_heading = "Text")]
    pub vectors: Option<PathBuf>,
    /// Keep the --vectors as they are
    #[arg(long, requires = "vectors", help_heading = "Text")]
    pub freeze_vectors: bool,
    /// Numbers of a word's vector where there are no --vectors [default: 64]
    #[arg(long, conflicts_with = "vectors", help_heading = "Text")]
    pub dim: Option<usize>,

    /// The recurrent network
    #[arg(long, value_enum, default_value = "lstm", help_heading = "Model")]
    pub model: Cell,
    /// Read in both directions
    #[arg(long, help_heading = "Model")]
    pub bidirectional: bool,
    /// Recurrent layers, one on the other
    #[arg(long, default_value_t = 1, help_heading = "Model")]
    pub layers: usize,
    /// Units of each of them (and in each direction)
    #[arg(long, default_value_t = 64, help_heading = "Model")]
    pub units: usize,
    /// What becomes of the outputs of all steps
    #[arg(long, value_enum, default_value = "last", help_heading = "Model")]
    pub pooling: Pooling,
    /// Dropout before and after the recurrent layers
    #[arg(long, default_value_t = 0.2, help_heading = "Model")]
    pub dropout: f64,
    /// Dropout of whole words
    #[arg(long, default_value_t = 0.0, help_heading = "Model")]
    pub word_dropout: f64,
    /// Dropout of the state
    #[arg(long, default_value_t = 0.0, help_heading = "Model")]
    pub recurrent_dropout: f64,

    #[command(flatten)]
    #[serde(flatten)]
    pub learning: Learning,
    /// How much the texts of a class count: balanced, or LABEL=WEIGHT,... where a label may have commas in it [default:
    /// all alike]
    #[arg(long, value_name = "WEIGHTS", help_heading = "Training")]
    pub class_weights: Option<String>,
    /// What the best epoch is chosen by: val_loss, val_accuracy or val_macro_f1 [default: val_loss]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub choose_by: Option<String>,
    /// Epochs without progress before training stops [default: it does not]
    #[arg(long, value_name = "EPOCHS", help_heading = "Training")]
    pub patience: Option<u64>,
}

/// Where a file has its labels and texts.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// Column (CSV) or field (JSON) of the label
    #[arg(long, value_name = "NAME", default_value = "label", help_heading = "Data")]
    pub label_column: String,
    /// Column (CSV) or field (JSON) of the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Data")]
    pub text_column: String,
    /// Format of the files [default: by the end of their names]
    #[arg(long, value_enum, help_heading = "Data")]
    pub format: Option<Format>,
    /// What separates the values of CSV
    #[arg(long, value_name = "CHARACTER", default_value = ",", help_heading = "Data")]
    pub separator: char,
}

/// An end of a text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Its beginning
    Pre,
    /// Its end
    Post,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines of label, tab, text
    Tsv,
    /// Comma-separated values with a header
    Csv,
    /// A JSON object on each line
    Jsonl,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The last output decides
    Last,
    /// The greatest number of each unit over all steps
    Max,
    /// The mean over all steps
    Average,
    /// A mean weighted by what each step is worth
    Attention,
}

impl Settings {
    /// Part of the training texts that is kept to choose by.
    pub fn held_out(&self) -> f64 {
        self.valid_part.unwrap_or(0.1)
    }

    /// Whether there are texts to choose by.
    pub fn chooses(&self) -> bool {
        self.valid.is_some() || self.train.is_none() || self.held_out() > 0.0
    }

    /// Each of the recurrent layers.
    pub fn recurrent(&self) -> Recurrent {
        let (cell, units, bidirectional) = (self.model, self.units, self.bidirectional);
        Recurrent { cell, units, bidirectional, dropout: self.recurrent_dropout, stateful: false }
    }

    /// Numbers of a word's vector where they are drawn.
    pub fn dim(&self) -> usize {
        self.dim.unwrap_or(64)
    }
}

impl Columns {
    /// As the library's reader takes them; `labels` are the only ones that may come, if given.
    pub fn reader(&self, labels: Option<&Labels>) -> anyhow::Result<TextColumns> {
        let Ok(separator) = u8::try_from(self.separator) else {
            bail!("--separator `{}`: expected one ASCII character", self.separator)
        };
        let mut columns = TextColumns::new(&self.label_column, &self.text_column).separator(separator);
        if let Some(format) = self.format {
            columns = columns.format(match format {
                Format::Tsv => TextFormat::Tsv,
                Format::Csv => TextFormat::Csv,
                Format::Jsonl => TextFormat::JsonLines,
            });
        }
        Ok(match labels {
            Some(labels) => columns.labels(labels.clone()),
            None => columns,
        })
    }
}
