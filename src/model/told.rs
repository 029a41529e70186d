//! What metrics are told of predictions: all of them, or the class of each row, found on the device.

use crate::backend::Backend;
use crate::element::Element;
use crate::error::Result;
use crate::metrics::Decided;

/// Above this an `f32` does not count every class.
const MOST: usize = 1 << 24;

/// Predictions or classes of a batch, still on the device.
pub(super) struct Told<B: Backend> {
    /// `[.., outputs]`, or `[.., 2]`: the class and its output.
    pub(super) numbers: B::Array,
    /// Numbers a row of the predictions, at least 1.
    pub(super) outputs: usize,
    decided: bool,
}

/// The classes of a batch on the host.
pub(super) struct Classes {
    classes: Vec<u32>,
    greatest: Vec<f32>,
}

impl<B: Backend> Told<B> {
    /// The classes, where it is these that were read back.
    pub(super) fn classes(&self, numbers: &[f32]) -> Option<Classes> {
        let (rows, _) = numbers.as_chunks::<2>();
        self.decided.then(|| Classes {
            classes: rows.iter().map(|&[class, _]| class as u32).collect(),
            greatest: rows.iter().map(|&[_, greatest]| greatest).collect(),
        })
    }
}

impl Classes {
    pub(super) fn decided(&self) -> Decided<'_> {
        Decided { classes: &self.classes, greatest: &self.greatest }
    }
}

/// The numbers of classes as an array, once made: what an array of indices is looked up in to be one of numbers, of which several
/// are read back at once.
pub(super) struct Counting<B: Backend>(Option<(usize, B::Array)>);

impl<B: Backend> Default for Counting<B> {
    fn default() -> Self {
        Counting(None)
    }
}

impl<B: Backend> Counting<B> {
    /// Of predictions all, or where a row has `one_class` of several outputs the classes.
    pub(super) fn told(&mut self, b: &B, predictions: &B::Array, one_class: bool) -> Result<Told<B>> {
        let shape = b.shape(predictions);
        // `[batch]`: a single output a sample.
        let outputs = if shape.rank() < 2 { 1 } else { shape.last() };
        if !one_class || !(2..=MOST).contains(&outputs) {
            return Ok(Told { numbers: predictions.clone(), outputs, decided: false });
        }
        let axis = shape.rank() - 1;
        let classes = b.argmax(predictions, axis)?;
        let classes = b.gather(self.up_to(b, outputs)?, &classes)?;
        let numbers = b.concat(&[&classes, &b.max(predictions, axis)?], axis)?;
        Ok(Told { numbers, outputs, decided: true })
    }

    /// `[outputs, 1]`: 0, 1, 2, ...
    fn up_to(&mut self, b: &B, outputs: usize) -> Result<&B::Array> {
        let made = match self.0.take() {
            Some(made) if made.0 == outputs => made,
            _ => {
                let numbers = (0..outputs).map(|class| B::Elem::from_f64(class as f64)).collect();
                (outputs, b.upload(numbers, [outputs, 1].into())?)
            }
        };
        Ok(&self.0.insert(made).1)
    }
}
