//! [`BatchNorm`]: every feature is normalised over the batch.

use super::layer_norm::check_epsilon;
use super::{Built, Layer, Mask, Module, Pass, Scope, Spec, Value, Weight};
use crate::activation::Activation;
use crate::backend::{Backend, Map, Zip};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `y = γ ⊙ (x - μ) / √(σ² + ε) + β` with mean and variance of each feature (L26): numbers of any shape, the same shape out.
///
/// In training `μ` and `σ²` are those of the batch, over samples and steps; steps that a mask leaves out do not count, and
/// the mask goes through. In evaluation they are running averages of those, `moving ← m moving + (1 - m) batch`, which
/// training keeps whether or not the layer's parameters are frozen. The variance is that of all numbers, not of one less,
/// in both places, as in Keras. A batch in which nothing counts leaves the averages as they are. Steps that are left out are
/// themselves normalised like the others, as in Keras, so that they must hold numbers (not NaN) in training.
///
/// To tune a network that was trained elsewhere, in batches too small or texts too few for statistics of their own, build it
/// with [`BatchNorm::frozen_statistics`] and load its weights.
///
/// Defaults as in Keras: momentum `m = 0.99`, `ε = 1e-3`, `γ` ones, `β` zeros. Parameters: `gamma [features]`,
/// `beta [features]`; state: `moving_mean [features]`, `moving_variance [features]`, at first 0 and 1.
///
/// Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", ICML 2015.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    momentum: f64,
    epsilon: f64,
    gamma: Weight,
    beta: Weight,
    frozen: bool,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchNorm {
    /// With Keras' defaults.
    pub fn new() -> Self {
        BatchNorm { momentum: 0.99, epsilon: 1e-3, gamma: Weight::ones(), beta: Weight::zeros(), frozen: false }
    }

    /// What part of the running averages stays at each step, from 0 to 1. (PyTorch's momentum is one minus this.)
    pub fn momentum(self, momentum: f64) -> Self {
        BatchNorm { momentum, ..self }
    }

    /// What is added to the variance, above 0.
    pub fn epsilon(self, epsilon: f64) -> Self {
        BatchNorm { epsilon, ..self }
    }

    /// How `γ` starts and what is asked of it.
    pub fn gamma(self, gamma: Weight) -> Self {
        BatchNorm { gamma, ..self }
    }

    /// How `β` starts and what is asked of it.
    pub fn beta(self, beta: Weight) -> Self {
        BatchNorm { beta, ..self }
    }

    /// Uses the moving statistics in training as in evaluation, and leaves them as they are: the layer is then an affine map
    /// of each feature. `γ` and `β` are trained all the same, unless they are frozen too; with both it is what Keras does
    /// for `trainable = False` (in PyTorch `eval()`).
    pub fn frozen_statistics(self) -> Self {
        BatchNorm { frozen: true, ..self }
    }
}

impl<B: Backend> Layer<B> for BatchNorm {
    fn kind(&self) -> &'static str {
        "batch_norm"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        check_epsilon(self.epsilon)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(Error::invalid("momentum", "a number in [0, 1]", self.momentum));
        }
        let shape = [input.features()?].into();
        let gamma = scope.param("gamma", shape, &self.gamma)?;
        let beta = scope.param("beta", shape, &self.beta)?;
        let moving_mean = scope.state("moving_mean", shape, Init::Zeros)?;
        let moving_variance = scope.state("moving_variance", shape, Init::Ones)?;
        let (momentum, epsilon, frozen) = (self.momentum, self.epsilon, self.frozen);
        let module = BatchNormModule { momentum, epsilon, gamma, beta, moving_mean, moving_variance, frozen };
        Ok(Built::new(module, input.numbers()?))
    }
}

#[derive(Debug)]
struct BatchNormModule {
    momentum: f64,
    epsilon: f64,
    gamma: ParamId,
    beta: ParamId,
    moving_mean: ParamId,
    moving_variance: ParamId,
    frozen: bool,
}

/// What is counted in a batch, as single numbers on the device.
struct Count<B: Backend> {
    /// One over how many numbers of a feature there are; 1 if there are none.
    each: Tensor<B>,
    /// 1, or 0 if there are none.
    any: B::Array,
}

impl<B: Backend> Count<B> {
    fn of(b: &B, x: Shape, mask: Option<&Mask<B>>) -> Result<Self> {
        let Some(mask) = mask else {
            let rows = x.rows();
            let each = Tensor::full(b, &[], 1.0 / rows.max(1) as f64)?;
            return Ok(Count { each, any: b.fill(Shape::SCALAR, if rows > 0 { 1.0 } else { 0.0 })? });
        };
        mask.check(b, x)?;
        if x.rank() < 3 {
            let expected = "numbers [batch, time, .., features] for a mask [batch, time]";
            return Err(Error::invalid("input", expected, format!("shape {x}")));
        }
        let of_a_step: usize = x[2..x.rank() - 1].iter().product();
        let steps = b.sum_to(mask.array(), Shape::SCALAR)?;
        let one = b.fill(Shape::SCALAR, 1.0)?;
        let each = b.map(Map::Recip, &b.zip(Zip::Max, &steps, &one)?)?;
        let each = Tensor::constant(b, each).affine(1.0 / of_a_step.max(1) as f64, 0.0)?;
        Ok(Count { each, any: b.map(Map::Step, &steps)? })
    }
}

impl BatchNormModule {
    /// Mean and variance of the batch, which the running averages take up.
    fn of_batch<B: Backend>(
        &self,
        x: &Tensor<B>,
        mask: Option<&Mask<B>>,
        pass: &mut Pass<'_, B>,
    ) -> Result<[Tensor<B>; 2]> {
        let (b, wide) = (pass.backend(), [x.shape().last()].into());
        let count = Count::of(b, x.shape(), mask)?;
        let mean = |x: &Tensor<B>| mask.map_or(Ok(x.clone()), |mask| mask.clear(x))?.sum_to(wide)?.mul(&count.each);
        let middle = mean(x)?;
        let variance = mean(&x.sub(&middle)?.square()?)?;
        let share = b.map(Map::Affine(1.0 - self.momentum, 0.0), &count.any)?;
        for (id, batch) in [(self.moving_mean, &middle), (self.moving_variance, &variance)] {
            let moving = pass.param(id);
            let step = b.zip(Zip::Mul, &share, &b.zip(Zip::Sub, batch.value(), moving.value())?)?;
            pass.set_state(id, b.zip(Zip::Add, moving.value(), &step)?);
        }
        Ok([middle, variance])
    }
}

impl<B: Backend> Module<B> for BatchNormModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (value, mask) = input.split();
        let x = value.tensor(pass)?;
        let [mean, variance] = if pass.is_training() && !self.frozen {
            self.of_batch(&x, mask.as_ref(), pass)?
        } else {
            [pass.param(self.moving_mean), pass.param(self.moving_variance)]
        };
        let factor = variance.affine(1.0, self.epsilon)?.sqrt()?.recip()?.mul(&pass.param(self.gamma))?;
        let y = x.sub(&mean)?.mul(&factor)?.add(&pass.param(self.beta))?;
        Ok(Value::from(y).with_mask(mask))
    }

    // Numbers of any size and either sign.
    fn last_activation(&self, _: Option<Activation>) -> Option<Activation> {
        Some(Activation::Linear)
    }
}
