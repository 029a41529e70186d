//! [`Stream`]: a long text in streams that go on from batch to batch.

use super::{Epoch, HostBatch, Order, Source};
use crate::data::{Dataset, Inputs, Targets};
use crate::error::{Error, Result};
use std::ops::Range;

/// A long text of indices, of characters or words, for a model that foretells each from those before it: cut into parallel
/// streams, and these into batches of some steps each that go on from one another, row by row. The target of each step is the index
/// that follows it, a class at every step.
///
/// Every index but the first is a target exactly once in an epoch. Where a text does not go into `rows × steps`, streams differ in
/// length by one step at most (the earlier ones are shorter), and the last batch is shorter than the others; what pads a row
/// there is masked. So a model must take any number of steps ([`Spec::Indices(None)`](crate::Spec::Indices)) unless it goes in.
///
/// With [`stateful`](crate::layers::rnn::Rnn::stateful) layers the state goes on through a stream, and its gradient is cut at the
/// borders of batches: truncated backpropagation through time (Williams and Peng, 1990; Mikolov et al., 2010). An epoch begins
/// anew. The batches have an order: they cannot be shuffled. A batch's size is `rows`.
///
/// ```
/// use elman::data::{Inputs, Order, Source, Stream, Targets};
/// use elman::Key;
///
/// let stream = Stream::new((0..10).collect(), 2, 3)?;
/// let epoch = stream.epoch(&Order::new(Key::new(0), 0))?;
/// let batch = epoch.batch(0)?;
/// assert_eq!(batch.data.inputs(), &Inputs::indices(&[[0, 1, 2], [4, 5, 6]])?);
/// assert_eq!(batch.data.targets(), &Targets::classes_per_step(&[[1, 2, 3], [5, 6, 7]])?);
/// // Of nine targets the first stream has four, the second five.
/// let last = epoch.batch(1)?;
/// assert_eq!(last.data.targets(), &Targets::classes_per_step(&[vec![4], vec![8, 9]])?);
/// assert!(!batch.continues && last.continues);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    indices: Vec<u32>,
    rows: usize,
    steps: usize,
}

impl Stream {
    /// A text in `rows` streams, taken `steps` at a time. Errors: no row or step; too short a text, that has not a target for
    /// each row.
    pub fn new(indices: Vec<u32>, rows: usize, steps: usize) -> Result<Self> {
        if rows == 0 || steps == 0 {
            return Err(Error::invalid("stream", "at least one row and one step", format!("{rows} and {steps}")));
        }
        if indices.len() <= rows {
            let expected = format!("more indices than its {rows} rows");
            return Err(Error::invalid("stream", expected, indices.len()));
        }
        Ok(Stream { indices, rows, steps })
    }

    /// The text.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// How many streams there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The steps of a batch.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Where the inputs of a stream lie in the text.
    fn row(&self, row: usize) -> Range<usize> {
        let (all, rows) = (self.indices.len() - 1, self.rows);
        // `row * all / rows`, which may not overflow.
        let at = |row: usize| all / rows * row + all % rows * row / rows;
        at(row)..at(row + 1)
    }
}

impl Source for Stream {
    fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>> {
        order.check_own("stream", self.rows)?;
        Ok(Box::new(Batches(self)))
    }

    fn describe(&self) -> String {
        format!("a stream of {} indices in {} rows, {} steps a batch", self.indices.len(), self.rows, self.steps)
    }

    fn is_quick(&self) -> bool {
        true
    }
}

/// All batches of a stream, the same in every epoch.
struct Batches<'a>(&'a Stream);

impl Epoch for Batches<'_> {
    fn batches(&self) -> usize {
        // The last stream is the longest.
        self.0.row(self.0.rows - 1).len().div_ceil(self.0.steps)
    }

    fn samples(&self) -> Option<usize> {
        Some(self.batches() * self.0.rows)
    }

    fn batch(&self, number: usize) -> Result<HostBatch> {
        let Stream { indices, rows, steps } = self.0;
        if number >= self.batches() {
            return Err(Error::invalid("stream", format!("a batch below {}", self.batches()), number));
        }
        let piece = |row: usize, ahead: usize| {
            let row = self.0.row(row);
            let (start, end) = (row.start + number * steps, row.start + (number + 1) * steps);
            &indices[start.min(row.end) + ahead..end.min(row.end) + ahead]
        };
        let pieces = |ahead: usize| (0..*rows).map(|row| piece(row, ahead)).collect::<Vec<_>>();
        let data = Dataset::new(Inputs::indices(&pieces(0))?, Targets::classes_per_step(&pieces(1))?)?;
        Ok(HostBatch { data, continues: number > 0 })
    }
}
