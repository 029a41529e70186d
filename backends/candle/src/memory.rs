//! Memory for large arrays in host memory, kept and reused.
//!
//! A general allocator maps a large buffer from the system and unmaps it again, and the first touch of each page costs
//! more than the arithmetic on it. A training step asks for the same sizes again and again: so the buffers that arrays
//! leave behind are kept for the next ones.
//!
//! They begin at a cache line. The allocator of glibc puts large buffers 16 bytes behind one, and then each vector of 64 bytes
//! lies in two: products of 16 rows reached 135 instead of 160 GFLOP/s so.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Below this number of elements an allocator is fast by itself.
const SMALL: usize = 1024;
/// Bytes in a cache line.
const LINE: usize = 64;
/// Elements that a buffer has besides those asked for, so that these can begin at a line.
const SLACK: usize = LINE / size_of::<f32>();
/// No more elements than this are kept idle: 1 GiB.
const MOST: usize = 256 << 20;

/// Numbers in memory: those of `range` in a vector.
#[derive(Clone, Default)]
pub(crate) struct Buffer<T = f32> {
    data: Vec<T>,
    range: Range<usize>,
}

impl<T> Buffer<T> {
    /// Those of a range, which lies within the vector.
    pub(crate) fn new(data: Vec<T>, range: Range<usize>) -> Self {
        debug_assert!(range.start <= range.end && range.end <= data.len());
        Buffer { data, range }
    }

    /// The vector, and where in it they are.
    pub(crate) fn into_parts(self) -> (Vec<T>, Range<usize>) {
        (self.data, self.range)
    }
}

/// All of a vector, wherever it begins.
impl<T> From<Vec<T>> for Buffer<T> {
    fn from(data: Vec<T>) -> Self {
        let range = 0..data.len();
        Buffer { data, range }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data[self.range.clone()]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.range.clone()]
    }
}

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
    pub(crate) fn take(&self, n: usize) -> Buffer {
        if n < SMALL {
            return vec![0.0; n].into();
        }
        let mut data = self.shelves().take(n + SLACK).unwrap_or_else(|| {
            // Sizes are rounded up to a sixteenth, so that batches that differ a little share buffers.
            let step = n.next_power_of_two() / 16;
            vec![0.0; n.div_ceil(step) * step + SLACK]
        });
        // Those of a user may have been longer than their numbers.
        data.resize(data.capacity(), 0.0);
        let start = match data.as_ptr().align_offset(LINE) {
            start if start <= SLACK => start,
            _ => 0,
        };
        Buffer::new(data, start..start + n)
    }

    /// The numbers of a vector, copied where they are many and do not begin at a line.
    pub(crate) fn aligned(&self, data: Vec<f32>) -> Buffer {
        if data.len() < SMALL || data.as_ptr().align_offset(LINE) == 0 {
            return data.into();
        }
        let mut copy = self.take(data.len());
        copy.copy_from_slice(&data);
        copy
    }

    /// Keeps a buffer that is no longer used.
    pub(crate) fn give(&self, buffer: impl Into<Buffer>) {
        let data = buffer.into().data;
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
    fn large_buffers_begin_at_a_line() {
        let memory = Memory::default();
        for n in [SMALL, 1500, 100_000] {
            // Of several, some would by chance.
            let buffers = [0; 5].map(|_| memory.take(n));
            assert!(buffers.iter().all(|buffer| buffer.len() == n && buffer.as_ptr().align_offset(LINE) == 0));
        }
        let numbers: Vec<f32> = (0..5000).map(|i| i as f32).collect();
        let copy = memory.aligned(numbers.clone());
        assert!(*copy == numbers && copy.as_ptr().align_offset(LINE) == 0);
    }

    #[test]
    fn much_too_large_buffers_stay_for_others() {
        let memory = Memory::default();
        memory.give(memory.take(100_000));
        assert!(memory.take(2000).data.capacity() < 3000);
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
