//! [`CsvLog`]: the history as a file of comma-separated values.

use super::{Callback, Flow};
use crate::backend::Backend;
use crate::checkpoint::CallbackState;
use crate::error::{Error, Result};
use crate::model::{EpochLog, History, Model};
use std::fs::File;
use std::path::PathBuf;

/// Writes one line an epoch under a heading: epoch, every value, learning rate, seconds of training. The file is begun
/// anew with each training and is complete after each epoch; one that is resumed begins with the epochs behind it. With the feature `csv`.
#[derive(Debug)]
pub struct CsvLog {
    path: PathBuf,
    writer: Option<csv::Writer<File>>,
    headed: bool,
}

impl CsvLog {
    /// Writes to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        CsvLog { path: path.into(), writer: None, headed: false }
    }

    fn write(&mut self, log: &EpochLog) -> Result<()> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        if !std::mem::replace(&mut self.headed, true) {
            let names = log.values.iter().map(|(name, _)| name.as_str());
            let heading = ["epoch"].into_iter().chain(names).chain(["learning_rate", "seconds"]);
            writer.write_record(heading).map_err(|e| self.failed(e))?;
        }
        let numbers = log.values.iter().map(|(_, value)| *value);
        let numbers = numbers.chain([log.learning_rate, log.training_time.as_secs_f64()]);
        let line = [log.epoch.to_string()].into_iter().chain(numbers.map(|x| x.to_string()));
        writer.write_record(line).map_err(|e| self.failed(e))?;
        writer.flush().map_err(|e| self.failed(e))?;
        self.writer = Some(writer);
        Ok(())
    }

    fn failed(&self, error: impl Into<std::io::Error>) -> Error {
        Error::io(&self.path, error.into())
    }
}

impl<B: Backend> Callback<B> for CsvLog {
    fn on_train_begin(&mut self, _: &mut Model<B>) -> Result<()> {
        // Here and not after an hour of training: a path that cannot be written is an error at once.
        let file = File::create(&self.path).map_err(|e| self.failed(e))?;
        (self.writer, self.headed) = (Some(csv::Writer::from_writer(file)), false);
        Ok(())
    }

    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<B>) -> Result<Flow> {
        self.write(log)?;
        Ok(Flow::Continue)
    }

    fn on_train_end(&mut self, _: &History, _: &mut Model<B>) -> Result<()> {
        self.writer = None;
        Ok(())
    }
    fn resume(&mut self, _: Option<CallbackState<B>>, history: &History, _: &Model<B>) -> Result<()> {
        history.epochs.iter().try_for_each(|log| self.write(log))
    }
}
