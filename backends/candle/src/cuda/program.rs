//! The kernels' sources, and their compilation by NVRTC at the first use.

use crate::array::error;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaContext, CudaFunction, sys};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileError, CompileOptions, Ptx, compile_ptx_with_opts};
use elman::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What all sources begin with.
const COMMON: &str = include_str!("kernels/common.cuh");

/// A source of several kernels, which are compiled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// Names a source under `kernels`, and the header that it needs.
macro_rules! source {
    ($name:ident $(, $header:ident)?) => {
        $crate::cuda::program::Source {
            name: stringify!($name),
            text: concat!(
                $(include_str!(concat!("kernels/", stringify!($header), ".cuh")),)?
                include_str!(concat!("kernels/", stringify!($name), ".cu"))
            ),
        }
    };
}
pub(crate) use source;

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
            let program = compile(source, self.architecture)?;
            let module = self.context.load_module(program).w().map_err(error(source.name))?;
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

/// The source for an architecture such as `compute_90`.
fn compile(source: Source, architecture: &'static str) -> Result<Ptx> {
    let name = Some(format!("{}.cu", source.name));
    let options = vec!["--std=c++17".to_string()];
    let options = CompileOptions { arch: Some(architecture), options, name, ..Default::default() };
    compile_ptx_with_opts([COMMON, source.text].concat(), options).map_err(failed)
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

/// The kernels of a source with the types of their parameters: of
/// `extern "C" __global__ void name(const float *x, int n)` the name and `["const float *", "int"]`. Launch bounds may stand
/// before the name.
pub(super) fn signatures(text: &'static str) -> Vec<(&'static str, Vec<String>)> {
    let kernels = text.split("extern \"C\" __global__ void").skip(1);
    let signature = |kernel: &'static str| {
        let kernel = match kernel.trim_start().strip_prefix("__launch_bounds__") {
            Some(bounded) => bounded.split_once(')')?.1,
            None => kernel,
        };
        let (name, rest) = kernel.split_once('(')?;
        let (parameters, _) = rest.split_once(')')?;
        Some((name.trim(), parameters.split(',').map(type_of).collect()))
    };
    kernels.filter_map(signature).collect()
}

/// The type of a parameter, without its name and what does not concern a caller.
fn type_of(parameter: &str) -> String {
    let words = parameter.replace('*', " * ");
    let words: Vec<&str> = words.split_whitespace().filter(|&word| word != "__restrict__").collect();
    words[..words.len().saturating_sub(1)].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_from_the_source() {
        let text =
            "extern \"C\" __global__ void one(const float *__restrict__ x, unsigned long long n,\n  Layout at) {}
            extern \"C\" __global__ void __launch_bounds__(256) two(float* y) {}";
        let [(one, of_one), (two, of_two)] = &signatures(text)[..] else { panic!("two kernels") };
        assert_eq!((*one, *two), ("one", "two"));
        assert_eq!(*of_one, ["const float *", "unsigned long long", "Layout"]);
        assert_eq!(*of_two, ["float *"]);
    }

    /// The compiler needs no GPU, but its library.
    #[test]
    fn every_source_compiles_and_has_the_kernels_that_are_read_from_it() {
        for source in crate::cuda::SOURCES.iter().copied().chain(crate::cuda::recurrent::sources()) {
            let program = compile(source, "compute_90").unwrap_or_else(|e| panic!("{}: {e}", source.name));
            for (kernel, _) in signatures(source.text) {
                assert!(program.to_src().contains(&format!(".entry {kernel}(")), "{kernel} of {}", source.name);
            }
        }
    }
}
