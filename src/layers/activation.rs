//! An [`Activation`] as a layer of its own: `.add(Activation::Softmax)`.

use super::{Built, Layer, Module, Pass, Scope, Spec, Value};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::Result;

impl<B: Backend> Layer<B> for Activation {
    fn kind(&self) -> &'static str {
        "activation"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        // All of them compute with numbers; the softmaxes need a last axis.
        let output = if self.is_elementwise() { input.clone() } else { input.with_features(input.features()?) };
        Ok(Built::new(*self, output.numbers()?))
    }
}

impl<B: Backend> Module<B> for Activation {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        input.map_clean(pass, |x, _| x.activate(*self))
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Activation)> {
        Ok((input.map_clean(pass, |x, _| Ok(x))?, *self))
    }
}
