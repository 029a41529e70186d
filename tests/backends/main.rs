//! What backends compute, and the tape over them: the contract that all keep, gradients, the same training on two devices.

#[path = "../common/mod.rs"]
mod common;
mod contract;
mod devices;
mod gradients;
#[cfg(feature = "cuda")]
mod recurrent_cuts;
mod tape;
