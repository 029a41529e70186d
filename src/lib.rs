//! elman: neural networks for text and sequences, written once over a [`Backend`] trait.
//!
//! Layers, losses, optimisers and training are generic; a backend is arrays and kernels. Two come with the library, as crates of their own:
//! `elman-candle` (candle on CPU, CUDA, Metal) and `elman-reference` (plain Rust from scratch, `f32` and `f64`).
//!
//! ```
//! use elman::data::{Dataset, Inputs, Targets};
//! use elman::layers::{Dense, Sequential};
//! use elman::loss::BinaryCrossEntropy;
//! use elman::metrics::Accuracy;
//! use elman::optim::Adam;
//! use elman::{Activation, Fit, Spec};
//! use elman_reference::Reference;
//!
//! let backend = Reference::<f32>::new();
//! let mut model = Sequential::new()
//!     .add(Dense::new(8).activation(Activation::Tanh))
//!     .add(Dense::new(1).activation(Activation::Sigmoid))
//!     .build(&backend, Spec::dense(&[2]), 0)?;
//! model.compile(Adam::new(0.1), BinaryCrossEntropy::new()).metric(Accuracy::new());
//!
//! let rows = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
//! let xor = Dataset::new(Inputs::rows(&rows)?, Targets::classes(vec![0, 1, 1, 0])?)?;
//! model.fit(&xor, Fit::new().epochs(100).batch_size(4).quiet())?;
//! assert_eq!(model.evaluate(&xor, 4)?.get("accuracy"), Some(1.0));
//! # Ok::<(), elman::Error>(())
//! ```
//!
//! # A map, from the ground up
//! | module | what is in it |
//! | --- | --- |
//! | [`error`], [`shape`], [`element`], [`random`] | errors, shapes and broadcasting, `f32`/`f64`, counter-based random streams |
//! | [`backend`] | the [`Backend`] trait, its contract, the default bodies of its fused operations |
//! | [`tensor`], [`gradcheck`] | [`Tensor`]: the one tape and every differentiable operation; finite differences against it |
//! | [`param`], [`init`], [`regularizer`], [`constraint`] | weights: names, first values, penalties, projections |
//! | [`activation`], [`layers`] | what networks are made of; [`layers::Sequential`], and [`layers::Graph`] for several inputs and outputs ([`Record`]) |
//! | [`loss`], [`metrics`], [`optim`] | what is made small, what is measured, what moves the weights |
//! | [`data`] | inputs, targets, batches and where they come from, sparse bags of words, files |
//! | [`description`], [`registry`] | layers, losses and optimisers as JSON, and built from it |
//! | [`mod@file`] | files written whole or not at all |
//! | [`text`] | tokenizers, vocabularies, sequences of one length, word vectors |
//! | [`model`] | [`Model`]: a network with its parameters: `compile`, `evaluate`, `predict`, a step |
//! | [`decode`] | one step at a time: text that is generated, sampling, beam search |
//! | [`checkpoint`] | weights and whole trainings in files, weights from PyTorch and Keras |
//! | [`training`] | `fit`: [`Fit`], epochs, callbacks, history, resuming |
//! | [`pipeline`] | raw text in, answers out, one file that holds all that is needed |
//!
//! The vocabulary is the field's and the conventions Keras': row vectors with the data on the left (`y = f(x W + b)`), batches first,
//! sequences `[batch, time, features]`. Ids such as L13 in these pages point to the items of the university lecture on neural networks
//! for text that the library implements.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod activation;
pub mod backend;
pub mod checkpoint;
pub mod constraint;
pub mod data;
pub mod decode;
pub mod description;
pub mod element;
pub mod error;
mod exact;
pub mod file;
pub mod gradcheck;
pub mod init;
mod instances;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod optim;
pub mod param;
pub mod pipeline;
pub mod random;
mod record;
pub mod registry;
pub mod regularizer;
pub mod shape;
mod special;
pub mod tensor;
pub mod text;
pub mod training;

pub use activation::Activation;
pub use backend::Backend;
pub use constraint::Constraint;
pub use element::Element;
pub use error::{Error, Result};
pub use init::Init;
#[doc(hidden)]
pub use instances::instances;
pub use layers::Spec;
pub use model::Model;
pub use param::{Param, ParamId};
pub use random::Key;
pub use record::Record;
pub use registry::Registry;
pub use regularizer::Regularizer;
pub use shape::Shape;
pub use tensor::Tensor;
pub use training::Fit;

/// The README's programs, compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
