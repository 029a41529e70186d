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
    tall: u32,
    /// Addresses begin at multiples of 8 bytes.
    padding: u32,
    arrived: u64,
}

// SAFETY: numbers alone, laid out as in C.
#[allow(unsafe_code)]
unsafe impl DeviceRepr for Cut {}

/// How the way forward is cut; `None` if it is not the one to go.
pub(super) fn forward_plan(cuda: &Cuda, sizes: Sizes) -> Option<Plan> {
    plan(cuda, sizes, [sizes.u, sizes.g])
}

/// How the way back is cut, likewise.
pub(super) fn backward_plan(cuda: &Cuda, sizes: Sizes) -> Option<Plan> {
    plan(cuda, sizes, [sizes.g * sizes.u, 1])
}

/// With products of so many terms, and so many columns for each unit.
fn plan(cuda: &Cuda, sizes: Sizes, product: [usize; 2]) -> Option<Plan> {
    let plan = Plan::best(cuda.limits, cuda.precision, sizes, product)?;
    let goes = match cuda.way {
        Way::Steps | Way::Beside => false,
        Way::Resident => true,
        Way::Faster => plan.cycles < cycles_of_steps(cuda.limits, cuda.precision, sizes),
    };
    goes.then_some(plan)
}

pub(super) fn forward(cuda: &Cuda, plan: Plan, x: Network, sizes: Sizes) -> Result<()> {
    run(plan, cuda, "forward", x, sizes)
}

pub(super) fn backward(cuda: &Cuda, plan: Plan, x: Network, sizes: Sizes) -> Result<()> {
    run(plan, cuda, "backward", x, sizes)
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
        tall: u32::from(plan.tall),
        padding: 0,
        arrived: cuda.address(&arrived)?,
    };
    let grid = Grid {
        blocks: [plan.slices as u32, plan.groups as u32],
        threads: THREADS as u32,
        shared: 4 * plan.shared,
        together: true,
    };
    cuda.launch(recurrent_resident(sizes.g, plan.tensor_cores), kernel, grid, &[Arg::Network(x), Arg::Cut(cut)])
}
