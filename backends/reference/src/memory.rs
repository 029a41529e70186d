//! Memory of large arrays, kept for the next ones of the thread.
//!
//! An allocator gives large buffers back to the system, and the first touch of each page of a new one costs more than the
//! arithmetic on it.

use elman::Element;
use std::any::Any;
use std::cell::RefCell;

/// Below this number of elements an allocator keeps buffers by itself.
const SMALL: usize = 4096;
/// No more buffers than this are kept idle, and no more elements in all: 1 GiB of `f64`.
const MOST: usize = 256;
const MOST_ELEMENTS: usize = 128 << 20;

thread_local! {
    /// A `Vec<Vec<E>>` for each type of elements.
    static IDLE: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with the idle buffers; `None` while the thread ends.
fn idle<E: Element, R>(work: impl FnOnce(&mut Vec<Vec<E>>) -> R) -> Option<R> {
    let with = |all: &RefCell<Vec<Box<dyn Any>>>| {
        let mut all = all.borrow_mut();
        let own = all.iter().position(|idle| idle.is::<Vec<Vec<E>>>());
        let own = own.unwrap_or_else(|| {
            all.push(Box::new(Vec::<Vec<E>>::new()));
            all.len() - 1
        });
        all[own].downcast_mut().map(work)
    };
    IDLE.try_with(with).ok().flatten()
}

/// An empty vector with room for `n` elements.
pub(crate) fn room<E: Element>(n: usize) -> Vec<E> {
    let kept = |idle: &mut Vec<Vec<E>>| {
        let fits = |kept: &Vec<E>| (n..=2 * n).contains(&kept.capacity());
        idle.iter().rposition(fits).map(|at| idle.swap_remove(at))
    };
    let kept = if n < SMALL { None } else { idle(kept).flatten() };
    kept.unwrap_or_else(|| Vec::with_capacity(n))
}

/// So many zeros.
pub(crate) fn zeros<E: Element>(n: usize) -> Vec<E> {
    let mut all = room(n);
    all.resize(n, E::ZERO);
    all
}

/// Keeps a vector that is no longer used.
pub(crate) fn give<E: Element>(mut data: Vec<E>) {
    if data.capacity() >= SMALL && data.capacity() <= MOST_ELEMENTS {
        data.clear();
        idle(|idle| {
            let elements: usize = idle.iter().map(Vec::capacity).sum();
            if idle.len() == MOST || elements + data.capacity() > MOST_ELEMENTS {
                // Sizes have changed, or were never asked for again: start over.
                idle.clear();
            }
            idle.push(data);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_given_back_is_taken_again_for_its_type_alone() {
        let mut data: Vec<f32> = room(5000);
        data.resize(5000, 7.0);
        let at = data.as_ptr();
        give(data);
        let other = room::<f64>(5000);
        assert_ne!(other.as_ptr().cast(), at);
        let again = zeros::<f32>(4500);
        assert!(again.as_ptr() == at && again == vec![0.0; 4500]);
        let other = zeros::<f32>(4500);
        assert_ne!(other.as_ptr(), at);
    }

    #[test]
    fn much_too_large_vectors_stay_for_others_and_what_is_kept_has_an_end() {
        give(Vec::<f32>::with_capacity(100_000));
        assert!(room::<f32>(SMALL).capacity() < 100_000);
        (0..2 * MOST).for_each(|_| give(Vec::<f32>::with_capacity(SMALL)));
        assert!(idle::<f32, _>(|idle| idle.len() <= MOST).unwrap());
        (0..5).for_each(|_| give(Vec::<f32>::with_capacity(MOST_ELEMENTS / 4)));
        assert!(idle::<f32, _>(|idle| idle.iter().map(Vec::capacity).sum::<usize>() <= MOST_ELEMENTS).unwrap());
    }
}
