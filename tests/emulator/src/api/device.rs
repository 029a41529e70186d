//! The one device, and what programs hold of it: everything by numbers, of which a wrong one is an error.

use super::stream::{Event, Stream};
use crate::machine::{Fault, Limits, Memory};
use crate::ptx::Kernel;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// CUDA's numbers for what can go wrong.
pub(super) mod status {
    pub(in crate::api) const SUCCESS: i32 = 0;
    pub(in crate::api) const INVALID_VALUE: i32 = 1;
    pub(in crate::api) const OUT_OF_MEMORY: i32 = 2;
    pub(in crate::api) const NO_DEVICE: i32 = 100;
    pub(in crate::api) const INVALID_DEVICE: i32 = 101;
    pub(in crate::api) const NO_BINARY: i32 = 209;
    pub(in crate::api) const INVALID_PTX: i32 = 218;
    pub(in crate::api) const INVALID_HANDLE: i32 = 400;
    pub(in crate::api) const NOT_FOUND: i32 = 500;
    pub(in crate::api) const NOT_READY: i32 = 600;
    pub(in crate::api) const ILLEGAL_ADDRESS: i32 = 700;
    pub(in crate::api) const OUT_OF_RESOURCES: i32 = 701;
    pub(in crate::api) const TOO_LARGE: i32 = 720;
    pub(in crate::api) const NOT_SUPPORTED: i32 = 801;
}

/// A kernel that a program has looked up.
pub(super) struct Loaded {
    pub(super) kernel: Kernel,
    /// Bytes of shared memory that a launch may ask for.
    pub(super) most_shared: AtomicUsize,
}

/// What programs hold, by numbers.
pub(super) struct Table<T>(Mutex<HashMap<u64, Arc<T>>>);

impl<T> Table<T> {
    fn new() -> Self {
        Table(Mutex::default())
    }

    pub(super) fn add(&self, item: T) -> u64 {
        // From above the numbers that streams have by themselves.
        static NEXT: AtomicU64 = AtomicU64::new(0x1000);
        let number = NEXT.fetch_add(16, Ordering::Relaxed);
        lock(&self.0).insert(number, Arc::new(item));
        number
    }

    pub(super) fn get(&self, number: u64) -> Result<Arc<T>, i32> {
        lock(&self.0).get(&number).cloned().ok_or(status::INVALID_HANDLE)
    }

    pub(super) fn get_or(&self, number: u64, new: impl FnOnce() -> T) -> Arc<T> {
        lock(&self.0).entry(number).or_insert_with(|| Arc::new(new())).clone()
    }

    pub(super) fn remove(&self, number: u64) -> Result<Arc<T>, i32> {
        lock(&self.0).remove(&number).ok_or(status::INVALID_HANDLE)
    }

    pub(super) fn all(&self) -> Vec<Arc<T>> {
        lock(&self.0).values().cloned().collect()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The device.
pub(super) struct Device {
    pub(super) limits: Limits,
    /// Bytes of global memory.
    pub(super) total: usize,
    pub(super) memory: Memory,
    /// The host's memory that the device reads when it comes to that: where it begins, and its bytes.
    pub(super) pinned: Mutex<HashMap<u64, usize>>,
    pub(super) streams: Table<Stream>,
    pub(super) events: Table<Event>,
    pub(super) modules: Table<Vec<u64>>,
    pub(super) kernels: Table<Loaded>,
    /// Those of cuBLAS: each has a stream's number.
    pub(super) handles: Table<AtomicU64>,
    fault: Mutex<Option<Fault>>,
    pub(super) traces: bool,
}

/// The device with what the environment says: `EMULATOR_PROCESSORS`, `EMULATOR_MEMORY` (MiB), `EMULATOR_TRACE`.
pub(super) static DEVICE: LazyLock<Device> = LazyLock::new(|| Device {
    limits: Limits { processors: variable("EMULATOR_PROCESSORS", 24), shared: 227 << 10, threads: 1024 },
    total: variable("EMULATOR_MEMORY", 8 << 10) << 20,
    memory: Memory::default(),
    pinned: Mutex::default(),
    streams: Table::new(),
    events: Table::new(),
    modules: Table::new(),
    kernels: Table::new(),
    handles: Table::new(),
    fault: Mutex::default(),
    traces: std::env::var_os("EMULATOR_TRACE").is_some(),
});

/// A number of the environment's.
pub(super) fn variable(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

impl Device {
    /// A kernel has done what it must not. As on a GPU nothing goes on after that.
    pub(super) fn fail(&self, fault: Fault) {
        let mut first = lock(&self.fault);
        if first.is_none() {
            eprintln!("cuda-emulator: {fault}");
            *first = Some(fault);
        }
    }

    pub(super) fn check(&self) -> Result<(), i32> {
        if lock(&self.fault).is_some() { Err(status::ILLEGAL_ADDRESS) } else { Ok(()) }
    }

    /// The stream of this number. Some exist without having been made.
    pub(super) fn stream(&self, number: u64) -> Result<Arc<Stream>, i32> {
        match number {
            0..=2 => Ok(self.streams.get_or(number, Stream::default)),
            _ => self.streams.get(number),
        }
    }

    /// Whether the host's memory at this place is such that the device reads it when it comes to that.
    pub(super) fn is_pinned(&self, place: u64, bytes: usize) -> bool {
        let holds = |(&begin, &size): (&u64, &usize)| place >= begin && place + bytes as u64 <= begin + size as u64;
        lock(&self.pinned).iter().any(holds)
    }
}
