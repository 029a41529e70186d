//! Operations on single elements and on pairs of them, with broadcasting.

use super::super::Tensor;
use crate::activation::Activation;
use crate::backend::{Backend, Map, Zip};
use crate::error::Result;

impl<B: Backend> Tensor<B> {
    /// An elementwise operation with `dx = slope(b, x, y) ⊙ dy`.
    fn map(
        &self,
        op: &'static str,
        map: Map,
        slope: impl FnOnce(&B, &B::Array, &B::Array) -> Result<B::Array> + Send + 'static,
    ) -> Result<Self> {
        let (b, x) = (self.backend().clone(), self.value().clone());
        let y = b.map(map, &x)?;
        let kept = y.clone();
        Ok(Tensor::record(op, self.backend(), y, &[self], move |dy, _| {
            Ok(vec![Some(b.zip(Zip::Mul, &slope(&b, &x, &kept)?, dy)?)])
        }))
    }

    /// `-x`
    pub fn neg(&self) -> Result<Self> {
        self.affine(-1.0, 0.0)
    }

    /// `scale x + shift`
    pub fn affine(&self, scale: f64, shift: f64) -> Result<Self> {
        let b = self.backend().clone();
        let y = b.map(Map::Affine(scale, shift), self.value())?;
        Ok(Tensor::record("affine", self.backend(), y, &[self], move |dy, _| {
            Ok(vec![Some(b.map(Map::Affine(scale, 0.0), dy)?)])
        }))
    }

    /// `|x|`; its gradient at 0 is 0
    pub fn abs(&self) -> Result<Self> {
        self.map("abs", Map::Abs, |b, x, _| b.map(Map::Sign, x))
    }

    /// `e^x`
    pub fn exp(&self) -> Result<Self> {
        self.map("exp", Map::Exp, |_, _, y| Ok(y.clone()))
    }

    /// Natural logarithm
    pub fn ln(&self) -> Result<Self> {
        self.map("ln", Map::Ln, |b, x, _| b.map(Map::Recip, x))
    }

    /// Square root
    pub fn sqrt(&self) -> Result<Self> {
        self.map("sqrt", Map::Sqrt, |b, _, y| b.map(Map::Recip, &b.map(Map::Affine(2.0, 0.0), y)?))
    }

    /// `x²`
    pub fn square(&self) -> Result<Self> {
        self.map("square", Map::Square, |b, x, _| b.map(Map::Affine(2.0, 0.0), x))
    }

    /// `x^p`
    pub fn powf(&self, p: f64) -> Result<Self> {
        self.map("powf", Map::Pow(p), move |b, x, _| b.map(Map::Affine(p, 0.0), &b.map(Map::Pow(p - 1.0), x)?))
    }

    /// `1 / x`
    pub fn recip(&self) -> Result<Self> {
        self.map("recip", Map::Recip, |b, _, y| b.map(Map::Affine(-1.0, 0.0), &b.map(Map::Square, y)?))
    }

    /// `x` held between `low` and `high`; the gradient is 0 outside and at the bounds
    #[doc(alias = "clip")]
    pub fn clamp(&self, low: f64, high: f64) -> Result<Self> {
        self.map("clamp", Map::Clamp(low, high), move |b, x, _| {
            let above = b.map(Map::Step, &b.map(Map::Affine(1.0, -low), x)?)?;
            let below = b.map(Map::Step, &b.map(Map::Affine(-1.0, high), x)?)?;
            b.zip(Zip::Mul, &above, &below)
        })
    }

    /// An activation function; see [`Activation`].
    pub fn activate(&self, f: Activation) -> Result<Self> {
        if f == Activation::Linear {
            return Ok(self.clone());
        }
        let (b, x) = (self.backend().clone(), self.value().clone());
        let y = b.activate(f, &x)?;
        let kept = y.clone();
        Ok(Tensor::record("activate", self.backend(), y, &[self], move |dy, _| {
            Ok(vec![Some(b.activate_grad(f, &x, &kept, dy)?)])
        }))
    }

    /// `1 / (1 + e^-x)`
    pub fn sigmoid(&self) -> Result<Self> {
        self.activate(Activation::Sigmoid)
    }

    /// Hyperbolic tangent
    pub fn tanh(&self) -> Result<Self> {
        self.activate(Activation::Tanh)
    }

    /// `max(x, 0)`
    pub fn relu(&self) -> Result<Self> {
        self.activate(Activation::Relu)
    }

    /// Softmax along the last axis
    pub fn softmax(&self) -> Result<Self> {
        self.activate(Activation::Softmax)
    }

    /// The logarithm of the softmax along the last axis
    pub fn log_softmax(&self) -> Result<Self> {
        self.activate(Activation::LogSoftmax)
    }

    /// An operation on pairs with broadcasting: `grads(b, x, y, dz)` gives the gradient for either side, which is then summed
    /// over what that side was stretched along.
    fn zip(
        &self,
        other: &Self,
        op: &'static str,
        zip: Zip,
        left: impl FnOnce(&B, &B::Array, &B::Array, &B::Array) -> Result<B::Array> + Send + 'static,
        right: impl FnOnce(&B, &B::Array, &B::Array, &B::Array) -> Result<B::Array> + Send + 'static,
    ) -> Result<Self> {
        let (b, x, y) = (self.backend().clone(), self.value().clone(), other.value().clone());
        let z = b.zip(zip, &x, &y)?;
        Ok(Tensor::record(op, self.backend(), z, &[self, other], move |dz, wanted| {
            let dx = wanted[0].then(|| b.sum_to(&left(&b, &x, &y, dz)?, b.shape(&x)));
            let dy = wanted[1].then(|| b.sum_to(&right(&b, &x, &y, dz)?, b.shape(&y)));
            Ok(vec![dx.transpose()?, dy.transpose()?])
        }))
    }

    /// `x + y`, with broadcasting. Keeps nothing of its operands.
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.sum_or_difference(other, "add", Zip::Add, false)
    }

    /// `x - y`, with broadcasting. Keeps nothing of its operands.
    pub fn sub(&self, other: &Self) -> Result<Self> {
        self.sum_or_difference(other, "sub", Zip::Sub, true)
    }

    fn sum_or_difference(&self, other: &Self, op: &'static str, zip: Zip, negate: bool) -> Result<Self> {
        let (b, left, right) = (self.backend().clone(), self.shape(), other.shape());
        let z = b.zip(zip, self.value(), other.value())?;
        Ok(Tensor::record(op, self.backend(), z, &[self, other], move |dz, wanted| {
            let dx = wanted[0].then(|| b.sum_to(dz, left)).transpose()?;
            let dy = wanted[1].then(|| b.sum_to(dz, right)).transpose()?;
            let dy = if negate { dy.map(|dy| b.map(Map::Neg, &dy)).transpose()? } else { dy };
            Ok(vec![dx, dy])
        }))
    }

    /// `x y` elementwise, with broadcasting
    pub fn mul(&self, other: &Self) -> Result<Self> {
        let left = |b: &B, _: &B::Array, y: &B::Array, dz: &B::Array| b.zip(Zip::Mul, y, dz);
        let right = |b: &B, x: &B::Array, _: &B::Array, dz: &B::Array| b.zip(Zip::Mul, x, dz);
        self.zip(other, "mul", Zip::Mul, left, right)
    }

    /// `x / y` elementwise, with broadcasting
    pub fn div(&self, other: &Self) -> Result<Self> {
        let left = |b: &B, _: &B::Array, y: &B::Array, dz: &B::Array| b.zip(Zip::Div, dz, y);
        let right = |b: &B, x: &B::Array, y: &B::Array, dz: &B::Array| {
            let slope = b.zip(Zip::Div, x, &b.map(Map::Square, y)?)?;
            b.map(Map::Neg, &b.zip(Zip::Mul, &slope, dz)?)
        };
        self.zip(other, "div", Zip::Div, left, right)
    }

    /// The greater of two, with broadcasting; equal elements share the gradient by halves
    pub fn maximum(&self, other: &Self) -> Result<Self> {
        self.extremum(other, "maximum", Zip::Max, Zip::Greater)
    }

    /// The lesser of two, with broadcasting; equal elements share the gradient by halves
    pub fn minimum(&self, other: &Self) -> Result<Self> {
        self.extremum(other, "minimum", Zip::Min, Zip::Less)
    }

    fn extremum(&self, other: &Self, op: &'static str, zip: Zip, wins: Zip) -> Result<Self> {
        // 1 where `a` wins, 1/2 where both are equal.
        let share = move |b: &B, a: &B::Array, o: &B::Array, dz: &B::Array| {
            let even = b.map(Map::Affine(0.5, 0.0), &b.zip(Zip::Equal, a, o)?)?;
            b.zip(Zip::Mul, &b.zip(Zip::Add, &b.zip(wins, a, o)?, &even)?, dz)
        };
        let left = move |b: &B, x: &B::Array, y: &B::Array, dz: &B::Array| share(b, x, y, dz);
        let right = move |b: &B, x: &B::Array, y: &B::Array, dz: &B::Array| share(b, y, x, dz);
        self.zip(other, op, zip, left, right)
    }

    /// Elements of `self` where `mask` is not 0, of `other` elsewhere, with broadcasting. The mask gets no gradient.
    #[doc(alias = "where")]
    #[doc(alias = "where_cond")]
    #[doc(alias = "masked_fill")]
    pub fn select(&self, mask: &Self, other: &Self) -> Result<Self> {
        let (b, mask) = (self.backend().clone(), mask.value().clone());
        let (left, right) = (self.shape(), other.shape());
        let z = b.select(&mask, self.value(), other.value())?;
        Ok(Tensor::record("select", self.backend(), z, &[self, other], move |dz, wanted| {
            let zero = b.fill([].into(), 0.0)?;
            let dx = wanted[0].then(|| b.sum_to(&b.select(&mask, dz, &zero)?, left));
            let dy = wanted[1].then(|| b.sum_to(&b.select(&mask, &zero, dz)?, right));
            Ok(vec![dx.transpose()?, dy.transpose()?])
        }))
    }
}
