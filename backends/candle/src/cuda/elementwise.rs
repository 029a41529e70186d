//! Operations on single elements, pairs and triples, with broadcasting.

use super::sources::{ELEMENTWISE, Source};
use super::{Arg, Cuda, Grid, Layout};
use crate::array::Array;
use elman::backend::{Map, Zip, check};
use elman::{Activation, Result, Shape};

/// The operation of `map` that changes nothing.
const SAME: u32 = 17;

impl Cuda {
    pub(crate) fn fill(&self, shape: Shape, value: f32) -> Result<Array> {
        let (out, n) = (self.fresh("fill", shape)?, shape.elements());
        self.launch(ELEMENTWISE, "fill", Grid::over(n.div_ceil(4)), &[n.into(), self.floats(&out)?, value.into()])?;
        Ok(out)
    }

    pub(crate) fn map(&self, op: Map, x: &Array) -> Result<Array> {
        let (op, p, q) = match op {
            Map::Neg => (0, 0.0, 0.0),
            Map::Abs => (1, 0.0, 0.0),
            Map::Sign => (2, 0.0, 0.0),
            Map::Exp => (3, 0.0, 0.0),
            Map::ExpM1 => (4, 0.0, 0.0),
            Map::Ln => (5, 0.0, 0.0),
            Map::Ln1p => (6, 0.0, 0.0),
            Map::Sqrt => (7, 0.0, 0.0),
            Map::Square => (8, 0.0, 0.0),
            Map::Recip => (9, 0.0, 0.0),
            Map::Pow(p) => (10, p, 0.0),
            Map::Tanh => (11, 0.0, 0.0),
            Map::Sigmoid => (12, 0.0, 0.0),
            Map::Erf => (13, 0.0, 0.0),
            Map::Affine(scale, shift) => (14, scale, shift),
            Map::Clamp(low, high) => (15, low, high),
            Map::Step => (16, 0.0, 0.0),
        };
        self.pointwise("map", x.shape(), &[x], &[Arg::Unsigned(op), (p as f32).into(), (q as f32).into()])
    }

    /// The numbers of an array, stretched to a shape, in row-major order.
    pub(crate) fn spread(&self, x: &Array, shape: Shape) -> Result<Array> {
        self.pointwise("map", shape, &[x], &[Arg::Unsigned(SAME), Arg::Float(0.0), Arg::Float(0.0)])
    }

    pub(crate) fn zip(&self, op: Zip, a: &Array, b: &Array) -> Result<Array> {
        let op = match op {
            Zip::Add => 0,
            Zip::Sub => 1,
            Zip::Mul => 2,
            Zip::Div => 3,
            Zip::Max => 4,
            Zip::Min => 5,
            Zip::Equal => 6,
            Zip::Less => 7,
            Zip::Greater => 8,
        };
        self.pointwise("zip", a.shape().broadcast("zip", b.shape())?, &[a, b], &[Arg::Unsigned(op)])
    }

    pub(crate) fn select(&self, mask: &Array, a: &Array, b: &Array, shape: Shape) -> Result<Array> {
        self.pointwise("select", shape, &[mask, a, b], &[])
    }

    /// `a += b` in place.
    pub(crate) fn add_assign(&self, a: &mut Array, b: &Array) -> Result<()> {
        check::same_shape("add_assign", a.shape(), b.shape())?;
        self.own(a)?;
        self.pointwise_into(ELEMENTWISE, "add_assign", a.shape(), &[b], a, &[])
    }

    pub(crate) fn concat(&self, parts: &[&Array], axis: usize, shape: Shape) -> Result<Array> {
        let parts: Vec<&Array> = parts.iter().copied().filter(|part| part.shape().elements() > 0).collect();
        if let [only] = parts[..] {
            return Ok(only.clone());
        }
        let out = self.fresh("concat", shape)?;
        let block = |shape: Shape| shape[axis..].iter().product::<usize>();
        let mut start = 0;
        for part in parts {
            let (length, whole) = (block(part.shape()), block(shape));
            self.join(part, &out, [length, whole, start])?;
            start += length;
        }
        Ok(out)
    }

    /// Writes a part to its place among others: `length` numbers of each `whole` from `start` on.
    pub(super) fn join(&self, part: &Array, out: &Array, [length, whole, start]: [usize; 3]) -> Result<()> {
        let place = [length.into(), whole.into(), start.into()];
        self.pointwise_into(ELEMENTWISE, "join", part.shape(), &[part], out, &place)
    }

    /// `None` where the composed body serves: the softmaxes.
    pub(crate) fn activate(&self, f: Activation, x: &Array) -> Result<Option<Array>> {
        let Some((f, p)) = number_of(f) else { return Ok(None) };
        self.pointwise("activate", x.shape(), &[x], &[Arg::Unsigned(f), p.into()]).map(Some)
    }

    /// `None` where the composed body serves.
    pub(crate) fn activate_grad(&self, f: Activation, x: &Array, y: &Array, dy: &Array) -> Result<Option<Array>> {
        check::same_shape("activate_grad", x.shape(), y.shape())?;
        check::same_shape("activate_grad", x.shape(), dy.shape())?;
        let Some((f, p)) = number_of(f) else { return Ok(None) };
        self.pointwise("activate_grad", x.shape(), &[x, y, dy], &[Arg::Unsigned(f), p.into()]).map(Some)
    }

    /// `max(z, 0) - z t + ln(1 + e^-|z|)`
    pub(crate) fn binary_cross_entropy(&self, logits: &Array, targets: &Array) -> Result<Array> {
        check::same_shape("binary_cross_entropy", logits.shape(), targets.shape())?;
        self.pointwise("binary_cross_entropy", logits.shape(), &[logits, targets], &[])
    }

    /// `(σ(z) - t) d`
    pub(crate) fn binary_cross_entropy_grad(&self, logits: &Array, targets: &Array, d: &Array) -> Result<Array> {
        check::same_shape("binary_cross_entropy", logits.shape(), targets.shape())?;
        check::same_shape("binary_cross_entropy_grad", logits.shape(), d.shape())?;
        self.pointwise("binary_cross_entropy_grad", logits.shape(), &[logits, targets, d], &[])
    }

    /// A new array by a kernel of this source, which takes `rest` after it.
    fn pointwise(&self, kernel: &'static str, shape: Shape, operands: &[&Array], rest: &[Arg<'_>]) -> Result<Array> {
        let out = self.fresh(kernel, shape)?;
        self.pointwise_into(ELEMENTWISE, kernel, shape, operands, &out, rest)?;
        Ok(out)
    }

    /// Calls a kernel for the elements of `shape`, to which the operands are stretched; `out` is packed.
    pub(super) fn pointwise_into(
        &self,
        source: Source,
        kernel: &'static str,
        shape: Shape,
        operands: &[&Array],
        out: &Array,
        rest: &[Arg<'_>],
    ) -> Result<()> {
        let n = shape.elements();
        if n == 0 {
            return Ok(());
        }
        let mut arguments = vec![Arg::Layout(layout(shape, operands)), n.into()];
        for operand in operands {
            arguments.push(self.view(operand)?);
        }
        arguments.push(self.floats(out)?);
        arguments.extend(rest);
        self.launch(source, kernel, Grid::over(n.div_ceil(4)), &arguments)
    }
}

/// The number of an activation function in the kernels, and its parameter.
fn number_of(f: Activation) -> Option<(u32, f32)> {
    Some(match f {
        Activation::Sigmoid => (0, 0.0),
        Activation::HardSigmoid => (1, 0.0),
        Activation::HardSigmoidKeras1 => (2, 0.0),
        Activation::Tanh => (3, 0.0),
        Activation::Relu => (4, 0.0),
        Activation::LeakyRelu(slope) => (5, slope as f32),
        Activation::Elu(alpha) => (6, alpha as f32),
        Activation::Gelu => (7, 0.0),
        Activation::GeluTanh => (8, 0.0),
        Activation::Silu => (9, 0.0),
        Activation::Softplus => (10, 0.0),
        Activation::Selu => (11, 0.0),
        Activation::Celu(alpha) => (12, alpha as f32),
        Activation::Mish => (13, 0.0),
        Activation::HardSwish => (14, 0.0),
        Activation::Softsign => (15, 0.0),
        Activation::Relu6 => (16, 0.0),
        Activation::LogSigmoid => (17, 0.0),
        _ => return None,
    })
}

/// The operands stretched to `shape`, whose axes are joined where no operand needs them apart. The last axis is axis 5.
fn layout(shape: Shape, operands: &[&Array]) -> Layout {
    let stride = |operand: &Array, axis: usize| {
        let own = operand.shape();
        match (axis + own.rank()).checked_sub(shape.rank()) {
            Some(axis) if own[axis] != 1 => operand.tensor().stride()[axis] as u32,
            _ => 0,
        }
    };
    let mut layout = Layout { rank: 0, sizes: [1; 6], strides: [[0; 6]; 3] };
    let mut last = 6;
    for axis in (0..shape.rank()).rev().filter(|&axis| shape[axis] != 1) {
        let continued = |(operand, strides): (&&Array, &[u32; 6])| {
            stride(operand, axis) == strides[last].wrapping_mul(layout.sizes[last])
        };
        if last < 6 && operands.iter().zip(&layout.strides).all(continued) {
            layout.sizes[last] *= shape[axis] as u32;
            continue;
        }
        last -= 1;
        layout.sizes[last] = shape[axis] as u32;
        for (operand, strides) in operands.iter().zip(&mut layout.strides) {
            strides[last] = stride(operand, axis);
        }
    }
    layout.rank = (6 - last).max(1) as u32;
    layout
}
