//! An [`Activation`] as a layer of its own: `.add(Activation::Softmax)`.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use serde_json::json;

impl<B: Backend> Layer<B> for Activation {
    fn kind(&self) -> &'static str {
        "activation"
    }

    fn describe(&self) -> Result<Description> {
        self.check()?;
        Ok(json!({ "kind": Layer::<B>::kind(self), "activation": self }))
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        self.check_units(input)?;
        // All of them compute with numbers; the softmaxes need a last axis.
        let output = if self.is_elementwise() { input.clone() } else { input.with_features(input.features()?) };
        Ok(Built::new(*self, output.numbers()?))
    }
}

impl<B: Backend> Module<B> for Activation {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        input.map_clean(pass, |x, _| x.activate(*self))
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        Ok((input.map_clean(pass, |x, _| Ok(x))?, (*self).into()))
    }

    fn last_activation(&self, input: Last) -> Last {
        if *self == Activation::Linear { input } else { (*self).into() }
    }
}

impl Activation {
    /// Errors for a softmax of outputs of which there is only one: it is 1 whatever goes in, and nothing is learned. Those of
    /// [`Activation::check`].
    pub(super) fn check_units(self, outputs: &Spec) -> Result<()> {
        self.check()?;
        if self.is_elementwise() || !matches!(outputs.features(), Ok(1)) {
            return Ok(());
        }
        let expected = "sigmoid for a single unit, or at least 2 units";
        Err(Error::invalid(
            "activation",
            expected,
            format!("{self} over one unit, which is always {}", u8::from(self == Activation::Softmax)),
        ))
    }
}
