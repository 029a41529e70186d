//! elman: neural networks for text and sequences, written once over a [`Backend`](backend::Backend) trait.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod data;
pub mod element;
pub mod error;
pub mod metrics;
pub mod random;
pub mod shape;

pub use element::Element;
pub use error::{Error, Result};
pub use shape::Shape;
