//! elman: neural networks for text and sequences, written once over a [`Backend`] trait.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod activation;
pub mod backend;
mod checkpoint;
pub mod constraint;
pub mod data;
pub mod element;
pub mod error;
pub mod gradcheck;
pub mod init;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod optim;
pub mod param;
pub mod random;
pub mod regularizer;
pub mod shape;
pub mod tensor;

pub use activation::Activation;
pub use backend::Backend;
pub use constraint::Constraint;
pub use element::Element;
pub use error::{Error, Result};
pub use init::Init;
pub use layers::Spec;
pub use model::Model;
pub use param::{Param, ParamId};
pub use random::Key;
pub use regularizer::Regularizer;
pub use shape::Shape;
pub use tensor::Tensor;
