//! One launch for all steps (see `kernels/recurrent_resident.cu`).

use super::plan::{Plan, THREADS, cycles_of_steps};
use super::{Network, Way};
use crate::cuda::sources::recurrent_resident;
use crate::cuda::{Arg, Cuda, Grid};
use candle_core::cuda_backend::cudarc::driver::DeviceRepr;
use elman::Result;
use elman::backend::recurrent::Sizes;

/// The fields of `Cut` in the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    slices: u32,
    units: u32,
    rows: u32,
    chunk: u32,
    width: u32,
    height: u32,
    tensor_cores: u32,
    /// Addresses begin at multiples of 8 bytes.
    padding: u32,
    arrived: u64,
}

// SAFETY: numbers alone, laid out as in C.
#[allow(unsafe_code)]
unsafe impl DeviceRepr for Cut {}

/// The way forward; `false` if it is not the one to go.
pub(super) fn forward(cuda: &Cuda, x: Network, sizes: Sizes) -> Result<bool> {
    walk(cuda, "forward", x, sizes, [sizes.u, sizes.g])
}

/// The way back, likewise.
pub(super) fn backward(cuda: &Cuda, x: Network, sizes: Sizes) -> Result<bool> {
    walk(cuda, "backward", x, sizes, [sizes.g * sizes.u, 1])
}

/// With products of so many terms, and so many columns for each unit.
fn walk(cuda: &Cuda, kernel: &'static str, x: Network, sizes: Sizes, product: [usize; 2]) -> Result<bool> {
    let Some(plan) = Plan::best(cuda.limits, cuda.precision, sizes, product) else { return Ok(false) };
    let goes = match cuda.way {
        Way::Steps => false,
        Way::Resident => true,
        Way::Faster => plan.cycles < cycles_of_steps(cuda.limits, cuda.precision, sizes),
    };
    if goes {
        run(plan, cuda, kernel, x, sizes)?;
    }
    Ok(goes)
}

fn run(plan: Plan, cuda: &Cuda, kernel: &'static str, x: Network, sizes: Sizes) -> Result<()> {
    let arrived = cuda.fill([plan.groups].into(), 0.0)?;
    let cut = Cut {
        slices: plan.slices as u32,
        units: plan.units as u32,
        rows: plan.rows as u32,
        chunk: plan.chunk as u32,
        width: plan.width as u32,
        height: plan.height as u32,
        tensor_cores: u32::from(plan.tensor_cores),
        padding: 0,
        arrived: cuda.address(&arrived)?,
    };
    let grid = Grid {
        blocks: [plan.slices as u32, plan.groups as u32],
        threads: THREADS as u32,
        shared: 4 * plan.shared,
        together: true,
    };
    cuda.launch(recurrent_resident(sizes.g), kernel, grid, &[Arg::Network(x), Arg::Cut(cut)])
}
