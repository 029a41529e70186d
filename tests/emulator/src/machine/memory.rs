//! Global memory: which of the host's memory belongs to arrays on the device.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;

/// Arrays begin at multiples of that, as those of a driver do.
const ALIGN: usize = 256;
/// Fresh memory holds numbers that are none, so that who reads before anyone has written gets NaN or a huge index.
const FRESH: u8 = 0xff;

/// The arrays that there are: where they begin, and their bytes.
#[derive(Default)]
pub struct Memory {
    arrays: BTreeMap<u64, usize>,
    /// Bytes of all.
    used: usize,
}

impl Memory {
    pub fn used(&self) -> usize {
        self.used
    }

    /// A new array; `None` if the host has no memory left.
    pub fn allocate(&mut self, bytes: usize) -> Option<u64> {
        let layout = Layout::from_size_align(bytes.max(1), ALIGN).ok()?;
        // SAFETY: the size is not 0; all of it is written.
        let begin = unsafe {
            let begin = alloc(layout);
            if begin.is_null() {
                return None;
            }
            begin.write_bytes(FRESH, layout.size());
            begin as u64
        };
        self.arrays.insert(begin, bytes);
        self.used += bytes;
        Some(begin)
    }

    /// Gives an array back; `false` if there is none at this place.
    pub fn free(&mut self, begin: u64) -> bool {
        let Some(bytes) = self.arrays.remove(&begin) else { return false };
        self.used -= bytes;
        let layout = Layout::from_size_align(bytes.max(1), ALIGN).expect("as it was allocated");
        // SAFETY: it came from `alloc` with this layout, and is no longer among the arrays.
        unsafe { dealloc(begin as *mut u8, layout) };
        true
    }

    /// The array that has all of these bytes: where it begins and ends.
    pub fn array(&self, place: u64, bytes: usize) -> Option<(u64, u64)> {
        let (&begin, &size) = self.arrays.range(..=place).next_back()?;
        let end = begin + size as u64;
        (place.checked_add(bytes as u64)? <= end).then_some((begin, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_allocated_belongs_to_an_array() {
        let mut memory = Memory::default();
        let a = memory.allocate(100).unwrap();
        assert_eq!(memory.array(a + 96, 4), Some((a, a + 100)));
        assert_eq!(memory.array(a + 97, 4), None);
        assert_eq!((memory.array(a - 1, 1), memory.array(u64::MAX, 4)), (None, None));
        assert!(memory.free(a) && !memory.free(a));
        assert_eq!((memory.array(a, 1), memory.used()), (None, 0));
    }
}
