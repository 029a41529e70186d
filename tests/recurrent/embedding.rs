//! Embeddings
