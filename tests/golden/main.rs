//! What the library computes beside the numbers of PyTorch, Keras and scikit-learn that lie here (README.md).

#[path = "../common/mod.rs"]
mod common;
mod imports;
mod layers;
mod losses;
mod metrics;
mod optim;
mod recurrent;
mod sequences;
