//! Work on parts of an array by several threads, where it is large enough to pay.

use crate::array::Array;
use elman::backend::Update;
use elman::{Element, Result};

/// Calls `work(first_row, rows)` on consecutive parts of `out`, rows of length `width`, one part a thread. The parts
/// consist of whole groups of `group` rows. `threads` of 1 calls it once, on this thread.
pub(crate) fn by_rows<E: Element>(
    threads: usize,
    out: &mut [E],
    width: usize,
    group: usize,
    work: impl Fn(usize, &mut [E]) + Sync,
) {
    let rows = out.len() / width.max(1);
    let share = rows.div_ceil(threads.max(1)).next_multiple_of(group);
    if share >= rows {
        return work(0, out);
    }
    std::thread::scope(|scope| {
        let work = &work;
        let mut parts = out.chunks_mut(share * width).enumerate();
        // The first part is this thread's own.
        let own = parts.next();
        for (i, part) in parts {
            scope.spawn(move || work(i * share, part));
        }
        if let Some((_, part)) = own {
            work(0, part);
        }
    });
}

/// Below this many weights an optimiser's step stays on one thread. Two threads gained nothing at 400,000, where a
/// step takes 0.2 ms, and took 0.6 of the time at 2.5 million (Adam, two cores).
const UPDATE_PAYS: usize = 500_000;

/// One optimiser step in place, in one pass over the weight and its state. Shapes were checked before.
pub(crate) fn update<E: Element>(
    threads: usize,
    rule: &Update,
    w: &mut Array<E>,
    g: &Array<E>,
    state: &mut [Array<E>],
) -> Result<()> {
    let threads = if w.data().len() < UPDATE_PAYS { 1 } else { threads };
    let share = w.data().len().div_ceil(threads).max(1);
    let mut states: Vec<_> = state.iter_mut().map(|s| s.data_mut().chunks_mut(share)).collect();
    std::thread::scope(|scope| {
        let mut parts = w.data_mut().chunks_mut(share).zip(g.data().chunks(share)).map(|(w, g)| {
            let mut state: Vec<&mut [E]> = states.iter_mut().filter_map(Iterator::next).collect();
            move || rule.apply(w, g, &mut state)
        });
        let own = parts.next();
        let others: Vec<_> = parts.map(|part| scope.spawn(part)).collect();
        own.map_or(Ok(()), |mut part| part())?;
        // A thread can only panic through a defect here, and then its message should be seen.
        others.into_iter().try_for_each(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
