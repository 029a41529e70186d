//! Data on the host: inputs, targets, batches, class weights and the files they come from, before any backend sees them.
//!
//! A [`Dataset`] is [`Inputs`] (dense rows, sequences of indices, or sparse [`Bags`] of words) with their [`Targets`]. What is too
//! large for it, or made as it goes, is another [`Source`]: a [`Stream`] of text, the [`Lines`] of a file, or one's own.
//! Everything is checked where it enters, so that an error names the sample rather than surfacing as a NaN ten
//! epochs later. In messages and documentation samples, rows and features count from 0, lines of files from 1.
//!
//! ```
//! use elman::data::{Batches, Dataset, Inputs, Targets};
//! use elman::random::Key;
//!
//! // The exclusive or: four samples of two features.
//! let inputs = Inputs::rows(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])?;
//! let xor = Dataset::new(inputs, Targets::classes(vec![0, 1, 1, 0])?)?;
//! for rows in &Batches::new(xor.len(), 3, Some(Key::new(1)))? {
//!     let batch = xor.select(rows)?;
//!     assert!(batch.len() <= 3);
//! }
//! # Ok::<(), elman::Error>(())
//! ```

mod bags;
mod batches;
mod checks;
mod class_weights;
mod columns;
mod conllu;
mod dataset;
mod distinct;
mod inputs;
mod labels;
mod ragged;
mod sample_weights;
mod source;
mod spans;
mod split;
mod targets;
mod texts;
mod tsv;
mod words;

pub use bags::Bags;
pub use batches::{BatchRows, Batches};
pub use class_weights::ClassWeights;
pub(crate) use class_weights::labels_of;
pub use columns::{Columns, read_columns, write_columns};
pub(crate) use conllu::check_tree;
pub use conllu::{Conllu, Sentence, Token, TokenId, read_conllu};
pub use dataset::Dataset;
pub use inputs::Inputs;
pub use labels::Labels;
pub use ragged::Ragged;
pub(crate) use source::{BATCH_SIZE, SampleBatches, Samples, each_batch};
pub use source::{Epoch, HostBatch, Lines, Order, Source, Stream};
pub use spans::{Span, TagScheme, spans};
pub(crate) use spans::{TagPlace, each_span, part_tag};
pub use targets::Targets;
pub use texts::{TextColumns, TextFormat, Texts, read_texts};
pub use tsv::{read_labelled, read_lines, read_pairs, read_sequences};
pub use words::WordIndex;
