//! A [`Dataset`] as a [`Source`]: its samples in batches, shuffled, by length or as they stand.

use super::{Epoch, HostBatch, Order, Source};
use crate::data::{Batches, Dataset, Inputs};
use crate::error::{Error, Result};

/// Samples a batch where nobody says how many, as in Keras.
pub(crate) const BATCH_SIZE: usize = 32;

/// The first samples of a data set.
pub(crate) struct Samples<'a> {
    pub(crate) data: &'a Dataset,
    /// How many of them.
    pub(crate) count: usize,
    /// Their lengths without padding, once they have been counted.
    pub(crate) lengths: Option<Vec<usize>>,
}

impl<'a> Samples<'a> {
    /// All samples.
    pub(crate) fn all(data: &'a Dataset) -> Self {
        Samples { data, count: data.len(), lengths: None }
    }

    /// The lengths of the samples without padding.
    fn lengths(&self, padding: u32) -> Result<Vec<usize>> {
        let lengths = self.lengths.clone().or_else(|| self.data.inputs().lengths(padding));
        let mut lengths = lengths.ok_or_else(|| self.no_sequences("batches by length"))?;
        lengths.truncate(self.count);
        Ok(lengths)
    }

    /// The steps of the samples, padding and all.
    fn steps(&self) -> Result<Vec<usize>> {
        let inputs = self.data.inputs();
        match inputs {
            Inputs::RaggedIndices(_) | Inputs::RaggedDense(_) | Inputs::Distinct { .. } | Inputs::Record(_) => {
                self.lengths(0)
            }
            Inputs::Bags(_) => Err(self.no_sequences("batches by tokens")),
            _ => match inputs.sample_shape().first() {
                Some(&steps) => Ok(vec![steps; self.count]),
                None => Err(self.no_sequences("batches by tokens")),
            },
        }
    }

    fn no_sequences(&self, place: &str) -> Error {
        Error::invalid(place, "sequences", self.data.inputs().kind())
    }

    fn batches(&self, order: &Order) -> Result<SampleBatches<'a>> {
        let (size, shuffle) = (order.batch_size.unwrap_or(BATCH_SIZE), order.shuffle.unwrap_or(true));
        let lengths = |padding: Option<u32>| padding.map_or_else(|| self.steps(), |padding| self.lengths(padding));
        let batches = match order.by_lengths(lengths)? {
            Some(batches) => batches,
            None => Batches::new(self.count, size, shuffle.then(|| order.draws()))?,
        };
        let continues = !shuffle && order.by_length.is_none() && order.batch_tokens.is_none();
        Ok(SampleBatches { data: self.data, batches, padding: order.by_length, continues })
    }
}

impl Source for Samples<'_> {
    fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>> {
        Ok(Box::new(self.batches(order)?))
    }

    fn describe(&self) -> String {
        format!("a data set of {} samples", self.count)
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn as_dataset(&self) -> Option<&Dataset> {
        Some(self.data)
    }
}

/// Batches of 32 samples where the order does not say otherwise, shuffled in every epoch unless it says that they are not to be;
/// then each goes on with the one before.
impl Source for Dataset {
    fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>> {
        Ok(Box::new(Samples::all(self).batches(order)?))
    }

    fn describe(&self) -> String {
        Samples::all(self).describe()
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn as_dataset(&self) -> Option<&Dataset> {
        Some(self)
    }
}

/// Batches of samples of a data set.
pub(crate) struct SampleBatches<'a> {
    pub(crate) data: &'a Dataset,
    pub(crate) batches: Batches,
    /// What all sequences of a batch share of it at their ends is left out.
    pub(crate) padding: Option<u32>,
    /// Whether each goes on with the one before.
    pub(crate) continues: bool,
}

impl Epoch for SampleBatches<'_> {
    fn batches(&self) -> usize {
        self.batches.len()
    }

    fn samples(&self) -> Option<usize> {
        Some(self.batches.rows())
    }

    fn batch(&self, number: usize) -> Result<HostBatch> {
        let part = self.data.select(self.batches.get(number)?)?;
        let data = match self.padding {
            Some(padding) => part.trimmed(padding),
            None => part,
        };
        Ok(HostBatch { data, continues: self.continues && number > 0 })
    }
}
