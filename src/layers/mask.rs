//! [`Mask`]: which steps of a batch of sequences are there and which are padding (L19).

use crate::backend::{Backend, Zip};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Which steps count: a number for each step of each sequence, `[batch, time]`, 1 where the step is there and 0 where it
/// is padding. It travels with a sequence ([`Value::Masked`](super::Value::Masked)) from the layer that knows it (an
/// [`Embedding`](super::Embedding) with a padding index, [`Masking`](super::Masking), or the user) to the one that ends
/// the sequence, or to the loss and the metrics.
///
/// Padding may stand on the left, on the right or between; a sequence may be all padding.
///
/// ```
/// use elman::layers::Mask;
/// use elman_reference::Reference;
/// let b = Reference::<f32>::new();
/// let mask = Mask::from_lengths(&b, &[3, 1], 3)?;
/// assert_eq!(mask.tensor(&b).to_vec()?, [1., 1., 1., 1., 0., 0.]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mask<B: Backend> {
    array: B::Array,
    /// It came with a sequence out of a layer of this crate, which leaves finite numbers in the steps that do not count: they
    /// need not be cleared once more.
    clean: bool,
}

impl<B: Backend> Mask<B> {
    /// A mask from one flag a step, `steps` of them for each sequence. Errors when their number is not a multiple of it.
    pub fn new(backend: &B, flags: &[bool], steps: usize) -> Result<Self> {
        if steps == 0 || !flags.len().is_multiple_of(steps) {
            let expected = format!("a flag for each of {steps} steps (at least 1) of each sequence");
            return Err(Error::invalid("mask", expected, format!("{} flags", flags.len())));
        }
        let number = |&there: &bool| crate::Element::from_f64(f64::from(u8::from(there)));
        let shape = Shape::new(&[flags.len() / steps, steps])?;
        Ok(Mask { array: backend.upload(flags.iter().map(number).collect(), shape)?, clean: false })
    }

    /// The mask of sequences that begin at the first of `steps` steps and have these lengths: padding on the right.
    /// Errors for a length above `steps`.
    pub fn from_lengths(backend: &B, lengths: &[usize], steps: usize) -> Result<Self> {
        if let Some(row) = lengths.iter().position(|&length| length > steps) {
            let found = format!("{} in sequence {row}", lengths[row]);
            return Err(Error::invalid("mask", format!("lengths of at most {steps} steps"), found));
        }
        let flags = lengths.iter().flat_map(|&length| (0..steps).map(move |step| step < length));
        Mask::new(backend, &flags.collect::<Vec<_>>(), steps)
    }

    /// The mask from numbers `[batch, time]`, which must be 0 and 1 (not checked: they are on the device). Errors for
    /// another rank.
    pub fn from_array(backend: &B, array: B::Array) -> Result<Self> {
        match backend.shape(&array).rank() {
            2 => Ok(Mask { array, clean: false }),
            _ => Err(Error::invalid("mask", "a number for each step, [batch, time]", backend.shape(&array))),
        }
    }

    /// The numbers, `[batch, time]`.
    pub fn array(&self) -> &B::Array {
        &self.array
    }

    /// The numbers as a constant, `[batch, time]`.
    pub fn tensor(&self, backend: &B) -> Tensor<B> {
        Tensor::constant(backend, self.array.clone())
    }

    /// The steps that count in both masks. Errors when the shapes differ.
    pub fn and(&self, backend: &B, other: &Mask<B>) -> Result<Self> {
        crate::backend::check::same_shape("mask", backend.shape(&self.array), backend.shape(&other.array))?;
        Ok(Mask { array: backend.zip(Zip::Mul, &self.array, &other.array)?, clean: false })
    }

    /// The mask of the last step that counts in each sequence; of none where none does.
    pub fn last(&self, backend: &B) -> Result<Self> {
        let steps = backend.shape(&self.array)[1];
        // Steps that count numbered from 1 on: the greatest number is the last of them.
        let numbers = (1..=steps).map(|step| crate::Element::from_f64(step as f64)).collect();
        let numbered = backend.zip(Zip::Mul, &self.array, &backend.upload(numbers, Shape::new(&[steps])?)?)?;
        let hit = backend.zip(Zip::Equal, &numbered, &backend.max(&numbered, 1)?)?;
        Ok(Mask { array: backend.zip(Zip::Mul, &hit, &self.array)?, clean: false })
    }

    /// The mask of one step, `[batch, 1]`.
    pub(super) fn step(&self, backend: &B, number: usize) -> Result<Self> {
        Ok(Mask { array: backend.slice(&self.array, 1, number, 1)?, clean: self.clean })
    }

    /// `x [batch, time, ..]` with 0 in the steps that do not count: what is there has no influence, not even as NaN, and gets
    /// no gradient. Errors when the mask is not one of `x`.
    pub fn clear(&self, x: &Tensor<B>) -> Result<Tensor<B>> {
        let b = x.backend();
        let steps = Tensor::constant(b, self.over(b, x.shape())?);
        x.select(&steps, &Tensor::full(b, &[], 0.0)?)
    }

    /// The same mask of numbers that are finite in the steps that do not count, or that may be anything there.
    pub(crate) fn marked(self, clean: bool) -> Self {
        Mask { clean, ..self }
    }

    /// Whether the numbers that it came with are finite in the steps that do not count.
    pub(crate) fn is_clean(&self) -> bool {
        self.clean
    }

    /// The mask as `[batch, time, 1, ..]`, so that it broadcasts to `x [batch, time, ..]`.
    pub(crate) fn over(&self, backend: &B, x: Shape) -> Result<B::Array> {
        self.check(backend, x)?;
        let mut sizes = vec![1; x.rank()];
        sizes[..2].copy_from_slice(&x[..2]);
        backend.reshape(&self.array, Shape::new(&sizes)?)
    }

    /// Errors unless this is a mask of the sequences `x [batch, time, ..]`.
    pub fn check(&self, backend: &B, x: Shape) -> Result<()> {
        let mask = backend.shape(&self.array);
        if x.rank() >= 2 && x[..2] == mask[..] {
            return Ok(());
        }
        Err(Error::shapes("mask", x, mask, "a mask is [batch, time] for numbers [batch, time, ..]"))
    }
}
