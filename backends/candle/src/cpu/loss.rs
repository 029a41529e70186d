//! The cross-entropies from logits, a row at a time, and their gradients.

use super::Cpu;
use super::math::{Fast, exp, ln, ln_1p};
use super::reduce::{sum, total};
use super::simd::vectorised;
use super::softmax::shifted_exp;
use crate::array::{Array, Indices};
use elman::backend::{check, op};
use elman::{Error, Result, Shape};

/// Nanoseconds or so an element.
const COST: usize = 2;

/// What logits are compared with.
#[derive(Clone, Copy)]
enum Targets<'a> {
    /// A class a row, and how much of its weight goes to all classes alike.
    Classes(&'a [u32], f32),
    /// A distribution a row.
    Distributions(&'a [f32]),
}

vectorised! {
    /// `Σ_j t_j (max + ln Σ e^(z - max) - z_j)` for the logits `z` of a row, over the classes with `t_j ≠ 0`: that of the others
    /// may be infinite.
    fn cross_entropy(z: &[f32], targets: Targets<'_>, row: usize, scratch: &mut [f32]) -> f32 {
        let (most, total) = shifted_exp(z, scratch);
        let log = ln(total);
        match targets {
            Targets::Classes(classes, smoothing) => {
                let of_class = log - (z[classes[row] as usize] - most);
                if smoothing == 0.0 {
                    return of_class;
                }
                // What cannot be, at -∞, has no part in it.
                let of_possible = |z: f32| if z == f32::NEG_INFINITY { 0.0 } else { log - (z - most) };
                scratch.iter_mut().zip(z).for_each(|(scratch, &z)| *scratch = of_possible(z));
                (1.0 - smoothing) * of_class + smoothing * sum(scratch) / possible(z)
            }
            Targets::Distributions(all) => {
                for ((scratch, &z), &t) in scratch.iter_mut().zip(z).zip(&all[row * z.len()..]) {
                    *scratch = times(t, log - (z - most));
                }
                sum(scratch)
            }
        }
    }

    /// `(softmax(z) Σ_j t_j - t) d`; 0 where `d` is, whatever the logits are.
    fn cross_entropy_grad(z: &[f32], targets: Targets<'_>, row: usize, d: f32, out: &mut [f32]) {
        if d == 0.0 {
            return out.fill(0.0);
        }
        let (_, total) = shifted_exp(z, out);
        match targets {
            Targets::Classes(classes, smoothing) => {
                let scale = d / total;
                if smoothing == 0.0 {
                    out.iter_mut().for_each(|out| *out *= scale);
                } else {
                    let share = d * smoothing / possible(z);
                    let less = |z: f32| if z == f32::NEG_INFINITY { 0.0 } else { share };
                    out.iter_mut().zip(z).for_each(|(out, &z)| *out = *out * scale - less(z));
                }
                out[classes[row] as usize] -= d * (1.0 - smoothing);
            }
            Targets::Distributions(all) => {
                let t = &all[row * z.len()..][..z.len()];
                let scale = sum(t) / total;
                out.iter_mut().zip(t).for_each(|(out, &t)| *out = (*out * scale - t) * d);
            }
        }
    }
}

impl Cpu {
    pub(crate) fn sparse_cross_entropy(&self, logits: &Array, labels: &Indices, smoothing: f64) -> Result<Array> {
        check_labels(logits, labels)?;
        self.cross_entropy_of(logits, Targets::Classes(&labels.numbers()?, smoothing as f32))
    }

    pub(crate) fn sparse_cross_entropy_grad(
        &self,
        logits: &Array,
        labels: &Indices,
        smoothing: f64,
        d: &Array,
    ) -> Result<Array> {
        check_labels(logits, labels)?;
        self.cross_entropy_grad_of(logits, Targets::Classes(&labels.numbers()?, smoothing as f32), d)
    }

    pub(crate) fn cross_entropy(&self, logits: &Array, targets: &Array) -> Result<Array> {
        check::same_shape("cross_entropy", logits.shape(), targets.shape())?;
        self.cross_entropy_of(logits, Targets::Distributions(&targets.numbers()?))
    }

    pub(crate) fn cross_entropy_grad(&self, logits: &Array, targets: &Array, d: &Array) -> Result<Array> {
        check::same_shape("cross_entropy", logits.shape(), targets.shape())?;
        self.cross_entropy_grad_of(logits, Targets::Distributions(&targets.numbers()?), d)
    }

    fn cross_entropy_of(&self, logits: &Array, targets: Targets<'_>) -> Result<Array> {
        let shape = rows_of("cross_entropy", logits.shape())?;
        let (from, width) = (logits.numbers()?, logits.shape().last());
        let mut out = self.memory.take(shape.elements());
        let mut scratch = vec![0.0; width];
        for (row, (out, z)) in out.iter_mut().zip(from.chunks_exact(width.max(1))).enumerate() {
            *out = cross_entropy(z, targets, row, &mut scratch);
        }
        self.array(out, shape)
    }

    fn cross_entropy_grad_of(&self, logits: &Array, targets: Targets<'_>, d: &Array) -> Result<Array> {
        let (shape, width) = (logits.shape(), logits.shape().last());
        check::reshape(d.shape(), rows_of("cross_entropy_grad", shape)?)?;
        let (from, d) = (logits.numbers()?, d.numbers()?);
        let (from, d) = (&*from, &*d);
        let mut out = self.memory.take(shape.elements());
        if width > 0 {
            self.threads.rows(&mut out, width, width * COST, |rows, out| {
                for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                    cross_entropy_grad(&from[row * width..][..width], targets, row, d[row], out);
                }
            });
        }
        self.array(out, shape)
    }

    /// `|z| w + ln(1 + e^-|z|)` with `w = 1 - t` for `z > 0` and `t` elsewhere.
    pub(crate) fn binary_cross_entropy(&self, logits: &Array, targets: &Array) -> Result<Array> {
        check::same_shape("binary_cross_entropy", logits.shape(), targets.shape())?;
        self.binary(logits, targets, |z, t| times(if z > 0.0 { 1.0 - t } else { t }, z.abs()) + ln_1p(exp(-z.abs())))
    }

    /// `(σ(z) - t) d`
    pub(crate) fn binary_cross_entropy_grad(&self, logits: &Array, targets: &Array, d: &Array) -> Result<Array> {
        check::same_shape("binary_cross_entropy", logits.shape(), targets.shape())?;
        check::same_shape("binary_cross_entropy_grad", logits.shape(), d.shape())?;
        self.ternary(logits, targets, d, COST, |z, t, d| times(d, op::sigmoid(Fast(z)).0 - t))
    }
}

/// How many classes can be.
#[inline(always)]
fn possible(z: &[f32]) -> f32 {
    total(z, |z| if z == f32::NEG_INFINITY { 0.0 } else { 1.0 })
}

/// `w x`, 0 where `w` is, whatever `x` is.
#[inline(always)]
fn times(w: f32, x: f32) -> f32 {
    if w == 0.0 { 0.0 } else { w * x }
}

fn check_labels(logits: &Array, labels: &Indices) -> Result<()> {
    check::labels("sparse_cross_entropy", logits.shape(), labels.shape())?;
    labels.check("sparse_cross_entropy", logits.shape().last())
}

/// A number a row.
fn rows_of(op: &'static str, logits: Shape) -> Result<Shape> {
    let axis = logits.rank().checked_sub(1).ok_or_else(|| Error::invalid(op, "an axis of classes", "a scalar"))?;
    check::max(op, logits, axis)?;
    Shape::new(&logits[..axis])
}
