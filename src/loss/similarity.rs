//! [`CosineSimilarity`] and [`LogCosh`]: two more measures of how near numbers are, for a linear last layer.

use super::{Loss, Target, mean_of_row};
use crate::backend::{Backend, Map, Zip};
use crate::description::{Description, describe};
use crate::error::Result;
use crate::tensor::{Axis, Tensor};
use serde::{Deserialize, Serialize};

/// Keras holds the length of a vector at this or above.
const SHORTEST: f64 = 1e-7;

/// `-Σ_j t_j y_j / (‖t‖ ‖y‖)` over a row, the cosine of the angle between two vectors with its sign turned: -1 where they point
/// the same way, 0 at right angles, 1 the other way. How long they are does not count. As in Keras a length below 1e-7 counts
/// as 1e-7, so that vectors of zeros give 0.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CosineSimilarity;

/// `ln cosh(y - t)`, averaged over a row's outputs: squared near 0, absolute far away, like [`Huber`](super::Huber) without a
/// bend; its slope is `tanh(y - t)`. As in Keras.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LogCosh;

impl<B: Backend> Loss<B> for CosineSimilarity {
    fn name(&self) -> &'static str {
        "cosine_similarity"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        let t = target.numbers_for("cosine_similarity", prediction)?;
        let axis = prediction.shape().rank() - 1;
        let unit = |x: &Tensor<B>| {
            let square = x.square()?.sum_along(Axis::Keep(axis))?;
            x.div(&square.clamp(SHORTEST * SHORTEST, f64::INFINITY)?.sqrt()?)
        };
        unit(prediction)?.mul(&unit(&t)?)?.sum_along(Axis::Drop(axis))?.neg()
    }
}

impl<B: Backend> Loss<B> for LogCosh {
    fn name(&self) -> &'static str {
        "log_cosh"
    }

    fn describe(&self) -> Result<Description> {
        describe(Loss::<B>::name(self), self)
    }

    fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
        let e = prediction.sub(&target.numbers_for("log_cosh", prediction)?)?;
        mean_of_row(log_cosh(&e)?)
    }
}

/// `|x| + ln(1 + e^(-2 |x|)) - ln 2`, which overflows nowhere; its gradient by `tanh`, in which nothing cancels near 0.
fn log_cosh<B: Backend>(x: &Tensor<B>) -> Result<Tensor<B>> {
    let (b, x0) = (x.backend().clone(), x.value().clone());
    let size = b.map(Map::Abs, &x0)?;
    let tail = b.map(Map::Ln1p, &b.map(Map::Exp, &b.map(Map::Affine(-2.0, 0.0), &size)?)?)?;
    let value = b.map(Map::Affine(1.0, -std::f64::consts::LN_2), &b.zip(Zip::Add, &size, &tail)?)?;
    Ok(Tensor::record("log_cosh", x.backend(), value, &[x], move |dy, _| {
        Ok(vec![Some(b.zip(Zip::Mul, &b.map(Map::Tanh, &x0)?, dy)?)])
    }))
}
