//! Numbers from the host, which nobody waits for: they are put into pinned memory, from where the device fetches them when
//! its stream comes to that.

#![allow(unsafe_code)]

use super::Cuda;
use crate::array::{Array, Indices, error};
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaEvent, CudaStream, DriverError, PinnedHostSlice, result, sys,
};
use elman::{Result, Shape};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The smallest buffer, and how much memory all together may have: what does not fit goes from where it is, and waits.
const SMALLEST: usize = 1 << 16;
const MOST: usize = 1 << 28;

/// Pinned memory for what is on its way.
#[derive(Default)]
pub(super) struct Staging {
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    /// In the order in which the device reads them, so that those at rest are in front. Their sizes are powers of two.
    buffers: VecDeque<Buffer>,
    /// The bytes of all buffers, also of those in somebody's hands.
    total: usize,
}

struct Buffer {
    memory: PinnedHostSlice<u8>,
    /// The device has read it.
    done: CudaEvent,
}

impl Buffer {
    fn send(&mut self, stream: &CudaStream, bytes: &[u8], to: sys::CUdeviceptr) -> Result<(), DriverError> {
        let staged = &mut self.memory.as_mut_slice()?[..bytes.len()];
        staged.copy_from_slice(bytes);
        // SAFETY: the place is as large, by contract; the buffer is neither written nor freed before the event that follows.
        unsafe { result::memcpy_htod_async(to, staged, stream.cu_stream()) }?;
        self.done.record(stream)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // The memory is free after this. An error says that the device is lost, and reads nothing.
        let _ = self.done.synchronize();
    }
}

impl Staging {
    /// A buffer for so many bytes, if there is one at rest or room for one.
    fn take(&self, context: &Arc<CudaContext>, bytes: usize) -> Result<Option<Buffer>, DriverError> {
        let size = bytes.next_power_of_two().max(SMALLEST);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        // If the oldest of this size is not at rest, no other is.
        let oldest = pool.buffers.iter().position(|buffer| buffer.memory.len() == size);
        if let Some(i) = oldest.filter(|&i| pool.buffers[i].done.is_complete()) {
            return Ok(pool.buffers.remove(i));
        }
        // Those of other sizes make room.
        while size <= MOST && pool.total + size > MOST && pool.buffers.front().is_some_and(|b| b.done.is_complete()) {
            pool.total -= pool.buffers.pop_front().map_or(0, |buffer| buffer.memory.len());
        }
        if pool.total + size > MOST {
            return Ok(None);
        }
        let done = context.new_event(Some(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING))?;
        // SAFETY: it is written before it is read. A system may pin less than this crate would like.
        let Ok(memory) = (unsafe { context.alloc_pinned(size) }) else { return Ok(None) };
        pool.total += size;
        Ok(Some(Buffer { memory, done }))
    }

    /// Asks for a copy of the bytes to a place of the device's that has room for them.
    fn copy(&self, stream: &Arc<CudaStream>, bytes: &[u8], to: sys::CUdeviceptr) -> Result<(), DriverError> {
        stream.context().bind_to_thread()?;
        let Some(mut buffer) = self.take(stream.context(), bytes.len())? else {
            // SAFETY: the place is as large, by contract; the bytes are there until they have been read, which some systems do
            // later even if they are not pinned.
            unsafe { result::memcpy_htod_async(to, bytes, stream.cu_stream()) }?;
            return stream.synchronize();
        };
        let sent = buffer.send(stream, bytes, to);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match sent {
            Ok(()) => pool.buffers.push_back(buffer),
            Err(_) => pool.total -= buffer.memory.len(),
        }
        sent
    }
}

impl Cuda {
    pub(crate) fn upload(&self, data: &[f32], shape: Shape) -> Result<Array> {
        let array = self.fresh("upload", shape)?;
        if !data.is_empty() {
            // SAFETY: every bit of an `f32` is one of its bytes.
            let bytes = unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) };
            self.staging.copy(&self.stream, bytes, self.address(&array)?).w().map_err(error("upload"))?;
        }
        Ok(array)
    }

    /// Indices below `bound`, which the host keeps too.
    pub(crate) fn upload_indices(&self, data: Arc<[u32]>, shape: Shape, bound: usize) -> Result<Indices> {
        let indices = self.fresh_indices("upload_indices", shape, bound)?;
        if !data.is_empty() {
            // SAFETY: every bit of a `u32` is one of its bytes.
            let bytes = unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(&*data)) };
            let to = self.whole_address(&indices)?;
            self.staging.copy(&self.stream, bytes, to).w().map_err(error("upload_indices"))?;
        }
        Ok(indices.kept_on_host(data))
    }
}
