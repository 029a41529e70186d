//! [`Masking`]: says which steps are padding by a value that stands for it.

use super::{Built, Last, Layer, Mask, Module, Pass, Scope, Spec, Value};
use crate::backend::{Backend, Map, Zip, norm};
use crate::description::{Description, describe};
use crate::error::Result;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// Masks the steps all of whose features equal a value, as Keras' `Masking` does (L19). Takes and gives
/// `[batch, time, features]`; masked steps come out as 0. Steps that a mask already leaves out stay so.
///
/// ```
/// use elman::Spec;
/// use elman::layers::{GlobalAveragePooling, Masking, Mode, Sequential};
/// use elman::Tensor;
/// use elman_reference::Reference;
///
/// let b = Reference::<f32>::new();
/// let mean = Sequential::new().add(Masking::new(-1.0)).add(GlobalAveragePooling);
/// let model = mean.build(&b, Spec::dense(&[3, 2]), 0)?;
/// let x = Tensor::new(&b, vec![1.0, 2.0, 3.0, -1.0, -1.0, -1.0], &[1, 3, 2])?; // one step of padding
/// assert_eq!(model.forward(x, Mode::Evaluation)?.to_vec()?, [2.0, 0.5]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masking {
    value: f64,
}

impl Masking {
    /// Masks steps of this value throughout.
    pub fn new(value: f64) -> Self {
        Masking { value }
    }
}

impl<B: Backend> Layer<B> for Masking {
    fn kind(&self) -> &'static str {
        "masking"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        input.sequence()?;
        Ok(Built::new(self.clone(), input.clone()))
    }
}

impl<B: Backend> Module<B> for Masking {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, given) = input.sequence(pass)?;
        let (b, shape) = (pass.backend(), x.shape());
        let equal = b.zip(Zip::Equal, x.value(), &b.fill(Shape::SCALAR, self.value)?)?;
        // A step counts when some feature differs.
        let differs = b.map(Map::Affine(-1.0, shape.last() as f64), &norm::sum_last(b, &equal)?)?;
        let there = b.reshape(&b.map(Map::Step, &differs)?, Shape::new(&shape[..2])?)?;
        let there = Mask::from_array(b, there)?;
        let mask = given.map_or(Ok(there.clone()), |given| given.and(b, &there))?;
        Ok(Value::from(mask.clear(&x)?).with_clean_mask(Some(mask)))
    }

    // Steps that count stay as they are.
    fn last_activation(&self, input: Last) -> Last {
        input
    }
}
