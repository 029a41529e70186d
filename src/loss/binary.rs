//! [`BinaryCrossEntropy`]: yes or no, for one output or several.

use super::{EPSILON, Loss, Outputs, Scale, Target, mean_of_row};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// `-(t ln o + (1 - t) ln(1 - o))`, averaged over a row's outputs (L6). Targets are labels 0 and 1, or numbers from 0
/// to 1.
///
/// On probabilities, which are held in `[1e-7, 1 - 1e-7]` as in Keras, the gradient dies at the bounds; a model that
/// ends in a sigmoid is therefore trained on what feeds it (`max(z, 0) - z t + ln(1 + e^-|z|)`), by itself.
#[doc(alias = "BCELoss")]
#[doc(alias = "BCEWithLogitsLoss")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct BinaryCrossEntropy {
    #[serde(rename = "from_logits")]
    logits: bool,
    #[serde(rename = "label_smoothing")]
    smoothing: f64,
    /// None; one for all outputs; one each.
    pos_weights: Vec<f64>,
}

impl BinaryCrossEntropy {
    /// On probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// On logits: the model ends in a linear layer.
    pub fn from_logits() -> Self {
        BinaryCrossEntropy { logits: true, ..Self::default() }
    }

    /// Draws targets towards 1/2: `t (1 - s) + s / 2`.
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        BinaryCrossEntropy { smoothing, ..self }
    }

    /// Counts what is positive `weight` times: `-(weight t ln o + (1 - t) ln(1 - o))`, PyTorch's `pos_weight`. Above 1 it
    /// raises recall, below 1 precision; negative by positive samples makes both count alike. Errors when it is used, unless it
    /// is a finite number above 0.
    pub fn pos_weight(self, weight: f64) -> Self {
        self.pos_weights([weight])
    }

    /// [`BinaryCrossEntropy::pos_weight`] with a weight for each output: several labels a row, each as rare as it is.
    /// Errors when it is used, unless there are as many as outputs.
    pub fn pos_weights(self, weights: impl Into<Vec<f64>>) -> Self {
        BinaryCrossEntropy { pos_weights: weights.into(), ..self }
    }

    /// With `p` as the weight of what is positive, `p t ln o + (1 - t) ln(1 - o)` is `s (u ln o + (1 - u) ln(1 - o))` with
    /// `s = 1 + (p - 1) t` and `u = p t / s`: the plain form, with another target, `s` times. Gives `u` and `s`.
    fn weigh<B: Backend>(&self, t: Tensor<B>) -> Result<(Tensor<B>, Option<Tensor<B>>)> {
        if self.pos_weights.is_empty() {
            return Ok((t, None));
        }
        if let Some(wrong) = self.pos_weights.iter().find(|weight| !(weight.is_finite() && **weight > 0.0)) {
            return Err(Error::invalid("binary_crossentropy: pos_weight", "a finite number above 0", wrong));
        }
        let (outputs, given) = (t.shape().last(), self.pos_weights.len());
        if given != 1 && given != outputs {
            let expected = format!("one number, or one for each of {outputs} outputs");
            return Err(Error::invalid("binary_crossentropy: pos_weight", expected, given));
        }
        let weights = self.pos_weights.iter().map(|&weight| B::Elem::from_f64(weight)).collect();
        let p = Tensor::new(t.backend(), weights, &[given])?;
        let s = t.mul(&p.affine(1.0, -1.0)?)?.affine(1.0, 1.0)?;
        Ok((t.mul(&p)?.div(&s)?, Some(s)))
    }
}

impl<B: Backend> Loss<B> for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_crossentropy"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        super::check_smoothing(self.smoothing)?;
        let t = target.values_for(Loss::<B>::name(self), prediction)?;
        let t = if self.smoothing == 0.0 { t } else { t.affine(1.0 - self.smoothing, 0.5 * self.smoothing)? };
        let (t, weight) = self.weigh(t)?;
        let each = match self.logits {
            true => prediction.binary_cross_entropy(&t)?,
            false => {
                let p = prediction.clamp(EPSILON, 1.0 - EPSILON)?;
                let yes = p.ln()?.mul(&t)?;
                let no = p.affine(-1.0, 1.0)?.ln()?.mul(&t.affine(-1.0, 1.0)?)?;
                yes.add(&no)?.neg()?
            }
        };
        mean_of_row(weight.map_or(Ok(each.clone()), |weight| each.mul(&weight))?)
    }

    fn outputs(&self) -> Outputs {
        Outputs::Labels(if self.logits { Scale::Logits } else { Scale::Probabilities })
    }

    fn check_row(&self, targets: &[f32]) -> Result<()> {
        let Some(wrong) = targets.iter().find(|t| !(0.0..=1.0).contains(*t)) else { return Ok(()) };
        let cure = match *wrong {
            -1.0 => "for -1 write 0",
            2.0 => "for 1 and 2 write 0 and 1",
            255.0 => "divide by 255",
            _ => "map the two classes to 0 and 1",
        };
        Err(Error::invalid(Loss::<B>::name(self), format!("targets from 0 to 1 ({cure})"), wrong))
    }

    fn before(&self, last: Activation) -> Option<Box<dyn Loss<B>>> {
        let stable = !self.logits && last == Activation::Sigmoid;
        stable.then(|| Box::new(BinaryCrossEntropy { logits: true, ..self.clone() }) as Box<dyn Loss<B>>)
    }
}
