//! Times a training step of the lecture's text classifier: a batch of 32 bags of 60 to 80 words out of 1,000, a layer
//! of 512 with ReLU and dropout, 46 classes, cross-entropy, backward, Adam.
//!
//! `cargo run --release -p elman-candle --example reuters_step [threads]`

use elman::backend::{Backend, Update};
use elman::data::Bags;
use elman::{Activation, Key, Result, Tensor};
use elman_candle::{Array, Candle};
use std::sync::Arc;
use std::time::{Duration, Instant};

const WORDS: usize = 1000;
const HIDDEN: usize = 512;
const CLASSES: usize = 46;
const BATCH: usize = 32;

fn main() -> Result<()> {
    let device = match std::env::args().nth(1).and_then(|threads| threads.parse().ok()) {
        Some(threads) => Candle::cpu_with_threads(threads)?,
        None => Candle::cpu(),
    };
    let key = Key::new(7);
    let weight = |name: &str, shape: &[usize]| {
        let n = shape.iter().product::<usize>() as u64;
        let key = key.named(name);
        Tensor::variable(&device, (0..n).map(|i| (key.uniform(i) * 0.1 - 0.05) as f32).collect(), shape)
    };
    let mut weights = [
        weight("w1", &[WORDS, HIDDEN])?,
        weight("b1", &[HIDDEN])?,
        weight("w2", &[HIDDEN, CLASSES])?,
        weight("b2", &[CLASSES])?,
    ];
    let zeros = |w: &Tensor<Candle>| device.fill(w.shape(), 0.0);
    let mut states: Vec<[Array; 2]> = weights.iter().map(|w| Ok([zeros(w)?, zeros(w)?])).collect::<Result<_>>()?;

    let words = |row: u64| {
        let row = key.named("words").fold(row);
        (0..60 + row.below(0, 21) as u64).map(move |i| row.below(i + 1, WORDS) as u32)
    };
    let batches: Vec<Arc<Bags>> = (0..8)
        .map(|batch| Ok(Arc::new(Bags::binary((0..BATCH as u64).map(|row| words(batch * 100 + row)), WORDS)?)))
        .collect::<Result<_>>()?;
    let labels = (0..BATCH as u64).map(|row| key.named("labels").below(row, CLASSES) as u32).collect();
    let labels = device.upload_indices(labels, [BATCH].into())?;

    let (warm, steps) = (200, 2000);
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut loss = 0.0;
    for step in 0..warm + steps {
        let start = Instant::now();
        let value = {
            let [w1, b1, w2, b2] = &weights;
            let hidden = Tensor::bag_linear(&batches[step % batches.len()], w1, Some(b1))?;
            let hidden = hidden.activate(Activation::Relu)?.dropout(0.5, key.named("dropout").fold(step as u64))?;
            hidden.linear(w2, Some(b2))?.sparse_cross_entropy(&labels, 0.0)?.mean()?
        };
        let forward = Instant::now();
        let mut gradients = value.backward()?;
        let backward = Instant::now();
        loss = value.to_scalar()?;
        drop(value);
        let adam = Update::Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, decay: 0.0, amsgrad: false };
        for (w, state) in weights.iter_mut().zip(&mut states) {
            if let Some(gradient) = gradients.take(w) {
                device.update(&adam, w.value_mut(), &gradient, state)?;
            }
        }
        let end = Instant::now();
        if step >= warm {
            let phases = [end - start, forward - start, backward - forward, end - backward];
            times.iter_mut().zip(phases).for_each(|(times, phase)| times.push(phase));
        }
    }
    println!("{}: loss {loss:.4}", device.name());
    for (phase, mut times) in ["step", "forward", "backward", "update"].into_iter().zip(times) {
        times.sort();
        println!("{phase:9} median {:7.1?}, least {:7.1?}", times[steps / 2], times[0]);
    }
    Ok(())
}
