//! The progress bar of `fit`: quiet when not a terminal, and absent without the feature `progress`.

/// A bar for one epoch.
pub(super) struct Progress {
    #[cfg(feature = "progress")]
    bar: Option<(indicatif::ProgressBar, std::time::Instant)>,
}

/// How often the loss is read back for the bar: it waits for the device.
#[cfg(feature = "progress")]
const REDRAW: std::time::Duration = std::time::Duration::from_millis(200);

#[cfg(feature = "progress")]
impl Progress {
    /// Starts the bar of an epoch over `samples`, unless `quiet`.
    pub(super) fn start(quiet: bool, epoch: u64, epochs: u64, samples: usize) -> Self {
        use indicatif::{ProgressBar, ProgressState, ProgressStyle};
        use std::fmt::Write;
        if quiet {
            return Progress { bar: None };
        }
        // Draws to standard error, and only when that is a terminal.
        let bar = ProgressBar::new(samples as u64);
        let line = "epoch {prefix}  {bar:24} {pos}/{len}  {speed} samples/s  {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(line) {
            // Whole samples: nobody reads the digits behind the point.
            let speed = |state: &ProgressState, to: &mut dyn Write| write!(to, "{:.0}", state.per_sec()).unwrap_or(());
            bar.set_style(style.with_key("speed", speed));
        }
        bar.set_prefix(format!("{epoch}/{epochs}"));
        let bar = (!bar.is_hidden()).then(|| (bar, std::time::Instant::now()));
        Progress { bar }
    }

    /// Moves on by `samples`; says whether it is time to read the loss back for [`Progress::show`].
    pub(super) fn advance(&mut self, samples: usize) -> bool {
        let Some((bar, shown)) = &mut self.bar else { return false };
        bar.inc(samples as u64);
        let due = shown.elapsed() >= REDRAW;
        if due {
            *shown = std::time::Instant::now();
        }
        due
    }

    /// Shows the values so far.
    pub(super) fn show(&self, values: &str) {
        if let Some((bar, _)) = &self.bar {
            bar.set_message(values.to_string());
        }
    }

    /// Leaves the finished line with the epoch's values behind.
    pub(super) fn finish(self, values: &str) {
        if let Some((bar, _)) = self.bar {
            let line = "epoch {prefix}  {bar:24} {len} samples in {elapsed}  {msg}";
            if let Ok(style) = indicatif::ProgressStyle::with_template(line) {
                bar.set_style(style);
            }
            bar.finish_with_message(values.to_string());
        }
    }
}

#[cfg(not(feature = "progress"))]
impl Progress {
    pub(super) fn start(_: bool, _: u64, _: u64, _: usize) -> Self {
        Progress {}
    }

    pub(super) fn advance(&mut self, _: usize) -> bool {
        false
    }

    pub(super) fn show(&self, _: &str) {}

    pub(super) fn finish(self, _: &str) {}
}
