//! Which parts of the code an input has run through, where the compiler was told to count it
//! (`scripts/fuzz.sh --guided`); otherwise nothing is known and nothing here does anything.
//!
//! LLVM's counters, one byte for each edge of the control flow, lie in one section of the program.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static START: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Called by what the compiler puts into the program, before `main`.
// SAFETY: nobody else defines the name, which LLVM reserves for whoever collects the counters.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, end: *mut u8) {
    START.store(start, Ordering::Relaxed);
    LENGTH.store(end as usize - start as usize, Ordering::Relaxed);
}

// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_pcs_init(_: *const usize, _: *const usize) {}

/// What has been run through so far.
#[derive(Default)]
pub(crate) struct Coverage {
    /// A bit for each order of magnitude in which an edge was counted.
    seen: Vec<u8>,
    edges: usize,
}

impl Coverage {
    fn counters() -> &'static mut [u8] {
        let (start, length) = (START.load(Ordering::Relaxed), LENGTH.load(Ordering::Relaxed));
        if start.is_null() {
            return &mut [];
        }
        // SAFETY: the section is of this length and lives as long as the program; single bytes are written by this thread
        // alone while an input runs, and the driver looks at them between two inputs.
        unsafe { std::slice::from_raw_parts_mut(start, length) }
    }

    /// Before an input.
    pub(crate) fn reset(&self) {
        Self::counters().fill(0);
    }

    /// Whether the input that ran since went where none went before.
    pub(crate) fn news(&mut self) -> bool {
        let counters = Self::counters();
        let mut seen = std::mem::take(&mut self.seen);
        seen.resize(counters.len(), 0);
        let mut news = false;
        for (counters, seen) in counters.chunks(64).zip(seen.chunks_mut(64)) {
            if counters.iter().all(|&count| count == 0) {
                continue;
            }
            for (&count, seen) in counters.iter().zip(seen) {
                let magnitude = match count {
                    0 => 0,
                    1..=3 => count,
                    4..=7 => 4,
                    8..=31 => 8,
                    32.. => 16,
                };
                self.edges += usize::from(magnitude != 0 && *seen == 0);
                news |= magnitude & !*seen != 0;
                *seen |= magnitude;
            }
        }
        self.seen = seen;
        news
    }

    /// How many edges have been seen.
    pub(crate) fn edges(&self) -> usize {
        self.edges
    }
}
