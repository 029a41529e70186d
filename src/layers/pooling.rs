//! Pooling over time: one vector for a sequence, of the steps that count.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::activation::Activation;
use crate::backend::{Backend, Zip};
use crate::description::{Description, describe};
use crate::error::Result;
use crate::shape::Shape;
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// The mean of the steps that count: `[batch, time, features]` to `[batch, features]`, Keras' `GlobalAveragePooling1D`. A
/// sequence without any gives 0. Ends the mask.
#[doc(alias = "GlobalAveragePooling1D")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GlobalAveragePooling;

/// The greatest number of each feature in the steps that count: `[batch, time, features]` to `[batch, features]`. A sequence
/// without any gives 0; equal steps share the gradient. Ends the mask, which Keras' `GlobalMaxPooling1D` ignores.
#[doc(alias = "GlobalMaxPooling1D")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GlobalMaxPooling;

/// The last step that counts: `[batch, time, features]` to `[batch, features]`. Padding may stand on either side or
/// between; a sequence without a step gives 0. Ends the mask.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LastStep;

/// What a pooling layer gives for sequences; errors for anything else.
fn pooled<B: Backend>(input: &Spec, module: impl Module<B> + 'static) -> Result<Built<B>> {
    let (_, features) = input.sequence()?;
    Ok(Built::new(module, Spec::dense(&[features])))
}

impl<B: Backend> Layer<B> for GlobalAveragePooling {
    fn kind(&self) -> &'static str {
        "global_average_pooling"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        pooled(input, GlobalAveragePooling)
    }
}

impl<B: Backend> Module<B> for GlobalAveragePooling {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        pass.whole("pooling over time")?;
        let (x, mask) = input.sequence(pass)?;
        let Some(mask) = mask else { return Ok(x.mean_along(Axis::Drop(1))?.into()) };
        let b = pass.backend();
        let counts = b.sum_to(mask.array(), Shape::new(&[x.shape()[0], 1])?)?;
        // Where no step counts, the sum is 0 and may be divided by anything.
        let counts = Tensor::constant(b, b.zip(Zip::Max, &counts, &b.fill(Shape::SCALAR, 1.0)?)?);
        Ok(mask.clear(&x)?.sum_along(Axis::Drop(1))?.div(&counts)?.into())
    }

    // The mean of distributions is one; that of their logarithms is none of its own.
    fn last_activation(&self, input: Last) -> Last {
        input.filter(|last| last != Activation::LogSoftmax)
    }
}

impl<B: Backend> Layer<B> for GlobalMaxPooling {
    fn kind(&self) -> &'static str {
        "global_max_pooling"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        pooled(input, GlobalMaxPooling)
    }
}

impl<B: Backend> Module<B> for GlobalMaxPooling {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        pass.whole("pooling over time")?;
        let (x, mask) = input.sequence(pass)?;
        let Some(mask) = mask else { return Ok(x.max_along(Axis::Drop(1))?.into()) };
        let b = pass.backend();
        let steps = Tensor::constant(b, mask.over(b, x.shape())?);
        let lowest = Tensor::full(b, &[], f64::NEG_INFINITY)?;
        let greatest = x.select(&steps, &lowest)?.max_along(Axis::Drop(1))?;
        let any = Tensor::constant(b, b.max(mask.array(), 1)?);
        Ok(greatest.select(&any, &Tensor::full(b, &[], 0.0)?)?.into())
    }

    // Of distributions it takes numbers that sum to more than 1.
    fn last_activation(&self, input: Last) -> Last {
        input.filter(|last| last.is_elementwise())
    }
}

impl<B: Backend> Layer<B> for LastStep {
    fn kind(&self) -> &'static str {
        "last_step"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        pooled(input, LastStep)
    }
}

impl<B: Backend> Module<B> for LastStep {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        pass.whole("pooling over time")?;
        let (x, mask) = input.sequence(pass)?;
        let (batch, time, features) = (x.shape()[0], x.shape()[1], x.shape()[2]);
        let Some(mask) = mask else { return Ok(x.slice(1, time - 1, 1)?.reshape(&[batch, features])?.into()) };
        Ok(mask.last(pass.backend())?.clear(&x)?.sum_along(Axis::Drop(1))?.into())
    }

    // One of the steps.
    fn last_activation(&self, input: Last) -> Last {
        input
    }
}
