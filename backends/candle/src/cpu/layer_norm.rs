//! Layer normalisation, a row at a time.

use super::Cpu;
use super::reduce::sum;
use super::simd::vectorised;
use super::softmax::inner;
use crate::array::Array;
use elman::{Result, Shape, backend::check};

/// Partial sums that run side by side.
const LANES: usize = 16;

/// `Σ (x - mean)²`
#[inline(always)]
fn squares(x: &[f32], mean: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for x in whole {
        lanes.iter_mut().zip(x).for_each(|(lane, &x)| *lane += (x - mean) * (x - mean));
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|&x| (x - mean) * (x - mean)).sum::<f32>()
}

/// The mean of a row and `1 / √(variance + epsilon)`.
#[inline(always)]
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let mean = sum(x) / x.len() as f32;
    (mean, 1.0 / (squares(x, mean) / x.len() as f32 + epsilon).sqrt())
}

vectorised! {
    fn normalised(x: &[f32], weights: [&[f32]; 2], epsilon: f32, out: &mut [f32]) {
        let (mean, factor) = moments(x, epsilon);
        let [gamma, beta] = weights;
        for (((out, &x), &gamma), &beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
            *out = (x - mean) * factor * gamma + beta;
        }
    }

    /// With `n` for the normalised row and `g = γ ⊙ dy`: `(g - mean g - n ⊙ mean (g ⊙ n)) / √(variance + epsilon)`.
    fn row_grad(x: &[f32], gamma: &[f32], epsilon: f32, dy: &[f32], out: &mut [f32]) {
        let (mean, factor) = moments(x, epsilon);
        let width = x.len() as f32;
        let middle = inner(gamma, dy) / width;
        out.iter_mut().zip(x).zip(gamma).for_each(|((out, &x), &gamma)| *out = (x - mean) * factor * gamma);
        let along = inner(out, dy) / width;
        for (((out, &x), &gamma), &dy) in out.iter_mut().zip(x).zip(gamma).zip(dy) {
            *out = (gamma * dy - middle - (x - mean) * factor * along) * factor;
        }
    }

    /// `n ⊙ dy`, a row's part in the gradient of `γ`.
    fn along(x: &[f32], epsilon: f32, dy: &[f32], out: &mut [f32]) {
        let (mean, factor) = moments(x, epsilon);
        out.iter_mut().zip(x).zip(dy).for_each(|((out, &x), &dy)| *out = (x - mean) * factor * dy);
    }
}

impl Cpu {
    /// Of an array with elements.
    pub(crate) fn layer_norm(&self, x: &Array, gamma: &Array, beta: &Array, epsilon: f32) -> Result<Array> {
        check::layer_norm(x.shape(), gamma.shape(), beta.shape())?;
        let (gamma, beta) = (gamma.numbers()?, beta.numbers()?);
        let weights = [&*gamma, &*beta];
        self.by_row("layer_norm", [x, x], |x, _, out| normalised(x, weights, epsilon, out))
    }

    /// Of an array with elements.
    pub(crate) fn layer_norm_grad(
        &self,
        x: &Array,
        gamma: &Array,
        epsilon: f32,
        dy: &Array,
        [of_x, of_gamma, of_beta]: [bool; 3],
    ) -> Result<[Option<Array>; 3]> {
        check::layer_norm(x.shape(), gamma.shape(), gamma.shape())?;
        check::same_shape("layer_norm_grad", x.shape(), dy.shape())?;
        let wide: Shape = gamma.shape();
        let weights = gamma.numbers()?;
        let weights = &*weights;
        let dx =
            of_x.then(|| self.by_row("layer_norm_grad", [x, dy], |x, dy, out| row_grad(x, weights, epsilon, dy, out)));
        let dgamma = of_gamma.then(|| {
            let parts = self.by_row("layer_norm_grad", [x, dy], |x, dy, out| along(x, epsilon, dy, out))?;
            self.sum_to(&parts, wide)
        });
        let dbeta = of_beta.then(|| self.sum_to(dy, wide));
        Ok([dx.transpose()?, dgamma.transpose()?, dbeta.transpose()?])
    }
}
