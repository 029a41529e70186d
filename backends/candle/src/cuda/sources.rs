//! The kernels' sources: CUDA C, each with the headers that it needs.

use super::rules;
use std::sync::LazyLock;

/// A source of several kernels, which are compiled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// Names a source and its files under `kernels`; those of recurrent networks also the number of gates.
macro_rules! source {
    ($name:literal $(, gates $gates:literal)?: $($file:literal)+) => {
        Source {
            name: $name,
            text: concat!(
                $("#define GATES ", $gates, "\n",)?
                include_str!("kernels/common.cuh"),
                $(include_str!(concat!("kernels/", $file)),)+
            ),
        }
    };
}

pub(crate) const DROPOUT: Source = source!("dropout": "pointwise.cuh" "dropout.cu");
pub(crate) const ELEMENTWISE: Source = source!("elementwise": "pointwise.cuh" "elementwise.cu");
pub(crate) const LAYER_NORM: Source = source!("layer_norm": "team.cuh" "layer_norm.cu");
pub(crate) const LOSS: Source = source!("loss": "team.cuh" "loss.cu");
pub(crate) const REDUCE: Source = source!("reduce": "team.cuh" "reduce.cu");
pub(crate) const ROWS: Source = source!("rows": "pointwise.cuh" "rows.cu");
pub(crate) const SOFTMAX: Source = source!("softmax": "team.cuh" "softmax.cu");

/// With the rules, which are written at the first use.
pub(crate) fn update() -> Source {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let before = source!("update": "pointwise.cuh" "rules.cuh").text;
        [before, &rules::text(), include_str!("kernels/update.cu")].concat()
    });
    Source { name: "update", text: &TEXT }
}

/// Step by step, by the number of gates: of Elman networks, GRUs and LSTMs.
pub(crate) fn recurrent_steps(gates: usize) -> Source {
    match gates {
        1 => source!("elman_steps", gates 1: "cells.cuh" "recurrent_steps.cu"),
        3 => source!("gru_steps", gates 3: "cells.cuh" "recurrent_steps.cu"),
        _ => source!("lstm_steps", gates 4: "cells.cuh" "recurrent_steps.cu"),
    }
}

/// All steps in one launch, likewise, multiplying by tensor cores or not.
pub(crate) fn recurrent_resident(gates: usize, tensor_cores: bool) -> Source {
    match (gates, tensor_cores) {
        (1, false) => source!("elman_resident", gates 1: "cells.cuh" "tiles.cuh" "recurrent_resident.cu"),
        (3, false) => source!("gru_resident", gates 3: "cells.cuh" "tiles.cuh" "recurrent_resident.cu"),
        (_, false) => source!("lstm_resident", gates 4: "cells.cuh" "tiles.cuh" "recurrent_resident.cu"),
        (1, true) => source!("elman_tensor_cores", gates 1: "cells.cuh" "fragments.cuh" "recurrent_resident.cu"),
        (3, true) => source!("gru_tensor_cores", gates 3: "cells.cuh" "fragments.cuh" "recurrent_resident.cu"),
        (_, true) => source!("lstm_tensor_cores", gates 4: "cells.cuh" "fragments.cuh" "recurrent_resident.cu"),
    }
}

/// The kernels of a source with the types of their parameters: of
/// `extern "C" __global__ void name(const float *x, int n)` the name and `["const float *", "int"]`. Launch bounds may stand
/// before the name.
pub(crate) fn signatures(text: &'static str) -> Vec<(&'static str, Vec<String>)> {
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
    let words: Vec<&str> =
        words.split_whitespace().filter(|word| !matches!(*word, "__restrict__" | "__grid_constant__")).collect();
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

    /// The compiler needs no GPU and no driver, but its library: this test says so and passes where there is none.
    #[test]
    fn every_source_compiles_and_has_the_kernels_that_are_read_from_it() {
        let Some(nvrtc) = nvrtc::Compiler::find() else {
            eprintln!("no libnvrtc: the kernels' sources are not compiled");
            return;
        };
        let recurrent = [1, 3, 4]
            .into_iter()
            .flat_map(|g| [recurrent_steps(g), recurrent_resident(g, false), recurrent_resident(g, true)]);
        let rest = [DROPOUT, ELEMENTWISE, LAYER_NORM, LOSS, REDUCE, ROWS, SOFTMAX, update()];
        for source in recurrent.chain(rest) {
            let program = nvrtc.compile(source.text).unwrap_or_else(|log| panic!("{}: {log}", source.name));
            let kernels = signatures(source.text);
            assert!(!kernels.is_empty(), "{}", source.name);
            for (kernel, _) in kernels {
                assert!(program.contains(&format!(".entry {kernel}(")), "{kernel} of {}", source.name);
            }
        }
        let log = nvrtc.compile("extern \"C\" __global__ void wrong(float *x) { y[0] = 1; }").unwrap_err();
        assert!(log.contains("\"y\" is undefined"), "{log}");
    }

    /// NVRTC without the crates for CUDA, which link to a driver.
    mod nvrtc {
        #![allow(unsafe_code)]

        use libloading::Library;
        use std::ffi::{CString, c_char, c_int, c_void};
        use std::path::{Path, PathBuf};
        use std::ptr::{null, null_mut};

        type Program = *mut c_void;
        type Create = unsafe extern "C" fn(
            *mut Program,
            *const c_char,
            *const c_char,
            c_int,
            *const *const c_char,
            *const *const c_char,
        ) -> c_int;
        type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
        type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
        type Text = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
        type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;

        /// With the libraries that it will look for where the system does.
        pub(super) struct Compiler(Library, #[expect(dead_code)] Vec<Library>);

        impl Compiler {
            /// Where the system looks, in a toolkit's folder, and where `scripts/cuda.sh` puts one.
            pub(super) fn find() -> Option<Self> {
                let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
                let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
                let ours = cache.map(|cache| cache.join("elman-cuda/packages/nvidia/cu13"));
                let toolkits = [variable("CUDA_HOME"), variable("CUDA_PATH"), ours].into_iter().flatten();
                let folders = toolkits.flat_map(|toolkit| ["lib64", "lib"].map(|part| toolkit.join(part)));
                let folders: Vec<PathBuf> = std::iter::once(PathBuf::new()).chain(folders).collect();
                folders.iter().find_map(|folder| Compiler::load(folder))
            }

            fn load(folder: &Path) -> Option<Self> {
                let names = ["libnvrtc.so.13", "libnvrtc.so"];
                let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
                let builtins = files.filter(|file| file.file_name().to_string_lossy().contains("nvrtc-builtins.so"));
                // SAFETY: these libraries have no more to do at their start than any other.
                unsafe {
                    let compiler = names.into_iter().find_map(|name| Library::new(folder.join(name)).ok())?;
                    Some(Compiler(compiler, builtins.filter_map(|file| Library::new(file.path()).ok()).collect()))
                }
            }

            /// PTX, or what the compiler says against the source.
            pub(super) fn compile(&self, text: &str) -> Result<String, String> {
                let text = CString::new(text).unwrap();
                let options = [c"--gpu-architecture=compute_90".as_ptr(), c"--std=c++17".as_ptr()];
                // SAFETY: the functions have these types (nvrtc.h); the program lives from its creation to its end.
                unsafe {
                    let create = self.0.get::<Create>(b"nvrtcCreateProgram").unwrap();
                    let compile = self.0.get::<Compile>(b"nvrtcCompileProgram").unwrap();
                    let destroy = self.0.get::<Destroy>(b"nvrtcDestroyProgram").unwrap();
                    let mut program = null_mut();
                    assert_eq!(create(&mut program, text.as_ptr(), null(), 0, null(), null()), 0);
                    let done = compile(program, options.len() as c_int, options.as_ptr()) == 0;
                    let what = if done { "nvrtcGetPTX" } else { "nvrtcGetProgramLog" };
                    let text = self.text(program, what);
                    assert_eq!(destroy(&mut program), 0);
                    if done { Ok(text) } else { Err(text) }
                }
            }

            /// # Safety
            ///
            /// The program must be alive.
            unsafe fn text(&self, program: Program, what: &str) -> String {
                // SAFETY: the buffer is as long as the library says.
                unsafe {
                    let size = self.0.get::<Size>(format!("{what}Size").as_bytes()).unwrap();
                    let text = self.0.get::<Text>(what.as_bytes()).unwrap();
                    let mut bytes = 0;
                    assert_eq!(size(program, &mut bytes), 0);
                    let mut buffer = vec![0u8; bytes];
                    assert_eq!(text(program, buffer.as_mut_ptr().cast()), 0);
                    String::from_utf8_lossy(&buffer).trim_end_matches('\0').to_string()
                }
            }
        }
    }
}
