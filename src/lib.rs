//! elman: neural networks for text and sequences, written once over a [`Backend`] trait.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod activation;
pub mod backend;
pub mod data;
pub mod element;
pub mod error;
pub mod gradcheck;
pub mod random;
pub mod shape;
pub mod tensor;

pub use activation::Activation;
pub use backend::Backend;
pub use element::Element;
pub use error::{Error, Result};
pub use random::Key;
pub use shape::Shape;
pub use tensor::Tensor;
