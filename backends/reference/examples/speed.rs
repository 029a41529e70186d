//! How fast matrix products and optimiser steps are here: `cargo run --release -p elman-reference --example speed`.
//!
//! Prints GFLOP/s in f32 (a multiplication and an addition count as two) for all four combinations of transposes, the
//! best of many runs, then the time of one Adam step. Arguments: the number of threads (1), then `m,k,n` triples.

use elman::Result;
use elman::backend::{Backend, Update};
use elman_reference::Reference;
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let given: Vec<Vec<usize>> =
        arguments.map(|triple| triple.split(',').filter_map(|n| n.parse().ok()).collect()).collect();
    let usual = vec![vec![32, 1000, 512], vec![32, 512, 46], vec![512, 1000, 512]];
    let b = Reference::<f32>::with_threads(threads);
    println!("{} threads; GFLOP/s of a b, a bᵀ, aᵀ b, aᵀ bᵀ", b.threads());
    for size in if given.is_empty() { usual } else { given } {
        let &[m, k, n] = &size[..] else { continue };
        print!("{:20}", format!("{m} x {k} x {n}"));
        for (at, bt) in [(false, false), (false, true), (true, false), (true, true)] {
            let x = numbers(&b, if at { [k, m] } else { [m, k] })?;
            let y = numbers(&b, if bt { [n, k] } else { [k, n] })?;
            let time = best(|| b.matmul(&x, at, &y, bt).map(drop))?;
            print!("{:8.1}", 2.0 * (m * k * n) as f64 / time.as_secs_f64() / 1e9);
        }
        println!();
    }
    let rule = Update::Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, decay: 0.0, amsgrad: false };
    for count in [10_000, 100_000, 200_000, 400_000, 2_560_000] {
        let (mut w, g) = (numbers(&b, [count, 1])?, numbers(&b, [count, 1])?);
        let mut state = vec![b.fill([count, 1].into(), 0.0)?; 2];
        println!("adam, {count} weights: {:?}", best(|| b.update(&rule, &mut w, &g, &mut state))?);
    }
    Ok(())
}

fn numbers(b: &Reference<f32>, shape: [usize; 2]) -> Result<elman_reference::Array<f32>> {
    b.upload((0..shape[0] * shape[1]).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect(), shape.into())
}

/// The shortest of the runs that half a second has room for.
fn best(mut run: impl FnMut() -> Result<()>) -> Result<Duration> {
    let (begin, mut best) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}
