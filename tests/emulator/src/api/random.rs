//! cuRAND: candle makes a generator for each device. Nobody draws from it.

use super::device::{DEVICE, status};
use std::sync::atomic::AtomicU64;

/// # Safety
///
/// `generator` points to room for a pointer.
#[unsafe(no_mangle)]
unsafe extern "C" fn curandCreateGenerator(generator: *mut u64, _kind: i32) -> i32 {
    // SAFETY: by contract.
    unsafe { *generator = DEVICE.handles.add(AtomicU64::new(0)) };
    status::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn curandDestroyGenerator(generator: u64) -> i32 {
    DEVICE.handles.remove(generator).map_or(status::INVALID_HANDLE, |_| status::SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn curandSetStream(_generator: u64, _stream: u64) -> i32 {
    status::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn curandSetPseudoRandomGeneratorSeed(_generator: u64, _seed: u64) -> i32 {
    status::SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn curandSetGeneratorOffset(_generator: u64, _offset: u64) -> i32 {
    status::SUCCESS
}
