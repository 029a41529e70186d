//! Global memory: which of the host's memory belongs to arrays on the device.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Arrays begin at multiples of that, as those of a driver do.
const ALIGN: usize = 256;
/// Fresh memory holds numbers that are none, so that who reads before anyone has written gets NaN or a huge index.
const FRESH: u8 = 0xff;

/// The arrays that there are, for all streams.
#[derive(Default)]
pub struct Memory(Mutex<Arrays>);

#[derive(Default)]
struct Arrays {
    /// Where they begin, and their bytes.
    there: BTreeMap<u64, usize>,
    /// Those that were given back while work was being done, which may still be looked at.
    freed: Vec<(u64, usize)>,
    /// Bytes of those that are there.
    used: usize,
    /// How much work is being done.
    at_work: usize,
}

/// Work is being done: what has been looked up stays until it is over.
pub struct AtWork<'a>(&'a Memory);

impl Memory {
    fn arrays(&self) -> MutexGuard<'_, Arrays> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn used(&self) -> usize {
        self.arrays().used
    }

    /// A new array; `None` if the host has no memory left.
    pub fn allocate(&self, bytes: usize) -> Option<u64> {
        // SAFETY: the size is not 0; all of it is written.
        let begin = unsafe {
            let begin = alloc(layout(bytes)?);
            if begin.is_null() {
                return None;
            }
            begin.write_bytes(FRESH, bytes.max(1));
            begin as u64
        };
        let mut arrays = self.arrays();
        arrays.there.insert(begin, bytes);
        arrays.used += bytes;
        Some(begin)
    }

    /// Gives an array back; `false` if there is none at this place.
    pub fn free(&self, begin: u64) -> bool {
        let mut arrays = self.arrays();
        let Some(bytes) = arrays.there.remove(&begin) else { return false };
        arrays.used -= bytes;
        arrays.freed.push((begin, bytes));
        arrays.clean();
        true
    }

    pub fn at_work(&self) -> AtWork<'_> {
        self.arrays().at_work += 1;
        AtWork(self)
    }
}

impl Arrays {
    fn clean(&mut self) {
        if self.at_work == 0 {
            for (begin, bytes) in self.freed.drain(..) {
                let layout = layout(bytes).expect("as it was allocated");
                // SAFETY: it came from `alloc` with this layout, is no longer among the arrays, and nobody looks at it.
                unsafe { dealloc(begin as *mut u8, layout) };
            }
        }
    }
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), ALIGN).ok()
}

impl AtWork<'_> {
    /// The array that has all of these bytes: where it begins and ends.
    pub fn array(&self, place: u64, bytes: usize) -> Option<(u64, u64)> {
        let arrays = self.0.arrays();
        let (&begin, &size) = arrays.there.range(..=place).next_back()?;
        let end = begin + size as u64;
        (place.checked_add(bytes as u64)? <= end).then_some((begin, end))
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let mut arrays = self.0.arrays();
        arrays.at_work -= 1;
        arrays.clean();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_allocated_belongs_to_an_array() {
        let memory = Memory::default();
        let a = memory.allocate(100).unwrap();
        let at_work = memory.at_work();
        assert_eq!(at_work.array(a + 96, 4), Some((a, a + 100)));
        assert_eq!(at_work.array(a + 97, 4), None);
        assert_eq!((at_work.array(a - 1, 1), at_work.array(u64::MAX, 4)), (None, None));
        assert!(memory.free(a) && !memory.free(a));
        assert_eq!((at_work.array(a, 1), memory.used()), (None, 0));
    }
}
