//! [`Dense`]: the fully connected layer.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value, Weight};
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
#[doc(alias = "Linear")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default = "Dense::of_no_units", deny_unknown_fields)]
#[must_use]
pub struct Dense {
    units: usize,
    activation: Activation,
    kernel: Weight,
    bias: Option<Weight>,
    /// The path of the table that the kernel is, transposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tied: Option<String>,
}

impl Dense {
    /// A linear layer of `units` outputs.
    pub fn new(units: usize) -> Self {
        let (kernel, bias) = (Weight::new(Init::GlorotUniform), Some(Weight::zeros()));
        Dense { units, activation: Activation::Linear, kernel, bias, tied: None }
    }

    /// The options that a description leaves out; without units it is an error when it is built.
    fn of_no_units() -> Self {
        Dense::new(0)
    }

    /// A linear layer whose kernel is another layer's table `[rows, features]`, transposed, by its path in the model:
    /// `y = x Eᵀ + b`, as many outputs as the table has rows (Press and Wolf, 2017; Inan and others, 2017). Words that go in and
    /// words that come out share their vectors so; the gradients of both uses add up.
    ///
    /// ```
    /// use elman::Spec;
    /// use elman::layers::{Dense, Embedding, Lstm, Sequential};
    /// use elman_reference::Reference;
    /// let words = Sequential::new()
    ///     .add_named("words", Embedding::new(1000, 16))
    ///     .add(Lstm::new(16).return_sequences())
    ///     .add(Dense::tied("words.embeddings"));
    /// let model = words.build(&Reference::<f32>::new(), Spec::Indices(None), 0)?;
    /// assert_eq!(model.count_params(), 1000 * 16 + 4 * (16 + 16 + 1) * 16 + 1000);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn tied(table: impl Into<String>) -> Self {
        Dense { tied: Some(table.into()), ..Dense::new(0) }
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
    #[doc(alias = "use_bias")]
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
        let inputs = input.features()?;
        let (units, kernel) = match &self.tied {
            Some(table) => {
                let (id, shape) = scope.shared(table)?;
                match shape[..] {
                    [rows, features] if features == inputs => (rows, id),
                    _ => {
                        let expected = format!("a table of rows of {inputs} numbers, as many as come in");
                        return Err(Error::invalid(format!("tied to `{table}`"), expected, shape));
                    }
                }
            }
            None if self.units == 0 => return Err(Error::invalid("units", "at least 1", 0)),
            None => (self.units, scope.param("kernel", Shape::new(&[inputs, self.units])?, &self.kernel)?),
        };
        self.activation.check_units(&Spec::dense(&[units]))?;
        let bias = self.bias.as_ref().map(|bias| scope.param("bias", [units].into(), bias)).transpose()?;
        let module = DenseModule { kernel, bias, activation: self.activation, tied: self.tied.is_some() };
        Ok(Built::new(module, input.with_features(units)))
    }
}

#[derive(Debug)]
struct DenseModule {
    kernel: ParamId,
    bias: Option<ParamId>,
    activation: Activation,
    /// Whether the kernel lies there transposed, as another layer's table.
    tied: bool,
}

impl DenseModule {
    /// `x W + b`
    fn linear<B: Backend>(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let kernel = pass.param(self.kernel);
        let kernel = if self.tied { kernel.transpose()? } else { kernel };
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

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        Ok((self.linear(input, pass)?, self.activation.into()))
    }

    fn last_activation(&self, _: Last) -> Last {
        self.activation.into()
    }
}
