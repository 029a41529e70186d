//! Keras' `reuters_mlp` (L13): the topic of a news wire from the bag of its words.
//!
//! `Dense 512 → ReLU → Dropout 0.5 → Dense 46 → softmax`, categorical cross-entropy, Adam, five epochs in batches of
//! 32, a tenth of the training data held out. Without `--data` it trains on news wires that the project makes up.

mod common;

use clap::Parser;
use common::files::{Files, output_problem};
use common::{Options, Program, limits, newswire, say};
use elman::data::{Dataset, Inputs, Targets, WordIndex, read_labelled, read_lines};
use elman::layers::{Dense, Dropout, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Average, ConfusionMatrix, F1, Scores, TopK};
use elman::optim::Adam;
use elman::training::Fit;
use elman::{Activation, Backend, Spec};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Keras' reuters_mlp: the topic of a news wire from the bag of its words (L13)
#[derive(Parser)]
#[command(version)]
struct Reuters {
    #[command(flatten)]
    options: Options,
    /// Folder with train.tsv.gz, test.tsv.gz (a line: topic number, tab, text) and topics.txt (a name a line)
    /// [default: made-up news wires]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Words: the most frequent, index 0 left free
    #[arg(long, default_value_t = 1000)]
    max_words: usize,
    /// Units of the hidden layer
    #[arg(long, default_value_t = 512)]
    hidden: usize,
    /// Dropout after the hidden layer
    #[arg(long, default_value_t = 0.5)]
    dropout: f64,
    /// Epochs
    #[arg(long, default_value_t = 5)]
    epochs: u64,
    /// Samples a mini-batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Adam's learning rate
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,
    /// Where the weights are saved and read back [default: a temporary file]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// Labelled texts to train and test on, and the topics' names.
struct Corpus {
    train: Vec<(u32, String)>,
    test: Vec<(u32, String)>,
    topics: Vec<String>,
}

impl Reuters {
    fn inputs(&self) -> Files {
        let names = |folder: &PathBuf| ["train.tsv.gz", "test.tsv.gz", "topics.txt"].map(|name| folder.join(name));
        self.data.iter().flat_map(names).map(|path| ("--data".to_string(), path)).collect()
    }

    fn corpus(&self) -> anyhow::Result<Corpus> {
        let Some(folder) = &self.data else {
            say!(
                "No --data given: training on news wires that this program makes up (4,000, and 1,000 to test on).\n"
            )?;
            let (train, test) = (newswire::generate(4000, 1), newswire::generate(1000, 2));
            let topics = newswire::topics().iter().map(|topic| topic.to_string()).collect();
            return Ok(Corpus { train, test, topics });
        };
        let train = read_labelled(folder.join("train.tsv.gz"))?;
        let test = read_labelled(folder.join("test.tsv.gz"))?;
        Ok(Corpus { train, test, topics: read_lines(folder.join("topics.txt"))? })
    }
}

fn dataset(index: &WordIndex, texts: &[(u32, String)]) -> elman::Result<Dataset> {
    let bags = index.bag(texts.iter().map(|(_, text)| text))?;
    Dataset::new(Inputs::bags(bags)?, Targets::classes(texts.iter().map(|(label, _)| *label).collect())?)
}

impl Program for Reuters {
    fn files(&self) -> Files {
        let weights = self.weights.iter().map(|path| ("--weights".to_string(), path.clone()));
        weights.chain(self.inputs()).collect()
    }

    fn problems(&self) -> Vec<String> {
        let weights = self.weights.iter().filter_map(|path| match path.exists() && !path.is_file() {
            true => Some(format!("--weights {}: expected a plain file, which can be read back", path.display())),
            false => output_problem("--weights", path, &self.inputs()),
        });
        // Words that do not occur take no memory: one row of the kernel at least.
        let hidden = limits::memory_problem(&format!("--hidden {}", self.hidden), self.hidden as f64 * limits::TRAINED);
        let whole = [("--hidden", self.hidden), ("--batch-size", self.batch_size)];
        let rate = limits::range_problem("--rate", self.rate, f64::MIN_POSITIVE, 1.0);
        let (whole, parts) = (limits::zero_problems(&whole), [("--dropout", self.dropout)]);
        weights.chain(hidden).chain(whole).chain(limits::part_problems(&parts)).chain(rate).collect()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        // A folder of its own for each run, as several may run side by side; it goes with the run.
        let folder = tempfile::tempdir()?;
        let file = self.weights.clone().unwrap_or_else(|| folder.path().join("reuters_mlp.safetensors"));
        let Corpus { train, test, topics } = self.corpus()?;
        let index = WordIndex::fit(train.iter().map(|(_, text)| text), self.max_words)?;
        let (train, test_set) = (dataset(&index, &train)?, dataset(&index, &test)?);
        say!("{} texts to train on, {} to test on, {} topics", train.len(), test_set.len(), topics.len())?;

        let network = Sequential::new()
            .add(Dense::new(self.hidden).activation(Activation::Relu))
            .add(Dropout::new(self.dropout))
            .add(Dense::new(topics.len()).activation(Activation::Softmax));
        let mut model = network.build(backend, Spec::bags(index.width()), options.seed)?;
        model
            .compile(Adam::new(self.rate), SparseCategoricalCrossEntropy::new())
            .metric(Accuracy::new())
            .metric(TopK::new(3.min(topics.len()))?.named("top_3"))
            .metric(F1::new(Average::Macro).named("macro_f1"));
        say!("on {}\n\n{}\n", backend.name(), model.summary())?;

        let fit = Fit::new().epochs(self.epochs).batch_size(self.batch_size).validation_split(0.1);
        let history = model.fit(&train, fit)?;
        say!("{history}\n")?;
        common::converged(&history)?;
        let scores = model.evaluate(&test_set, self.batch_size)?;
        say!("test: {scores}\n")?;

        // Save, and read back into a model that starts from other weights.
        model.save_weights(&file)?;
        let mut reloaded = network.build(backend, Spec::bags(index.width()), options.seed.wrapping_add(1))?;
        reloaded.load_weights(&file)?;
        let predictions = reloaded.predict(test_set.inputs(), 256)?;
        let same = predictions == model.predict(test_set.inputs(), 256)?;
        anyhow::ensure!(same, "the model read back from {} predicts otherwise", file.display());
        say!("weights saved to {}, read back, same predictions\n", file.display())?;

        let classes = predictions.classes()?;
        for (((label, text), row), &best) in test.iter().zip(predictions.rows()).zip(&classes).take(5) {
            let start: String = text.chars().take(60).collect();
            let (truth, guess) = (&topics[*label as usize], &topics[best]);
            say!("{guess:>14} ({:3.0} %)  true: {truth:<14}  {start}...", 100.0 * row[best])?;
        }
        let mut confusion = ConfusionMatrix::new(topics.len())?;
        confusion.update(&Scores::new(predictions.data(), topics.len(), test_set.targets()))?;
        say!("\nThe largest topics:\n{}", confusion.table().names(&topics)?.largest(8))?;

        Ok(common::merged(json!({ "metrics": common::metrics(&scores) }), common::speed(&history)))
    }
}

fn main() -> ExitCode {
    common::main("03_reuters_mlp", |program: &Reuters| &program.options)
}
