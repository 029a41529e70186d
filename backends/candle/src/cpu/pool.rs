//! A pool of threads for work of some microseconds.
//!
//! A general pool wakes its threads for every task, which takes longer than most kernels. Here workers look out for the
//! next job for a while before they sleep, so that the kernels of a training step find them awake; and a caller waits
//! for no worker that has not begun: what no worker has taken it does itself.

// Under loom, which tries every order in which threads can meet (tests/pool_model), its own threads and locks.
#[cfg(loom)]
use loom::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{Builder, JoinHandle},
};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};
#[cfg(not(loom))]
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
#[cfg(not(loom))]
use std::time::Instant;

/// How long a thread looks out for what it waits for before it sleeps: longer than the work between most kernels of a
/// training step, and shorter than anyone minds a busy core.
#[cfg_attr(loom, allow(dead_code))]
const LOOKOUT: Duration = Duration::from_micros(if cfg!(miri) { 1 } else { 150 });

/// Does one part.
type Job = &'static (dyn Fn() + Sync);

/// Workers, which end when it is dropped.
pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Somebody's job is being done. Other callers, and parts that have parts themselves, do theirs alone.
    busy: AtomicBool,
    /// What those who have taken a part do. It is there as long as `unfinished` is not 0.
    job: Mutex<Option<Job>>,
    /// Parts that nobody has taken.
    untaken: AtomicUsize,
    /// Parts that are not done, taken or not.
    unfinished: AtomicUsize,
    /// The first panic of a part.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    closing: AtomicBool,
    /// Workers that sleep or are about to. These have the lock `sleep` from before they say so until they do sleep.
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
    finished: Condvar,
}

impl Pool {
    pub(super) fn new(workers: usize) -> std::io::Result<Self> {
        let mut pool = Pool { shared: Arc::default(), workers: Vec::with_capacity(workers) };
        for i in 0..workers {
            let shared = pool.shared.clone();
            pool.workers.push(Builder::new().name(format!("elman-{i}")).spawn(move || shared.serve())?);
        }
        Ok(pool)
    }

    /// Calls `work` on every part, the first of them on the calling thread, and returns when all are done. A panic of a
    /// part comes out here, after the others have been done.
    pub(super) fn run<T: Send>(&self, first: T, rest: Vec<T>, work: &(impl Fn(T) + Sync)) {
        let shared = &*self.shared;
        if shared.busy.swap(true, SeqCst) {
            work(first);
            return rest.into_iter().for_each(work);
        }
        let count = rest.len();
        let rest = Mutex::new(rest.into_iter());
        let one = || {
            // A statement of its own, for the lock is not to be held during the work.
            let part = lock(&rest).next();
            part.into_iter().for_each(work);
        };
        let job: &(dyn Fn() + Sync) = &one;
        // SAFETY: only the lifetime changes. A thread calls the job between taking a part (`untaken`) and finishing it
        // (`unfinished`), and `wait` returns when all parts are finished. Nothing before it unwinds out of this
        // function: the calls of `work` are caught. So nobody calls the job when `one` and its borrows are gone.
        #[allow(unsafe_code)]
        let job = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), Job>(job) };
        shared.publish(job, count);
        let own = catch_unwind(AssertUnwindSafe(|| work(first)));
        shared.help();
        shared.wait();
        *lock(&shared.job) = None;
        let panic = own.err().or(lock(&shared.panic).take());
        shared.busy.store(false, SeqCst);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Shared {
    fn publish(&self, job: Job, parts: usize) {
        *lock(&self.job) = Some(job);
        lock(&self.panic).take();
        self.unfinished.store(parts, SeqCst);
        self.untaken.store(parts, SeqCst);
        // All orders are sequential: a worker counts itself a sleeper and then looks at `untaken`, so that either it
        // sees the parts or is seen here.
        let sleepers = self.sleepers.load(SeqCst).min(parts);
        if sleepers > 0 {
            drop(lock(&self.sleep));
            (0..sleepers).for_each(|_| self.wake.notify_one());
        }
    }

    /// Does parts until all are taken.
    fn help(&self) {
        while self.untaken.fetch_update(SeqCst, SeqCst, |parts| parts.checked_sub(1)).is_ok() {
            let job = *lock(&self.job);
            if let Some(Err(panic)) = job.map(|job| catch_unwind(AssertUnwindSafe(job))) {
                lock(&self.panic).get_or_insert(panic);
            }
            if self.unfinished.fetch_sub(1, SeqCst) == 1 {
                drop(lock(&self.sleep));
                self.finished.notify_all();
            }
        }
    }

    /// Waits for the parts that workers have taken.
    fn wait(&self) {
        let done = || self.unfinished.load(SeqCst) == 0;
        if !look_out(done) {
            let mut held = lock(&self.sleep);
            while !done() {
                held = self.finished.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// A worker's life.
    fn serve(&self) {
        let called = || self.untaken.load(SeqCst) > 0 || self.closing.load(SeqCst);
        while !self.closing.load(SeqCst) {
            if !look_out(called) {
                let mut held = lock(&self.sleep);
                self.sleepers.fetch_add(1, SeqCst);
                while !called() {
                    held = self.wake.wait(held).unwrap_or_else(PoisonError::into_inner);
                }
                self.sleepers.fetch_sub(1, SeqCst);
                drop(held);
            }
            self.help();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closing.store(true, SeqCst);
        drop(lock(&self.shared.sleep));
        self.shared.wake.notify_all();
        // Workers do not panic: what may is caught.
        self.workers.drain(..).for_each(|worker| drop(worker.join()));
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} workers)", self.workers.len())
    }
}

/// No lock is held where anything may panic, so that a poisoned one is in order.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it came true before it was time to sleep. Loom knows no time: one look.
#[cfg(loom)]
fn look_out(so: impl Fn() -> bool) -> bool {
    so()
}

/// Whether it came true before it was time to sleep.
#[cfg(not(loom))]
fn look_out(so: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    loop {
        // Reading the clock takes longer than a look.
        for _ in 0..16 {
            if so() {
                return true;
            }
            std::hint::spin_loop();
        }
        if start.elapsed() > LOOKOUT {
            return false;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Barrier;

    /// What each of `parts` parts is called, in all.
    fn counts(pool: &Pool, parts: usize) -> Vec<usize> {
        let calls: Vec<_> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
        pool.run(&calls[0], calls[1..].iter().collect(), &|part: &AtomicUsize| {
            part.fetch_add(1, SeqCst);
        });
        calls.into_iter().map(AtomicUsize::into_inner).collect()
    }

    const JOBS: usize = if cfg!(miri) { 20 } else { 5000 };

    #[test]
    fn every_part_is_done_exactly_once() {
        for workers in [0, 1, 3, 8] {
            let pool = Pool::new(workers).unwrap();
            for job in 0..JOBS {
                let parts = 1 + job % 13;
                assert_eq!(counts(&pool, parts), vec![1; parts]);
                if job % (JOBS / 5) == 0 {
                    // Long enough for the workers to sleep.
                    std::thread::sleep(LOOKOUT * 20);
                }
            }
        }
    }

    #[test]
    fn parts_are_done_at_the_same_time() {
        let (pool, all) = (Pool::new(2).unwrap(), Barrier::new(3));
        for _ in 0..JOBS {
            pool.run((), vec![(), ()], &|()| {
                all.wait();
            });
        }
    }

    #[test]
    fn the_first_part_is_the_callers() {
        let (pool, here) = (Pool::new(2).unwrap(), std::thread::current().id());
        for _ in 0..JOBS {
            pool.run(0, vec![1, 2, 3], &|part| assert!(part > 0 || std::thread::current().id() == here));
        }
    }

    #[test]
    fn callers_at_the_same_time_and_parts_with_parts_are_served() {
        let pool = Pool::new(2).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..JOBS / 2 {
                        pool.run((), vec![(), ()], &|()| assert_eq!(counts(&pool, 3), [1; 3]));
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_after_the_other_parts_and_leaves_the_pool_in_order() {
        let pool = Pool::new(2).unwrap();
        for bad in (0..4).cycle().take(JOBS.min(40)) {
            let done = AtomicUsize::new(0);
            let run = || {
                pool.run(0, vec![1, 2, 3], &|part| {
                    if part == bad {
                        resume_unwind(Box::new(part));
                    }
                    done.fetch_add(1, SeqCst);
                });
            };
            let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&bad));
            assert_eq!(done.into_inner(), 3);
            assert_eq!(counts(&pool, 4), [1; 4]);
        }
    }

    #[test]
    fn dropping_ends_the_workers() {
        for pause in [Duration::ZERO, LOOKOUT * 20] {
            let pool = Pool::new(3).unwrap();
            std::thread::sleep(pause);
            let shared = Arc::downgrade(&pool.shared);
            drop(pool);
            // Each worker holds it to its end.
            assert_eq!(shared.strong_count(), 0);
        }
    }
}
