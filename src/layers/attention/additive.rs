//! [`AdditiveAttention`]: a sequence becomes the weighted sum of its steps.

use super::super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value, Weight};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::param::ParamId;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// Pools a sequence by what its steps are worth (L26): `y = Σ aₜ xₜ` with `a = softmax(v · tanh(xₜ W + b))` over the steps
/// that count; a sequence without any gives 0. Takes `[batch, time, features]`, gives `[batch, features]`, and ends the mask.
///
/// Bahdanau's score (2015) with a trained vector in the place of the query, as text classifiers have it (Yang and others,
/// "Hierarchical Attention Networks for Document Classification", NAACL 2016). For Keras' layer of that name, which takes queries
/// too, see [`additive_attention`](super::additive_attention).
///
/// Parameters: `kernel [features, units]` and `score [units]`, Glorot uniform, `bias [units]`, zeros.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default = "AdditiveAttention::of_no_units", deny_unknown_fields)]
#[must_use]
pub struct AdditiveAttention {
    units: usize,
    kernel: Weight,
    bias: Weight,
    score: Weight,
}

impl AdditiveAttention {
    /// Scores from this many units.
    pub fn new(units: usize) -> Self {
        let glorot = || Weight::new(Init::GlorotUniform);
        AdditiveAttention { units, kernel: glorot(), bias: Weight::zeros(), score: glorot() }
    }

    /// The options that a description leaves out.
    fn of_no_units() -> Self {
        AdditiveAttention::new(0)
    }

    /// How `W` starts and what is asked of it.
    pub fn kernel(self, kernel: Weight) -> Self {
        AdditiveAttention { kernel, ..self }
    }

    /// How `b` starts and what is asked of it.
    pub fn bias(self, bias: Weight) -> Self {
        AdditiveAttention { bias, ..self }
    }

    /// How `v` starts and what is asked of it.
    pub fn score(self, score: Weight) -> Self {
        AdditiveAttention { score, ..self }
    }
}

impl<B: Backend> Layer<B> for AdditiveAttention {
    fn kind(&self) -> &'static str {
        "additive_attention"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        if self.units == 0 {
            return Err(Error::invalid("units", "at least 1", 0));
        }
        let (_, features) = input.sequence()?;
        let kernel = scope.param("kernel", Shape::new(&[features, self.units])?, &self.kernel)?;
        let bias = scope.param("bias", [self.units].into(), &self.bias)?;
        let score = scope.param("score", [self.units].into(), &self.score)?;
        Ok(Built::new(AdditiveModule { kernel, bias, score }, Spec::dense(&[features])))
    }
}

#[derive(Debug)]
struct AdditiveModule {
    kernel: ParamId,
    bias: ParamId,
    score: ParamId,
}

impl<B: Backend> Module<B> for AdditiveModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        pass.whole("attention")?;
        let (x, mask) = input.sequence(pass)?;
        let (batch, time, features) = (x.shape()[0], x.shape()[1], x.shape()[2]);
        let x = mask.as_ref().map_or(Ok(x.clone()), |mask| mask.clear(&x))?;
        let score = pass.param(self.score);
        let units = score.shape().last();
        let hidden = x.linear(&pass.param(self.kernel), Some(&pass.param(self.bias)))?.tanh()?;
        let scores = hidden.linear(&score.reshape(&[units, 1])?, None)?.reshape(&[batch, time])?;
        let weights = match &mask {
            Some(mask) => scores.masked_softmax(mask.array())?,
            None => scores.softmax()?,
        };
        Ok(weights.reshape(&[batch, 1, time])?.matmul(&x)?.reshape(&[batch, features])?.into())
    }

    // A weighted mean of the steps.
    fn last_activation(&self, input: Last) -> Last {
        input.filter(|last| last != Activation::LogSoftmax)
    }
}
