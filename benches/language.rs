//! Times a language model of characters: embedding, LSTM, dense layer over 65 characters.
//!
//! `cargo bench --bench language -- generate|beam|train [--units 128,512] [--threads N]` prints a line of JSON for each size: the
//! median, least and greatest milliseconds of a training step (64 texts of 128 characters, Adam), or of a character that is
//! generated, one at a time, and the milliseconds that all threads computed for it; `beam` goes on with `--width` texts at once. `benches/peers/python/torch_language.py` times PyTorch's side.

mod common;
#[path = "common/computed.rs"]
mod computed;

use clap::{Parser, ValueEnum};
use computed::timed;
use elman::data::{Dataset, Inputs, Targets};
use elman::decode::{Decoder, Sampler, Stepper, generate};
use elman::layers::{Dense, Embedding, Lstm, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::Batch;
use elman::optim::Adam;
use elman::{Key, Model, Spec};
use elman_candle::Candle;
use serde_json::json;
use std::hint::black_box;

const CHARACTERS: usize = 65;
/// Numbers of a character's vector.
const DIM: usize = 64;
/// Texts and characters of a training step's batch, and how many batches it goes round.
const BATCH: [usize; 2] = [64, 128];
const BATCHES: usize = 4;
/// Characters between looks at the clock.
const TEXT: usize = 200;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum What {
    /// A character at a time, drawn and read
    Generate,
    /// A step of several texts at once, whose rows are chosen anew as a beam search does
    Beam,
    /// A training step
    Train,
}

/// Times a language model
#[derive(Parser)]
struct Options {
    what: What,
    #[arg(long, value_delimiter = ',', default_value = "128,512")]
    units: Vec<usize>,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Texts at once in `beam`
    #[arg(long, default_value_t = 5)]
    width: usize,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn model(backend: &Candle, units: usize) -> elman::Result<Model<Candle>> {
    Sequential::new()
        .add(Embedding::new(CHARACTERS, DIM))
        .add(Lstm::new(units).return_sequences())
        .add(Dense::new(CHARACTERS))
        .build(backend, Spec::Indices(None), 0)
}

/// Texts and the characters that follow.
fn texts() -> elman::Result<Dataset> {
    let [batch, steps] = BATCH;
    let text = |row: u64| (0..=steps as u64).map(move |i| Key::new(1).fold(row).below(i, CHARACTERS) as u32);
    let rows: Vec<Vec<u32>> = (0..(BATCHES * batch) as u64).map(|row| text(row).collect()).collect();
    let inputs = Inputs::indices(&rows.iter().map(|row| &row[..steps]).collect::<Vec<_>>())?;
    Dataset::new(inputs, Targets::classes_per_step(&rows.iter().map(|row| &row[1..]).collect::<Vec<_>>())?)
}

fn run(options: &Options, units: usize) -> elman::Result<[f64; 4]> {
    let backend = Candle::cpu_with_threads(options.threads)?;
    let mut model = model(&backend, units)?;
    let per_character = |times: [f64; 4]| times.map(|time| time / TEXT as f64);
    match options.what {
        What::Train => {
            model.compile(Adam::new(1e-3), SparseCategoricalCrossEntropy::from_logits());
            let (data, mut at) = (texts()?, 0);
            timed(|| {
                at = (at + 1) % BATCHES;
                let rows: Vec<usize> = (at * BATCH[0]..(at + 1) * BATCH[0]).collect();
                model.train_step(&Batch::new(&backend, data.select(&rows)?)?).map(drop)
            })
        }
        What::Generate => {
            let mut characters = generate(Decoder::new(&model)?, &[0], &Sampler::new(), Key::new(0))?;
            timed(|| {
                for character in characters.by_ref().take(TEXT) {
                    black_box(character?);
                }
                Ok(())
            })
            .map(per_character)
        }
        What::Beam => {
            let mut decoder = Decoder::of_rows(&model, options.width)?;
            let rows: Vec<usize> = (0..options.width).map(|row| (row + 1) % options.width).collect();
            let mut tokens: Vec<u32> = (0..options.width as u32).collect();
            timed(|| {
                for _ in 0..TEXT {
                    let scores = decoder.step(&tokens)?;
                    decoder.select(&rows)?;
                    for (row, token) in tokens.iter_mut().enumerate() {
                        let best = (0..CHARACTERS).max_by(|&a, &b| scores.row(row)[a].total_cmp(&scores.row(row)[b]));
                        *token = (best.unwrap_or_default() as u32 + row as u32) % CHARACTERS as u32;
                    }
                }
                Ok(())
            })
            .map(per_character)
        }
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let what = options.what.to_possible_value().map(|value| value.get_name().to_string());
    for &units in &options.units {
        let [median, least, greatest, cpu] = run(&options, units)?;
        let width = if options.what == What::Beam { options.width } else { 1 };
        let line = json!({
            "peer": "elman", "workload": "language", "what": what, "units": units, "width": width, "threads": options.threads,
            "median_ms": median, "min_ms": least, "max_ms": greatest, "cpu_ms": cpu, "a_second": 1e3 / median,
        });
        println!("{line}");
    }
    Ok(())
}
