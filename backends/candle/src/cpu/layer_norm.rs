//! Layer normalisation, a row at a time.

use super::Cpu;
use super::reduce::{RUN, inner, total};
use super::simd::vectorised;
use crate::array::Array;
use elman::backend::LayerNormWanted;
use elman::{Result, Shape, backend::check};

/// Partial sums that run side by side.
const LANES: usize = 16;

/// `Σ (x - middle)` and `Σ (x - middle)²`.
#[inline(always)]
fn deviations(x: &[f32], middle: f32) -> [f32; 2] {
    let run = |x: &[f32]| {
        let [mut sums, mut squares] = [[0.0f32; LANES]; 2];
        let (whole, rest) = x.as_chunks::<LANES>();
        for x in whole {
            for ((sum, square), &x) in sums.iter_mut().zip(&mut squares).zip(x) {
                let d = x - middle;
                *sum += d;
                *square += d * d;
            }
        }
        let rest = rest.iter().map(|&x| x - middle);
        let square = squares.iter().sum::<f32>() + rest.clone().map(|d| d * d).sum::<f32>();
        [sums.iter().sum::<f32>() + rest.sum::<f32>(), square]
    };
    if x.len() <= RUN {
        return run(x);
    }
    let mut sums = [0.0f64; 2];
    for part in x.chunks(RUN) {
        sums.iter_mut().zip(run(part)).for_each(|(sum, part)| *sum += f64::from(part));
    }
    sums.map(|sum| sum as f32)
}

/// A row's mean, in two parts, and `1 / √(variance + epsilon)`.
#[derive(Clone, Copy)]
struct Moments {
    /// The mean as rounded, and what rounding left of it.
    mean: [f32; 2],
    factor: f32,
}

impl Moments {
    /// The differences to the first number are 0 to the last bit where all are alike, and so is what is left.
    #[inline(always)]
    fn of(x: &[f32], epsilon: f32) -> Self {
        let (first, n) = (x[0], x.len() as f32);
        let middle = first + total(x, |x| x - first) / n;
        let [sum, squares] = deviations(x, middle);
        let rest = sum / n;
        let variance = ((squares - rest * sum) / n).max(0.0);
        // A NaN is not to be lost.
        let variance = if squares.is_nan() { squares } else { variance };
        Moments { mean: [middle, rest], factor: 1.0 / (variance + epsilon).sqrt() }
    }

    /// A number of the row, normalised.
    #[inline(always)]
    fn normalised(self, x: f32) -> f32 {
        (x - self.mean[0] - self.mean[1]) * self.factor
    }
}

vectorised! {
    fn normalised(x: &[f32], weights: [&[f32]; 2], epsilon: f32, out: &mut [f32]) {
        let row = Moments::of(x, epsilon);
        let [gamma, beta] = weights;
        for (((out, &x), &gamma), &beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
            *out = row.normalised(x) * gamma + beta;
        }
    }

    /// With `n` for the normalised row and `g = γ ⊙ dy`: `(g - mean g - n ⊙ mean (g ⊙ n)) / √(variance + epsilon)`.
    fn row_grad(x: &[f32], gamma: &[f32], epsilon: f32, dy: &[f32], out: &mut [f32]) {
        let row = Moments::of(x, epsilon);
        let width = x.len() as f32;
        let middle = inner(gamma, dy) / width;
        out.iter_mut().zip(x).zip(gamma).for_each(|((out, &x), &gamma)| *out = row.normalised(x) * gamma);
        let along = inner(out, dy) / width;
        for (((out, &x), &gamma), &dy) in out.iter_mut().zip(x).zip(gamma).zip(dy) {
            *out = (gamma * dy - middle - row.normalised(x) * along) * row.factor;
        }
    }

    /// `n ⊙ dy`, a row's part in the gradient of `γ`.
    fn along(x: &[f32], epsilon: f32, dy: &[f32], out: &mut [f32]) {
        let row = Moments::of(x, epsilon);
        out.iter_mut().zip(x).zip(dy).for_each(|((out, &x), &dy)| *out = row.normalised(x) * dy);
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
        wanted: LayerNormWanted,
    ) -> Result<[Option<Array>; 3]> {
        check::layer_norm(x.shape(), gamma.shape(), gamma.shape())?;
        check::same_shape("layer_norm_grad", x.shape(), dy.shape())?;
        let wide: Shape = gamma.shape();
        let weights = gamma.numbers()?;
        let weights = &*weights;
        let dx = wanted
            .x
            .then(|| self.by_row("layer_norm_grad", [x, dy], |x, dy, out| row_grad(x, weights, epsilon, dy, out)));
        let dgamma = wanted.gamma.then(|| {
            let parts = self.by_row("layer_norm_grad", [x, dy], |x, dy, out| along(x, epsilon, dy, out))?;
            self.sum_to(&parts, wide)
        });
        let dbeta = wanted.beta.then(|| self.sum_to(dy, wide));
        Ok([dx.transpose()?, dgamma.transpose()?, dbeta.transpose()?])
    }
}
