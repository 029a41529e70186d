//! The driver's functions. What they take and give is as in `cuda.h`; pointers that they write to point to room for that, which
//! is the contract of all of them.

use super::device::{DEVICE, Loaded, lock, status, variable};
use super::stream::{Event, Stream, Work, on};
use crate::ptx;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The one context.
const CONTEXT: u64 = 8;

thread_local! {
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

fn code(result: Result<(), i32>) -> i32 {
    result.err().unwrap_or(status::SUCCESS)
}

/// # Safety
///
/// `to` points to room for a `T`.
unsafe fn give<T>(to: *mut T, value: T) -> i32 {
    // SAFETY: by contract.
    unsafe { to.write(value) };
    status::SUCCESS
}

/// `EMULATOR_DEVICES`: 0 is a machine without a GPU.
fn devices() -> i32 {
    variable("EMULATOR_DEVICES", 1).min(1) as i32
}

#[unsafe(no_mangle)]
extern "C" fn cuInit(_flags: u32) -> i32 {
    if devices() == 0 { status::NO_DEVICE } else { status::SUCCESS }
}

/// `EMULATOR_DRIVER` is the driver's version, such as 13000.
#[unsafe(no_mangle)]
unsafe extern "C" fn cuDriverGetVersion(version: *mut i32) -> i32 {
    // SAFETY: by contract.
    unsafe { give(version, variable("EMULATOR_DRIVER", 13000) as i32) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetCount(count: *mut i32) -> i32 {
    // SAFETY: by contract.
    unsafe { give(count, devices()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGet(device: *mut i32, ordinal: i32) -> i32 {
    if ordinal < 0 || ordinal >= devices() {
        return status::INVALID_DEVICE;
    }
    // SAFETY: by contract.
    unsafe { give(device, ordinal) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetAttribute(value: *mut i32, attribute: i32, _device: i32) -> i32 {
    let limits = DEVICE.limits;
    let found = match attribute {
        1 => limits.threads as usize,
        8 => 48 << 10,
        10 => 32,
        16 => limits.processors,
        75 => 9,
        76 => 0,
        95 => 1,
        97 => limits.shared,
        // Memory pools.
        115 => 1,
        _ => return status::NOT_SUPPORTED,
    };
    // SAFETY: by contract.
    unsafe { give(value, found as i32) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetDefaultMemPool(pool: *mut u64, _device: i32) -> i32 {
    // SAFETY: by contract.
    unsafe { give(pool, CONTEXT) }
}

#[unsafe(no_mangle)]
extern "C" fn cuMemPoolSetAttribute(_pool: u64, _attribute: i32, _value: *mut c_void) -> i32 {
    status::SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut u64, _device: i32) -> i32 {
    // SAFETY: by contract.
    unsafe { give(context, CONTEXT) }
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRelease_v2(_device: i32) -> i32 {
    status::SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuCtxGetCurrent(context: *mut u64) -> i32 {
    // SAFETY: by contract.
    unsafe { give(context, CURRENT.get()) }
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCurrent(context: u64) -> i32 {
    CURRENT.set(context);
    status::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSynchronize() -> i32 {
    code(DEVICE.streams.all().iter().try_for_each(|stream| stream.finish()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorName(error: i32, text: *mut *const c_char) -> i32 {
    // SAFETY: by contract.
    unsafe { cuGetErrorString(error, text) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorString(error: i32, text: *mut *const c_char) -> i32 {
    let told = match error {
        status::INVALID_VALUE => c"invalid argument",
        status::OUT_OF_MEMORY => c"out of memory",
        status::NO_DEVICE => c"no CUDA-capable device is detected",
        status::INVALID_DEVICE => c"invalid device ordinal",
        status::ILLEGAL_ADDRESS => c"an illegal memory access was encountered",
        status::OUT_OF_RESOURCES => c"too many resources requested for launch",
        status::TOO_LARGE => c"too many blocks in cooperative launch",
        _ => c"an error of the emulator's",
    };
    // SAFETY: by contract.
    unsafe { give(text, told.as_ptr()) }
}

// Memory.

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> i32 {
    // SAFETY: by contract.
    unsafe {
        give(free, DEVICE.total.saturating_sub(DEVICE.memory.used()));
        give(total, DEVICE.total)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemAlloc_v2(place: *mut u64, bytes: usize) -> i32 {
    if let Err(error) = DEVICE.check() {
        return error;
    }
    let fits = || DEVICE.memory.used().saturating_add(bytes) <= DEVICE.total;
    let allocate = || fits().then(|| DEVICE.memory.allocate(bytes)).flatten();
    // What is going to be freed makes room.
    let found = allocate().or_else(|| {
        let _ = cuCtxSynchronize();
        allocate()
    });
    match found {
        // SAFETY: by contract.
        Some(found) => unsafe { give(place, found) },
        None => status::OUT_OF_MEMORY,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemAllocAsync(place: *mut u64, bytes: usize, _stream: u64) -> i32 {
    // SAFETY: by contract.
    unsafe { cuMemAlloc_v2(place, bytes) }
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFreeAsync(place: u64, stream: u64) -> i32 {
    code(DEVICE.stream(stream).and_then(|stream| stream.add(Work::Free(place)).map(|_| ())))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFree_v2(place: u64) -> i32 {
    let _ = cuCtxSynchronize();
    cuMemFreeAsync(place, 0)
}

/// The host's memory that a device can read by itself, by its bytes.
fn pinned_layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes.max(1), 4096).expect("as large as memory can be")
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemHostAlloc(place: *mut *mut c_void, bytes: usize, _flags: u32) -> i32 {
    // SAFETY: the size is not 0.
    let memory = unsafe { alloc_zeroed(pinned_layout(bytes)) };
    if memory.is_null() {
        return status::OUT_OF_MEMORY;
    }
    lock(&DEVICE.pinned).insert(memory as u64, bytes);
    // SAFETY: by contract.
    unsafe { give(place, memory.cast()) }
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFreeHost(place: *mut c_void) -> i32 {
    let Some(bytes) = lock(&DEVICE.pinned).remove(&(place as u64)) else { return status::INVALID_VALUE };
    if DEVICE.streams.all().iter().any(|stream| stream.is_going_to_read(place as u64, bytes)) {
        eprintln!("cuda-emulator: pinned memory is freed before it has been read");
        return status::INVALID_VALUE;
    }
    // SAFETY: it came from `alloc_zeroed` with this layout.
    unsafe { dealloc(place.cast(), pinned_layout(bytes)) };
    status::SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: u64) -> i32 {
    let work = match DEVICE.is_pinned(from as u64, bytes) {
        true => Work::FromPinned { from: from as u64, to, bytes },
        // SAFETY: so many bytes are there, by contract.
        false => Work::FromHost { from: unsafe { std::slice::from_raw_parts(from.cast(), bytes) }.to_vec(), to },
    };
    code(DEVICE.stream(stream).and_then(|stream| stream.add(work).map(|_| ())))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: u64) -> i32 {
    let pinned = DEVICE.is_pinned(to as u64, bytes);
    let work = Work::ToHost { from, to: to as u64, bytes };
    let wait = |stream: &Stream| if pinned { Ok(()) } else { stream.finish() };
    code(DEVICE.stream(stream).and_then(|stream| stream.add(work).and_then(|_| wait(&stream))))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: u64) -> i32 {
    let work = Work::FromDevice { from, to, bytes };
    code(DEVICE.stream(stream).and_then(|stream| stream.add(work).map(|_| ())))
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8Async(to: u64, value: u8, bytes: usize, stream: u64) -> i32 {
    let work = Work::Set { to, value, bytes };
    code(DEVICE.stream(stream).and_then(|stream| stream.add(work).map(|_| ())))
}

// Streams and events.

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamCreate(stream: *mut u64, _flags: u32) -> i32 {
    // SAFETY: by contract.
    unsafe { give(stream, DEVICE.streams.add(Stream::default())) }
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamDestroy_v2(stream: u64) -> i32 {
    code(DEVICE.streams.remove(stream).and_then(|stream| stream.finish()))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamSynchronize(stream: u64) -> i32 {
    code(DEVICE.stream(stream).and_then(|stream| stream.finish()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamIsCapturing(_stream: u64, state: *mut i32) -> i32 {
    // SAFETY: by contract.
    unsafe { give(state, 0) }
}

/// The other stream's work is done at once, so that nothing is left to wait for.
#[unsafe(no_mangle)]
extern "C" fn cuStreamWaitEvent(_stream: u64, event: u64, _flags: u32) -> i32 {
    cuEventSynchronize(event)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventCreate(event: *mut u64, _flags: u32) -> i32 {
    // SAFETY: by contract.
    unsafe { give(event, DEVICE.events.add(Event::default())) }
}

#[unsafe(no_mangle)]
extern "C" fn cuEventDestroy_v2(event: u64) -> i32 {
    code(DEVICE.events.remove(event).map(|_| ()))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventRecord(event: u64, stream: u64) -> i32 {
    let record = || {
        let (event, stream) = (DEVICE.events.get(event)?, DEVICE.stream(stream)?);
        let count = stream.add(Work::Mark)?;
        *lock(&event.0) = Some((stream, count));
        Ok(())
    };
    code(record())
}

#[unsafe(no_mangle)]
extern "C" fn cuEventQuery(event: u64) -> i32 {
    let query = || match &*lock(&DEVICE.events.get(event)?.0) {
        Some((stream, count)) if !stream.has_done(*count) => Err(status::NOT_READY),
        _ => DEVICE.check(),
    };
    code(query())
}

#[unsafe(no_mangle)]
extern "C" fn cuEventSynchronize(event: u64) -> i32 {
    let wait = || match &*lock(&DEVICE.events.get(event)?.0) {
        Some((stream, count)) => stream.finish_until(*count),
        None => Ok(()),
    };
    code(wait())
}

// Kernels.

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

/// Copies that wait.
#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) -> i32 {
    let _ = cuCtxSynchronize();
    if on(&DEVICE.memory.at_work(), from, bytes).is_err() {
        return status::INVALID_VALUE;
    }
    cuMemcpyDtoHAsync_v2(to, from, bytes, 0)
}
