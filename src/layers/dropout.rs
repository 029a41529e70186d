//! [`Dropout`]: leaves out elements at random while training.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Zeroes each element with probability `rate` while training, scales the others by `1 / (1 - rate)` so that the expectation
/// is kept, and does nothing otherwise (L12; the slide's scale `1/p` is a slip). Takes and gives numbers of any shape.
///
/// Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15 (2014).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    rate: f64,
}

impl Dropout {
    /// Drops elements with probability `rate`, which must lie in `[0, 1)`.
    pub fn new(rate: f64) -> Self {
        Dropout { rate }
    }
}

impl<B: Backend> Layer<B> for Dropout {
    fn kind(&self) -> &'static str {
        "dropout"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::invalid("rate", "a number in [0, 1)", self.rate));
        }
        Ok(Built::new(self.clone(), input.numbers()?))
    }
}

impl<B: Backend> Module<B> for Dropout {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        input.map_clean(pass, |x, pass| match pass.key() {
            Some(key) => x.dropout(self.rate, key),
            None => Ok(x),
        })
    }

    // It changes nothing in evaluation.
    fn last_activation(&self, input: Last) -> Last {
        input
    }
}
