//! Memory for large arrays in host memory, kept and reused.
//!
//! A general allocator maps a large buffer from the system and unmaps it again, and the first touch of each page costs
//! more than the arithmetic on it. A training step asks for the same sizes again and again: so the buffers that arrays
//! leave behind are kept for the next ones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Below this number of elements an allocator is fast by itself.
const SMALL: usize = 1024;
/// No more elements than this are kept idle: 256 MiB.
const MOST: usize = 64 << 20;

/// A handle to kept buffers; a clone is the same memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Shelves>>);

#[derive(Default)]
struct Shelves {
    /// Idle buffers by capacity.
    idle: BTreeMap<usize, Vec<Vec<f32>>>,
    /// Their capacities' sum.
    kept: usize,
}

impl Memory {
    /// A buffer of `n` numbers, *whatever they are*: for outputs of which every element is written.
    pub(crate) fn take(&self, n: usize) -> Vec<f32> {
        if n < SMALL {
            return vec![0.0; n];
        }
        let mut data = self.shelves().take(n).unwrap_or_else(|| {
            // Sizes are rounded up to a sixteenth, so that batches that differ a little share buffers.
            let step = n.next_power_of_two() / 16;
            vec![0.0; n.div_ceil(step) * step]
        });
        data.resize(n, 0.0);
        data
    }

    /// Keeps a buffer that is no longer used.
    pub(crate) fn give(&self, data: Vec<f32>) {
        if data.capacity() >= SMALL && data.capacity() <= MOST {
            self.shelves().give(data);
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // A panic elsewhere leaves the shelves in order: each change is a single call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    /// The smallest buffer that holds `n` numbers without wasting half as many again.
    fn take(&mut self, n: usize) -> Option<Vec<f32>> {
        let (&capacity, shelf) = self.idle.range_mut(n..=n + n / 2).next()?;
        let data = shelf.pop();
        if shelf.is_empty() {
            self.idle.remove(&capacity);
        }
        self.kept -= data.as_ref().map_or(0, Vec::capacity);
        data
    }

    fn give(&mut self, data: Vec<f32>) {
        if self.kept + data.capacity() > MOST {
            // Sizes have changed, or were never asked for again: start over.
            *self = Shelves::default();
        }
        self.kept += data.capacity();
        self.idle.entry(data.capacity()).or_default().push(data);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} elements idle)", self.shelves().kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_is_taken_again() {
        let memory = Memory::default();
        let data = memory.take(5000);
        let at = data.as_ptr();
        memory.give(data);
        let again = memory.take(4800);
        assert_eq!((again.as_ptr(), again.len()), (at, 4800));
        let other = memory.take(4800);
        assert_ne!(other.as_ptr(), at);
    }

    #[test]
    fn much_too_large_buffers_stay_for_others() {
        let memory = Memory::default();
        memory.give(memory.take(100_000));
        assert!(memory.take(2000).capacity() < 3000);
        assert!(memory.shelves().kept >= 100_000);
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let memory = Memory::default();
        for _ in 0..5 {
            memory.give(Vec::with_capacity(MOST / 4));
        }
        assert!(memory.shelves().kept <= MOST);
    }
}
