//! Times what a network for sequences does in a step: the recurrence forward and backward, an embedding's rows and their
//! updates.
//!
//! `cargo bench --bench sequences -- [threads]` prints milliseconds, the least and the median of
//! some twenty calls: by the clock, and of the calling thread's own.

use elman::backend::recurrent::{Sequence, Upstream};
use elman::backend::{Backend, Cell, LinearWanted, Reach, RecurrentWanted, Update};
use elman::tensor::Rows;
use elman::{Activation, Element, Key, Result, Shape};
use elman_candle::{Candle, candle_core::Device};
use elman_reference::Reference;
use std::time::Instant;

const UNITS: usize = 128;
const WORDS: usize = 20_000;
const LSTM: Cell = Cell::Lstm { gates: Activation::Sigmoid, activation: Activation::Tanh };
const GRU: Cell = Cell::Gru { gates: Activation::Sigmoid, activation: Activation::Tanh, reset_after: true };
const GRU_BEFORE: Cell = Cell::Gru { gates: Activation::Sigmoid, activation: Activation::Tanh, reset_after: false };
const ELMAN: Cell = Cell::Elman { activation: Activation::Tanh };

/// Milliseconds that the calling thread has had a processor, where the system tells (Linux): on one thread a measure that
/// other programs hardly disturb.
fn processor() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanoseconds = told.ok().and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or(f64::NAN, |nanoseconds: f64| nanoseconds / 1e6)
}

fn time<T>(what: &str, mut call: impl FnMut() -> Result<T>) -> Result<()> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 23 && (times.len() < 8 || start.elapsed().as_secs_f64() < 3.0) {
        let (before, own) = (Instant::now(), processor());
        let result = call()?;
        times.push([before.elapsed().as_secs_f64() * 1e3, processor() - own]);
        drop(result);
    }
    // The first calls fill caches and memory.
    let times = times.split_off(3);
    let [clock, own] = [0, 1].map(|which| {
        let mut sorted: Vec<f64> = times.iter().map(|times| times[which]).collect();
        sorted.sort_by(f64::total_cmp);
        [sorted[0], sorted[sorted.len() / 2]]
    });
    println!("{what:<46} {:9.3} {:9.3}   thread {:9.3} {:9.3}", clock[0], clock[1], own[0], own[1]);
    Ok(())
}

fn random<B: Backend>(b: &B, shape: &[usize], scale: f64) -> Result<B::Array> {
    let (key, shape) = (Key::new(1), Shape::new(shape)?);
    b.upload((0..shape.elements() as u64).map(|i| B::Elem::from_f64((key.uniform(i) - 0.5) * scale)).collect(), shape)
}

fn recurrence<B: Backend>(b: &B, name: &str, cell: Cell, [n, t]: [usize; 2], masked: bool) -> Result<()> {
    let (u, width) = (UNITS, cell.gates() * UNITS);
    let (z, weights) = (random(b, &[n, t, width], 2.0)?, random(b, &[u, width], 0.2)?);
    // Sequences half as long on average.
    let there = |i: usize| B::Elem::from_f64(f64::from(u8::from(i % t < (i / t + 1) * t / n)));
    let mask = masked.then(|| b.upload((0..n * t).map(there).collect(), [n, t].into())).transpose()?;
    let (h, c, bias, dropout, mask) = (None, None, None, None, mask.as_ref());
    let x = Sequence { z: &z, u: &weights, bias, h, c, mask, dropout, reverse: false, outputs: false, gradient: true };
    let d = random(b, &[n, u], 1.0)?;
    let d = Upstream { outputs: None, h: Some(&d), c: None };
    let what = format!("{name}, {n} x {t} steps{}", if masked { ", half masked" } else { "" });
    time(&format!("{what}, forward"), || b.recurrent(cell, &x))?;
    let y = b.recurrent(cell, &x)?;
    time(&format!("{what}, backward"), || b.recurrent_grad(cell, &x, &y, &d, RecurrentWanted::ALL))
}

fn embedding(b: &Candle) -> Result<()> {
    let (rows, d) = ([32, 80], UNITS);
    let key = Key::new(2);
    // Frequent words are of low numbers.
    let word = |i| (key.uniform(i).powi(3) * WORDS as f64) as u32;
    let words = b.upload_indices((0..32 * 80).map(word).collect(), rows.into())?;
    let mut table = random(b, &[WORDS, d], 0.1)?;
    let dy = random(b, &[32, 80, d], 0.1)?;
    let gradient = Rows::new(b, [WORDS, d].into(), words.clone(), dy.clone())?;
    time("embedding, gather", || b.gather(&table, &words))?;
    time("embedding, dense gradient", || gradient.dense(b))?;
    time("embedding, coalesced gradient", || gradient.coalesce(b))?;
    let part = gradient.coalesce(b)?;
    println!("{} rows of {WORDS}", b.indices_shape(&part.rows));
    let adam = Update::Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.0, amsgrad: false };
    let mut state = [random(b, &[WORDS, d], 0.0)?, random(b, &[WORDS, d], 0.0)?];
    for (what, reach) in [("exact", Reach::Exact), ("lazy", Reach::Lazy)] {
        time(&format!("embedding, Adam by rows, {what}"), || {
            b.update_rows(&adam, reach, &mut table, (&part.rows, &part.values), &mut state, None)
        })?;
    }
    let dense = gradient.dense(b)?;
    time("embedding, Adam with the dense gradient", || b.update(&adam, &mut table, &dense, &mut state))
}

fn main() -> Result<()> {
    let threads = std::env::args().find_map(|threads| threads.parse().ok()).unwrap_or(2);
    let b = Candle::cpu_with_threads(threads)?;
    println!("{}", b.name());
    for (name, cell) in [("LSTM", LSTM), ("GRU", GRU), ("GRU, reset before", GRU_BEFORE), ("Elman", ELMAN)] {
        recurrence(&b, name, cell, [32, 80], false)?;
    }
    recurrence(&b, "LSTM", LSTM, [32, 80], true)?;
    recurrence(&b, "LSTM", LSTM, [1, 80], false)?;
    // The default bodies, over candle's own operations and over the reference backend's.
    recurrence(&Candle::portable(Device::Cpu), "portable LSTM", LSTM, [32, 80], false)?;
    recurrence(&Reference::<f32>::with_threads(threads), "reference LSTM", LSTM, [32, 80], false)?;
    for t in [320, 1280] {
        recurrence(&b, "LSTM", LSTM, [32, t], false)?;
    }
    let (x, w) = (random(&b, &[32, 80, UNITS], 1.0)?, random(&b, &[UNITS, 4 * UNITS], 0.2)?);
    let dz = random(&b, &[32, 80, 4 * UNITS], 1.0)?;
    time("z = x W, 32 x 80 steps", || b.linear(&x, &w, None))?;
    time("z = x W, its gradients", || {
        b.linear_grad(&x, &w, &dz, LinearWanted { x: true, kernel: true, ..LinearWanted::NONE })
    })?;
    embedding(&b)
}
