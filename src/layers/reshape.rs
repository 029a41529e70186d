//! [`Flatten`] and [`Reshape`]: the same numbers in another shape.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// All numbers of a sample in one axis: `[batch, a, b]` becomes `[batch, a b]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Flatten;

/// The numbers of a sample in another shape of as many.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    sizes: Vec<usize>,
}

impl Reshape {
    /// The new shape of a sample, without the batch axis.
    pub fn new(sizes: &[usize]) -> Self {
        Reshape { sizes: sizes.to_vec() }
    }
}

impl<B: Backend> Layer<B> for Flatten {
    fn kind(&self) -> &'static str {
        "flatten"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        Reshape::new(&[Shape::new(&input.sizes()?)?.elements()]).build(input, scope)
    }
}

impl<B: Backend> Layer<B> for Reshape {
    fn kind(&self) -> &'static str {
        "reshape"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        let from = input.sizes()?;
        if Shape::new(&from)?.elements() != Shape::new(&self.sizes)?.elements() {
            let expected = format!("as many numbers as in {}", Spec::dense(&from));
            return Err(Error::invalid("shape", expected, Spec::dense(&self.sizes)));
        }
        Ok(Built::new(self.clone(), Spec::dense(&self.sizes)))
    }
}

impl<B: Backend> Module<B> for Reshape {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let x = input.tensor(pass)?;
        let batch = x.shape().first().copied().unwrap_or(1);
        Ok(x.reshape(&[&[batch], &self.sizes[..]].concat())?.into())
    }

    // What is a distribution along the last axis may not be one along another.
    fn last_activation(&self, input: Last) -> Last {
        input.filter(|last| last.is_elementwise())
    }
}
