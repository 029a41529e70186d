//! [`Order`]: how an epoch goes through a source.

use super::BATCH_SIZE;
use crate::data::Batches;
use crate::error::{Error, Result};
use crate::random::Key;

/// In which batches and in which order an epoch is to go through a [`Source`](super::Source): what
/// [`Fit`](crate::training::Fit) says, and whose draws they are.
///
/// ```
/// use elman::data::{Order, Source, Stream};
/// use elman::Key;
/// let stream = Stream::new((0..9).collect(), 2, 3)?;
/// let epoch = stream.epoch(&Order::new(Key::new(0), 0))?;
/// assert_eq!(epoch.batches(), 2);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Order {
    /// The key of the whole training. Its draws are the same in every epoch.
    pub key: Key,
    /// The number of the epoch, from 0.
    pub epoch: u64,
    /// Samples a batch; `None` where the source is to say. A data set in memory says 32.
    pub batch_size: Option<usize>,
    /// The most tokens of a batch, padding included, in place of a number of samples.
    pub batch_tokens: Option<usize>,
    /// Whether each epoch takes the samples in another random order; `None` where the source is to say.
    pub shuffle: Option<bool>,
    /// Whether batches are of sequences of similar length, and the index that pads those that are padded.
    pub by_length: Option<u32>,
}

impl Order {
    /// The source's own order, in an epoch of a training.
    pub fn new(key: Key, epoch: u64) -> Self {
        Order { key, epoch, batch_size: None, batch_tokens: None, shuffle: None, by_length: None }
    }

    /// The key of this epoch: fold a row or a batch into it.
    pub fn draws(&self) -> Key {
        self.key.fold(self.epoch)
    }

    /// The batches of samples whose order needs their lengths: without the padding at their ends, or all their steps. Of others there
    /// is none.
    pub(super) fn by_lengths(
        &self,
        lengths: impl FnOnce(Option<u32>) -> Result<Vec<usize>>,
    ) -> Result<Option<Batches>> {
        let (shuffle, padding) = (self.shuffle.unwrap_or(true), self.by_length);
        Ok(match (self.batch_tokens, padding) {
            (None, None) => None,
            // Unshuffled, all epochs have the same batches in the same order.
            (None, Some(_)) => {
                let key = if shuffle { self.draws() } else { self.key };
                Some(Batches::by_length(&lengths(padding)?, self.batch_size.unwrap_or(BATCH_SIZE), key)?)
            }
            (Some(tokens), _) => {
                let key = shuffle.then(|| self.draws());
                Some(Batches::by_tokens(&lengths(padding)?, tokens, padding.is_some(), key)?)
            }
        })
    }

    /// Errors for what a source that has an order and batches of its own, of so many samples, cannot do.
    pub(super) fn check_own(&self, place: &str, rows: usize) -> Result<()> {
        let wrong = |expected: String, found: String| Err(Error::invalid(place, expected, found));
        match self.batch_size {
            Some(size) if size != rows => return wrong(format!("batches of its own {rows} rows"), size.to_string()),
            _ => {}
        }
        if self.batch_tokens.is_some() {
            return wrong(format!("batches of its own {rows} rows"), "`batch_tokens`".into());
        }
        if self.shuffle == Some(true) {
            return wrong("`shuffle(false)`, as its batches go on from one another".into(), "`shuffle(true)`".into());
        }
        if self.by_length.is_some() {
            return wrong("batches in their own order, as they go on from one another".into(), "`by_length`".into());
        }
        Ok(())
    }
}
