//! Text: tokens, vocabularies, sequences of one length, word vectors. Everything here is on the host, before any
//! backend sees it.
//!
//! A [`Tokenizer`] parts a text into tokens; a [`Vocabulary`] numbers them; [`pad_sequences`] makes the numbers rows of
//! one length for [`Inputs::indices`](crate::data::Inputs::indices); [`WordVectors`] give an embedding layer its first
//! weights.
//!
//! ```
//! use elman::data::Inputs;
//! use elman::text::{Padding, Tokenizer, Truncation, VocabularyBuilder, WordTokenizer, pad_sequences};
//! let tokenizer = WordTokenizer::tweets();
//! let texts = ["@anna sooooooo good 😀", "So bad"];
//! let vocabulary = VocabularyBuilder::new().fit_texts(&tokenizer, texts)?;
//! let rows = texts.iter().map(|text| vocabulary.encode_text(&tokenizer, text)).collect::<elman::Result<Vec<_>>>()?;
//! let rows = pad_sequences(&rows, Padding::Pre, Truncation::Pre, Some(4))?;
//! assert_eq!(rows, [[2, 3, 4, 5], [0, 0, 6, 7]]);
//! let inputs = Inputs::indices(&rows)?;
//! # Ok::<(), elman::Error>(())
//! ```

mod nfc;
mod sequences;
mod tokenizer;
mod vectors;
mod vocabulary;
mod word_index;

pub(crate) use nfc::{nfc, nfd};
pub use sequences::{Padding, Truncation, length_buckets, lengths, pad_sequences, pad_sequences_with};
#[cfg(feature = "tokenizers")]
pub use tokenizer::HfTokenizer;
pub use tokenizer::{Hashtags, RuleTokenizer, Special, Tokenizer, WordTokenizer, tokenizer_from_json};
pub use vectors::{Coverage, ReadVectors, UnknownRows, VectorFormat, WordVectors};
pub use vocabulary::{Vocabulary, VocabularyBuilder};
