//! Times what taggers are made of. A conditional random field: the loss of 32 sequences of 50 steps over 20 tags with all its gradients, and the
//! best paths. A parser's heads and labels: those of 40 labels for words of 1,024 numbers, with all gradients of their cross-entropy. A `step` is
//! that of a whole tagger and parser, `ctc` connectionist temporal classification of 200 steps, 80 classes, 30 labels, with its gradient.
//!
//! `cargo bench --bench tagging -- loss|path|heads|step|ctc [--masked] [--threads N] [--batch 32 --steps 50 --tags 20]` prints a line of JSON: the
//! median, least and greatest milliseconds of a call, and those that all threads computed for it. `scripts/bench_tagging.py` runs it beside
//! pytorch-crf and PyTorch.

mod common;
#[path = "common/computed.rs"]
mod computed;
#[path = "common/parser.rs"]
mod parser;

use clap::{Parser, ValueEnum};
use computed::timed;
use elman::layers::{Biaffine, Chain, Mask, Mode, Value};
use elman::loss::{SparseCategoricalCrossEntropy, Target};
use elman::model::Batch;
use elman::optim::Sgd;
use elman::{Backend, Key, Model, Shape, Spec, Tensor};
use elman_candle::Candle;
use serde_json::json;
use std::hint::black_box;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum What {
    /// The loss and its gradients for scores, start, transitions and end
    Loss,
    /// The best paths
    Path,
    /// Heads and labels of a parser, and their gradients
    Heads,
    /// A training step of a whole tagger and parser
    Step,
    /// Connectionist temporal classification, and its gradient
    Ctc,
}

/// Times a conditional random field
#[derive(Clone, Parser)]
struct Options {
    what: What,
    /// Lengths from half the steps on, padded on the right
    #[arg(long)]
    masked: bool,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 32)]
    batch: usize,
    #[arg(long, default_value_t = 50)]
    steps: usize,
    #[arg(long, default_value_t = 20)]
    tags: usize,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn variable(b: &Candle, name: &str, shape: &[usize]) -> elman::Result<Tensor<Candle>> {
    let key = Key::new(1).named(name);
    let numbers = (0..shape.iter().product::<usize>() as u64).map(|i| (key.uniform(i) * 4.0 - 2.0) as f32).collect();
    Tensor::variable(b, numbers, shape)
}

/// From half the steps on.
fn lengths(Options { batch, steps, .. }: &Options) -> Vec<usize> {
    (0..*batch as u64).map(|row| steps / 2 + Key::new(3).below(row, steps - steps / 2 + 1)).collect()
}

fn run(options: &Options) -> elman::Result<[f64; 4]> {
    let b = &Candle::cpu_with_threads(options.threads)?;
    let Options { batch, steps, tags, .. } = *options;
    let scores = variable(b, "scores", &[batch, steps, tags])?;
    let edges =
        [variable(b, "start", &[tags])?, variable(b, "transitions", &[tags, tags])?, variable(b, "end", &[tags])?];
    let chain = Chain::new(scores, edges);
    let labels = (0..(batch * steps) as u64).map(|i| Key::new(2).below(i, tags) as u32).collect();
    let labels = b.upload_indices(labels, Shape::new(&[batch, steps])?)?;
    let mask = options.masked.then(|| Mask::from_lengths(b, &lengths(options), steps)).transpose()?;
    timed(|| {
        match options.what {
            What::Loss => drop(black_box(chain.loss(&labels, mask.as_ref())?.sum()?.backward()?)),
            What::Path => drop(black_box(chain.path(mask.as_ref())?)),
            What::Heads | What::Step | What::Ctc => {}
        }
        Ok(())
    })
}

/// Numbers of a word, and how many labels there are.
const WORD: usize = 1024;
const LABELS: usize = 40;

fn heads(options: &Options) -> elman::Result<[f64; 4]> {
    let b = &Candle::cpu_with_threads(options.threads)?;
    let Options { batch, steps, .. } = *options;
    let parser = Biaffine::new(LABELS).units(512, 128);
    let mut model = Model::new(b, &parser, Spec::Dense(vec![None, Some(WORD)]), 0)?;
    model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::from_logits().label_smoothing(0.03));
    let classes = (0..(batch * steps) as u64).map(|i| Key::new(2).below(i, LABELS) as u32).collect::<Vec<_>>();
    let words = variable(b, "words", &[batch, steps, WORD])?;
    let mask = options.masked.then(|| Mask::from_lengths(b, &lengths(options), steps)).transpose()?;
    timed(|| {
        let input = Value::Tensor(words.clone()).with_mask(mask.clone());
        let target = Target::Classes { labels: classes.clone().into(), shape: Shape::new(&[batch, steps])? };
        let batch = Batch { input, target, weights: None, len: batch };
        drop(black_box(model.loss(&batch, Mode::Training(Key::new(0)))?.loss.backward()?));
        Ok(())
    })
}

/// Steps, classes, and labels of a sequence, half of them at least: those of a line of handwriting or a spoken sentence.
const TRANSCRIPTS: [usize; 3] = [200, 80, 30];

/// From logits to their gradient.
fn ctc(options: &Options) -> elman::Result<[f64; 4]> {
    let b = &Candle::cpu_with_threads(options.threads)?;
    let ([steps, classes, most], batch) = (TRANSCRIPTS, options.batch);
    let logits = variable(b, "logits", &[batch, steps, classes])?;
    let label = |row: u64, i: u64| 1 + Key::new(2).fold(row).below(i, classes - 1) as u32;
    let count = |row: u64| if options.masked { most / 2 + Key::new(4).below(row, most / 2 + 1) } else { most };
    let labels: Vec<Vec<u32>> =
        (0..batch as u64).map(|row| (0..count(row) as u64).map(|i| label(row, i)).collect()).collect();
    let lengths = lengths(&Options { steps, ..options.clone() });
    let mask = options.masked.then(|| Mask::from_lengths(b, &lengths, steps)).transpose()?;
    timed(|| {
        drop(black_box(logits.ctc(&labels, 0, mask.as_ref().map(Mask::array))?.sum()?.backward()?));
        Ok(())
    })
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let [median, least, greatest, cpu] = match options.what {
        What::Heads => heads(&options)?,
        What::Step => parser::step(options.threads, options.batch, options.steps, options.masked)?,
        What::Ctc => ctc(&options)?,
        What::Loss | What::Path => run(&options)?,
    };
    let what = options.what.to_possible_value().map(|value| value.get_name().to_string());
    let line = json!({
        "peer": "elman", "workload": "tagging", "what": what, "masked": options.masked, "threads": options.threads,
        "median_ms": median, "min_ms": least, "max_ms": greatest, "cpu_ms": cpu,
    });
    println!("{line}");
    Ok(())
}
