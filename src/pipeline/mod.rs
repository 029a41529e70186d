//! Pipelines: raw text in, answers out, by one file that holds all that is needed.
//!
//! A pipeline is a [`Model`] with what stands before and behind it: tokenizer, vocabularies, names of classes. All of them look alike:
//!
//! | method | what it does |
//! | --- | --- |
//! | `load(&backend, path)` | everything out of one file, of `save` or a checkpoint; nothing of the training's program is needed |
//! | `save(path)` | everything into one file, written whole or not at all |
//! | `extras()` | what it adds to the model's own file: for [`Checkpoint::extras`], so that a checkpoint is a pipeline's file, too |
//! | a verb (`tag`, `translate`) | the answer to one text |
//! | the verb with `_all` | the answers to many texts, in batches of like length whose memory is bounded |
//!
//! They take `&self` and are `Send + Sync`: one of them, in an [`Arc`](std::sync::Arc) say, answers many threads. A file says of which kind of
//! pipeline it is, and which version of its layout it has: the file of another is an error that names it.

mod batches;
mod cell;
mod codec;
mod file;
mod tagger;
mod translator;

pub use cell::RecurrentCell;
pub use codec::Codec;
pub use tagger::{
    Tagged, TaggedArc, TaggedSpan, TaggedWord, Tagger, TaggerBuilder, TaggerExample, TaggerTask, TaggerVocabulary,
};
pub use translator::{AttentionForm, EncoderDecoder, Languages, Translation, TranslationOptions, Translator};

#[cfg(doc)]
use crate::{Model, checkpoint::Checkpoint};
