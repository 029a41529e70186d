//! Compilation by NVRTC, once for all processes: what is compiled is kept in a folder.

#![allow(unsafe_code)]

use super::cache;
use super::sources::Source;
use crate::array::error;
use candle_core::cuda_backend::cudarc::nvrtc::{result, sys};
use elman::{Error, Result};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// An image of a source for a target, as a driver loads it: machine code for `sm_90`, text (PTX) for `compute_90`, which the
/// driver compiles further.
pub(super) fn image(source: Source, target: &str) -> Result<Arc<[u8]>> {
    type Known = HashMap<(&'static str, String), Arc<[u8]>>;
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(image) = known.get(&(source.name, target.to_string())) {
        return Ok(image.clone());
    }
    let by = format!("elman {}, NVRTC {}, {target}", env!("CARGO_PKG_VERSION"), version()?);
    let folder = folder();
    let image: Arc<[u8]> = match folder.as_ref().and_then(|folder| cache::read(folder, source, &by)) {
        Some(image) => image.into(),
        None => {
            let image = compile(source, target)?;
            if let Some(folder) = &folder {
                cache::write(folder, source, &by, &image);
            }
            image.into()
        }
    };
    known.insert((source.name, target.to_string()), image.clone());
    Ok(image)
}

/// Where images are kept: the environment's `ELMAN_CACHE`, else `elman` in the user's folder for such files. `None` if there
/// is none, or if `ELMAN_CACHE` is empty.
fn folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let usual = || {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.map(|cache| cache.join("elman"))
    };
    variable("ELMAN_CACHE").or_else(usual).filter(|folder| !folder.as_os_str().is_empty())
}

fn compile(source: Source, target: &str) -> Result<Vec<u8>> {
    let failed = |e: result::NvrtcError| error("NVRTC")(candle_core::Error::wrap(e));
    let wrong = |e| Error::invalid(source.name, "a text without zeros", e);
    let text = CString::new(source.text).map_err(wrong)?;
    let name = CString::new(format!("{}.cu", source.name)).map_err(wrong)?;
    let program = result::create_program(&text, Some(&name)).map_err(failed)?;
    let options = [format!("--gpu-architecture={target}"), "--std=c++17".to_string()];
    // SAFETY: the program lives until it is destroyed here, and the image is as long as the library says.
    unsafe {
        let compiled = result::compile_program(program, &options);
        let image = match compiled {
            Ok(()) => image_of(program, target.starts_with("sm_")).map_err(failed),
            Err(e) => {
                // The compiler's own words.
                let log = result::get_program_log(program).map_err(failed);
                log.and_then(|log| {
                    let log = CStr::from_ptr(log.as_ptr()).to_string_lossy();
                    Err(Error::invalid("NVRTC", "CUDA C that it compiles", format!("{e}: {log}")))
                })
            }
        };
        result::destroy_program(program).map_err(failed)?;
        image
    }
}

/// # Safety
///
/// The program must be alive, and compiled.
unsafe fn image_of(program: sys::nvrtcProgram, machine_code: bool) -> Result<Vec<u8>, result::NvrtcError> {
    let mut size = 0;
    // SAFETY: the buffer is as long as the library says.
    unsafe {
        match machine_code {
            true => sys::nvrtcGetCUBINSize(program, &mut size),
            false => sys::nvrtcGetPTXSize(program, &mut size),
        }
        .result()?;
        let mut image = vec![0u8; size];
        match machine_code {
            true => sys::nvrtcGetCUBIN(program, image.as_mut_ptr().cast()),
            false => sys::nvrtcGetPTX(program, image.as_mut_ptr().cast()),
        }
        .result()?;
        Ok(image)
    }
}

fn version() -> Result<String> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: it writes two numbers to the places given.
    let told = unsafe { sys::nvrtcVersion(&mut major, &mut minor) };
    told.result().map(|()| format!("{major}.{minor}")).map_err(|e| error("NVRTC")(candle_core::Error::wrap(e)))
}
