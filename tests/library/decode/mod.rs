//! Decoding: stepping equals the whole call, sampling, generation, beams, ensembles.

mod alignment;
mod beam;
mod decoder;
mod ensemble;
mod generate;
mod models;
mod outputs;
mod refused;
mod sampler;
mod table;
mod tree;
