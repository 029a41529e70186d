//! [`Value`]: what flows between layers.

use super::{Chain, Mask, Pass};
use crate::backend::{Backend, bags};
use crate::data::Bags;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::shape::Shape;
use crate::tensor::Tensor;
use std::sync::Arc;

/// What goes into a layer and comes out of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value<B: Backend> {
    /// Numbers `[batch, ..]`.
    Tensor(Tensor<B>),
    /// Indices `[batch, steps]`.
    Indices(B::Indices),
    /// Sparse bags of words.
    Bags(Arc<Bags>),
    /// A sequence, as numbers `[batch, time, ..]` or indices `[batch, time]`, with the steps of it that count.
    Masked(Box<Value<B>>, Mask<B>),
    /// Scores of paths of tags, from a [`Crf`](super::Crf) to its loss.
    Chain(Box<Chain<B>>),
    /// Several of them under names, of one batch.
    Record(Record<Value<B>>),
}

impl<B: Backend> Value<B> {
    /// The value as numbers; bags become dense rows. Errors for indices, which are no numbers to compute with, and for a
    /// masked sequence, whose mask would be lost: see [`Value::map`], [`Value::sequence`] and [`Value::split`].
    pub fn tensor(self, pass: &Pass<'_, B>) -> Result<Tensor<B>> {
        match self {
            Value::Tensor(tensor) => Ok(tensor),
            Value::Masked(..) => Err(Error::invalid(
                "input",
                "numbers without a mask, which this layer would drop (pool the sequence first)",
                "a masked sequence",
            )),
            Value::Bags(bags) => Ok(Tensor::constant(pass.backend(), bags::dense(pass.backend(), &bags)?)),
            Value::Indices(indices) => {
                let shape: Shape = pass.backend().indices_shape(&indices);
                Err(Error::invalid("input", "numbers", format!("indices {shape}")))
            }
            Value::Chain(_) => Err(Error::invalid("input", "numbers", "the scores of paths, for `CrfLoss`")),
            Value::Record(parts) => {
                let names: Vec<&str> = parts.names().collect();
                Err(Error::invalid("input", "numbers", format!("a record of the parts {}", names.join(", "))))
            }
        }
    }

    /// The parts of a record. Errors for what is none.
    pub fn record(self) -> Result<Record<Value<B>>> {
        match self {
            Value::Record(parts) => Ok(parts),
            _ => Err(Error::invalid("input", "a record of named parts", "a single value")),
        }
    }

    /// The parts of a record by name, all that it has. Errors for what is no record, and for one of other parts.
    ///
    /// ```
    /// # use elman::{layers::{Pass, Value}, Backend, Result};
    /// # fn forward<B: Backend>(input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
    /// let [words, length] = input.parts(["words", "length"])?;
    /// # Ok(words)
    /// # }
    /// ```
    pub fn parts<const N: usize>(self, names: [&str; N]) -> Result<[Value<B>; N]> {
        self.record()?.parts(names)
    }

    /// A part by name, or the whole where none is named; `None` where there is no such part.
    pub(crate) fn part(&self, name: Option<&str>) -> Option<&Value<B>> {
        match (self, name) {
            (Value::Record(parts), Some(name)) => parts.get(name),
            (whole, None) => Some(whole),
            (_, Some(_)) => None,
        }
    }

    /// The numbers, where it is numbers without a mask.
    pub fn as_tensor(&self) -> Option<&Tensor<B>> {
        match self {
            Value::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The number of rows of the batch, where the value has any.
    pub fn rows(&self, backend: &B) -> Option<usize> {
        match self {
            Value::Tensor(tensor) => tensor.shape().first().copied(),
            Value::Indices(indices) => backend.indices_shape(indices).first().copied(),
            Value::Bags(bags) => Some(bags.len()),
            Value::Chain(chain) => chain.scores.shape().first().copied(),
            Value::Masked(value, _) => value.rows(backend),
            Value::Record(parts) => parts.iter().find_map(|(_, part)| part.rows(backend)),
        }
    }

    /// The best paths in the place of their scores, with the mask; what else it may be as it is.
    pub(super) fn decoded(self) -> Result<Value<B>> {
        match self.split() {
            (Value::Chain(chain), mask) => Ok(Value::Tensor(chain.path(mask.as_ref())?).with_clean_mask(mask)),
            (other, Some(mask)) => {
                let clean = mask.is_clean();
                Ok(other.masked(Some(mask), clean))
            }
            (other, None) => Ok(other),
        }
    }

    /// The value without its mask, and the mask.
    pub fn split(self) -> (Value<B>, Option<Mask<B>>) {
        match self {
            Value::Masked(value, mask) => (*value, Some(mask)),
            other => (other, None),
        }
    }

    /// The value with a mask in the place of any that it has. In the steps that do not count there may be anything, NaN too:
    /// the first layer of this crate that takes the sequence clears them.
    #[must_use]
    pub fn with_mask(self, mask: impl Into<Option<Mask<B>>>) -> Value<B> {
        self.masked(mask.into(), false)
    }

    /// The same of a layer of this crate, whose numbers are finite in the steps that do not count, too.
    pub(crate) fn with_clean_mask(self, mask: Option<Mask<B>>) -> Value<B> {
        self.masked(mask, true)
    }

    fn masked(self, mask: Option<Mask<B>>, clean: bool) -> Value<B> {
        let (value, _) = self.split();
        match mask {
            Some(mask) => Value::Masked(Box::new(value), mask.marked(clean)),
            None => value,
        }
    }

    /// The value with what `f` makes of each of its arrays, masks too, cut off from the tape. Errors for indices and bags, which are
    /// no arrays.
    pub(super) fn map_arrays(&self, f: &impl Fn(&B::Array) -> Result<B::Array>) -> Result<Value<B>> {
        Ok(match self {
            Value::Tensor(tensor) => Tensor::constant(tensor.backend(), f(tensor.value())?).into(),
            Value::Masked(value, mask) => {
                let clean = mask.is_clean();
                let Value::Tensor(tensor) = &**value else { return Err(not_numbers()) };
                let mask = Mask::from_array(tensor.backend(), f(mask.array())?)?;
                value.map_arrays(f)?.masked(Some(mask), clean)
            }
            Value::Record(parts) => Value::Record(parts.as_ref().try_map(|_, part| part.map_arrays(f))?),
            Value::Indices(_) | Value::Bags(_) | Value::Chain(_) => return Err(not_numbers()),
        })
    }

    /// The steps of sequences `[batch, time, ..]`, each `[batch, 1, ..]` with its mask; of a record those of all parts. Errors for what
    /// are no sequences of numbers, and for parts of different lengths.
    pub(super) fn unstack(self, pass: &Pass<'_, B>) -> Result<Vec<Value<B>>> {
        if let Value::Record(parts) = self {
            let parts = parts.try_map(|_, part| part.unstack(pass))?;
            let lengths: Vec<usize> = parts.iter().map(|(_, steps)| steps.len()).collect();
            if lengths.iter().any(|&length| length != lengths[0]) {
                let expected = "parts of as many steps each";
                return Err(Error::invalid("steps", expected, format!("{lengths:?}")));
            }
            let mut each = parts.map(|_, steps| steps.into_iter());
            let next = |_| each.next_of_each().map(Value::Record);
            return (0..lengths[0]).map(next).collect();
        }
        let (x, mask) = self.sequence_of_any(pass)?;
        let shape = x.shape();
        let wide = [&[shape[0], 1], &shape[2..]].concat();
        let step = |(number, step): (usize, Tensor<B>)| {
            let mask = mask.as_ref().map(|mask| mask.step(pass.backend(), number)).transpose()?;
            Ok(Value::Tensor(step.reshape(&wide)?).with_clean_mask(mask))
        };
        x.unstack(1)?.into_iter().enumerate().map(step).collect()
    }

    /// Steps side by side: what [`Value::unstack`] took apart. Errors: none; steps that differ in kind or shape.
    pub(super) fn stack(steps: Vec<Value<B>>) -> Result<Value<B>> {
        if let Some(Value::Record(first)) = steps.first() {
            let names: Vec<String> = first.names().map(String::from).collect();
            let steps: Vec<Record<Value<B>>> = steps.into_iter().map(Value::record).collect::<Result<_>>()?;
            let part = |name: &String| {
                let part = |step: &Record<Value<B>>| step.part(name).cloned();
                Ok((name.clone(), Value::stack(steps.iter().map(part).collect::<Result<_>>()?)?))
            };
            return Record::new(names.iter().map(part).collect::<Result<Vec<_>>>()?).map(Value::Record);
        }
        let each = steps.into_iter().map(|step| match step.split().0 {
            Value::Tensor(tensor) if tensor.shape().rank() > 1 && tensor.shape()[1] == 1 => Ok(tensor),
            _ => Err(Error::invalid("steps", "a value [batch, 1, ..] for each step", "another")),
        });
        let each: Vec<Tensor<B>> = each.collect::<Result<_>>()?;
        Tensor::concat(&each.iter().collect::<Vec<_>>(), 1).map(Value::Tensor)
    }

    /// The numbers `[batch, time, ..]`, 0 in steps that do not count where they might be anything, and the mask.
    fn sequence_of_any(self, pass: &Pass<'_, B>) -> Result<(Tensor<B>, Option<Mask<B>>)> {
        let (value, mask) = self.cleared(pass)?;
        let x = value.tensor(pass)?;
        if x.shape().rank() < 2 || x.shape()[1] == 0 {
            let expected = "sequences [batch, time, ..] of at least one step";
            return Err(Error::invalid("input", expected, format!("shape {}", x.shape())));
        }
        Ok((x, mask))
    }

    /// The mask of a sequence, of a record that of its first part that has one.
    pub(super) fn mask(&self) -> Option<&Mask<B>> {
        match self {
            Value::Masked(_, mask) => Some(mask),
            Value::Record(parts) => parts.iter().find_map(|(_, part)| part.mask()),
            _ => None,
        }
    }

    /// The value without its mask, whose numbers are 0 in the steps that do not count where they might be anything, and the
    /// mask. Products with the zeros of a mask or of a gradient would not keep NaN out.
    pub(crate) fn cleared(self, pass: &Pass<'_, B>) -> Result<(Value<B>, Option<Mask<B>>)> {
        match self.split() {
            (Value::Tensor(x), Some(mask)) if !mask.is_clean() => {
                mask.check(pass.backend(), x.shape())?;
                Ok((mask.clear(&x)?.into(), Some(mask)))
            }
            other => Ok(other),
        }
    }

    /// Applies `f` to the numbers, which are 0 in steps that do not count where they might be anything, and keeps the mask:
    /// what a layer does that works on each step by itself.
    pub fn map(
        self,
        pass: &mut Pass<'_, B>,
        f: impl FnOnce(Tensor<B>, &mut Pass<'_, B>) -> Result<Tensor<B>>,
    ) -> Result<Value<B>> {
        let (value, mask) = self.cleared(pass)?;
        let x = value.tensor(pass)?;
        Ok(Value::Tensor(f(x, pass)?).with_mask(mask))
    }

    /// [`Value::map`] with a function that makes finite numbers of those that are cleared.
    pub(crate) fn map_clean(
        self,
        pass: &mut Pass<'_, B>,
        f: impl FnOnce(Tensor<B>, &mut Pass<'_, B>) -> Result<Tensor<B>>,
    ) -> Result<Value<B>> {
        let (value, mask) = self.map(pass, f)?.split();
        Ok(value.with_clean_mask(mask))
    }

    /// The numbers `[batch, time, features]`, 0 in steps that do not count where they might be anything, and the mask. Errors
    /// for another rank, for sequences without a step, and for a mask of another shape.
    pub fn sequence(self, pass: &Pass<'_, B>) -> Result<(Tensor<B>, Option<Mask<B>>)> {
        let (value, mask) = self.split();
        let x = value.tensor(pass)?;
        match x.shape()[..] {
            [_, time, _] if time > 0 => {}
            _ => {
                let expected = "sequences [batch, time, features] of at least one step";
                return Err(Error::invalid("input", expected, format!("shape {}", x.shape())));
            }
        }
        mask.as_ref().map_or(Ok(()), |mask| mask.check(pass.backend(), x.shape()))?;
        match mask {
            Some(mask) if !mask.is_clean() => Ok((mask.clear(&x)?, Some(mask))),
            mask => Ok((x, mask)),
        }
    }
}

fn not_numbers() -> Error {
    Error::invalid("what is computed once a sequence", "numbers", "indices or bags")
}

impl<B: Backend> From<Tensor<B>> for Value<B> {
    fn from(tensor: Tensor<B>) -> Self {
        Value::Tensor(tensor)
    }
}

impl<B: Backend> From<Bags> for Value<B> {
    fn from(bags: Bags) -> Self {
        Value::Bags(Arc::new(bags))
    }
}

impl<B: Backend> From<Record<Value<B>>> for Value<B> {
    fn from(parts: Record<Value<B>>) -> Self {
        Value::Record(parts)
    }
}
