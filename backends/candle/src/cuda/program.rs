//! Programs of kernels: sources compiled by NVRTC at their first use.

use super::cache;
use super::sources::{Source, signatures};
use crate::array::error;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaContext, CudaFunction, DriverError, sys};
use candle_core::cuda_backend::cudarc::nvrtc::{
    CompileError, CompileOptions, Ptx, compile_ptx_with_opts, sys as nvrtc,
};
use elman::{Error, Result};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A kernel, and the types of its parameters as its source has them.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) function: CudaFunction,
    pub(super) parameters: Vec<String>,
}

/// The kernels of a device that have been used so far.
pub(super) struct Programs {
    context: Arc<CudaContext>,
    /// `compute_90`
    architecture: &'static str,
    kernels: RwLock<HashMap<(&'static str, &'static str), Arc<Kernel>>>,
}

impl Programs {
    pub(super) fn new(context: Arc<CudaContext>, (major, minor): (i32, i32)) -> Self {
        // Leaked, as the compiler's options want it; a few bytes for each device that is opened.
        let architecture = format!("compute_{major}{minor}").leak();
        Programs { context, architecture, kernels: RwLock::default() }
    }

    /// The kernel `name` of a source, compiled with all others of the source if none has been used yet.
    pub(super) fn kernel(&self, source: Source, name: &'static str) -> Result<Arc<Kernel>> {
        let known = self.kernels.read().unwrap_or_else(PoisonError::into_inner).get(&(source.name, name)).cloned();
        if let Some(kernel) = known {
            return Ok(kernel);
        }
        let mut kernels = self.kernels.write().unwrap_or_else(PoisonError::into_inner);
        if !kernels.keys().any(|&(of, _)| of == source.name) {
            let program = compiled(source, self.architecture)?;
            let module = self.context.load_module(program).map_err(|e| refused(source, e))?;
            for (name, parameters) in signatures(source.text) {
                let function = module.load_function(name).w().map_err(error(name))?;
                allow_shared_memory(&function, &self.context).map_err(error(name))?;
                kernels.insert((source.name, name), Arc::new(Kernel { function, parameters }));
            }
        }
        let kernel = kernels.get(&(source.name, name)).cloned();
        kernel.ok_or_else(|| Error::invalid(name, format!("a kernel of {}.cu", source.name), "none of this name"))
    }
}

/// The source for an architecture such as `compute_90`, compiled once in a process at the most.
fn compiled(source: Source, architecture: &'static str) -> Result<Ptx> {
    type Known = HashMap<(&'static str, &'static str), Ptx>;
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(program) = known.get(&(source.name, architecture)) {
        return Ok(program.clone());
    }
    let by = format!("elman {}, NVRTC {}, {architecture}", env!("CARGO_PKG_VERSION"), version()?);
    let folder = cache_folder();
    let program = match folder.as_ref().and_then(|folder| cache::read(folder, source, &by)) {
        Some(program) => program,
        None => {
            let program = compile(source, architecture)?.to_src();
            if let Some(folder) = &folder {
                cache::write(folder, source, &by, &program);
            }
            program
        }
    };
    let program = Ptx::from_src(program);
    known.insert((source.name, architecture), program.clone());
    Ok(program)
}

/// Where programs are kept: the environment's `ELMAN_CACHE`, else `elman` in the user's folder for such files. `None` if there is none, or
/// if `ELMAN_CACHE` is empty.
fn cache_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let usual = || {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.map(|cache| cache.join("elman"))
    };
    variable("ELMAN_CACHE").or_else(usual).filter(|folder| !folder.as_os_str().is_empty())
}

fn compile(source: Source, architecture: &'static str) -> Result<Ptx> {
    let name = Some(format!("{}.cu", source.name));
    let options = vec!["--std=c++17".to_string()];
    let options = CompileOptions { arch: Some(architecture), options, name, ..Default::default() };
    compile_ptx_with_opts(source.text, options).map_err(failed)
}

/// That of NVRTC.
#[allow(unsafe_code)]
fn version() -> Result<String> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: it writes two numbers to the places given.
    let told = unsafe { nvrtc::nvrtcVersion(&mut major, &mut minor) };
    told.result().map(|()| format!("{major}.{minor}")).map_err(|e| error("NVRTC")(candle_core::Error::wrap(e)))
}

/// The driver's refusal of a program, which mostly is one of a compiler that is newer than the driver.
fn refused(source: Source, e: DriverError) -> Error {
    match e.0 {
        sys::CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => {
            let found = version().unwrap_or_else(|_| "another".to_string());
            Error::invalid("NVRTC", "one that is no newer than the driver, by its CUDA version", found)
        }
        _ => error(source.name)(candle_core::Error::wrap(e)),
    }
}

/// Lets a kernel ask for all the shared memory that a block can have.
fn allow_shared_memory(function: &CudaFunction, context: &CudaContext) -> candle_core::Result<()> {
    let most = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
    let own = function.shared_size_bytes().w()?;
    let most = context.attribute(most).w()? - own;
    function.set_attribute(sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, most).w()
}

/// The compiler's own words, of which its error type gives the bytes.
fn failed(e: CompileError) -> Error {
    match &e {
        CompileError::CompileError { log, .. } => {
            Error::invalid("NVRTC", "CUDA C that it compiles", log.to_string_lossy())
        }
        _ => error("NVRTC")(candle_core::Error::wrap(e)),
    }
}
