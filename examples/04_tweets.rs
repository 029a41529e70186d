//! The mood of tweets (L17): word vectors, a recurrent network, a softmax over negative, neutral and positive.
//!
//! As the lecture has it, the vectors are word2vec's or GloVe's and stay as they are, and an Elman network reads them:
//! `softmax(h_T V + c)`. `--model`, `--train-vectors`, `--attention` and their like make it better step by step.
//!
//! With `--data DIR` it trains on real tweets (`train.tsv.gz`, `valid.tsv.gz`, `test.tsv.gz`: label, tab, text) with the
//! vectors of `--vectors FILE` (word2vec or GloVe; several files stand side by side); without, on tweets and vectors that
//! it makes up. Of SemEval's measure, recall averaged over the classes, the validation part chooses the epoch.

mod common;

use clap::Parser;
use common::cell::{Cell, Recurrent};
use common::corpus::{self, Corpus, Encoder};
use common::files::{Files, input_problem};
use common::{Options, Program, limits, reviews, say};
use elman::data::ClassWeights;
use elman::layers::*;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Average, ConfusionMatrix, F1, Recall, Scores};
use elman::optim::{Adam, Optimizer, Reach};
use elman::text::{Truncation, UnknownRows, Vocabulary, VocabularyBuilder, WordTokenizer, WordVectors};
use elman::training::{Fit, callbacks::EarlyStopping};
use elman::{Activation, Backend, Key, Spec};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// The mood of tweets: negative, neutral or positive
#[derive(Parser)]
struct Tweets {
    #[command(flatten)]
    options: Options,
    /// Folder with train.tsv.gz, valid.tsv.gz and test.tsv.gz [default: made-up tweets]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Word vectors, of word2vec or GloVe; several files stand side by side [default: none, the table is trained]
    #[arg(long, value_name = "FILE")]
    vectors: Vec<PathBuf>,
    /// Train the vectors on, and those of frequent words that have none
    #[arg(long)]
    train_vectors: bool,
    /// Numbers of a word's vector where there are no --vectors
    #[arg(long, default_value_t = 50)]
    dim: usize,
    /// Words that are learned besides those of the vectors, the most frequent
    #[arg(long, default_value_t = 20_000)]
    max_features: usize,
    /// How often such a word must come
    #[arg(long, default_value_t = 2)]
    min_count: u64,
    /// The network
    #[arg(long, value_enum, default_value = "elman")]
    model: Cell,
    /// Units of the recurrent network
    #[arg(long, default_value_t = 64)]
    units: usize,
    /// Read in both directions
    #[arg(long)]
    bidirectional: bool,
    /// Weigh the outputs of all steps (additive attention) instead of taking the last
    #[arg(long)]
    attention: bool,
    /// Words of a tweet that are read, its last ones
    #[arg(long, default_value_t = 40)]
    steps: usize,
    /// Dropout of whole words
    #[arg(long, default_value_t = 0.0)]
    word_dropout: f64,
    /// Dropout before and after the recurrent network
    #[arg(long, default_value_t = 0.2)]
    dropout: f64,
    /// Dropout of the state
    #[arg(long, default_value_t = 0.0)]
    recurrent_dropout: f64,
    /// Move only the vectors of words that occur (lazy Adam)
    #[arg(long)]
    lazy: bool,
    /// Classes count alike, however frequent they are
    #[arg(long)]
    balanced: bool,
    /// Epochs at most
    #[arg(long, default_value_t = 20)]
    epochs: u64,
    /// Epochs without progress on the validation part before training stops
    #[arg(long, default_value_t = 4)]
    patience: u64,
    /// Tweets a mini-batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Adam's learning rate
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,
    /// What the validation part chooses by
    #[arg(long, default_value = "val_macro_recall")]
    choose_by: String,
    /// A text to predict, several times if there are several
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    predict: Vec<String>,
}

impl Tweets {
    /// The words that are known, and their vectors to begin with, if there are any.
    fn words(&self, corpus: &Corpus, tokenizer: &WordTokenizer) -> anyhow::Result<(Vocabulary, Option<Embedding>)> {
        let texts = corpus.train.iter().map(|(_, text)| text);
        let mut files = self.vectors.iter().map(WordVectors::read).collect::<elman::Result<Vec<_>>>()?;
        let counted = VocabularyBuilder::new().fit_texts(tokenizer, texts.clone())?;
        for (vectors, file) in files.iter().zip(&self.vectors) {
            say!("{}: {}", file.file_name().unwrap_or_default().display(), vectors.coverage(&counted, 8))?;
        }
        if self.data.is_none() && files.is_empty() && !self.train_vectors {
            say!("No --vectors given: each word has a random vector that stays as it is.")?;
            let words: Vec<&str> = counted.words().map(|(word, _)| word).collect();
            let numbers: Vec<f32> = words.iter().flat_map(|word| reviews::vector(word, self.dim)).collect();
            files.push(WordVectors::new(&words, self.dim, &numbers)?);
        }
        let frequent = VocabularyBuilder::new().max_features(self.max_features).min_count(self.min_count);
        let learned = frequent.fit_texts(tokenizer, texts)?;
        if files.is_empty() {
            return Ok((learned, None));
        }
        // Frozen vectors help only words that have one; trained ones can be learned for any word that comes often enough.
        let mut words: Vec<&str> = files.iter().flat_map(|vectors| vectors.words()).collect();
        if self.train_vectors {
            words.extend(learned.words().map(|(word, _)| word));
        }
        let mut seen = std::collections::HashSet::new();
        words.retain(|word| seen.insert(*word));
        let vocabulary = Vocabulary::from_words(words, true)?;
        let key = Key::new(self.options.seed).named("unknown words");
        let unknown = if self.train_vectors { UnknownRows::Random(key) } else { UnknownRows::Zeros };
        let tables = files.iter().map(|vectors| vectors.matrix(&vocabulary, unknown));
        let tables = tables.collect::<elman::Result<Vec<_>>>()?;
        let rows = (0..vocabulary.width()).flat_map(|row| {
            tables.iter().zip(&files).flat_map(move |(table, file)| &table[row * file.dim()..][..file.dim()])
        });
        let dim = files.iter().map(WordVectors::dim).sum();
        let embedding = Embedding::from_vectors(rows.copied().collect(), dim)?;
        Ok((vocabulary, Some(if self.train_vectors { embedding } else { embedding.frozen() })))
    }

    fn network<B: Backend>(&self, embedding: Embedding, classes: usize) -> Sequential<B> {
        let network = Sequential::new().add(embedding.padding(0).word_dropout(self.word_dropout));
        let network = network.add(Dropout::new(self.dropout));
        let (cell, units, bidirectional) = (self.model, self.units, self.bidirectional);
        let layer = Recurrent { cell, units, bidirectional, dropout: self.recurrent_dropout, stateful: false };
        let network = layer.add_to(network, self.attention);
        let network = if self.attention { network.add(AdditiveAttention::new(self.units)) } else { network };
        network.add(Dropout::new(self.dropout)).add(Dense::new(classes).activation(Activation::Softmax))
    }
}

impl Program for Tweets {
    fn files(&self) -> Files {
        let vectors = self.vectors.iter().map(|path| ("--vectors".to_string(), path.clone()));
        corpus::files(self.data.as_deref()).into_iter().chain(vectors).collect()
    }

    fn problems(&self) -> Vec<String> {
        let (units, dim, steps) = (self.units, self.dim, self.steps);
        let sizes =
            limits::Sizes { units, dim, steps, gates: self.model.gates(), batch: self.batch_size, rate: self.rate };
        let parts = [
            ("--dropout", self.dropout),
            ("--word-dropout", self.word_dropout),
            ("--recurrent-dropout", self.recurrent_dropout),
        ];
        let vectors = self.vectors.iter().filter_map(|path| input_problem("--vectors", path));
        sizes.problems().into_iter().chain(limits::part_problems(&parts)).chain(vectors).collect()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let corpus = match &self.data {
            Some(folder) => Corpus::read(folder, &["negative", "neutral", "positive"])?,
            None => {
                say!("No --data given: training on tweets that this program makes up.\n")?;
                Corpus::tweets()
            }
        };
        let tokenizer = WordTokenizer::tweets();
        let (vocabulary, embedding) = self.words(&corpus, &tokenizer)?;
        let embedding = embedding.unwrap_or_else(|| Embedding::new(vocabulary.width(), self.dim));
        let encoder =
            Encoder { tokenizer: &tokenizer, vocabulary: &vocabulary, steps: self.steps, truncation: Truncation::Pre };
        let [train, valid, test] = [&corpus.train, &corpus.valid, &corpus.test].map(|texts| encoder.dataset(texts));
        let (train, valid, test) = (train?, valid?, test?);
        say!("{} tweets to train on, {} to choose by, {} to test on\n", train.len(), valid.len(), test.len())?;

        let (classes, reach) = (corpus.labels.len(), if self.lazy { Reach::Lazy } else { Reach::Exact });
        let mut model = self.network(embedding, classes).build(backend, Spec::Indices(None), options.seed)?;
        model
            .compile(
                Optimizer::new(Adam::new(self.rate)).clip_global_norm(1.0).reach(reach),
                SparseCategoricalCrossEntropy::new(),
            )
            .metric(Accuracy::new())
            .metric(Recall::new(Average::Macro).named("macro_recall"))
            .metric(F1::new(Average::Macro).named("macro_f1"));
        say!("on {}\n\n{}\n", backend.name(), model.summary())?;

        let stop = EarlyStopping::new(&self.choose_by).patience(self.patience).restore_best();
        let mut fit = Fit::new().epochs(self.epochs).batch_size(self.batch_size).by_length(0).validation_data(&valid);
        if self.balanced {
            let labels: Vec<u32> = corpus.train.iter().map(|(label, _)| *label).collect();
            fit = fit.class_weights(ClassWeights::balanced(&labels, classes)?);
        }
        let history = model.fit(&train, fit.callback(stop))?;
        say!("{history}\n")?;
        common::converged(&history)?;
        let (chosen, scores) = (model.evaluate(&valid, 256)?, model.evaluate(&test, 256)?);
        say!("validation: {chosen}\ntest:       {scores}\n")?;

        let predictions = model.predict(test.inputs(), 256)?;
        let mut confusion = ConfusionMatrix::new(classes)?;
        confusion.update(&Scores::new(predictions.data(), classes, test.targets()))?;
        say!("{}\n", confusion.table().names(&corpus.labels)?)?;

        // Raw text in, words out: the user's, or some of the test part's.
        let shown: Vec<&str> = match &self.predict[..] {
            [] => corpus.test.iter().take(5).map(|(_, text)| text.as_str()).collect(),
            given => given.iter().map(String::as_str).collect(),
        };
        let predictions = model.predict(&encoder.inputs(shown.iter().copied())?, 32)?;
        for ((text, row), class) in shown.iter().zip(predictions.rows()).zip(predictions.classes()?) {
            say!("{:>10} ({:3.0} %)  {text}", corpus.labels[class], 100.0 * row[class])?;
        }
        let results = json!({ "metrics": common::metrics(&scores), "validation": common::metrics(&chosen) });
        Ok(common::merged(results, common::speed(&history)))
    }
}

fn main() -> ExitCode {
    common::main("04_tweets", |program: &Tweets| &program.options)
}
