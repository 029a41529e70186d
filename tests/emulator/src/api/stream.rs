//! Work that waits for its turn. The device does nothing until somebody waits for it or much has gathered, so that who forgets
//! to wait finds out.

use super::blas::Product;
use super::device::{DEVICE, Device, Loaded, lock};
use crate::machine::{AtWork, Fault, Launch, Random, launch};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// So much work gathers; then half of it is done.
const GATHERED: usize = 64;

/// What a device can be asked to do.
pub(super) enum Work {
    Launch {
        loaded: Arc<Loaded>,
        blocks: [u32; 3],
        threads: [u32; 3],
        shared: usize,
        parameters: Vec<u8>,
        together: bool,
    },
    /// From the host's memory, as it is then.
    FromPinned {
        from: u64,
        to: u64,
        bytes: usize,
    },
    /// From the host's memory, as it was.
    FromHost {
        from: Vec<u8>,
        to: u64,
    },
    FromDevice {
        from: u64,
        to: u64,
        bytes: usize,
    },
    ToHost {
        from: u64,
        to: u64,
        bytes: usize,
    },
    Set {
        to: u64,
        value: u8,
        bytes: usize,
    },
    Free(u64),
    Product(Product),
    /// Others wait for that to have been reached.
    Mark,
}

/// Work in its order.
#[derive(Default)]
pub(super) struct Stream {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    done: u64,
}

/// A place in a stream: how much work there was before it. None before it is first recorded.
#[derive(Default)]
pub(super) struct Event(pub(super) Mutex<Option<(Arc<Stream>, u64)>>);

impl Stream {
    /// Adds work; gives how much there has been then.
    pub(super) fn add(&self, work: Work) -> Result<u64, i32> {
        DEVICE.check()?;
        let mut queue = lock(&self.queue);
        queue.waiting.push_back(work);
        if queue.waiting.len() > GATHERED {
            queue.advance(&DEVICE, GATHERED / 2);
        }
        Ok(queue.done + queue.waiting.len() as u64)
    }

    /// Does all work.
    pub(super) fn finish(&self) -> Result<(), i32> {
        self.finish_until(u64::MAX)
    }

    /// Does work until there has been so much.
    pub(super) fn finish_until(&self, count: u64) -> Result<(), i32> {
        let mut queue = lock(&self.queue);
        let left = count.saturating_sub(queue.done).min(queue.waiting.len() as u64);
        queue.advance(&DEVICE, left as usize);
        DEVICE.check()
    }

    /// Whether so much has been done. Whoever asks again and again gets it at last.
    pub(super) fn has_done(&self, count: u64) -> bool {
        let mut queue = lock(&self.queue);
        let is_done = queue.done >= count;
        if !is_done {
            queue.advance(&DEVICE, 1);
        }
        is_done
    }

    /// Whether some of the host's memory is still to be read.
    pub(super) fn is_going_to_read(&self, begin: u64, bytes: usize) -> bool {
        let end = begin + bytes as u64;
        let reads = |work: &Work| matches!(work, Work::FromPinned { from, .. } if (begin..end).contains(from));
        lock(&self.queue).waiting.iter().any(reads)
    }
}

impl Queue {
    fn advance(&mut self, device: &Device, count: usize) {
        for work in self.waiting.drain(..count) {
            // After a fault nothing is done any more.
            if device.check().is_ok()
                && let Err(fault) = work.execute(device)
            {
                device.fail(fault);
            }
            self.done += 1;
        }
    }
}

impl Work {
    fn execute(self, device: &Device) -> Result<(), Fault> {
        if device.traces {
            eprintln!("cuda-emulator: {}", self.tell());
        }
        if let Work::Free(begin) = self {
            return device
                .memory
                .free(begin)
                .then_some(())
                .ok_or_else(|| Fault(format!("memory at {begin:#x} is freed, and is none")));
        }
        let memory = device.memory.at_work();
        match self {
            Work::Launch { loaded, blocks, threads, shared, parameters, together } => {
                let kernel = &loaded.kernel;
                let order = &mut Random(parameters.len() as u64 + u64::from(blocks[0]));
                launch(&Launch { kernel, blocks, threads, shared, parameters: &parameters, together }, &memory, order)?;
            }
            Work::FromPinned { from, to, bytes } => copy(from, on(&memory, to, bytes)?, bytes),
            Work::FromHost { from, to } => copy(from.as_ptr() as u64, on(&memory, to, from.len())?, from.len()),
            Work::FromDevice { from, to, bytes } => copy(on(&memory, from, bytes)?, on(&memory, to, bytes)?, bytes),
            Work::ToHost { from, to, bytes } => copy(on(&memory, from, bytes)?, to, bytes),
            Work::Set { to, value, bytes } => {
                let to = on(&memory, to, bytes)?;
                // SAFETY: the bytes belong to an array.
                unsafe { (to as *mut u8).write_bytes(value, bytes) }
            }
            Work::Product(product) => product.execute(&memory)?,
            Work::Free(_) | Work::Mark => {}
        }
        Ok(())
    }

    fn tell(&self) -> String {
        match self {
            Work::Launch { loaded, blocks, threads, shared, .. } => {
                format!("{} {blocks:?} x {threads:?}, {shared} bytes shared", loaded.kernel.name)
            }
            Work::FromPinned { bytes, .. } => format!("{bytes} bytes from pinned memory"),
            Work::FromHost { from, .. } => format!("{} bytes from the host", from.len()),
            Work::FromDevice { bytes, .. } => format!("{bytes} bytes on the device"),
            Work::ToHost { bytes, .. } => format!("{bytes} bytes to the host"),
            Work::Set { bytes, .. } => format!("{bytes} bytes set"),
            Work::Free(_) => "free".to_string(),
            Work::Product(product) => format!("{product:?}"),
            Work::Mark => "event".to_string(),
        }
    }
}

/// The place, if the bytes there belong to an array.
pub(super) fn on(memory: &AtWork<'_>, place: u64, bytes: usize) -> Result<u64, Fault> {
    let array = memory.array(place, bytes);
    array.map(|_| place).ok_or_else(|| Fault(format!("{bytes} bytes at {place:#x}, which belong to no array")))
}

/// Copies bytes of which the caller knows that they are there on both sides.
fn copy(from: u64, to: u64, bytes: usize) {
    // SAFETY: by contract; two arrays may be the same, so that it is not `copy_nonoverlapping`.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) }
}
