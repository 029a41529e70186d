//! [`CsvLog`]: the history as a file of comma-separated values.

use super::Callback;
use crate::backend::Backend;
use crate::checkpoint::CallbackState;
use crate::error::{Error, Result};
use crate::file::{check_writable, write_whole};
use crate::model::Model;
use crate::training::{EpochLog, History};
use std::fs::{self, File, OpenOptions};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Writes one line an epoch under a heading: epoch, every value, learning rate, seconds of training. The file is complete after
/// each epoch. With the feature `csv`.
///
/// What is in the file already is not lost:
/// * A second `fit` with the same log goes on in the file, and so does one with a new log of the same file when the model is the one
///   whose last epoch is the file's last (a network that is first trained with frozen layers and then as a whole). Where its values
///   are others, a column is added for each, empty in the lines before.
/// * A training that is resumed keeps the lines before its first epoch, and writes those that are behind it anew. (In a file that is
///   appended to nobody knows whose lines those of an interrupted first epoch are: they stay.)
/// * The file of another training is moved aside: `log.csv` becomes `log.1.csv`, or the next number that is free.
///   [`CsvLog::append`] goes on in it, [`CsvLog::overwrite`] takes its place.
///
/// [`CsvLog::steps`] keeps the losses by update in a file of their own.
#[derive(Debug)]
#[must_use]
pub struct CsvLog {
    path: PathBuf,
    /// The log of the losses by update.
    steps: Option<Box<CsvLog>>,
    of_another: OfAnother,
    /// The names of the columns, none before the first line.
    heading: Vec<String>,
    writer: Option<csv::Writer<File>>,
    /// The file is of this log.
    begun: bool,
    /// The training is resumed, with so many epochs behind it: lines of its own epochs are written anew.
    resumed: Option<usize>,
}

/// What is done with the file of another training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfAnother {
    MovedAside,
    Appended,
    Overwritten,
}

/// What stands in front and at the end of each line.
const EPOCH: &str = "epoch";
const LAST: [&str; 2] = ["learning_rate", "seconds"];
/// The columns of a log by update.
const STEPS: [&str; 4] = [EPOCH, "step", "loss", "learning_rate"];

/// Names and values of a line.
type Line = Vec<(String, String)>;

impl CsvLog {
    /// Writes to `path`. The file of another training is moved aside.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        CsvLog {
            path: path.into(),
            steps: None,
            of_another: OfAnother::MovedAside,
            heading: Vec::new(),
            writer: None,
            begun: false,
            resumed: None,
        }
    }

    /// Goes on in the file of another training: its lines stay, epochs begin again at 1.
    pub fn append(self) -> Self {
        CsvLog { of_another: OfAnother::Appended, ..self }
    }

    /// Takes the place of the file of another training, as Keras' `CSVLogger` does.
    pub fn overwrite(self) -> Self {
        CsvLog { of_another: OfAnother::Overwritten, ..self }
    }

    /// Writes what [`Fit::log_steps`](crate::Fit::log_steps) logs to `path`, a line an entry: epoch, step, loss, learning rate. The
    /// file is complete after each epoch, and what is in it already is kept as the lines of epochs are.
    pub fn steps(self, path: impl Into<PathBuf>) -> Self {
        CsvLog { steps: Some(Box::new(CsvLog::new(path))), ..self }
    }

    /// The log by update, with the same done to the file of another training.
    fn log_of_steps(&mut self) -> Option<&mut CsvLog> {
        let steps = self.steps.as_deref_mut()?;
        steps.of_another = self.of_another;
        Some(steps)
    }

    /// A training begins: nothing is open.
    fn start(&mut self) -> Result<()> {
        self.close();
        self.resumed = None;
        self.log_of_steps().map_or(Ok(()), CsvLog::start)?;
        // Here and not after an hour of training: a path that cannot be written is an error at once.
        check_writable(&self.path)
    }

    /// Opens the file, where it is not, for an epoch.
    fn open(&mut self, epoch: u64) -> Result<()> {
        self.log_of_steps().map_or(Ok(()), |steps| steps.open(epoch))?;
        if self.writer.is_none() { self.begin(epoch) } else { Ok(()) }
    }

    fn close(&mut self) {
        self.writer = None;
        if let Some(steps) = self.log_of_steps() {
            steps.close();
        }
    }

    /// Opens the file for the line of this epoch, which is the first of a training.
    fn begin(&mut self, epoch: u64) -> Result<()> {
        let (heading, mut lines) = self.read()?;
        let number = |line: &Vec<String>| line.first()?.parse::<u64>().ok();
        let last = lines.iter().filter_map(number).next_back();
        let is_log = heading.first().is_none_or(|first| first == EPOCH);
        if let Some(behind) = self.resumed.filter(|_| is_log) {
            // The last line of this number is the training's own, where it came so far, and so are those of steps before it; there
            // may be others' before them.
            let step =
                |line: &Vec<String>| line.get(heading.iter().position(|name| name == STEPS[1])?)?.parse::<u64>().ok();
            let earlier = |at: usize| number(&lines[at - 1]) == Some(epoch) && step(&lines[at - 1]) < step(&lines[at]);
            let last = lines.iter().rposition(|line| number(line) == Some(epoch));
            let own = last.map(|last| (1..=last).rev().find(|&at| !earlier(at)).unwrap_or(0));
            match own {
                _ if behind == 0 && self.of_another == OfAnother::Appended => {}
                Some(own) => lines.truncate(own),
                None => lines.retain(|line| number(line).is_some_and(|number| number < epoch)),
            }
            self.begun = true;
        }
        let follows = is_log && last.is_some_and(|last| last + 1 == epoch);
        if self.begun || self.of_another == OfAnother::Appended || follows {
            self.rewrite(heading, &lines)?;
        } else {
            if self.of_another == OfAnother::MovedAside && !(is_log && lines.is_empty()) {
                let aside = aside(&self.path);
                fs::rename(&self.path, &aside).map_err(|e| Error::io(&aside, e))?;
            }
            self.rewrite(Vec::new(), &[])?;
        }
        (self.begun, self.resumed) = (true, None);
        Ok(())
    }

    /// Heading and lines of the file as it is; none where there is no file, or an empty one.
    fn read(&self) -> Result<(Vec<String>, Vec<Vec<String>>)> {
        if !self.path.try_exists().map_err(|e| self.failed(e))? {
            return Ok(Default::default());
        }
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(&self.path);
        let lines = reader.map_err(|e| self.failed(e))?.into_records();
        let line = |line: csv::Result<csv::StringRecord>| {
            Ok(line.map_err(|e| self.failed(e))?.iter().map(String::from).collect::<Vec<_>>())
        };
        let mut lines = lines.map(line).collect::<Result<Vec<_>>>()?;
        let heading = if lines.is_empty() { Vec::new() } else { lines.remove(0) };
        if !heading.is_empty() && heading[0] != EPOCH && self.of_another == OfAnother::Appended {
            let expected = format!("a log of training, whose first column is `{EPOCH}`");
            return Err(Error::invalid(self.path.display(), expected, format!("`{}`", heading[0])));
        }
        Ok((heading, lines))
    }

    /// Puts heading and lines into the file, and opens it to go on behind them.
    fn rewrite(&mut self, heading: Vec<String>, lines: &[Vec<String>]) -> Result<()> {
        self.writer = None;
        write_whole(&self.path, |file| {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(file);
            for line in std::iter::once(&heading).filter(|heading| !heading.is_empty()).chain(lines) {
                // A line of before a column was added is empty there.
                let missing = heading.len().saturating_sub(line.len());
                let line = line.iter().map(String::as_str).chain(std::iter::repeat_n("", missing));
                writer.write_record(line).map_err(|e| self.failed(e))?;
            }
            writer.flush().map_err(|e| self.failed(e))
        })?;
        let file = OpenOptions::new().append(true).open(&self.path).map_err(|e| self.failed(e))?;
        self.writer = Some(csv::Writer::from_writer(file));
        self.heading = heading;
        Ok(())
    }

    /// Writes the lines of an epoch.
    fn write(&mut self, log: &EpochLog) -> Result<()> {
        let values = log.values.iter().map(|(name, value)| (name.as_str(), value.to_string()));
        let last = [log.learning_rate, log.training_time.as_secs_f64()].map(|value| value.to_string());
        let all = [(EPOCH, log.epoch.to_string())].into_iter().chain(values).chain(LAST.into_iter().zip(last));
        self.write_line(log.epoch, all.map(|(name, value)| (name.to_string(), value)).collect())?;
        let Some(steps) = self.log_of_steps() else { return Ok(()) };
        for step in &log.steps {
            let [number, loss, rate] = [step.step.to_string(), step.loss.to_string(), step.learning_rate.to_string()];
            let all = STEPS.map(String::from).into_iter().zip([log.epoch.to_string(), number, loss, rate]);
            steps.write_line(log.epoch, all.collect())?;
        }
        Ok(())
    }

    fn write_line(&mut self, epoch: u64, line: Line) -> Result<()> {
        if self.writer.is_none() {
            self.begin(epoch)?;
        }
        let new = line.iter().map(|(name, _)| name).filter(|name| !self.heading.contains(name));
        let new: Vec<String> = new.cloned().collect();
        if !new.is_empty() {
            let (mut heading, lines) = self.read()?;
            heading.extend(new);
            self.rewrite(heading, &lines)?;
        }
        let cell = |name: &String| line.iter().find(|(of, _)| of == name).map(|(_, value)| value.clone());
        let line: Vec<String> = self.heading.iter().map(|name| cell(name).unwrap_or_default()).collect();
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let written = writer.write_record(line).map_err(std::io::Error::from).and_then(|()| writer.flush());
        written.map_err(|e| self.failed(e))
    }

    fn failed(&self, error: impl Into<std::io::Error>) -> Error {
        Error::io(&self.path, error.into())
    }
}

/// A path beside, with the first number that is free.
fn aside(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
    let mut numbered = (1u64..).map(|number| path.with_file_name(format!("{stem}.{number}{end}")));
    numbered.find(|path| !path.exists()).unwrap_or_else(|| path.to_path_buf())
}

// The log of losses by update is told what this one is.
#[allow(clippy::only_used_in_recursion)]
impl<B: Backend> Callback<B> for CsvLog {
    fn on_train_begin(&mut self, _: &mut Model<B>) -> Result<()> {
        self.start()
    }

    fn on_epoch_begin(&mut self, epoch: u64, _: &mut Model<B>) -> Result<()> {
        self.open(epoch)
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.write(log)?;
        Ok(ControlFlow::Continue(()))
    }

    fn on_train_end(&mut self, _: &History, _: &mut Model<B>) -> Result<()> {
        self.close();
        Ok(())
    }

    fn resume(&mut self, _: Option<CallbackState<B>>, history: &History, _: &Model<B>) -> Result<()> {
        self.resumed = Some(history.epochs.len());
        if let Some(steps) = self.log_of_steps() {
            steps.resumed = Some(history.epochs.len());
        }
        history.epochs.iter().try_for_each(|log| self.write(log))
    }
}
