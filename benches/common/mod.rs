//! Timing that the benchmarks share.

use std::time::Instant;

/// Milliseconds a call: median, least, greatest of nine blocks of a quarter of a second at least.
pub fn time(mut call: impl FnMut() -> elman::Result<()>) -> elman::Result<[f64; 3]> {
    let start = Instant::now();
    let mut last = 0.0;
    for calls in 0.. {
        let before = Instant::now();
        call()?;
        last = before.elapsed().as_secs_f64();
        if calls >= 3 && start.elapsed().as_secs_f64() > 0.5 {
            break;
        }
    }
    let calls = (0.25 / last).ceil().max(1.0) as usize;
    let mut blocks = Vec::new();
    for _ in 0..9 {
        let before = Instant::now();
        (0..calls).try_for_each(|_| call())?;
        blocks.push(before.elapsed().as_secs_f64() * 1e3 / calls as f64);
    }
    blocks.sort_by(f64::total_cmp);
    Ok([blocks[4], blocks[0], blocks[8]])
}
