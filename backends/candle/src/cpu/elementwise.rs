//! Operations on single elements, pairs and triples, with broadcasting.

use super::Cpu;
use super::math::{self, Fast};
use super::nest::Nest;
use super::simd::vectorised;
use crate::array::Array;
use elman::backend::{Map, Zip, check};
use elman::{Activation, Result, Shape};

/// What an element of cheap arithmetic costs, and one with an exponential in it, in nanoseconds of a vector unit; and
/// one with a call.
const CHEAP: usize = 1;
const EXP: usize = 2;
const CALL: usize = 15;

impl Cpu {
    pub(crate) fn map(&self, op: Map, x: &Array) -> Result<Array> {
        // The operation is a constant in each arm, so that each loop is compiled for it.
        macro_rules! each {
            ($($pattern:pat => $op:expr, $cost:expr;)*) => {
                match op {
                    $($pattern => self.unary(x, $cost, move |x| $op.apply(Fast(x)).0),)*
                    Map::Erf => self.unary(x, CALL, candle_core::cpu::erf::erf_f32),
                }
            };
        }
        each! {
            Map::Neg => Map::Neg, CHEAP;
            Map::Abs => Map::Abs, CHEAP;
            Map::Sign => Map::Sign, CHEAP;
            Map::Exp => Map::Exp, EXP;
            Map::ExpM1 => Map::ExpM1, EXP;
            Map::Ln => Map::Ln, EXP;
            Map::Ln1p => Map::Ln1p, EXP;
            Map::Sqrt => Map::Sqrt, CHEAP;
            Map::Square => Map::Square, CHEAP;
            Map::Recip => Map::Recip, CHEAP;
            Map::Pow(p) => Map::Pow(p), CALL;
            Map::Tanh => Map::Tanh, EXP;
            Map::Sigmoid => Map::Sigmoid, EXP;
            Map::Affine(scale, shift) => Map::Affine(scale, shift), CHEAP;
            Map::Clamp(low, high) => Map::Clamp(low, high), CHEAP;
            Map::Step => Map::Step, CHEAP;
        }
    }

    pub(crate) fn zip(&self, op: Zip, a: &Array, b: &Array) -> Result<Array> {
        macro_rules! each {
            ($($op:ident)*) => {
                match op {
                    $(Zip::$op => self.binary(a, b, |a, b| Zip::$op.apply(Fast(a), Fast(b)).0),)*
                }
            };
        }
        each!(Add Sub Mul Div Max Min Equal Less Greater)
    }

    /// `None` where the composed body serves: the softmaxes, and what rests on the error function.
    pub(crate) fn activate(&self, f: Activation, x: &Array) -> Result<Option<Array>> {
        use Activation as A;
        macro_rules! each {
            ($($pattern:pat => $f:expr, $cost:expr;)*) => {
                match f {
                    $($pattern => self.unary(x, $cost, move |x| math::activation($f, x)).map(Some),)*
                    _ => Ok(None),
                }
            };
        }
        each! {
            A::Sigmoid => A::Sigmoid, EXP;
            A::HardSigmoid => A::HardSigmoid, CHEAP;
            A::HardSigmoidKeras1 => A::HardSigmoidKeras1, CHEAP;
            A::Tanh => A::Tanh, EXP;
            A::Relu => A::Relu, CHEAP;
            A::LeakyRelu(slope) => A::LeakyRelu(slope), CHEAP;
            A::Elu(alpha) => A::Elu(alpha), EXP;
            A::GeluTanh => A::GeluTanh, EXP;
            A::Silu => A::Silu, EXP;
            A::Softplus => A::Softplus, EXP;
            A::Selu => A::Selu, EXP;
            A::Celu(alpha) => A::Celu(alpha), EXP;
            A::Mish => A::Mish, EXP;
            A::HardSwish => A::HardSwish, CHEAP;
            A::Softsign => A::Softsign, CHEAP;
            A::Relu6 => A::Relu6, CHEAP;
            A::LogSigmoid => A::LogSigmoid, EXP;
        }
    }

    /// `None` where the composed body serves.
    pub(crate) fn activate_grad(&self, f: Activation, x: &Array, y: &Array, dy: &Array) -> Result<Option<Array>> {
        use Activation as A;
        check::same_shape("activate_grad", x.shape(), y.shape())?;
        check::same_shape("activate_grad", x.shape(), dy.shape())?;
        macro_rules! each {
            ($($pattern:pat => $f:expr, $cost:expr;)*) => {
                match f {
                    $($pattern => {
                        let slope = move |x, y, dy| $f.slope(Fast(x), Fast(y)).0 * dy;
                        self.ternary(x, y, dy, $cost, slope).map(Some)
                    })*
                    _ => Ok(None),
                }
            };
        }
        each! {
            A::Sigmoid => A::Sigmoid, CHEAP;
            A::HardSigmoid => A::HardSigmoid, CHEAP;
            A::HardSigmoidKeras1 => A::HardSigmoidKeras1, CHEAP;
            A::Tanh => A::Tanh, CHEAP;
            A::Relu => A::Relu, CHEAP;
            A::LeakyRelu(slope) => A::LeakyRelu(slope), CHEAP;
            A::Elu(alpha) => A::Elu(alpha), EXP;
            A::GeluTanh => A::GeluTanh, EXP;
            A::Silu => A::Silu, EXP;
            A::Softplus => A::Softplus, EXP;
            A::Selu => A::Selu, EXP;
            A::Celu(alpha) => A::Celu(alpha), EXP;
            A::Mish => A::Mish, EXP;
            A::HardSwish => A::HardSwish, CHEAP;
            A::Softsign => A::Softsign, CHEAP;
            A::Relu6 => A::Relu6, CHEAP;
            A::LogSigmoid => A::LogSigmoid, EXP;
        }
    }

    pub(crate) fn select(&self, mask: &Array, a: &Array, b: &Array, shape: Shape) -> Result<Array> {
        let (m, x, y) = (mask.numbers()?, a.numbers()?, b.numbers()?);
        // Slices: what they come from looks for its numbers at each access.
        let (m, x, y) = (&*m, &*x, &*y);
        let mut out = self.memory.take(shape.elements());
        if out.is_empty() {
            return self.array(out, shape);
        }
        let strides = [mask, a, b].map(|array| array.shape().strides_in(shape));
        let nest = Nest::new(&shape, [&strides[0], &strides[1], &strides[2]]);
        let (length, steps) = nest.inner();
        let runs = |[i, j, k]: [usize; 3], range: std::ops::Range<usize>| {
            let part = |all, at: usize, step| Operand::new(all, at + range.start * step, range.len(), step);
            [part(m, i, steps[0]), part(x, j, steps[1]), part(y, k, steps[2])]
        };
        if nest.runs() == 1 {
            self.threads.rows(&mut out, 1, CHEAP, |range, out| select(out, runs([0; 3], range)));
        } else {
            self.threads.rows(&mut out, length, length * CHEAP, |range, out| {
                let mut rows = out.chunks_exact_mut(length);
                nest.for_each(range, |at| {
                    let Some(out) = rows.next() else { return };
                    select(out, runs(at, 0..length));
                });
            });
        }
        self.array(out, shape)
    }

    /// `a += b` in place.
    pub(crate) fn add_assign(&self, a: &mut Array, b: &Array) -> Result<()> {
        check::same_shape("add_assign", a.shape(), b.shape())?;
        let b = b.numbers()?;
        let mut sum = a.take()?;
        self.threads.rows(&mut sum, 1, CHEAP, |range, sum| add(sum, &b[range]));
        a.put(sum, &self.memory)
    }

    /// `f` on every element.
    pub(super) fn unary(&self, x: &Array, cost: usize, f: impl Fn(f32) -> f32 + Sync + Copy) -> Result<Array> {
        let from = x.numbers()?;
        let from = &*from;
        let mut out = self.memory.take(from.len());
        self.threads.rows(&mut out, 1, cost, |range, out| map(out, &from[range], f));
        self.array(out, x.shape())
    }

    /// `f` on every pair, with broadcasting.
    pub(super) fn binary(&self, a: &Array, b: &Array, f: impl Fn(f32, f32) -> f32 + Sync + Copy) -> Result<Array> {
        let shape = a.shape().broadcast("zip", b.shape())?;
        let (x, y) = (a.numbers()?, b.numbers()?);
        let (x, y) = (&*x, &*y);
        let mut out = self.memory.take(shape.elements());
        if out.is_empty() {
            return self.array(out, shape);
        }
        let (sx, sy) = (a.shape().strides_in(shape), b.shape().strides_in(shape));
        let nest = Nest::new(&shape, [&sx, &sy]);
        let (length, steps) = nest.inner();
        let pair = |[i, j]: [usize; 2], range: std::ops::Range<usize>| {
            let part = |x, at: usize, step| Operand::new(x, at + range.start * step, range.len(), step);
            (part(x, i, steps[0]), part(y, j, steps[1]))
        };
        if nest.runs() == 1 {
            self.threads.rows(&mut out, 1, CHEAP, |range, out| {
                let (a, b) = pair([0, 0], range);
                zip(out, a, b, f);
            });
        } else {
            self.threads.rows(&mut out, length, length * CHEAP, |range, out| {
                let mut runs = out.chunks_exact_mut(length);
                nest.for_each(range, |at| {
                    let Some(out) = runs.next() else { return };
                    let (a, b) = pair(at, 0..length);
                    zip(out, a, b, f);
                });
            });
        }
        self.array(out, shape)
    }

    /// `f` on every triple, of arrays of one shape.
    pub(super) fn ternary(
        &self,
        a: &Array,
        b: &Array,
        c: &Array,
        cost: usize,
        f: impl Fn(f32, f32, f32) -> f32 + Sync + Copy,
    ) -> Result<Array> {
        let (x, y, z) = (a.numbers()?, b.numbers()?, c.numbers()?);
        let (x, y, z) = (&*x, &*y, &*z);
        let mut out = self.memory.take(x.len());
        self.threads.rows(&mut out, 1, cost, |range, out| {
            let (a, b, c) = (&x[range.clone()], &y[range.clone()], &z[range]);
            zip3(out, a, b, c, f);
        });
        self.array(out, a.shape())
    }
}

/// `a` where the mask is not 0, elsewhere `b`.
fn select(out: &mut [f32], [mask, a, b]: [Operand<'_>; 3]) {
    let run = |mask: &[f32], out: &mut [f32]| match (a, b) {
        (Operand::Run(a), Operand::Run(b)) => choose(out, mask, a, b),
        (Operand::Run(a), Operand::One(b)) => choose_or(out, mask, a, b),
        (Operand::One(a), Operand::Run(b)) => choose_one(out, mask, a, b),
        (Operand::One(a), Operand::One(b)) => {
            out.iter_mut().zip(mask).for_each(|(out, &mask)| *out = if mask != 0.0 { a } else { b });
        }
    };
    match mask {
        Operand::Run(mask) => run(mask, out),
        Operand::One(mask) => match if mask != 0.0 { a } else { b } {
            Operand::Run(from) => out.copy_from_slice(from),
            Operand::One(from) => out.fill(from),
        },
    }
}

/// A run of numbers, or one that stands for all.
#[derive(Clone, Copy)]
enum Operand<'a> {
    Run(&'a [f32]),
    One(f32),
}

impl<'a> Operand<'a> {
    /// `step` is 0 or 1: of an array in row-major order.
    fn new(all: &'a [f32], at: usize, length: usize, step: usize) -> Self {
        if step == 0 { Operand::One(all[at]) } else { Operand::Run(&all[at..at + length]) }
    }
}

vectorised! {
    fn map<F: Fn(f32) -> f32>(out: &mut [f32], x: &[f32], f: F) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = f(x));
    }

    fn zip<F: Fn(f32, f32) -> f32>(out: &mut [f32], a: Operand<'_>, b: Operand<'_>, f: F) {
        match (a, b) {
            (Operand::Run(a), Operand::Run(b)) => {
                out.iter_mut().zip(a).zip(b).for_each(|((out, &a), &b)| *out = f(a, b));
            }
            (Operand::Run(a), Operand::One(b)) => out.iter_mut().zip(a).for_each(|(out, &a)| *out = f(a, b)),
            (Operand::One(a), Operand::Run(b)) => out.iter_mut().zip(b).for_each(|(out, &b)| *out = f(a, b)),
            (Operand::One(a), Operand::One(b)) => out.fill(f(a, b)),
        }
    }

    fn zip3<F: Fn(f32, f32, f32) -> f32>(out: &mut [f32], a: &[f32], b: &[f32], c: &[f32], f: F) {
        out.iter_mut().zip(a).zip(b).zip(c).for_each(|(((out, &a), &b), &c)| *out = f(a, b, c));
    }

    fn choose(out: &mut [f32], mask: &[f32], a: &[f32], b: &[f32]) {
        out.iter_mut().zip(mask).zip(a).zip(b).for_each(|(((out, &mask), &a), &b)| *out = if mask != 0.0 { a } else { b });
    }

    fn choose_or(out: &mut [f32], mask: &[f32], a: &[f32], b: f32) {
        out.iter_mut().zip(mask).zip(a).for_each(|((out, &mask), &a)| *out = if mask != 0.0 { a } else { b });
    }

    fn choose_one(out: &mut [f32], mask: &[f32], a: f32, b: &[f32]) {
        out.iter_mut().zip(mask).zip(b).for_each(|((out, &mask), &b)| *out = if mask != 0.0 { a } else { b });
    }

    /// `out += x`
    pub(super) fn add(out: &mut [f32], x: &[f32]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out += x);
    }

    /// `out *= x`
    pub(super) fn multiply(out: &mut [f32], x: &[f32]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out *= x);
    }
}
