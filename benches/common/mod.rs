//! Timing that the benchmarks share. The peers' programs (`benches/peers`) time by the same rule.

use std::time::Instant;

/// Milliseconds a call: median, least, greatest of five blocks of 0.15 seconds at least, fewer where a call takes long.
///
/// The warm-up lasts 0.3 seconds and three calls at least, or two where they take over 4 seconds.
pub fn time(mut call: impl FnMut() -> elman::Result<()>) -> elman::Result<[f64; 3]> {
    let start = Instant::now();
    for calls in 1.. {
        call()?;
        let passed = start.elapsed().as_secs_f64();
        if (calls >= 3 && passed > 0.3) || (calls >= 2 && passed > 4.0) {
            break;
        }
    }
    let (start, mut blocks) = (Instant::now(), Vec::new());
    while blocks.is_empty() || (blocks.len() < 5 && start.elapsed().as_secs_f64() < 1.5) {
        let (before, mut calls) = (Instant::now(), 0.0);
        while calls == 0.0 || before.elapsed().as_secs_f64() < 0.15 {
            call()?;
            calls += 1.0;
        }
        blocks.push(before.elapsed().as_secs_f64() * 1e3 / calls);
    }
    blocks.sort_by(f64::total_cmp);
    Ok([blocks[blocks.len() / 2], blocks[0], blocks[blocks.len() - 1]])
}
