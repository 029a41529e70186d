//! What is found wrong with a batch of a source, and where in the source it comes from.

use super::Model;
use crate::backend::Backend;
use crate::data::{Dataset, Epoch, Source};
use crate::error::{Error, Result};

impl<B: Backend> Model<B> {
    /// Checks that the batch `number` fits the model and its loss. Errors name the source's own place of the sample, its file and
    /// line, where there is one, and otherwise source and batch.
    pub(crate) fn check_batch(
        &self,
        source: &dyn Source,
        epoch: &dyn Epoch,
        number: usize,
        data: &Dataset,
    ) -> Result<()> {
        let place = format!("{}, batch {number}", source.describe());
        self.input.check_inputs(&place, data.inputs())?;
        self.check_samples(&place, data).map_err(|error| self.at_sample(error, epoch, number, data))
    }

    /// What is wrong with a batch, by the place of the first sample with which something is.
    fn at_sample(&self, error: Error, epoch: &dyn Epoch, number: usize, data: &Dataset) -> Error {
        let wrong = |sample: usize| {
            let place = epoch.place(number, sample)?;
            let alone = self.check_samples(&place, &data.select(&[sample]).ok()?).err()?;
            // Of a single sample the number says nothing.
            let within = parts(&alone)?[0].replacen(", sample 0", "", 1).replacen("sample 0, ", "", 1);
            Some((place, within))
        };
        match (parts(&error), (0..data.len()).find_map(wrong)) {
            (Some([_, expected, found]), Some((place, within))) => Error::invalid(within, expected, found).at(place),
            _ => error,
        }
    }
}

/// Place, what was expected and what came, of the error within those that only say where.
fn parts(error: &Error) -> Option<[&str; 3]> {
    match error {
        Error::At { error, .. } => parts(error),
        Error::Invalid { place, expected, found } => Some([place, expected, found]),
        _ => None,
    }
}
