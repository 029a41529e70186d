//! Checkpoints: trainings that go on bit for bit, damaged files, parts of files, weights of other libraries.

mod damaged;
mod half;
mod import;
mod partial;
mod refused;
mod resume;
mod toy;
