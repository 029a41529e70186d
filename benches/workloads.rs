//! Times the workloads that `scripts/bench_peers.sh` sets beside other libraries.
//!
//! `cargo bench --bench workloads -- WORKLOAD [--batch N] [--threads N] [--backend candle|reference] [--device cpu|cuda:N]`
//! (and more, see `--help`) prints a line of JSON for each thing timed (a training step; an epoch, or the inference of a batch):
//! the median, least and greatest milliseconds a call, and the greatest memory that the process has had so far.

#[path = "common/classes.rs"]
mod classes;
mod common;
#[path = "common/device.rs"]
mod device;
#[path = "common/lines.rs"]
mod lines;

use clap::{Parser, ValueEnum};
use elman::data::{Bags, Dataset, Inputs, Targets};
use elman::layers::{Dense, Dropout, Elman, Embedding, Lstm, Mode, Sequential};
use elman::loss::{BinaryCrossEntropy, SparseCategoricalCrossEntropy};
use elman::model::Batch;
use elman::optim::{Adam, Optimizer, Reach, RmsProp};
use elman::training::Fit;
use elman::{Activation, Backend, Key, Model, Result, Spec, Tensor};
use elman_reference::Reference;

const UNITS: usize = 128;
/// Steps of an imdb_lstm text, of a tweet.
const STEPS: [usize; 2] = [80, 32];
/// Each workload goes round so many batches.
const BATCHES: usize = 8;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Workload {
    /// Topics of news wires from bags of words: a step and an epoch through `fit`
    ReutersMlp,
    /// An embedding, an LSTM, a dense layer: a step and an inference
    ImdbLstm,
    /// Frozen word vectors, an Elman network, a dense layer: a step and an inference
    TweetsElman,
    /// An LSTM alone, forward and backward, with the gradient of its input
    LongLstm,
    /// Epochs of imdb_lstm over the texts of a file (`--texts`) in memory and over the file as it is read, by turns
    ImdbLines,
    /// Evaluation at every step of 10,000 classes: by the loss alone, with the accuracy, and with all predictions read back
    ManyClasses,
    /// The first step of imdb_lstm, untimed: whoever starts the program looks at the clock
    StartUp,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum What {
    Train,
    Epoch,
    Infer,
}

/// Times a workload
#[derive(Parser)]
struct Options {
    workload: Workload,
    #[arg(long, default_value = "candle")]
    backend: String,
    /// Where it runs: cpu, or, with candle and built with that feature, cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Only this one of what the workload has
    #[arg(long)]
    only: Option<What>,
    /// reuters_mlp: dense rows instead of bags of words
    #[arg(long)]
    dense: bool,
    /// imdb_lstm: texts of 20 to 80 words, padded on the right, instead of full ones
    #[arg(long)]
    masked: bool,
    /// imdb_lstm: rows of the embedding
    #[arg(long, default_value_t = 20_000)]
    words: usize,
    /// imdb_lstm: only the rows that occur are moved
    #[arg(long)]
    lazy: bool,
    /// long_lstm: its steps
    #[arg(long, default_value_t = 80)]
    steps: usize,
    /// imdb_lines: a TSV file of labels and texts
    #[arg(long)]
    texts: Option<std::path::PathBuf>,
    /// imdb_lines: how often each is timed
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Times a call and prints the line, unless something else is asked for.
    fn report<B: Backend>(&self, b: &B, what: What, mut call: impl FnMut() -> Result<()>) -> Result<()> {
        if self.only.is_some_and(|only| only != what) {
            return Ok(());
        }
        let [median, least, greatest] = match self.device.as_str() {
            "cpu" => common::time(call)?,
            // What was asked for last has been done when a number that is sent after it is back.
            _ => device::time(5, 0.15, |last| {
                call()?;
                if last { Tensor::full(b, &[1], 0.0)?.to_vec().map(drop) } else { Ok(()) }
            })?,
        };
        let name = |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_string());
        let line = serde_json::json!({
            "peer": "elman", "workload": name(self.workload.to_possible_value()), "what": name(what.to_possible_value()),
            "batch": self.batch, "threads": self.threads, "device": self.device,
            "median_ms": median, "min_ms": least, "max_ms": greatest, "rss_mb": peak_memory(),
        });
        println!("{line}");
        Ok(())
    }

    /// Times steps of a compiled model on one batch after another, and inferences.
    fn steps<B: Backend>(&self, mut model: Model<B>, data: &Dataset) -> Result<()> {
        let (b, mut at) = (model.backend().clone(), 0);
        let mut next = || {
            at = (at + 1) % BATCHES;
            (at * self.batch..(at + 1) * self.batch).collect::<Vec<usize>>()
        };
        // Gathering the rows and bringing them to the device is part of a step, as `fit` does it.
        self.report(&b, What::Train, || model.train_step(&Batch::new(&b, data.select(&next())?)?).map(drop))?;
        let batches = (0..BATCHES).map(|_| Batch::new(&b, data.select(&next())?)).collect::<Result<Vec<_>>>()?;
        let mut batches = batches.iter().cycle();
        self.report(&b, What::Infer, || match batches.next() {
            Some(batch) => model.forward(batch.input.clone(), Mode::Evaluation)?.to_vec().map(drop),
            None => Ok(()),
        })
    }
}

/// The most memory that the process has had, in megabytes, where the system tells (Linux).
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok().map(|kilobytes: f64| kilobytes / 1024.0)
}

/// Texts of `shortest..=steps` words that are as frequent as words are (the rank's logarithm is uniform), padded with 0.
fn texts(count: usize, [shortest, steps]: [usize; 2], words: usize, classes: usize) -> Result<Dataset> {
    let key = Key::new(1);
    let word = |draw: f64| ((words as f64).powf(draw) as u32).clamp(1, words as u32 - 1);
    let text = |text: u64| {
        let key = key.fold(text);
        let length = shortest + key.below(0, steps - shortest + 1);
        let there = (0..length as u64).map(|i| word(key.uniform(i + 4)));
        there.chain(std::iter::repeat_n(0, steps - length)).collect::<Vec<u32>>()
    };
    let rows: Vec<_> = (0..count as u64).map(text).collect();
    Dataset::new(Inputs::indices(&rows)?, labels(count, classes)?)
}

fn labels(count: usize, classes: usize) -> Result<Targets> {
    Targets::classes((0..count as u64).map(|i| Key::new(1).named("label").below(i, classes) as u32).collect())
}

fn reuters_mlp<B: Backend>(backend: &B, options: &Options) -> Result<()> {
    let (samples, words, words_per_text, topics) = (8982, 1000, 60, 46);
    let text = |text: u64| (0..words_per_text).map(move |i| Key::new(1).below(text * words_per_text + i, words) as u32);
    let bags = Bags::binary((0..samples as u64).map(text), words)?;
    let (inputs, spec) = match options.dense {
        true => (Inputs::dense(bags.to_dense(), &[words])?, Spec::dense(&[words])),
        false => (Inputs::bags(bags)?, Spec::bags(words)),
    };
    let data = Dataset::new(inputs, labels(samples, topics)?)?;
    let mut model: Model<B> = Sequential::new()
        .add(Dense::new(512).activation(Activation::Relu))
        .add(Dropout::new(0.5))
        .add(Dense::new(topics).activation(Activation::Softmax))
        .build(backend, spec, 0)?;
    model.compile(Adam::new(1e-3), SparseCategoricalCrossEntropy::new());
    let mut at = 0;
    options.report(backend, What::Train, || {
        let rows: Vec<usize> = (at..at + options.batch).collect();
        at = if at + 2 * options.batch <= samples { at + options.batch } else { 0 };
        model.train_step(&Batch::new(backend, data.select(&rows)?)?).map(drop)
    })?;
    options.report(backend, What::Epoch, || model.fit(&data, Fit::new().batch_size(options.batch).quiet()).map(drop))
}

fn imdb_model<B: Backend>(backend: &B, options: &Options, masked: bool) -> Result<Model<B>> {
    let embedding = Embedding::new(options.words, UNITS);
    let mut model = Sequential::new()
        .add(if masked { embedding.padding(0) } else { embedding })
        .add(Lstm::new(UNITS).dropout(0.2))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(backend, Spec::indices(STEPS[0]), 0)?;
    let reach = if options.lazy { Reach::Lazy } else { Reach::Exact };
    model.compile(Optimizer::new(Adam::new(1e-3)).reach(reach), BinaryCrossEntropy::new());
    Ok(model)
}

fn imdb_lstm<B: Backend>(backend: &B, options: &Options) -> Result<()> {
    let shortest = if options.masked { 20 } else { STEPS[0] };
    let data = texts(BATCHES * options.batch, [shortest, STEPS[0]], options.words, 2)?;
    options.steps(imdb_model(backend, options, options.masked)?, &data)
}

fn imdb_lines<B: Backend>(backend: &B, options: &Options) -> Result<()> {
    let Some(path) = &options.texts else {
        return Err(elman::Error::invalid("imdb_lines", "a file of texts (--texts)", "none"));
    };
    lines::read(options, path)?;
    if options.rounds > 0 { lines::trained(backend, options, path) } else { Ok(()) }
}

fn start_up<B: Backend>(backend: &B, options: &Options) -> Result<()> {
    let mut model = imdb_model(backend, options, true)?;
    let data = texts(options.batch, [20, STEPS[0]], options.words, 2)?;
    let (loss, _) = model.train_step(&Batch::new(backend, data)?)?;
    println!("{{\"loss\": {}}}", loss.to_scalar()?);
    Ok(())
}

fn tweets_elman<B: Backend>(backend: &B, options: &Options) -> Result<()> {
    let (words, dim) = (50_000, 200);
    let table = (0..(words * dim) as u64).map(|i| (Key::new(2).uniform(i) - 0.5) as f32).collect();
    let mut model = Sequential::new()
        .add(Embedding::from_vectors(table, dim)?.frozen().padding(0))
        .add(Elman::new(UNITS))
        .add(Dense::new(3).activation(Activation::Softmax))
        .build(backend, Spec::indices(STEPS[1]), 0)?;
    model.compile(RmsProp::new(1e-3), SparseCategoricalCrossEntropy::new());
    options.steps(model, &texts(BATCHES * options.batch, [5, STEPS[1]], words, 3)?)
}

fn long_lstm<B: Backend>(backend: &B, options: &Options) -> Result<()> {
    let model = Sequential::new().add(Lstm::new(UNITS)).build(backend, Spec::dense(&[options.steps, UNITS]), 0)?;
    let shape = [options.batch, options.steps, UNITS];
    let numbers = 0..shape.iter().product::<usize>() as u64;
    let numbers = numbers.map(|i| elman::Element::from_f64(2.0 * Key::new(1).uniform(i) - 1.0)).collect();
    let x = Tensor::variable(backend, numbers, &shape)?;
    options.report(backend, What::Train, || {
        let y = model.forward(x.clone(), Mode::Training(Key::new(0)))?;
        let mut gradients = y.sum()?.backward()?;
        gradients.take(&x).map(drop).ok_or(elman::Error::Constant)
    })
}

fn run<B: Backend>(backend: &B, options: &Options) -> Result<()> {
    match options.workload {
        Workload::ReutersMlp => reuters_mlp(backend, options),
        Workload::ImdbLstm => imdb_lstm(backend, options),
        Workload::TweetsElman => tweets_elman(backend, options),
        Workload::LongLstm => long_lstm(backend, options),
        Workload::ImdbLines => imdb_lines(backend, options),
        Workload::ManyClasses => classes::run(backend, options),
        Workload::StartUp => start_up(backend, options),
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.backend.as_str() {
        "reference" if options.device != "cpu" => anyhow::bail!("--device {}: not on this backend", options.device),
        "reference" => run(&Reference::<f32>::with_threads(options.threads), &options)?,
        "candle" => run(&device::candle(&options.device, options.threads)?, &options)?,
        other => anyhow::bail!("--backend {other}: expected candle or reference"),
    }
    Ok(())
}
