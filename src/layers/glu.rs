//! [`Glu`]: one half of the features is the gate of the other.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// `a ⊙ σ(b)`, where `a` and `b` are the halves of the last axis: numbers `[.., 2 n]` in, `[.., n]` out; a mask goes through.
/// PyTorch's `GLU`. Behind a linear layer of twice the units it is a layer with a gate that is learned. No parameters. Errors
/// when the last axis has no halves.
///
/// Dauphin, Fan, Auli, Grangier, "Language Modeling with Gated Convolutional Networks", ICML 2017.
///
/// ```
/// use elman::layers::{Glu, Mode, Sequential};
/// use elman::{Spec, Tensor};
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let model = Sequential::new().add(Glu).build(&b, Spec::dense(&[4]), 0)?;
/// let y = model.forward(Tensor::new(&b, vec![3.0, -8.0, 0.0, 0.0], &[1, 4])?, Mode::Evaluation)?;
/// assert_eq!(y.to_vec()?, [1.5, -4.0]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Glu;

impl<B: Backend> Layer<B> for Glu {
    fn kind(&self) -> &'static str {
        "glu"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        let features = input.features()?;
        if !features.is_multiple_of(2) {
            return Err(Error::invalid("input", "an even number of features, of which half are gates", features));
        }
        Ok(Built::new(GluModule, input.numbers()?.with_features(features / 2)))
    }
}

#[derive(Debug)]
struct GluModule;

impl<B: Backend> Module<B> for GluModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        input.map_clean(pass, |x, _| gated(&x))
    }

    // Numbers of any size and either sign.
    fn last_activation(&self, _: Last) -> Last {
        Activation::Linear.into()
    }
}

/// `a ⊙ σ(b)` of the halves of the last axis.
fn gated<B: Backend>(x: &Tensor<B>) -> Result<Tensor<B>> {
    let (axis, half) = (x.shape().rank() - 1, x.shape().last() / 2);
    x.slice(axis, 0, half)?.mul(&x.slice(axis, half, half)?.sigmoid()?)
}
