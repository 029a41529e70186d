//! Recurrent layers and embeddings within models: options, masks, state from batch to batch, what is refused.

mod by_length;
pub(crate) mod carry;
mod embedding;
mod normed;
mod opinions;
mod options;
mod padded;
mod padding;
mod tasks;
