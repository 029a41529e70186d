//! Kernels by their names, whose sources are compiled and loaded at their first use.

use super::compile::image;
use super::sources::{Source, signatures};
use crate::array::error;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaContext, CudaFunction, CudaModule, sys};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;
use elman::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// A kernel, and the types of its parameters as its source has them.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) function: CudaFunction,
    pub(super) parameters: Vec<String>,
}

/// The kernels of a device that have been used so far.
pub(super) struct Programs {
    context: Arc<CudaContext>,
    /// Compute capability: `90`.
    capability: String,
    kernels: RwLock<HashMap<(&'static str, &'static str), Arc<Kernel>>>,
}

impl Programs {
    pub(super) fn new(context: Arc<CudaContext>, (major, minor): (i32, i32)) -> Self {
        Programs { context, capability: format!("{major}{minor}"), kernels: RwLock::default() }
    }

    /// The kernel `name` of a source, loaded with all others of the source if none has been used yet.
    pub(super) fn kernel(&self, source: Source, name: &'static str) -> Result<Arc<Kernel>> {
        let known = self.kernels.read().unwrap_or_else(PoisonError::into_inner).get(&(source.name, name)).cloned();
        if let Some(kernel) = known {
            return Ok(kernel);
        }
        let mut kernels = self.kernels.write().unwrap_or_else(PoisonError::into_inner);
        if !kernels.keys().any(|&(of, _)| of == source.name) {
            let module = self.load(source)?;
            for (name, parameters) in signatures(source.text) {
                let function = module.load_function(name).w().map_err(error(name))?;
                allow_shared_memory(&function, &self.context).map_err(error(name))?;
                kernels.insert((source.name, name), Arc::new(Kernel { function, parameters }));
            }
        }
        let kernel = kernels.get(&(source.name, name)).cloned();
        kernel.ok_or_else(|| Error::invalid(name, format!("a kernel of {}", source.name), "none of this name"))
    }

    /// Machine code, which a driver takes from any compiler of its generation; else text for the driver's own compiler, which
    /// knows GPUs that are newer than NVRTC, and must be no older than NVRTC.
    fn load(&self, source: Source) -> Result<Arc<CudaModule>> {
        let load = |target: &str| -> Result<Arc<CudaModule>> {
            let image = image(source, &format!("{target}{}", self.capability))?;
            self.context.load_module(Ptx::from_binary(image.to_vec())).w().map_err(error(source.name))
        };
        load("sm_").or_else(|_| load("compute_"))
    }
}

/// Lets a kernel ask for all the shared memory that a block can have.
fn allow_shared_memory(function: &CudaFunction, context: &CudaContext) -> candle_core::Result<()> {
    let most = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
    let own = function.shared_size_bytes().w()?;
    let most = context.attribute(most).w()? - own;
    function.set_attribute(sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, most).w()
}
