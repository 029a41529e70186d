//! Times a train step of `imdb_lstm` (L23): an embedding, an LSTM, a dense layer, Adam.
//!
//! `cargo bench --bench imdb_lstm -- [--threads N] [--batch N] [--steps N] [--words N] [--lazy] [--masked] [--dropout RATE]` prints
//! one line of JSON with the median, least and greatest milliseconds of nine blocks and the greatest memory;
//! `scripts/bench_imdb.py` sets it beside PyTorch.

mod common;

use clap::Parser;
use common::time;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Embedding, Lstm, Sequential};
use elman::loss::BinaryCrossEntropy;
use elman::model::Batch;
use elman::optim::{Adam, Optimizer, Reach};
use elman::{Activation, Backend, Key, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

const UNITS: usize = 128;

/// Times imdb_lstm
#[derive(Parser)]
struct Options {
    #[arg(long, default_value = "candle")]
    backend: String,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Steps of a text
    #[arg(long, default_value_t = 80)]
    steps: usize,
    /// Rows of the embedding
    #[arg(long, default_value_t = 20_000)]
    words: usize,
    /// Only the rows that occur are moved
    #[arg(long)]
    lazy: bool,
    /// Texts of a quarter of the steps up to all of them, padded on the left, instead of full ones
    #[arg(long)]
    masked: bool,
    /// Of words, of the LSTM's inputs and of its state
    #[arg(long, default_value_t = 0.0)]
    dropout: f64,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// Eight batches of texts whose words are as frequent as words are: the rank's logarithm is uniform.
fn data(options: &Options) -> elman::Result<Dataset> {
    let key = Key::new(1);
    let word = |draw: f64| ((options.words as f64 - 1.0).powf(draw) as u32).clamp(1, options.words as u32 - 1);
    let text = |text: u64| {
        let key = key.fold(text);
        let shortest = options.steps / 4;
        let length = if options.masked { shortest + key.below(0, options.steps - shortest + 1) } else { options.steps };
        let words = (0..length as u64).map(|i| word(key.uniform(i + 4)));
        std::iter::repeat_n(0, options.steps - length).chain(words).collect::<Vec<u32>>()
    };
    let rows: Vec<_> = (0..8 * options.batch as u64).map(text).collect();
    let labels = (0..rows.len() as u64).map(|text| key.named("label").below(text, 2) as u32).collect();
    Dataset::new(Inputs::indices(&rows)?, Targets::classes(labels)?)
}

/// The most memory that the process has had, in megabytes, where the system tells (Linux).
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok().map(|kilobytes: f64| kilobytes / 1024.0)
}

fn run<B: Backend>(backend: &B, options: &Options) -> elman::Result<()> {
    let data = data(options)?;
    let embedding = Embedding::new(options.words, UNITS).word_dropout(options.dropout);
    let embedding = if options.masked { embedding.padding(0) } else { embedding };
    let mut model = Sequential::new()
        .add(embedding)
        .add(Lstm::new(UNITS).dropout(options.dropout).recurrent_dropout(options.dropout))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(backend, Spec::indices(options.steps), 0)?;
    let reach = if options.lazy { Reach::Lazy } else { Reach::Exact };
    model.compile(Optimizer::new(Adam::new(1e-3)).reach(reach), BinaryCrossEntropy::new());
    let mut at = 0;
    let [median, least, greatest] = time(|| {
        // Gathering the rows and bringing them to the device is part of the step.
        let rows: Vec<usize> = (at * options.batch..(at + 1) * options.batch).collect();
        at = (at + 1) % 8;
        let batch = Batch::new(backend, data.select(&rows)?)?;
        model.train_step(&batch).map(drop)
    })?;
    println!(
        "{}",
        serde_json::json!({
            "backend": backend.name(), "batch": options.batch, "steps": options.steps, "words": options.words,
            "lazy": options.lazy, "masked": options.masked, "threads": options.threads,
            "median_ms": median, "min_ms": least, "max_ms": greatest, "peak_mb": peak_memory(),
        })
    );
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.backend.as_str() {
        "reference" => run(&Reference::<f32>::with_threads(options.threads), &options)?,
        "candle" => run(&Candle::cpu_with_threads(options.threads)?, &options)?,
        other => anyhow::bail!("--backend {other}: expected candle or reference"),
    }
    Ok(())
}
