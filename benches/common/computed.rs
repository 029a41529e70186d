//! Time that was computed, which a busy machine changes less than what the clock says.

use super::common::time;

/// Seconds that the process' threads have computed, where the system tells (Linux): on a busy machine it says more than the clock.
fn computed() -> Option<f64> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let of = |thread: std::io::Result<std::fs::DirEntry>| {
        let line = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    Some(threads.filter_map(of).sum::<f64>() / 1e9)
}

/// [`time`], and the milliseconds that were computed a call.
pub fn timed(mut call: impl FnMut() -> elman::Result<()>) -> elman::Result<[f64; 4]> {
    let (before, mut calls) = (computed(), 0.0);
    let [median, least, greatest] = time(|| {
        calls += 1.0;
        call()
    })?;
    let cpu = before.zip(computed()).map_or(f64::NAN, |(before, after)| (after - before) * 1e3 / calls);
    Ok([median, least, greatest, cpu])
}
