//! Threads for kernels, and how work is cut for them.

use super::pool::Pool;
use elman::{Error, Result};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The least work worth a second thread, in nanoseconds or so: handing a part over costs about one microsecond while a
/// worker is awake, and some ten when it sleeps.
const GRAIN: usize = 10_000;

/// A number of threads, in a pool that all who ask for no number share, or of this handle. The calling thread is one of
/// them.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    count: usize,
    pool: Option<Arc<Pool>>,
}

impl Threads {
    /// As many as `RAYON_NUM_THREADS` says, which candle's own kernels listen to, or as there are cores.
    pub(crate) fn global() -> Self {
        static GLOBAL: OnceLock<Threads> = OnceLock::new();
        let built = || {
            let count = asked(std::env::var("RAYON_NUM_THREADS").ok().as_deref())
                .or_else(|| std::thread::available_parallelism().ok().map(Into::into));
            // One thread always works.
            Threads::new(count.unwrap_or(1)).unwrap_or(Threads { count: 1, pool: None })
        };
        GLOBAL.get_or_init(built).clone()
    }

    /// A number of its own.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let pool = match count {
            0 => return Err(Error::invalid("Candle::cpu_with_threads", "at least one thread", count)),
            1 => None,
            _ => {
                let failed = |e| Error::Backend { backend: "candle", op: "cpu_with_threads", error: Box::new(e) };
                Some(Arc::new(Pool::new(count - 1).map_err(failed)?))
            }
        };
        Ok(Threads { count, pool })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How many parts to cut work of about `nanoseconds` into.
    pub(crate) fn parts(&self, nanoseconds: usize) -> usize {
        (nanoseconds / GRAIN).clamp(1, self.count)
    }

    /// Calls `work` on every part, the first of them on the calling thread, which is the only one if there is one part.
    pub(crate) fn run<T: Send>(&self, parts: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return };
        let Some(second) = parts.next() else { return work(first) };
        let rest = std::iter::once(second).chain(parts);
        match &self.pool {
            Some(pool) => pool.run(first, rest.collect(), &work),
            None => {
                work(first);
                rest.for_each(work);
            }
        }
    }

    /// Cuts `out` into parts of whole rows of `width` and calls `work` with each part and the rows that it has. `cost`
    /// is that of a row in nanoseconds or so.
    pub(crate) fn rows<T: Send>(
        &self,
        out: &mut [T],
        width: usize,
        cost: usize,
        work: impl Fn(Range<usize>, &mut [T]) + Sync,
    ) {
        let rows = out.len() / width.max(1);
        let each = rows.div_ceil(self.parts(rows * cost)).max(1);
        let parts = out.chunks_mut(each * width.max(1)).enumerate();
        self.run(parts, |(i, part)| work(i * each..i * each + part.len() / width.max(1), part));
    }
}

/// A number of threads in words, as rayon reads it: 0, and what is no number, ask for none.
fn asked(words: Option<&str>) -> Option<usize> {
    words?.parse().ok().filter(|&count| count > 0)
}

/// Cuts `0..n` into that many ranges, as equal as can be.
pub(crate) fn ranges(n: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    (0..parts).map(move |i| n * i / parts..n * (i + 1) / parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_row_is_visited_once_by_any_number_of_threads() {
        for count in 1..5 {
            let threads = Threads::new(count).unwrap();
            let mut out = vec![0; 3 * 1001];
            threads.rows(&mut out, 3, GRAIN, |rows, part| {
                for (row, cells) in rows.zip(part.chunks_mut(3)) {
                    cells.iter_mut().for_each(|cell| *cell += row + 1);
                }
            });
            assert!(out.iter().enumerate().all(|(i, &cell)| cell == i / 3 + 1));
        }
    }

    #[test]
    fn small_work_stays_on_the_calling_thread() {
        let threads = Threads::new(4).unwrap();
        let (here, calls) = (std::thread::current().id(), AtomicUsize::new(0));
        threads.rows(&mut [0; 100], 1, 1, |_, _| {
            calls.fetch_add(1, Ordering::Relaxed);
            assert_eq!(std::thread::current().id(), here);
        });
        assert_eq!(calls.into_inner(), 1);
    }

    #[test]
    fn no_threads_is_an_error() {
        assert!(Threads::new(0).is_err());
    }

    #[test]
    fn the_environment_may_ask_for_a_number_of_threads() {
        assert_eq!([Some("3"), Some("0"), Some("many"), None].map(asked), [Some(3), None, None, None]);
        assert!(Threads::global().count() > 0);
    }
}
