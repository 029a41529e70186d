//! The pool of threads of `elman-candle`, its own file, in every order in which its threads can meet.
//!
//! [loom](https://docs.rs/loom) runs a program over and over, each time with another order of what its threads do to atomics, locks
//! and condition variables, and with every older number that an atomic may still give. What it finds: a part that is done twice or
//! not at all, a caller that returns before a part is done or whose reads do not come after the part's writes, a job that is called
//! after its caller has gone, and threads that sleep with nobody to wake them. `scripts/pool_model.sh` runs it and then breaks the
//! pool in five ways, each of which must be found.
//!
//! What it does not tell: loom takes sequential orders for acquire and release, which is less than the pool asks for. So it also tries
//! runs in which a worker that goes to sleep and a caller that publishes do not see each other; then the caller does all the parts
//! itself, which is in order. That they do see each other, and the worker helps, is not checked here.
#![cfg(all(test, loom))]

#[path = "../../../backends/candle/src/cpu/pool.rs"]
#[allow(dead_code)]
mod pool;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering::SeqCst};
use pool::Pool;

/// Every order with so many interruptions of one thread by another; what is found needs one or two.
fn every_order(interruptions: usize, program: impl Fn() + Sync + Send + 'static) {
    let mut all = loom::model::Builder::new();
    all.preemption_bound = Some(interruptions);
    all.check(program);
}

/// Numbers that parts write and the caller reads: loom tells when a read does not come after the write.
struct Numbers([UnsafeCell<usize>; 3]);

// SAFETY: of each cell one part has hold at a time, which is what loom checks.
unsafe impl Sync for Numbers {}

impl Numbers {
    fn new() -> Self {
        Numbers([0; 3].map(UnsafeCell::new))
    }

    fn add(&self, part: usize, number: usize) {
        // SAFETY: see above.
        self.0[part].with_mut(|at| unsafe { *at += number });
    }

    fn all(&self) -> [usize; 3] {
        // SAFETY: see above.
        [0, 1, 2].map(|part| self.0[part].with(|at| unsafe { *at }))
    }
}

/// A pool of so many workers does a job of so many parts as often as that; then it ends.
fn jobs(workers: usize, parts: usize, jobs: usize) {
    let pool = Pool::new(workers).unwrap();
    for job in 1..=jobs {
        // Of this job alone: whoever is late with it touches what is gone.
        let (numbers, there) = (Numbers::new(), AtomicBool::new(true));
        pool.run(0, (1..parts).collect(), &|part| {
            assert!(there.load(SeqCst), "called after the caller went on");
            numbers.add(part, job);
        });
        there.store(false, SeqCst);
        assert_eq!(numbers.all(), [0, 1, 2].map(|part| if part < parts { job } else { 0 }));
    }
}

#[test]
fn one_worker_and_two_jobs() {
    every_order(3, || jobs(1, 2, 2));
}

#[test]
fn one_worker_and_three_parts() {
    every_order(3, || jobs(1, 3, 1));
}

#[test]
fn two_workers_and_three_parts() {
    every_order(2, || jobs(2, 3, 1));
}

#[test]
fn a_pool_that_nobody_used_ends() {
    every_order(3, || drop(Pool::new(2).unwrap()));
}

/// Two callers: one of them finds the pool busy and does its parts alone.
#[test]
fn two_callers() {
    every_order(2, || {
        let pool = loom::sync::Arc::new(Pool::new(1).unwrap());
        let other = pool.clone();
        let call = |pool: &Pool| {
            let numbers = Numbers::new();
            pool.run(0, vec![1], &|part| numbers.add(part, 1));
            assert_eq!(numbers.all(), [1, 1, 0]);
        };
        let caller = loom::thread::spawn(move || call(&other));
        call(&pool);
        caller.join().unwrap();
    });
}
