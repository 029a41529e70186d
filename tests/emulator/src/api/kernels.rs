//! The driver's functions for kernels: modules, their functions, launches.

use super::device::{DEVICE, Loaded, status};
use super::driver::{code, give};
use super::stream::Work;
use crate::ptx;
use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleLoadData(module: *mut u64, image: *const c_void) -> i32 {
    // SAFETY: an image is a text that ends with 0, or begins with four bytes that are none.
    let bytes = unsafe { std::slice::from_raw_parts(image.cast::<u8>(), 4) };
    if bytes == b"\x7fELF" || bytes[0] >= 0x80 {
        // Machine code.
        return status::NO_BINARY;
    }
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(image.cast()) }.to_string_lossy();
    match ptx::read(&text) {
        Ok(kernels) => {
            let load = |kernel| DEVICE.kernels.add(Loaded { kernel, most_shared: AtomicUsize::new(48 << 10) });
            let kernels = kernels.into_iter().map(load).collect();
            // SAFETY: by contract.
            unsafe { give(module, DEVICE.modules.add(kernels)) }
        }
        Err(what) => {
            eprintln!("cuda-emulator: {what}");
            status::INVALID_PTX
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleUnload(module: u64) -> i32 {
    let unload = |kernels: &[u64]| kernels.iter().try_for_each(|&kernel| DEVICE.kernels.remove(kernel).map(|_| ()));
    code(DEVICE.modules.remove(module).and_then(|kernels| unload(&kernels)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleGetFunction(function: *mut u64, module: u64, name: *const c_char) -> i32 {
    // SAFETY: a name that ends with 0, by contract.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let Ok(kernels) = DEVICE.modules.get(module) else { return status::INVALID_HANDLE };
    let is_it = |&number: &u64| DEVICE.kernels.get(number).is_ok_and(|loaded| loaded.kernel.name == name);
    match kernels.iter().copied().find(is_it) {
        // SAFETY: by contract.
        Some(found) => unsafe { give(function, found) },
        None => status::NOT_FOUND,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuFuncGetAttribute(value: *mut i32, attribute: i32, function: u64) -> i32 {
    let Ok(loaded) = DEVICE.kernels.get(function) else { return status::INVALID_HANDLE };
    let found = match attribute {
        0 => loaded.kernel.most_threads.unwrap_or(DEVICE.limits.threads) as usize,
        1 => loaded.kernel.shared,
        8 => loaded.most_shared.load(Ordering::Relaxed),
        _ => return status::NOT_SUPPORTED,
    };
    // SAFETY: by contract.
    unsafe { give(value, found as i32) }
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncSetAttribute(function: u64, attribute: i32, value: i32) -> i32 {
    let Ok(loaded) = DEVICE.kernels.get(function) else { return status::INVALID_HANDLE };
    if attribute != 8 {
        return status::NOT_SUPPORTED;
    }
    if value < 0 || value as usize + loaded.kernel.shared > DEVICE.limits.shared {
        return status::INVALID_VALUE;
    }
    loaded.most_shared.store(value as usize, Ordering::Relaxed);
    status::SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuLaunchKernel(
    function: u64,
    x: u32,
    y: u32,
    z: u32,
    threads_x: u32,
    threads_y: u32,
    threads_z: u32,
    shared: u32,
    stream: u64,
    parameters: *mut *mut c_void,
    _extra: *mut *mut c_void,
) -> i32 {
    // SAFETY: by contract.
    unsafe { launch(function, [x, y, z], [threads_x, threads_y, threads_z], shared, stream, parameters, false) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuLaunchCooperativeKernel(
    function: u64,
    x: u32,
    y: u32,
    z: u32,
    threads_x: u32,
    threads_y: u32,
    threads_z: u32,
    shared: u32,
    stream: u64,
    parameters: *mut *mut c_void,
) -> i32 {
    // SAFETY: by contract.
    unsafe { launch(function, [x, y, z], [threads_x, threads_y, threads_z], shared, stream, parameters, true) }
}

/// # Safety
///
/// There is a pointer for each of the kernel's parameters, to as many bytes as that has.
unsafe fn launch(
    function: u64,
    blocks: [u32; 3],
    threads: [u32; 3],
    shared: u32,
    stream: u64,
    parameters: *mut *mut c_void,
    together: bool,
) -> i32 {
    let (Ok(loaded), Ok(stream)) = (DEVICE.kernels.get(function), DEVICE.stream(stream)) else {
        return status::INVALID_HANDLE;
    };
    let (kernel, limits, shared) = (&loaded.kernel, DEVICE.limits, shared as usize);
    let count: u32 = threads.iter().product();
    if blocks.contains(&0) || threads.contains(&0) || blocks[1] > 65535 || blocks[2] > 65535 {
        return status::INVALID_VALUE;
    }
    if shared > loaded.most_shared.load(Ordering::Relaxed) || count > limits.threads {
        return status::INVALID_VALUE;
    }
    if kernel.most_threads.is_some_and(|most| count > most) {
        return status::OUT_OF_RESOURCES;
    }
    // Of a processor's shared memory each block takes 1 KB more than it says; 2048 threads fit.
    let room = (limits.shared + 1024) / (kernel.shared + shared + 1024);
    let at_once = limits.processors * room.min(2048 / count as usize);
    if together && blocks.iter().map(|&blocks| blocks as usize).product::<usize>() > at_once {
        return status::TOO_LARGE;
    }
    let mut all = vec![0; kernel.parameter_bytes()];
    for (i, &(offset, bytes)) in kernel.parameters.iter().enumerate() {
        // SAFETY: by contract.
        let parameter = unsafe { std::slice::from_raw_parts((*parameters.add(i)).cast::<u8>(), bytes) };
        all[offset..offset + bytes].copy_from_slice(parameter);
    }
    code(stream.add(Work::Launch { loaded, blocks, threads, shared, parameters: all, together }).map(|_| ()))
}
