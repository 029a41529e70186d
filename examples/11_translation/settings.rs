//! What a training is told: flags, kept with the run as JSON.

use super::NAME;
use super::common::files::{Files, input_problems};
use super::common::limits::{part_problems, zero_problems};
use super::common::run::{Learning, RunSettings};
use super::made_up::MadeUp;
use clap::{Args, ValueEnum};
use elman::pipeline::{AttentionForm, EncoderDecoder, RecurrentCell};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that decides what comes out of a training, besides the seed and the content of the files.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(mut_arg("batch_size", |arg| arg.default_value("64").help("Pairs a mini-batch")))]
pub struct Settings {
    /// Pairs to train on, a line each: text, tab, translation; plain or .gz; -: standard input [default: made up]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub train: Option<PathBuf>,
    /// The translations, line by line, where --train has the texts alone
    #[arg(long, value_name = "FILE", requires = "train", help_heading = "Data")]
    pub train_target: Option<PathBuf>,
    /// Pairs to choose the best epoch by
    #[arg(long, value_name = "FILE", requires = "train", help_heading = "Data")]
    pub valid: Option<PathBuf>,
    /// Their translations, where --valid has the texts alone
    #[arg(long, value_name = "FILE", requires = "valid", help_heading = "Data")]
    pub valid_target: Option<PathBuf>,
    /// Part of the training's pairs that is kept to choose by where there is no --valid; 0: none
    #[arg(long, value_name = "PART", default_value_t = 0.05, conflicts_with = "valid", help_heading = "Data")]
    pub valid_part: f64,
    /// What is made up where there is no --train
    #[arg(long, value_enum, default_value = "dates", conflicts_with = "train", help_heading = "Data")]
    pub made_up: MadeUp,
    /// How many pairs of it
    #[arg(long, value_name = "PAIRS", default_value_t = 20_000, conflicts_with = "train", help_heading = "Data")]
    pub made_up_pairs: usize,

    /// What texts are cut into: word (what is apart by spaces), char, bpe (byte pairs, learnt from them), or a tokenizer.json [default: word, of what
    /// is made up what suits it]
    #[arg(long, help_heading = "Text")]
    pub level: Option<String>,
    /// The same of what is read alone
    #[arg(long, value_name = "LEVEL", help_heading = "Text")]
    pub source_level: Option<String>,
    /// The same of what is written alone
    #[arg(long, value_name = "LEVEL", help_heading = "Text")]
    pub target_level: Option<String>,
    /// How often a word must come to be known by itself [default: 2]
    #[arg(long, help_heading = "Text")]
    pub min_count: Option<u64>,
    /// Words of a language at most, or its byte pairs [default of these: 8000]
    #[arg(long, value_name = "TOKENS", help_heading = "Text")]
    pub max_words: Option<usize>,
    /// Put everything into small letters
    #[arg(long, help_heading = "Text")]
    pub lowercase: bool,
    /// Leave out pairs of which a side has more tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 100, help_heading = "Text")]
    pub max_tokens: usize,

    /// The recurrent layers
    #[arg(long, value_enum, default_value = "gru", help_heading = "Model")]
    pub model: Cell,
    /// Numbers of a word's vector
    #[arg(long, default_value_t = 256, help_heading = "Model")]
    pub dim: usize,
    /// Units of the decoder; the encoder has half as many in each direction
    #[arg(long, default_value_t = 512, help_heading = "Model")]
    pub units: usize,
    /// Recurrent layers on either side, one on the other
    #[arg(long, default_value_t = 1, help_heading = "Model")]
    pub layers: usize,
    /// How the decoder looks at what was read
    #[arg(long, value_enum, default_value = "bahdanau", help_heading = "Model")]
    pub attention: Attention,
    /// Attention in the decoder's loop, which knows what it looked at before: several times slower
    #[arg(long, help_heading = "Model")]
    pub input_feeding: bool,
    /// Write words by the vectors that they are read by
    #[arg(long, help_heading = "Model")]
    pub tied: bool,
    /// Dropout of word vectors, between layers and before words are written
    #[arg(long, default_value_t = 0.3, help_heading = "Model")]
    pub dropout: f64,

    #[command(flatten)]
    #[serde(flatten)]
    pub learning: Learning,
    /// Part of the certainty that is spread over all tokens
    #[arg(long, value_name = "PART", default_value_t = 0.1, help_heading = "Training")]
    pub label_smoothing: f64,
    /// Words that are exchanged while training for those that the network would have written, as a part of all: it reads everything twice
    #[arg(long, value_name = "PART", default_value_t = 0.0, help_heading = "Training")]
    pub scheduled_sampling: f64,
    /// End with a moving average of the weights, that of about the last 1 / (1 - DECAY) steps; 0: with the last
    #[arg(long, value_name = "DECAY", default_value_t = 0.0, help_heading = "Training")]
    pub average: f64,
    /// Epochs without progress before training stops [default: it does not]
    #[arg(long, value_name = "EPOCHS", help_heading = "Training")]
    pub patience: Option<u64>,
}

/// Recurrent layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Gated recurrent units
    Gru,
    /// Long short-term memory
    Lstm,
}

/// How a decoder looks at what was read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// By a small network over both (Bahdanau and others, 2015)
    Bahdanau,
    /// By a product of both (Luong and others, 2015)
    Luong,
    /// Not at all: all that it knows is where reading ended
    None,
}

impl Settings {
    /// What texts are cut into: of those that are read, and of those that are written.
    pub fn levels(&self) -> [&str; 2] {
        let usual = if self.train.is_some() { ["word"; 2] } else { self.made_up.levels() };
        let both = self.level.as_deref();
        [
            self.source_level.as_deref().or(both).unwrap_or(usual[0]),
            self.target_level.as_deref().or(both).unwrap_or(usual[1]),
        ]
    }

    /// The tokenizers among the levels, by the first flag that names them.
    fn tokenizers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let flags =
            [("--level", &self.level), ("--source-level", &self.source_level), ("--target-level", &self.target_level)];
        let given = flags.into_iter().filter_map(|(flag, level)| Some((flag, level.as_deref()?)));
        given.filter(|(_, level)| !["word", "char", "bpe"].contains(level))
    }

    /// The network.
    pub fn network(&self) -> EncoderDecoder {
        let cell = if self.model == Cell::Gru { RecurrentCell::Gru } else { RecurrentCell::Lstm };
        let attention = match self.attention {
            Attention::Bahdanau => AttentionForm::Bahdanau,
            Attention::Luong => AttentionForm::Luong,
            Attention::None => AttentionForm::None,
        };
        let network = EncoderDecoder::new(self.dim, self.units).cell(cell).layers(self.layers).attention(attention);
        let network = if self.input_feeding { network.input_feeding() } else { network };
        let network = if self.tied { network.tied() } else { network };
        network.dropout(self.dropout)
    }

    fn chooses(&self) -> bool {
        self.valid.is_some() || self.valid_part > 0.0
    }

    /// The file of `--train`, if there is one.
    pub fn train_file(&self) -> Option<&Path> {
        self.train.as_deref()
    }
}

impl RunSettings for Settings {
    const NAME: &'static str = NAME;
    const OWN: &'static [&'static str] = &["test.tsv"];

    fn files(&self) -> Files {
        let files = [
            ("--train", &self.train),
            ("--train-target", &self.train_target),
            ("--valid", &self.valid),
            ("--valid-target", &self.valid_target),
        ];
        let files = files.into_iter().filter_map(|(option, path)| Some((option.to_string(), path.clone()?)));
        files.chain(self.tokenizers().map(|(flag, path)| (flag.to_string(), path.into()))).collect()
    }

    fn problems(&self) -> Vec<String> {
        // A level that is misspelt is no file that is missing.
        let is_level =
            |(flag, path): &(String, PathBuf)| flag.ends_with("level") && path.extension().is_none() && !path.exists();
        let (levels, files): (Files, Files) = self.files().into_iter().partition(is_level);
        let mut problems = input_problems(&files);
        problems.extend(levels.iter().map(|(flag, level)| {
            format!("{flag} {}: expected word, char, bpe or the file of a tokenizer (tokenizer.json)", level.display())
        }));
        let whole = [
            ("--made-up-pairs", self.made_up_pairs),
            ("--dim", self.dim),
            ("--layers", self.layers),
            ("--max-tokens", self.max_tokens),
        ];
        problems.extend(zero_problems(&whole));
        if self.units < 2 {
            problems.push(format!("--units {}: expected at least 2, half of them for each direction", self.units));
        }
        problems.extend(self.learning.problems());
        let parts = [
            ("--valid-part", self.valid_part),
            ("--dropout", self.dropout),
            ("--label-smoothing", self.label_smoothing),
            ("--average", self.average),
            ("--scheduled-sampling", self.scheduled_sampling),
        ];
        problems.extend(part_problems(&parts));
        if self.input_feeding && self.attention == Attention::None {
            problems.push("--input-feeding: --attention none has nothing to feed; leave out one of both".into());
        }
        if self.train_target.is_some() != self.valid_target.is_some() && self.valid.is_some() {
            problems.push("--train-target, --valid-target: expected both or none: texts and translations in files of their own, or pairs in one".into());
        }
        if self.max_words.is_some_and(|most| most <= 256) && self.levels().contains(&"bpe") {
            problems.push("--max-words: expected more than 256 of byte pairs, which the bytes are themselves".into());
        }
        let has = |levels: &[&str]| self.levels().iter().any(|level| levels.contains(level));
        let counts = [
            ("--min-count", self.min_count.is_some(), &["word"][..]),
            ("--max-words", self.max_words.is_some(), &["word", "bpe"]),
        ];
        for (flag, _, levels) in counts.into_iter().filter(|&(_, given, levels)| given && !has(levels)) {
            let expected = levels.join(" or ");
            problems
                .push(format!("{flag}: expected --level {expected} on a side, found {}", self.levels().join(" and ")));
        }
        if self.patience.is_some() && !self.chooses() {
            problems.push("--patience needs pairs to choose by: leave out --valid-part 0, or give --valid".into());
        }
        if self.train.is_none() {
            problems.extend(self.made_up.problem(self.made_up_pairs));
        }
        problems.extend(self.problems_of_size(0.0, 0.0));
        problems
    }

    fn epochs(&self) -> u64 {
        self.learning.epochs
    }

    fn epochs_matter(&self) -> bool {
        self.learning.is_laid_out()
    }
}
