//! [`Model::fit`](crate::Model::fit): epochs of shuffled mini-batches (L9) with validation, [`callbacks`], checkpoints and
//! resuming; [`History`] is what it saw.

pub mod callbacks;
mod epoch;
mod fit;
mod labels;
mod prepare;
mod progress;
mod resume;
mod run;

pub use crate::checkpoint::history::{EpochLog, History, StepLog};
pub use fit::Fit;
