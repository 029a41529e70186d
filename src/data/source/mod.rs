//! [`Source`]: where batches come from, by number. A [`Dataset`] in memory is one, a long text cut into streams ([`Stream`])
//! another; one's own needs two small traits. Nothing here knows a backend.

mod ahead;
mod lines;
mod order;
mod samples;
mod stream;

pub use lines::Lines;
pub use order::Order;
pub use stream::Stream;

pub(crate) use ahead::each_batch;
pub(crate) use samples::{BATCH_SIZE, SampleBatches, Samples};

use super::Dataset;
use crate::error::Result;

/// Where batches come from: a [`Dataset`] in memory, a long text cut into streams ([`Stream`]), or whatever else makes them.
///
/// An epoch's batches are a function of ([`Order`], number): whoever asks for batch 17 need not have asked for those before it.
/// So a thread may prepare the next one, and a training that was interrupted goes on in the middle of an epoch, without a word
/// from the source. What is drawn at random is drawn from the order's keys, by row or by batch, never by what came before.
///
/// ```
/// use elman::data::{Dataset, Epoch, HostBatch, Inputs, Order, Source, Targets};
/// use elman::layers::{Dense, Sequential};
/// use elman::loss::MeanSquaredError;
/// use elman::optim::Sgd;
/// use elman::{Fit, Key, Result, Spec};
/// use elman_reference::Reference;
///
/// /// Points of the line y = 2 x, new ones in every epoch.
/// #[derive(Debug)]
/// struct Line;
///
/// /// The points of one epoch, by its key.
/// struct Points(Key);
///
/// impl Source for Line {
///     fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>> {
///         Ok(Box::new(Points(order.draws())))
///     }
///     fn describe(&self) -> String {
///         "points of a line".into()
///     }
/// }
///
/// impl Epoch for Points {
///     fn batches(&self) -> usize {
///         10
///     }
///     fn batch(&self, number: usize) -> Result<HostBatch> {
///         let key = self.0.fold(number as u64);
///         let x: Vec<f32> = (0..8).map(|row| key.normal(row) as f32).collect();
///         let y = x.iter().map(|x| 2.0 * x).collect();
///         Ok(HostBatch::new(Dataset::new(Inputs::dense(x, &[1])?, Targets::values(y, &[1])?)?))
///     }
/// }
///
/// let mut model = Sequential::new().add(Dense::new(1)).build(&Reference::<f64>::new(), Spec::dense(&[1]), 0)?;
/// model.compile(Sgd::new(0.1), MeanSquaredError);
/// model.fit(&Line, Fit::new().epochs(10).quiet())?;
/// assert!(model.evaluate(&Line, None)?.loss() < 1e-6);
/// # Ok::<(), elman::Error>(())
/// ```
pub trait Source: Sync {
    /// The batches of one epoch. The same order gives the same batches, whenever and however often it is asked for. Errors: an
    /// order that the source cannot go in.
    fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>>;

    /// What it is, in a few words that tell it from another: for messages, and for a checkpoint in the midst of an epoch, which
    /// goes on only over a source that says the same.
    fn describe(&self) -> String;

    /// Whether a batch is made in next to no time, so that it is not worth a thread that makes the next one while the model is
    /// trained on this. The default is no.
    fn is_quick(&self) -> bool {
        false
    }

    /// The data set, where all samples lie in memory: it is checked whole before the first step, while of other sources each
    /// batch is checked as it comes. The default is none.
    fn as_dataset(&self) -> Option<&Dataset> {
        None
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>> {
        (**self).epoch(order)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn is_quick(&self) -> bool {
        (**self).is_quick()
    }

    fn as_dataset(&self) -> Option<&Dataset> {
        (**self).as_dataset()
    }
}

/// The batches of one epoch of a [`Source`], any of them at any time, by any thread.
pub trait Epoch: Sync {
    /// How many there are.
    fn batches(&self) -> usize;

    /// How many samples all of them have, where that is known without making them. The default is that it is not.
    fn samples(&self) -> Option<usize> {
        None
    }

    /// The batch `number`, from 0. Errors: what is wrong with its data, file and line where it comes from one.
    fn batch(&self, number: usize) -> Result<HostBatch>;

    /// Where a sample of a batch comes from, such as a line of a file: for messages about samples that do not fit the model. The
    /// default is that nothing is known but the batch.
    fn place(&self, _number: usize, _sample: usize) -> Option<String> {
        None
    }
}

/// A batch before any backend sees it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HostBatch {
    /// Its samples.
    pub data: Dataset,
    /// Whether its sequences go on where those of the batch before it ended, row by row: stateful layers then go on with the state
    /// that these left, and begin anew otherwise.
    pub continues: bool,
}

impl HostBatch {
    /// A batch of sequences that begin.
    pub fn new(data: Dataset) -> Self {
        HostBatch { data, continues: false }
    }

    /// A batch whose sequences go on those of the batch before it.
    pub fn continuing(data: Dataset) -> Self {
        HostBatch { data, continues: true }
    }
}
