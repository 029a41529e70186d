//! Checkpoints: trainings that go on bit for bit, damaged files, parts of files, weights of other libraries.

mod best;
mod damaged;
mod description;
mod half;
mod import;
mod network;
mod partial;
mod refused;
mod resume;
mod toy;
