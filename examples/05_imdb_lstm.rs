//! Long short-term memory on film reviews: Keras' `imdb_lstm`, as the lecture has it (L23).
//!
//! Words become vectors, whole words of them dropped at random; an LSTM reads the last 80 words of a review; its last
//! output decides. Fifteen epochs overfit: the loss on texts that were kept back rises from the second or third epoch on,
//! while the training accuracy goes to 1. The program shows both, the last epoch and the one that the texts kept back
//! choose.
//!
//! With `--data DIR` it trains on real reviews (`train.tsv.gz`, `test.tsv.gz`: label 0 or 1, tab, text); without, on
//! reviews that it makes up, in which the order of the words matters.

mod common;

use clap::{Parser, ValueEnum};
use common::corpus::{self, Corpus, Encoder};
use common::files::Files;
use common::{Options, Program, limits, say};
use elman::layers::*;
use elman::loss::BinaryCrossEntropy;
use elman::metrics::{Accuracy, Auc};
use elman::optim::{Adam, Optimizer, Reach};
use elman::text::{Truncation, VocabularyBuilder, WordTokenizer};
use elman::training::{Fit, callbacks::BestWeights};
use elman::{Activation, Backend, Spec};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// An LSTM reads film reviews (Keras' imdb_lstm)
#[derive(Parser)]
struct Imdb {
    #[command(flatten)]
    options: Options,
    /// Folder with train.tsv.gz and test.tsv.gz [default: made-up reviews]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Words: the most frequent, with the index of padding
    #[arg(long, default_value_t = 20_000)]
    max_features: usize,
    /// Words of a review that are read, its last ones
    #[arg(long, default_value_t = 80)]
    steps: usize,
    /// Numbers of a word's vector
    #[arg(long, default_value_t = 128)]
    dim: usize,
    /// Units of the LSTM
    #[arg(long, default_value_t = 128)]
    units: usize,
    /// Dropout of words, of the LSTM's inputs and of its state
    #[arg(long, default_value_t = 0.2)]
    dropout: f64,
    /// Dropout of words alone, where it is to be another
    #[arg(long)]
    word_dropout: Option<f64>,
    /// Read in both directions
    #[arg(long)]
    bidirectional: bool,
    /// What becomes of the outputs of all steps
    #[arg(long, value_enum, default_value = "last")]
    pooling: Pooling,
    /// The cell of Keras 1, as the lecture's program had it: gates by clip(0.2 x + 0.5, 0, 1)
    #[arg(long)]
    keras1: bool,
    /// Move only the vectors of words that occur (lazy Adam)
    #[arg(long)]
    lazy: bool,
    /// Epochs
    #[arg(long, default_value_t = 15)]
    epochs: u64,
    /// Reviews a mini-batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Adam's learning rate
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Pooling {
    /// The last output decides
    Last,
    /// The greatest number of each unit over all steps
    Max,
    /// The mean over all steps
    Average,
}

impl Imdb {
    fn network<B: Backend>(&self, words: usize) -> Sequential<B> {
        let mut lstm = Lstm::new(self.units).dropout(self.dropout).recurrent_dropout(self.dropout);
        if self.keras1 {
            lstm = lstm.keras1();
        }
        if !matches!(self.pooling, Pooling::Last) {
            lstm = lstm.return_sequences();
        }
        let words = Embedding::new(words, self.dim).padding(0).word_dropout(self.word_dropout.unwrap_or(self.dropout));
        let network = Sequential::new().add(words);
        let network = if self.bidirectional { network.add(Bidirectional::new(lstm)) } else { network.add(lstm) };
        let network = match self.pooling {
            Pooling::Last => network,
            Pooling::Max => network.add(GlobalMaxPooling),
            Pooling::Average => network.add(GlobalAveragePooling),
        };
        network.add(Dense::new(1).activation(Activation::Sigmoid))
    }
}

impl Program for Imdb {
    fn files(&self) -> Files {
        corpus::files(self.data.as_deref())
    }

    fn problems(&self) -> Vec<String> {
        let (units, dim, steps) = (self.units, self.dim, self.steps);
        let sizes = limits::Sizes { units, dim, steps, gates: 4, batch: self.batch_size, rate: self.rate };
        let parts = [("--dropout", self.dropout), ("--word-dropout", self.word_dropout.unwrap_or(0.0))];
        sizes.problems().into_iter().chain(limits::part_problems(&parts)).collect()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let mut corpus = match &self.data {
            Some(folder) => Corpus::read(folder, &["negative", "positive"])?,
            None => {
                say!("No --data given: training on reviews that this program makes up.\n")?;
                Corpus::reviews()
            }
        };
        // Line breaks as web pages have them are no words.
        for (_, text) in corpus.train.iter_mut().chain(&mut corpus.valid).chain(&mut corpus.test) {
            *text = text.replace("<br />", " ");
        }
        let tokenizer = WordTokenizer::keras();
        let texts = corpus.train.iter().map(|(_, text)| text);
        // Without an index for unknown words they are left out, and the steps go to words that are known.
        let known = VocabularyBuilder::new().max_features(self.max_features).unknown(false);
        let vocabulary = known.fit_texts(&tokenizer, texts)?;
        let encoder =
            Encoder { tokenizer: &tokenizer, vocabulary: &vocabulary, steps: self.steps, truncation: Truncation::Pre };
        let [train, valid, test] = [&corpus.train, &corpus.valid, &corpus.test].map(|texts| encoder.dataset(texts));
        let (train, valid, test) = (train?, valid?, test?);
        say!(
            "{} reviews to train on, {} to choose by, {} to test on; {} words",
            train.len(),
            valid.len(),
            test.len(),
            vocabulary.len()
        )?;

        let network = self.network(vocabulary.width());
        let mut model = network.build(backend, Spec::indices(self.steps), options.seed)?;
        let reach = if self.lazy { Reach::Lazy } else { Reach::Exact };
        model
            .compile(Optimizer::new(Adam::new(self.rate)).reach(reach), BinaryCrossEntropy::new())
            .metric(Accuracy::new())
            .metric(Auc::new());
        say!("on {}\n\n{}\n", backend.name(), model.summary())?;

        let folder = tempfile::tempdir()?;
        let file = folder.path().join("best.safetensors");
        let mut best = BestWeights::new(&file, "val_loss");
        let fit = Fit::new().epochs(self.epochs).batch_size(self.batch_size).validation_data(&valid);
        let history = model.fit(&train, fit.callback(&mut best))?;
        say!("{history}\n")?;
        common::converged(&history)?;
        let last = model.evaluate(&test, 256)?;
        say!("test, after the last epoch: {last}")?;
        let epoch = best.best().map_or(0, |(epoch, _)| epoch);
        if epoch > 0 {
            model.load_weights(&file)?;
        }
        let scores = model.evaluate(&test, 256)?;
        say!("test, after epoch {epoch}, the best by val_loss: {scores}\n")?;

        let shown = || corpus.test.iter().take(5);
        let predictions = model.predict(&encoder.inputs(shown().map(|(_, text)| text.as_str()))?, 32)?;
        let name = |label: u32| corpus.labels.get(label as usize).map_or("no name", String::as_str);
        for ((label, text), row) in shown().zip(predictions.rows()) {
            let start: String = text.chars().take(70).collect();
            say!("{:5.1} % positive   true: {:<8}  {start}...", 100.0 * row[0], name(*label))?;
        }
        let results = json!({
            "metrics": common::metrics(&last),
            "best_epoch": epoch,
            "best_metrics": common::metrics(&scores),
        });
        Ok(common::merged(results, common::speed(&history)))
    }
}

fn main() -> ExitCode {
    common::main("05_imdb_lstm", |program: &Imdb| &program.options)
}
