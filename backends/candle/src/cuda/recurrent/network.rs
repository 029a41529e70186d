//! What the kernels of recurrent networks take.

use crate::Candle;
use crate::array::Array;
use crate::cuda::Cuda;
use candle_core::cuda_backend::cudarc::driver::DeviceRepr;
use elman::backend::Cell;
use elman::backend::recurrent::{Projected, Sequence, Sizes};
use elman::{Activation, Result, Shape};

/// An activation by its number in `cells.cuh`, with its parameter.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Function {
    number: u32,
    parameter: f32,
}

impl Function {
    /// `None` if its slope does not follow from its value.
    pub(super) fn new(f: Activation) -> Option<Self> {
        let (number, parameter) = match f {
            Activation::Linear => (0, 0.0),
            Activation::Sigmoid => (1, 0.0),
            Activation::Tanh => (2, 0.0),
            Activation::HardSigmoid => (3, 1.0 / 6.0),
            Activation::HardSigmoidKeras1 => (3, 0.2),
            Activation::Relu => (4, 0.0),
            Activation::LeakyRelu(below) if below >= 0.0 => (4, below),
            _ => return None,
        };
        Some(Function { number, parameter: parameter as f32 })
    }
}

/// What kernels take: the fields of `Network` in `cells.cuh`. Arrays by their addresses, 0 where there is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Network {
    pub(super) gates: u64,
    pub(super) taken: u64,
    pub(super) inner: u64,
    pub(super) outputs: u64,
    pub(super) h: u64,
    pub(super) c: u64,
    pub(super) first_h: u64,
    pub(super) first_c: u64,
    pub(super) weights: u64,
    pub(super) bias: u64,
    pub(super) mask: u64,
    pub(super) dropout: u64,
    pub(super) d_outputs: u64,
    pub(super) dh: u64,
    pub(super) dc: u64,
    pub(super) dz: u64,
    pub(super) dv: u64,
    pub(super) d_bias: u64,
    pub(super) product: u64,
    pub(super) n: i32,
    pub(super) t: i32,
    pub(super) u: i32,
    pub(super) width: i32,
    pub(super) reverse: u32,
    pub(super) sigma: Function,
    pub(super) f: Function,
}

// SAFETY: numbers, laid out as in C; no kernel reads the room behind the last one.
#[allow(unsafe_code)]
unsafe impl DeviceRepr for Network {}

/// The operands of a sequence, packed, for as long as their addresses are used.
pub(super) struct Operands {
    weights: Array,
    bias: Option<Array>,
    h: Option<Array>,
    c: Option<Array>,
    mask: Option<Array>,
    dropout: Option<Array>,
}

impl Operands {
    /// With a bias for the inputs of a cell that has none for the recurrent part.
    pub(super) fn new(cuda: &Cuda, x: &Sequence<'_, Candle>, bias: Option<&Array>) -> Result<Self> {
        let packed = |a: Option<&Array>| a.map(|a| cuda.packed(a)).transpose();
        Ok(Operands {
            weights: cuda.packed(x.u)?,
            bias: packed(x.bias.or(bias))?,
            h: packed(x.h)?,
            c: packed(x.c)?,
            mask: packed(x.mask)?,
            dropout: packed(x.dropout)?,
        })
    }

    /// The network without what comes out of it.
    pub(super) fn network(&self, cuda: &Cuda, cell: Cell, x: &Sequence<'_, Candle>, sizes: Sizes) -> Result<Network> {
        let (sigma, f) = cell.activations();
        Ok(Network {
            weights: cuda.address(&self.weights)?,
            bias: address(cuda, self.bias.as_ref())?,
            first_h: address(cuda, self.h.as_ref())?,
            first_c: address(cuda, self.c.as_ref())?,
            mask: address(cuda, self.mask.as_ref())?,
            dropout: address(cuda, self.dropout.as_ref())?,
            n: sizes.n as i32,
            t: sizes.t as i32,
            u: sizes.u as i32,
            width: sizes.u as i32,
            reverse: u32::from(x.reverse),
            sigma: Function::new(sigma).unwrap_or_default(),
            f: Function::new(f).unwrap_or_default(),
            ..Network::default()
        })
    }
}

pub(super) fn address(cuda: &Cuda, a: Option<&Array>) -> Result<u64> {
    a.map_or(Ok(0), |a| cuda.address(a))
}

/// The inputs beside what the steps' products take, and the kernel above the recurrent weights.
pub(super) struct Beside {
    /// `[n, t, features + u]`
    pub(super) taken: Array,
    /// `[features + u, g u]`
    pub(super) weights: Array,
}

impl Beside {
    /// What stands in masked steps does not come along: one product gives the gradient for both weights.
    pub(super) fn new(cuda: &Cuda, inputs: &Projected<'_, Candle>, rest: &Sequence<'_, Candle>) -> Result<Self> {
        let (kernel, shape, u) = (inputs.kernel.shape(), inputs.x.shape(), rest.u);
        let counting = rest.mask.map(|mask| cuda.counting(inputs.x, mask)).transpose()?;
        let rows = Shape::new(&[kernel[0] + u.shape()[0], kernel[1]])?;
        let taken = cuda.fresh("recurrent", Shape::new(&[shape[0], shape[1], rows[0]])?)?;
        cuda.join(counting.as_ref().unwrap_or(inputs.x), &taken, [kernel[0], rows[0], 0])?;
        Ok(Beside { taken, weights: cuda.concat(&[inputs.kernel, u], 0, rows)? })
    }
}
