//! The driver's functions for streams and events.

use super::device::{DEVICE, lock, status};
use super::driver::{code, give};
use super::stream::{Event, Stream, Work};

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
