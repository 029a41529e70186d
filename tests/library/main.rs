//! The library from parameters to trainings: one program, since linking it takes longer than most of its tests.

mod biaffine;
mod checkpoint;
#[path = "../common/mod.rs"]
mod common;
mod crf;
mod decode;
mod graph;
mod layers;
mod losses;
mod optim;
mod param;
mod pipeline;
mod readers;
mod recurrent;
mod text_data;
mod training;
