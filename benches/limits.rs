//! Measures what the machine can do at most, for the floors of `scripts/bench_peers.py`: the rate of `f32` matrix products,
//! and of passes over the memory of an optimiser.
//!
//! `cargo bench --bench limits -- [threads]` prints a line of JSON: the best GFLOP/s of 512 × 512 × 512 products, one on each
//! thread, and by the number of parameters the best GB/s of a pass that reads and writes three arrays of so many.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// Parameters of reuters_mlp, and of imdb_lstm's embedding with 20 000 words and with 200 000.
const PARAMETERS: [usize; 3] = [558_126, 2_560_000, 25_600_000];

/// Runs `calls` of each thread's own work at once, some times over; the best calls a second of all threads together.
fn best<F: FnMut()>(calls: usize, work: impl Fn() -> F + Sync, threads: usize) -> f64 {
    let (times, barrier) = (12, Barrier::new(threads));
    let thread = || {
        let mut call = work();
        let round = |_| {
            barrier.wait();
            let start = Instant::now();
            (0..calls).for_each(|_| call());
            barrier.wait();
            start.elapsed().as_secs_f64()
        };
        // The first time warms up.
        (0..times).map(round).skip(1).fold(f64::INFINITY, f64::min)
    };
    let seconds = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(thread)).collect();
        handles.into_iter().map(|handle| handle.join().expect("a thread that times")).fold(0.0, f64::max)
    });
    (threads * calls) as f64 / seconds
}

fn products(threads: usize) -> f64 {
    let n = 512;
    let work = || {
        let (x, w, mut y) = (vec![0.5f32; n * n], vec![0.25f32; n * n], vec![0f32; n * n]);
        let (row, one) = (n as isize, gemm::Parallelism::None);
        move || {
            let (x, w, y) = (x.as_ptr(), w.as_ptr(), y.as_mut_ptr());
            // SAFETY: all three are matrices of n rows of n numbers, and y is no part of x or w.
            unsafe {
                gemm::gemm(n, n, n, y, 1, row, false, x, 1, row, w, 1, row, 0f32, 1f32, false, false, false, one);
            };
            black_box(y);
        }
    };
    best(40, work, threads) * 2.0 * (n * n * n) as f64 / 1e9
}

fn pass(parameters: usize, threads: usize) -> f64 {
    let part = parameters / threads;
    let work = || {
        let [mut w, mut m, mut v] = [0.1f32, 0.01, 0.01].map(|x| vec![x; part]);
        move || {
            for ((w, m), v) in w.iter_mut().zip(&mut m).zip(&mut v) {
                *m *= 0.999;
                *v *= 0.999;
                *w -= 1e-3 * *m;
            }
            black_box((w.as_mut_ptr(), m.as_mut_ptr(), v.as_mut_ptr()));
        }
    };
    let calls = (20_000_000 / parameters).max(1);
    best(calls, work, threads) * 24.0 * part as f64 / 1e9
}

fn main() {
    let threads = std::env::args().find_map(|threads| threads.parse().ok()).unwrap_or(2);
    let passes: Vec<_> = PARAMETERS.iter().map(|&n| (n.to_string(), pass(n, threads).into())).collect();
    let passes = serde_json::Map::from_iter(passes);
    println!("{}", serde_json::json!({ "threads": threads, "gflops": products(threads), "pass_gbs": passes }));
}
