//! The system's allocator, with a count of what each thread holds and the most that it held.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// More than this is not given: a blow-up ends in an abort with the input on the disk, not in the machine's swap.
const LIMIT: isize = 2 << 30;

fn count(bytes: isize) -> bool {
    let held = HELD.get() + bytes;
    if held > LIMIT {
        return false;
    }
    HELD.set(held);
    MOST.set(MOST.get().max(held));
    true
}

/// What `run` gives, and the most memory that this thread held for it at a time.
pub(crate) fn most<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let value = run();
    (value, (MOST.get() - before) as usize)
}

// SAFETY: every call goes to the system's allocator as it came, or gives no memory; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !count(layout.size() as isize) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !count(layout.size() as isize) {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old and the new block may both be held for a moment.
        if !count(size as isize) {
            return std::ptr::null_mut();
        }
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}
