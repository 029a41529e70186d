//! [`Dense`]: the fully connected layer.

use super::{Built, Layer, Module, Pass, Scope, Spec, Value, Weight};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// `y = f(x W + b)` (L1, L3): every output depends on every input.
///
/// Takes `[batch, .., inputs]`, or bags of words, of which only the words that occur cost work; gives `[batch, .., units]`.
/// Defaults as in Keras: linear, kernel Glorot uniform, bias zeros. Parameters: `kernel [inputs, units]`, `bias [units]`.
///
/// ```
/// use elman::layers::Dense;
/// use elman::Activation;
/// let hidden = Dense::new(512).activation(Activation::Relu);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default = "Dense::of_no_units", deny_unknown_fields)]
#[must_use]
pub struct Dense {
    units: usize,
    activation: Activation,
    kernel: Weight,
    bias: Option<Weight>,
}

impl Dense {
    /// A linear layer of `units` outputs.
    pub fn new(units: usize) -> Self {
        let (kernel, bias) = (Weight::new(Init::GlorotUniform), Some(Weight::zeros()));
        Dense { units, activation: Activation::Linear, kernel, bias }
    }

    /// The options that a description leaves out; without units it is an error when it is built.
    fn of_no_units() -> Self {
        Dense::new(0)
    }

    /// The activation function `f`.
    pub fn activation(self, activation: Activation) -> Self {
        Dense { activation, ..self }
    }

    /// How the kernel starts and what is asked of it.
    pub fn kernel(self, kernel: Weight) -> Self {
        Dense { kernel, ..self }
    }

    /// How the bias starts and what is asked of it.
    pub fn bias(self, bias: Weight) -> Self {
        Dense { bias: Some(bias), ..self }
    }

    /// Leaves the bias out.
    pub fn without_bias(self) -> Self {
        Dense { bias: None, ..self }
    }
}

impl<B: Backend> Layer<B> for Dense {
    fn kind(&self) -> &'static str {
        "dense"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        if self.units == 0 {
            return Err(Error::invalid("units", "at least 1", 0));
        }
        self.activation.check_units(&Spec::dense(&[self.units]))?;
        let inputs = input.features()?;
        let kernel = scope.param("kernel", Shape::new(&[inputs, self.units])?, &self.kernel)?;
        let bias = self.bias.as_ref().map(|bias| scope.param("bias", [self.units].into(), bias)).transpose()?;
        let module = DenseModule { kernel, bias, activation: self.activation };
        Ok(Built::new(module, input.with_features(self.units)))
    }
}

#[derive(Debug)]
struct DenseModule {
    kernel: ParamId,
    bias: Option<ParamId>,
    activation: Activation,
}

impl DenseModule {
    /// `x W + b`
    fn linear<B: Backend>(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let kernel = pass.param(self.kernel);
        let bias = self.bias.map(|bias| pass.param(bias));
        match input {
            Value::Bags(bags) => Ok(Tensor::bag_linear(&bags, &kernel, bias.as_ref())?.into()),
            other => other.map_clean(pass, |x, _| x.linear(&kernel, bias.as_ref())),
        }
    }
}

impl<B: Backend> Module<B> for DenseModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        self.linear(input, pass)?.map_clean(pass, |z, _| z.activate(self.activation))
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Activation)> {
        Ok((self.linear(input, pass)?, self.activation))
    }

    fn last_activation(&self, _: Option<Activation>) -> Option<Activation> {
        Some(self.activation)
    }
}
