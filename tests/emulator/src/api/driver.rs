//! The driver's functions for the device, the context and memory. What all of them take and give is as in `cuda.h`; pointers that they write to point to room for that, which
//! is the contract of all of them.

use super::device::{DEVICE, lock, status, variable};
use super::stream::{Stream, Work, on};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::ffi::{c_char, c_void};

/// The one context.
const CONTEXT: u64 = 8;

thread_local! {
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn code(result: Result<(), i32>) -> i32 {
    result.err().unwrap_or(status::SUCCESS)
}

/// # Safety
///
/// `to` points to room for a `T`.
pub(super) unsafe fn give<T>(to: *mut T, value: T) -> i32 {
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

/// Copies that wait.
#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) -> i32 {
    let _ = cuCtxSynchronize();
    if on(&DEVICE.memory.at_work(), from, bytes).is_err() {
        return status::INVALID_VALUE;
    }
    cuMemcpyDtoHAsync_v2(to, from, bytes, 0)
}
