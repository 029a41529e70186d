//! The [candle](https://github.com/huggingface/candle) backend of elman: CPU, CUDA and Metal.
//!
//! ```
//! use elman::Tensor;
//! use elman_candle::Candle;
//!
//! let device = Candle::cpu();
//! let w = Tensor::variable(&device, vec![3.0, 4.0], &[2])?;
//! let gradients = w.square()?.sum()?.backward()?;
//! assert_eq!(gradients.of(&w).unwrap().to_vec()?, [6.0, 8.0]);
//! # Ok::<(), elman::Error>(())
//! ```
//!
//! Numbers that stand out: on a CPU gradients below 1e-30 within a recurrent network count as 0. Those of early steps fade to
//! nothing in long sequences, and processors take a hundred times longer over numbers below the normal range of an `f32`. The
//! reference backend and other devices keep them.
//!
//! Candle gives the devices, the memory and its kernels. On a CPU and on GPUs of NVIDIA's the kernels are elman's own: they
//! fuse what belongs together, reuse memory and update in place. Candle's backpropagation is not used; the tape is elman's.
#![deny(unsafe_code)]

mod array;
mod backend;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
/// What of it needs no CUDA, for its tests.
#[cfg(all(test, not(feature = "cuda")))]
mod cuda {
    mod cache;
    mod recurrent {
        mod plan;
    }
    mod rules;
    mod segments;
    mod sources;
}
mod interop;
mod memory;
mod portable;
mod precision;

pub use array::{Array, Indices};
pub use candle_core;
pub use candle_nn;
pub use interop::{var_builder, weights_to_candle};
pub use precision::Precision;

/// Networks on candle, compiled once for all programs in builds that are not optimised.
#[cfg(all(debug_assertions, not(test)))]
#[doc(hidden)]
pub fn instances() -> Result<()> {
    elman::instances(&Candle::cpu(), "".as_ref())
}

use array::error;
use candle_core::Device;
use cpu::{Cpu, Threads};
use elman::{Error, Result};

/// A candle device as a backend of elman. A clone is the same device.
#[derive(Clone, Debug)]
pub struct Candle {
    device: Device,
    kernels: Kernels,
}

/// What computes on a device.
#[derive(Clone, Debug)]
enum Kernels {
    /// elman's own, on a CPU.
    Cpu(Cpu),
    /// elman's own, on a GPU of NVIDIA's.
    #[cfg(feature = "cuda")]
    Cuda(cuda::Cuda),
    /// Candle's alone.
    Candle,
}

impl Candle {
    /// The CPU, with as many threads as there are cores, or as the environment's `RAYON_NUM_THREADS` says. All such
    /// handles share them.
    pub fn cpu() -> Self {
        Candle { device: Device::Cpu, kernels: Kernels::Cpu(Cpu::new(Threads::global())) }
    }

    /// The CPU with a number of threads of its own; the calling thread is one of them. Small arrays are worked on by
    /// one thread whatever the number. Errors when `threads` is 0 or the system gives no more.
    pub fn cpu_with_threads(threads: usize) -> Result<Self> {
        Ok(Candle { device: Device::Cpu, kernels: Kernels::Cpu(Cpu::new(Threads::new(threads)?)) })
    }

    /// The CUDA device `ordinal`, with a stream of its own; arrays of two such calls are of two devices. Errors when the crate
    /// was built without its feature `cuda`, when there is no such device, and when its driver is older than CUDA 13.
    #[cfg(feature = "cuda")]
    pub fn cuda(ordinal: usize) -> Result<Self> {
        let (device, kernels) = cuda::Cuda::open(ordinal)?;
        Ok(Candle { device, kernels: Kernels::Cuda(kernels) })
    }

    /// The CUDA device `ordinal`. Errors: the crate was built without its feature `cuda`.
    #[cfg(not(feature = "cuda"))]
    pub fn cuda(_ordinal: usize) -> Result<Self> {
        Err(missing("cuda"))
    }

    /// The same device with another precision of its matrix products; arrays of both go together. It concerns GPUs of
    /// NVIDIA's alone: elsewhere everything is `f32`.
    #[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
    pub fn with_precision(self, precision: Precision) -> Self {
        match self.kernels {
            #[cfg(feature = "cuda")]
            Kernels::Cuda(kernels) => {
                Candle { kernels: Kernels::Cuda(kernels.with_precision(precision)), device: self.device }
            }
            _ => self,
        }
    }

    /// The Metal device `ordinal`. Errors when the crate was built without its feature `metal`, and when there is no
    /// such device.
    pub fn metal(ordinal: usize) -> Result<Self> {
        if !candle_core::utils::metal_is_available() {
            return Err(missing("metal"));
        }
        Ok(Candle::new(Device::new_metal(ordinal).map_err(error("metal"))?))
    }

    /// Any device of candle's. A GPU's work goes through the stream that candle has chosen for it; with
    /// [`Candle::cuda`] through one that several threads can share.
    pub fn new(device: Device) -> Self {
        match device {
            Device::Cpu => Candle::cpu(),
            _ => Candle::portable(device),
        }
    }

    /// Any device of candle's, with candle's kernels alone: what GPUs without kernels of elman's run, for comparisons.
    pub fn portable(device: Device) -> Self {
        Candle { device, kernels: Kernels::Candle }
    }

    /// Candle's device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The kernels on a CPU.
    fn cpu_kernels(&self) -> Option<&Cpu> {
        match &self.kernels {
            Kernels::Cpu(cpu) => Some(cpu),
            _ => None,
        }
    }
}

#[allow(dead_code, reason = "a build with every feature misses none")]
fn missing(feature: &'static str) -> Error {
    let expected = format!("elman-candle built with its feature `{feature}`");
    Error::invalid(format!("Candle::{feature}"), expected, "a build without it")
}

/// The README's programs are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn cuda_without_its_feature_is_an_error_that_says_so() {
        assert!(Candle::cuda(0).unwrap_err().to_string().contains("feature `cuda`"));
    }

    #[test]
    #[cfg(not(feature = "metal"))]
    fn metal_without_its_feature_is_an_error_that_says_so() {
        assert!(Candle::metal(0).unwrap_err().to_string().contains("feature `metal`"));
    }
}
