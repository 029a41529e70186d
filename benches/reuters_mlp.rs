//! Times `reuters_mlp` (L13): a train step and an epoch through `fit`, on bags of words and on dense rows.
//!
//! `cargo bench --bench reuters_mlp -- [--backend candle|reference] [--threads N] [--batch N] [--dense] [--epoch]` prints one line of
//! JSON with the median, least and greatest milliseconds of nine blocks; `scripts/bench_reuters.py` sets it beside PyTorch.

mod common;

use clap::Parser;
use common::time;
use elman::data::{Bags, Dataset, Inputs, Targets};
use elman::layers::{Dense, Dropout, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::{Batch, Fit};
use elman::optim::Adam;
use elman::{Activation, Backend, Key, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

const SAMPLES: usize = 8982;
const WORDS: usize = 1000;
const WORDS_PER_TEXT: u64 = 60;
const TOPICS: usize = 46;

/// Times reuters_mlp
#[derive(Parser)]
struct Options {
    #[arg(long, default_value = "candle")]
    backend: String,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Dense rows instead of bags of words
    #[arg(long)]
    dense: bool,
    /// An epoch through `fit` instead of a single step
    #[arg(long)]
    epoch: bool,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn data(dense: bool) -> elman::Result<Dataset> {
    let key = Key::new(1);
    let words = |text: u64| (0..WORDS_PER_TEXT).map(move |i| key.below(text * WORDS_PER_TEXT + i, WORDS) as u32);
    let bags = Bags::binary((0..SAMPLES as u64).map(words), WORDS)?;
    let labels = (0..SAMPLES as u64).map(|text| key.named("label").below(text, TOPICS) as u32).collect();
    let inputs = if dense { Inputs::dense(bags.to_dense(), &[WORDS])? } else { Inputs::bags(bags)? };
    Dataset::new(inputs, Targets::classes(labels)?)
}

fn run<B: Backend>(backend: &B, options: &Options) -> elman::Result<()> {
    let data = data(options.dense)?;
    let input = if options.dense { Spec::dense(&[WORDS]) } else { Spec::bags(WORDS) };
    let mut model: Model<B> = Sequential::new()
        .add(Dense::new(512).activation(Activation::Relu))
        .add(Dropout::new(0.5))
        .add(Dense::new(TOPICS).activation(Activation::Softmax))
        .build(backend, input, 0)?;
    model.compile(Adam::new(1e-3), SparseCategoricalCrossEntropy::new());
    let mut at = 0;
    let [median, least, greatest] = match options.epoch {
        true => time(|| model.fit(&data, Fit::new().batch_size(options.batch).quiet()).map(drop))?,
        false => time(|| {
            // Gathering the rows and bringing them to the device is part of the step.
            let rows: Vec<usize> = (at..at + options.batch).collect();
            at = if at + 2 * options.batch <= SAMPLES { at + options.batch } else { 0 };
            let batch = Batch::new(backend, data.select(&rows)?)?;
            model.train_step(&batch).map(drop)
        })?,
    };
    let (what, rows) = (if options.epoch { "epoch" } else { "step" }, if options.dense { "dense" } else { "bags" });
    println!(
        "{}",
        serde_json::json!({
            "backend": backend.name(), "what": what, "rows": rows, "batch": options.batch, "threads": options.threads,
            "median_ms": median, "min_ms": least, "max_ms": greatest,
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
