//! A device by its name, and timing where the device works on after a call has come back.

use anyhow::{Context, bail};
use elman_candle::Candle;
use std::time::Instant;

/// `cpu` with so many threads, or `cuda:N`.
pub fn candle(name: &str, threads: usize) -> anyhow::Result<Candle> {
    if name == "cpu" {
        return Ok(Candle::cpu_with_threads(threads)?);
    }
    let Some(Ok(ordinal)) = name.strip_prefix("cuda:").map(str::parse) else {
        bail!("--device {name}: expected cpu or cuda:N");
    };
    Candle::cuda(ordinal).with_context(|| format!("--device {name}"))
}

/// Milliseconds a call: median, least, greatest of so many blocks of some `seconds`, after a warm-up of about two.
///
/// A call is told whether it is the last of its block, and waits for the device if so: how many calls a block has is found
/// out beforehand, as the clock between them says nothing of what the device has done.
pub fn time(blocks: usize, seconds: f64, mut call: impl FnMut(bool) -> elman::Result<()>) -> elman::Result<[f64; 3]> {
    let mut block = |calls: usize| {
        let start = Instant::now();
        (1..=calls).try_for_each(|at| call(at == calls))?;
        Ok::<_, elman::Error>(start.elapsed().as_secs_f64())
    };
    // The first calls compile kernels and take memory.
    block(2)?;
    let mut calls = 1;
    let mut passed = block(calls)?;
    while passed < seconds / 2.0 {
        calls *= 2;
        passed = block(calls)?;
    }
    calls = ((calls as f64 * seconds / passed) as usize).max(1);
    let times = (0..blocks.max(1)).map(|_| Ok(block(calls)? * 1e3 / calls as f64)).collect::<elman::Result<Vec<_>>>();
    let mut times = times?;
    times.sort_by(f64::total_cmp);
    Ok([times[times.len() / 2], times[0], times[times.len() - 1]])
}
