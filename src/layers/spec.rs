//! What flows between layers: [`Spec`] says of what kind and shape it is, [`Value`] is the thing itself.

use super::{Mask, Pass};
use crate::backend::{Backend, bags};
use crate::data::{Bags, Inputs};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Kind and shape of what a layer takes or gives, without the batch axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Spec {
    /// Numbers `[batch, sizes..]`; `None` is a size that differs from batch to batch, such as time.
    Dense(Vec<Option<usize>>),
    /// Indices `[batch, steps]`, such as the words of a text; `None` steps differ from batch to batch.
    Indices(Option<usize>),
    /// Sparse bags of words `[batch, width]`.
    Bags(usize),
}

impl Spec {
    /// Numbers of this shape a sample.
    pub fn dense(sizes: &[usize]) -> Self {
        Spec::Dense(sizes.iter().copied().map(Some).collect())
    }

    /// This many indices a sample.
    pub fn indices(steps: usize) -> Self {
        Spec::Indices(Some(steps))
    }

    /// Sparse bags of words over a vocabulary of `width`.
    pub fn bags(width: usize) -> Self {
        Spec::Bags(width)
    }

    /// The size of the last axis. Errors for indices, for a single number a sample and where it is not known.
    pub fn features(&self) -> Result<usize> {
        match self {
            Spec::Dense(sizes) => sizes.last().copied().flatten(),
            Spec::Indices(_) => None,
            Spec::Bags(width) => Some(*width),
        }
        .filter(|&n| n > 0)
        .ok_or_else(|| Error::invalid("input", "numbers with a last axis of known size above 0", self))
    }

    /// All sizes of a sample, where they are known. Errors for indices and for unknown sizes.
    pub fn sizes(&self) -> Result<Vec<usize>> {
        let known = match self {
            Spec::Dense(sizes) => sizes.iter().copied().collect(),
            Spec::Indices(_) => None,
            Spec::Bags(width) => Some(vec![*width]),
        };
        known.ok_or_else(|| Error::invalid("input", "numbers of known sizes", self))
    }

    /// Time, where it is known, and features of sequences `[batch, time, features]`. Errors for anything else, and where the
    /// number of features is not known.
    pub fn sequence(&self) -> Result<(Option<usize>, usize)> {
        match self {
            Spec::Dense(sizes) => match sizes[..] {
                [time, Some(features)] if time != Some(0) && features > 0 => Some((time, features)),
                _ => None,
            },
            _ => None,
        }
        .ok_or_else(|| {
            let expected = "sequences [batch, time, features] of at least one step and a known number of features";
            Error::invalid("input", expected, self)
        })
    }

    /// The spec as numbers, which bags can be read as. Errors for indices.
    pub fn numbers(&self) -> Result<Spec> {
        match self {
            Spec::Dense(_) => Ok(self.clone()),
            Spec::Bags(width) => Ok(Spec::dense(&[*width])),
            Spec::Indices(_) => Err(Error::invalid("input", "numbers", self)),
        }
    }

    /// The same kind with another last axis: what a layer gives that works on features.
    #[must_use]
    pub fn with_features(&self, features: usize) -> Spec {
        match self {
            Spec::Dense(sizes) if !sizes.is_empty() => {
                let mut sizes = sizes.clone();
                sizes.truncate(sizes.len() - 1);
                sizes.push(Some(features));
                Spec::Dense(sizes)
            }
            _ => Spec::dense(&[features]),
        }
    }

    /// Checks that data on the host is of this kind and shape.
    pub fn check_inputs(&self, place: &str, inputs: &Inputs) -> Result<()> {
        let found = match inputs {
            Inputs::Dense { shape, .. } => Spec::dense(shape),
            Inputs::Indices { steps, .. } => Spec::indices(*steps),
            Inputs::RaggedIndices(_) => Spec::Indices(None),
            Inputs::RaggedDense(rows) => Spec::Dense(vec![None, Some(rows.width())]),
            Inputs::Bags(bags) => Spec::bags(bags.width()),
            Inputs::Masked { inputs, .. } => return self.check_inputs(place, inputs),
        };
        self.check(place, &found)
    }

    /// Checks that a value is of this kind and shape.
    pub fn check_value<B: Backend>(&self, place: &str, value: &Value<B>, backend: &B) -> Result<()> {
        let found = match value {
            Value::Tensor(tensor) if tensor.shape().rank() > 0 => Spec::dense(&tensor.shape()[1..]),
            Value::Tensor(_) => return Err(Error::invalid(place, self, "a single number without a batch axis")),
            Value::Indices(indices) => match backend.indices_shape(indices)[..] {
                [_, steps] => Spec::indices(steps),
                ref other => return Err(Error::invalid(place, self, format!("indices of shape {other:?}"))),
            },
            Value::Bags(bags) => Spec::bags(bags.width()),
            Value::Masked(value, mask) => {
                let shape = match &**value {
                    Value::Tensor(tensor) => tensor.shape(),
                    Value::Indices(indices) => backend.indices_shape(indices),
                    _ => return Err(Error::invalid(place, self, "a mask on what is no sequence")),
                };
                mask.check(backend, shape).map_err(|e| e.at(place))?;
                return self.check_value(place, value, backend);
            }
        };
        self.check(place, &found)
    }

    fn check(&self, place: &str, found: &Spec) -> Result<()> {
        let fits = match (self, found) {
            (Spec::Dense(want), Spec::Dense(have)) => {
                want.len() == have.len() && want.iter().zip(have).all(|(w, h)| w.is_none() || w == h)
            }
            (Spec::Indices(want), Spec::Indices(have)) => want.is_none() || want == have,
            (Spec::Bags(want), Spec::Bags(have)) => want == have,
            _ => false,
        };
        if fits { Ok(()) } else { Err(Error::invalid(place, self, found)) }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |size: &Option<usize>| size.map_or("any".to_string(), |n| n.to_string());
        match self {
            Spec::Dense(sizes) => {
                f.write_str("[batch")?;
                sizes.iter().try_for_each(|s| write!(f, ", {}", size(s)))?;
                f.write_str("]")
            }
            Spec::Indices(steps) => write!(f, "indices [batch, {}]", size(steps)),
            Spec::Bags(width) => write!(f, "bags [batch, {width}]"),
        }
    }
}

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
        }
    }
}

impl<B: Backend> Value<B> {
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
