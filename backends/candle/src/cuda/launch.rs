//! Launches of kernels, whose arguments are checked against the parameters in the kernel's source.

#![allow(unsafe_code)]

use super::Cuda;
use super::recurrent::{Cut, Network};
use super::sources::Source;
use super::update::{Rule, Weights};
use crate::array::{Array, Indices, error};
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::{CudaStorage, Storage, Tensor};
use elman::{Error, Result};

/// An argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    /// `const float *`, `float *`
    Floats(u64),
    /// `const unsigned *`, `unsigned *`
    Whole(u64),
    /// `int`
    Int(i32),
    /// `unsigned`
    Unsigned(u32),
    /// `unsigned long long`
    Long(u64),
    /// `float`
    Float(f32),
    /// `Layout`
    Layout(Layout),
    /// `Network`
    Network(Network),
    /// `Cut`
    Cut(Cut),
    /// `Rule`
    Rule(Rule),
    /// `Weights`
    Weights(&'a Weights),
}

/// Axes of an elementwise operation and the strides of its operands, as `common.cuh` has them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) rank: u32,
    pub(crate) sizes: [u32; 6],
    pub(crate) strides: [[u32; 6]; 3],
}

// SAFETY: numbers of 32 bits alone, laid out as in C.
unsafe impl DeviceRepr for Layout {}
// SAFETY: numbers alone, laid out as in C.
unsafe impl DeviceRepr for Rule {}
// SAFETY: likewise; between numbers of 32 bits and addresses is room that no kernel reads.
unsafe impl DeviceRepr for Weights {}

/// A count.
impl From<usize> for Arg<'_> {
    fn from(count: usize) -> Self {
        Arg::Unsigned(count as u32)
    }
}

impl From<f32> for Arg<'_> {
    fn from(number: f32) -> Self {
        Arg::Float(number)
    }
}

impl Arg<'_> {
    fn goes_as(&self, parameter: &str) -> bool {
        let parameter = parameter.trim_start_matches("const ");
        match self {
            Arg::Floats(_) => parameter == "float *",
            Arg::Whole(_) => parameter == "unsigned *",
            Arg::Int(_) => parameter == "int",
            Arg::Unsigned(_) => parameter == "unsigned",
            Arg::Long(_) => parameter == "unsigned long long",
            Arg::Float(_) => parameter == "float",
            Arg::Layout(_) => parameter == "Layout",
            Arg::Network(_) => parameter == "Network",
            Arg::Cut(_) => parameter == "Cut",
            Arg::Rule(_) => parameter == "Rule",
            Arg::Weights(_) => parameter == "Weights",
        }
    }
}

/// How many blocks of how many threads, and the bytes of shared memory that each block asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) blocks: [u32; 2],
    pub(crate) threads: u32,
    pub(crate) shared: usize,
    /// All blocks run at the same time, so that they can wait for each other.
    pub(crate) together: bool,
}

impl Grid {
    /// A thread for each of `n` elements.
    pub(crate) fn over(n: usize) -> Self {
        const THREADS: usize = 256;
        Grid::blocks(n.div_ceil(THREADS), THREADS)
    }

    /// So many blocks.
    pub(crate) fn blocks(blocks: usize, threads: usize) -> Self {
        Grid { blocks: [blocks as u32, 1], threads: threads as u32, shared: 0, together: false }
    }
}

impl Cuda {
    /// Launches the kernel `name` of a source. A grid without blocks has no work and is not launched.
    ///
    /// The arguments must have the types of the kernel's parameters; others are an error. What they point to must be as
    /// large as the kernel takes it to be: the callers, one for each kernel, see to that.
    pub(crate) fn launch(&self, source: Source, name: &'static str, grid: Grid, arguments: &[Arg<'_>]) -> Result<()> {
        if grid.blocks.contains(&0) {
            return Ok(());
        }
        let kernel = self.programs.kernel(source, name)?;
        let fits = kernel.parameters.len() == arguments.len()
            && kernel.parameters.iter().zip(arguments).all(|(parameter, argument)| argument.goes_as(parameter));
        if !fits {
            return Err(Error::invalid(name, format!("{:?}", kernel.parameters), format!("{arguments:?}")));
        }
        let mut launch = self.stream.launch_builder(&kernel.function);
        for argument in arguments {
            match argument {
                Arg::Floats(x) | Arg::Whole(x) | Arg::Long(x) => launch.arg(x),
                Arg::Int(x) => launch.arg(x),
                Arg::Unsigned(x) => launch.arg(x),
                Arg::Float(x) => launch.arg(x),
                Arg::Layout(x) => launch.arg(x),
                Arg::Network(x) => launch.arg(x),
                Arg::Cut(x) => launch.arg(x),
                Arg::Rule(x) => launch.arg(x),
                Arg::Weights(x) => launch.arg(*x),
            };
        }
        let [x, y] = grid.blocks;
        let config =
            LaunchConfig { grid_dim: (x, y, 1), block_dim: (grid.threads, 1, 1), shared_mem_bytes: grid.shared as u32 };
        // SAFETY: number and types of the arguments are those of the kernel, by the check above; they live until the call is
        // over, which copies them. What they point to stays until the stream is past the kernel: memory is freed in the
        // stream's order.
        let launched = unsafe {
            match grid.together {
                true => launch.launch_cooperative(config),
                false => launch.launch(config),
            }
        };
        launched.map(|_| ()).w().map_err(error(name))
    }

    /// Where the numbers of a packed array begin. An array of another device is an error.
    pub(crate) fn floats(&self, a: &Array) -> Result<Arg<'static>> {
        Ok(Arg::Floats(self.address(a)?))
    }

    /// The address behind [`Cuda::floats`].
    pub(crate) fn address(&self, a: &Array) -> Result<u64> {
        if !a.tensor().is_contiguous() {
            return Err(Error::invalid("candle cuda", "an array in row-major order", format!("{a:?}")));
        }
        self.begin::<f32>(a.tensor())
    }

    /// Where the first number of an array is, and the others by its strides.
    pub(crate) fn view(&self, a: &Array) -> Result<Arg<'static>> {
        Ok(Arg::Floats(self.begin::<f32>(a.tensor())?))
    }

    /// Where indices begin.
    pub(crate) fn whole(&self, a: &Indices) -> Result<Arg<'static>> {
        self.whole_from(a, 0)
    }

    /// Where index `first` is.
    pub(crate) fn whole_from(&self, a: &Indices, first: usize) -> Result<Arg<'static>> {
        Ok(Arg::Whole(self.whole_address(a)? + 4 * first as u64))
    }

    /// The address behind [`Cuda::whole`].
    pub(crate) fn whole_address(&self, a: &Indices) -> Result<u64> {
        // Indices are never viewed, so they are in order.
        self.begin::<u32>(a.tensor())
    }

    fn begin<T: candle_core::cuda_backend::CudaDType>(&self, tensor: &Tensor) -> Result<u64> {
        let (storage, layout) = tensor.storage_and_layout();
        let (Storage::Cuda(storage), true) = (&*storage, self.has(tensor)) else {
            return Err(Error::invalid("candle cuda", "an array of this device", "one of another"));
        };
        let slice = CudaStorage::as_cuda_slice::<T>(storage).map_err(error("read"))?;
        let (begin, _) = slice.device_ptr(&self.stream);
        Ok(begin + (layout.start_offset() * size_of::<T>()) as u64)
    }
}
