//! The batches of an epoch one after the other, the next one made by a thread while the last is worked on.

use super::{Epoch, HostBatch};
use crate::error::Result;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Hands the batches from number `from` on to `work`, until it breaks or there are no more. With `ahead` a thread makes the next
/// one meanwhile: it changes nothing about batches, their order, or where an error or a panic comes up.
pub(crate) fn each_batch(
    epoch: &dyn Epoch,
    from: usize,
    ahead: bool,
    mut work: impl FnMut(usize, HostBatch) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let numbers = from..epoch.batches();
    // One alone has nothing to run beside it.
    if !ahead || numbers.len() < 2 {
        for number in numbers {
            if work(number, epoch.batch(number)?)?.is_break() {
                break;
            }
        }
        return Ok(());
    }
    thread::scope(|scope| {
        // One waits here, the next one is in the making.
        let (sender, batches) = sync_channel(1);
        let maker = scope.spawn(move || {
            for number in numbers {
                let batch = epoch.batch(number);
                let failed = batch.is_err();
                // Nobody takes it: the work has ended.
                if sender.send((number, batch)).is_err() || failed {
                    return;
                }
            }
        });
        for (number, batch) in &batches {
            if work(number, batch?)?.is_break() {
                return Ok(());
            }
        }
        // The sender is gone because all batches are made, or because making one has panicked.
        maker.join().map_err(|panic| resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Inputs, Targets};
    use crate::error::Error;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Five batches of one number; the third may fail or panic.
    struct Five {
        third: fn() -> Result<()>,
        made: AtomicUsize,
    }

    impl Five {
        fn new(third: fn() -> Result<()>) -> Self {
            Five { third, made: AtomicUsize::new(0) }
        }

        /// The numbers that were worked on, until `stop` of them were, and how it ended.
        fn run(&self, from: usize, ahead: bool, stop: usize) -> (Vec<usize>, Result<()>) {
            let mut seen = Vec::new();
            let result = each_batch(self, from, ahead, |number, batch| {
                let expected = Inputs::rows(&[[number as f32]]).unwrap();
                assert_eq!(batch.data.inputs(), &expected);
                seen.push(number);
                Ok(if seen.len() == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            });
            (seen, result)
        }
    }

    impl Epoch for Five {
        fn batches(&self) -> usize {
            5
        }

        fn batch(&self, number: usize) -> Result<HostBatch> {
            self.made.fetch_add(1, Ordering::SeqCst);
            if number == 2 {
                (self.third)()?;
            }
            let inputs = Inputs::rows(&[[number as f32]])?;
            Ok(HostBatch::new(Dataset::new(inputs, Targets::classes(vec![0])?)?))
        }
    }

    #[test]
    fn all_come_in_order_from_where_it_goes_on() {
        for ahead in [false, true] {
            let five = Five::new(|| Ok(()));
            assert_eq!(five.run(0, ahead, 9).0, [0, 1, 2, 3, 4]);
            assert_eq!(five.run(3, ahead, 9).0, [3, 4]);
            assert_eq!(five.run(5, ahead, 9).0, [0; 0]);
            assert_eq!(five.run(1, ahead, 2).0, [1, 2]);
        }
    }

    #[test]
    fn an_error_comes_after_the_batches_before_it() {
        for ahead in [false, true] {
            let (seen, result) = Five::new(|| Err(Error::invalid("here", "this", "that"))).run(0, ahead, 9);
            assert_eq!(seen, [0, 1]);
            assert_eq!(result.unwrap_err().to_string(), "here: expected this, found that");
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        for ahead in [false, true] {
            let five = Five::new(|| panic!("no third"));
            let panic = catch_unwind(AssertUnwindSafe(|| five.run(0, ahead, 9))).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"no third"));
        }
    }

    #[test]
    fn an_error_of_the_work_ends_the_thread() {
        let five = Five::new(|| Ok(()));
        let result = each_batch(&five, 0, true, |_, _| Err(Error::invalid("work", "this", "that")));
        assert_eq!(result.unwrap_err().to_string(), "work: expected this, found that");
        assert!(five.made.load(Ordering::SeqCst) <= 3, "it does not go on when nobody takes what it makes");
    }
}
