//! [`SpatialDropout`]: leaves out whole features of a sequence at random while training.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// [`Dropout`](super::Dropout) of features with one draw for all steps of a sequence, Keras' `SpatialDropout1D`: takes and
/// gives `[batch, time, features]`. Neighbouring steps say much the same, so that dropping single numbers takes little away;
/// after an embedding it drops components of the word vectors (L12). A mask goes through.
///
/// Tompson and others, "Efficient Object Localization Using Convolutional Networks", CVPR 2015.
#[doc(alias = "SpatialDropout1D")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpatialDropout {
    rate: f64,
}

impl SpatialDropout {
    /// Drops features with probability `rate`, which must lie in `[0, 1)`.
    pub fn new(rate: f64) -> Self {
        SpatialDropout { rate }
    }
}

impl<B: Backend> Layer<B> for SpatialDropout {
    fn kind(&self) -> &'static str {
        "spatial_dropout"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::invalid("rate", "a number in [0, 1)", self.rate));
        }
        input.sequence()?;
        Ok(Built::new(self.clone(), input.clone()))
    }
}

impl<B: Backend> Module<B> for SpatialDropout {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        let y = match pass.key() {
            Some(key) => {
                let kept = Tensor::full(pass.backend(), &[x.shape()[0], 1, x.shape()[2]], 1.0)?;
                x.mul(&kept.dropout(self.rate, key)?)?
            }
            None => x,
        };
        Ok(Value::from(y).with_clean_mask(mask))
    }

    // It changes nothing in evaluation.
    fn last_activation(&self, input: Last) -> Last {
        input
    }
}
