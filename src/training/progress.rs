//! What `fit` shows on standard error: where that is a terminal a progress bar (with the feature `progress`), elsewhere, and without
//! the feature, a line an epoch.

use std::io::Write;
use std::time::{Duration, Instant};

/// The longest line that an epoch leaves behind. A narrower terminal cuts it.
const COLUMNS: usize = 100;

/// What is shown of one epoch.
pub(super) struct Progress {
    /// Not even a line.
    quiet: bool,
    /// `3/20`
    epoch: String,
    start: Instant,
    #[cfg(feature = "progress")]
    bar: Option<(indicatif::ProgressBar, Instant)>,
}

/// How often the loss is read back for the bar: it waits for the device.
#[cfg(feature = "progress")]
const REDRAW: Duration = Duration::from_millis(200);

impl Progress {
    /// Starts an epoch over `samples`, where it is known how many there are.
    #[cfg_attr(not(feature = "progress"), expect(unused_variables))]
    pub(super) fn start(quiet: bool, epoch: u64, epochs: u64, samples: Option<usize>) -> Self {
        let epoch = format!("{epoch}/{epochs}");
        Progress {
            quiet,
            #[cfg(feature = "progress")]
            bar: if quiet { None } else { bar(&epoch, samples) },
            epoch,
            start: Instant::now(),
        }
    }

    /// Moves on by `samples`; says whether it is time to read the loss back for [`Progress::show`].
    #[cfg_attr(not(feature = "progress"), expect(unused_variables))]
    pub(super) fn advance(&mut self, samples: usize) -> bool {
        #[cfg(feature = "progress")]
        if let Some((bar, shown)) = &mut self.bar {
            bar.inc(samples as u64);
            let due = shown.elapsed() >= REDRAW;
            if due {
                *shown = Instant::now();
            }
            return due;
        }
        false
    }

    /// Shows the values so far.
    #[cfg_attr(not(feature = "progress"), expect(unused_variables))]
    pub(super) fn show(&self, values: &str) {
        #[cfg(feature = "progress")]
        if let Some((bar, _)) = &self.bar {
            bar.set_message(values.to_string());
        }
    }

    /// Leaves a line behind with the epoch's values and the samples that they are of.
    pub(super) fn finish(self, samples: usize, values: &str) {
        if self.quiet {
            return;
        }
        let line = line(&self.epoch, samples, self.start.elapsed(), values);
        #[cfg(feature = "progress")]
        if let Some((bar, _)) = self.bar {
            if let Ok(style) = indicatif::ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            return bar.finish_with_message(line);
        }
        // Who has closed standard error has no use for it.
        writeln!(std::io::stderr(), "{line}").ok();
    }
}

/// A bar, where standard error is a terminal.
#[cfg(feature = "progress")]
fn bar(epoch: &str, samples: Option<usize>) -> Option<(indicatif::ProgressBar, Instant)> {
    use indicatif::{ProgressBar, ProgressState, ProgressStyle};
    use std::fmt::Write;
    let (bar, line) = match samples {
        Some(samples) => (
            ProgressBar::new(samples as u64),
            "epoch {prefix}  {bar:24} {pos}/{len}  {speed} samples/s  {eta} left  {wide_msg}",
        ),
        None => (ProgressBar::no_length(), "epoch {prefix}  {pos} samples  {speed} samples/s  {wide_msg}"),
    };
    if let Ok(style) = ProgressStyle::with_template(line) {
        // Whole samples: nobody reads the digits behind the point.
        let speed = |state: &ProgressState, to: &mut dyn Write| write!(to, "{:.0}", state.per_sec()).unwrap_or(());
        bar.set_style(style.with_key("speed", speed));
    }
    bar.set_prefix(epoch.to_string());
    (!bar.is_hidden()).then(|| (bar, Instant::now()))
}

/// The line of an epoch, with as many of the values (`loss 0.1234, accuracy 0.9876`) as have room whole.
fn line(epoch: &str, samples: usize, time: Duration, values: &str) -> String {
    const MORE: &str = ", …";
    let mut line = format!("epoch {epoch}  {samples} samples in {:.1} s  ", time.as_secs_f64());
    let room = COLUMNS.saturating_sub(line.chars().count());
    if values.chars().count() <= room {
        return line + values;
    }
    let mut shown = String::new();
    for value in values.split(", ") {
        let between = if shown.is_empty() { "" } else { ", " };
        if shown.chars().count() + between.len() + value.chars().count() + MORE.chars().count() > room {
            break;
        }
        shown += between;
        shown += value;
    }
    line += if shown.is_empty() { "…" } else { &shown };
    if line.ends_with('…') { line } else { line + MORE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_room_in_100_columns() {
        let short = line("3/20", 25_000, Duration::from_millis(12_340), "loss 0.1234, accuracy 0.9876");
        assert_eq!(short, "epoch 3/20  25000 samples in 12.3 s  loss 0.1234, accuracy 0.9876");
        let names = ["loss", "accuracy", "precision", "recall", "f1", "auc"];
        let values: Vec<String> =
            ["", "val_"].iter().flat_map(|front| names.map(|name| format!("{front}{name} 0.1234"))).collect();
        let long = line("3/20", 25_000, Duration::from_millis(12_340), &values.join(", "));
        let expected = "epoch 3/20  25000 samples in 12.3 s  loss 0.1234, accuracy 0.1234, precision 0.1234, …";
        assert_eq!(long, expected);
        for extra in 0..80 {
            let long = line(
                "3/20",
                10usize.pow(extra % 18),
                Duration::ZERO,
                &format!("{}, loss 1", "x".repeat(extra as usize)),
            );
            assert!(long.chars().count() <= COLUMNS, "{long}");
        }
    }
}
