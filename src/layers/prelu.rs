//! [`PRelu`]: a leaky ReLU whose slopes are learned.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value, Weight};
use crate::activation::Activation;
use crate::backend::{Backend, Map};
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// `x` above 0, `α ⊙ x` below, with slopes `α` that are learned: numbers of any shape, the same shape out; a mask goes
/// through. At 0 the gradient is that from the left, `α`.
///
/// As in Keras each number of a sample has a slope of its own, and axes may share theirs: [`PRelu::shared_axes`], which
/// sequences of any length need for time. PyTorch's layer has a single slope, at first 0.25:
/// `PRelu::new().shared_axes([1, 2]).slope(Weight::new(Init::Constant(0.25)))` for sequences.
///
/// Parameter: `alpha`, of a sample's shape with 1 in the place of shared axes, at first zeros. A penalty on it draws towards a
/// ReLU, which He and others advise against.
///
/// He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015.
///
/// ```
/// use elman::layers::{Dense, PRelu, Sequential};
/// use elman::Spec;
/// use elman_reference::Reference;
///
/// let network = Sequential::new().add(Dense::new(8)).add(PRelu::new().shared_axes([1]));
/// // Three features, of as many steps as there are.
/// let model = network.build(&Reference::<f32>::new(), Spec::Dense(vec![None, Some(3)]), 0)?;
/// assert_eq!(model.params()[2].shape(), [1, 8].into());
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct PRelu {
    slope: Weight,
    #[serde(rename = "shared_axes")]
    shared: Vec<usize>,
}

impl Default for PRelu {
    fn default() -> Self {
        Self::new()
    }
}

impl PRelu {
    /// A slope for each number of a sample.
    pub fn new() -> Self {
        PRelu { slope: Weight::zeros(), shared: Vec::new() }
    }

    /// Axes along which one slope serves, counted from 1 on as in Keras: 0 is the batch, which shares all slopes.
    pub fn shared_axes(self, axes: impl Into<Vec<usize>>) -> Self {
        PRelu { shared: axes.into(), ..self }
    }

    /// How the slopes start and what is asked of them.
    pub fn slope(self, slope: Weight) -> Self {
        PRelu { slope, ..self }
    }

    /// The shape of the slopes for an input.
    fn shape(&self, input: &Spec) -> Result<Shape> {
        let Spec::Dense(sizes) = input.numbers()? else {
            return Err(Error::invalid("input", "numbers", input));
        };
        if let Some(wrong) = self.shared.iter().find(|&&axis| axis == 0 || axis > sizes.len()) {
            let expected = format!("axes from 1 to {}", sizes.len());
            return Err(Error::invalid("shared axes", expected, wrong));
        }
        let size = |(axis, size): (usize, &Option<usize>)| match size {
            _ if self.shared.contains(&axis) => Ok(1),
            Some(size) if *size > 0 => Ok(*size),
            _ => {
                let expected =
                    format!("an axis {axis} of known size above 0, or a slope for all of it: shared_axes([{axis}])");
                Err(Error::invalid("input", expected, input))
            }
        };
        Shape::new(&(1..).zip(&sizes).map(size).collect::<Result<Vec<_>>>()?)
    }
}

impl<B: Backend> Layer<B> for PRelu {
    fn kind(&self) -> &'static str {
        "prelu"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let alpha = scope.param("alpha", self.shape(input)?, &self.slope)?;
        Ok(Built::new(PReluModule { alpha }, input.numbers()?))
    }
}

#[derive(Debug)]
struct PReluModule {
    alpha: ParamId,
}

impl<B: Backend> Module<B> for PReluModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        input.map_clean(pass, |x, pass| {
            let b = pass.backend();
            let above = Tensor::constant(b, b.map(Map::Step, x.value())?);
            // Not of what is above 0, where an infinite number times a gradient of 0 would be NaN.
            let below = Tensor::full(b, &[], 0.0)?.select(&above, &x)?;
            x.select(&above, &below.mul(&pass.param(self.alpha))?)
        })
    }

    // Numbers of any size and, with slopes that are learned, either sign.
    fn last_activation(&self, _: Last) -> Last {
        Activation::Linear.into()
    }
}
