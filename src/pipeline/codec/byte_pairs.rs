//! Byte pairs that are learnt from texts.

use crate::error::{Error, Result};
use crate::text::HfTokenizer;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{DecoderWrapper, ModelWrapper, PreTokenizerWrapper, Tokenizer};

/// The tokens that are there before any pair.
const BYTES: usize = 256;
const PLACE: &str = "byte pairs";

/// A tokenizer of at most so many tokens. A word is what GPT-2's pattern takes for one, the space before it included, which a text has
/// before its first word, too.
pub(super) fn learn(texts: &[String], most: usize) -> Result<HfTokenizer> {
    if most <= BYTES {
        return Err(Error::invalid(PLACE, format!("more than {BYTES} tokens, of which {BYTES} are the bytes"), most));
    }
    if texts.iter().all(|text| text.trim().is_empty()) {
        return Err(Error::invalid(PLACE, "texts to learn from", "none"));
    }
    let failed = |error: &dyn std::fmt::Display| Error::invalid(PLACE, "texts that pairs can be learnt from", error);
    let mut tokenizer = Tokenizer::new(ModelWrapper::BPE(BPE::default()));
    let bytes = ByteLevel::default().add_prefix_space(true);
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(bytes)));
    tokenizer.with_decoder(Some(DecoderWrapper::ByteLevel(bytes)));
    // Pairs that come once are no help.
    let trainer = BpeTrainer::builder().vocab_size(most).min_frequency(2).show_progress(false);
    let trainer = trainer.initial_alphabet(ByteLevel::alphabet().into_iter().collect()).build();
    let mut trainer = TrainerWrapper::BpeTrainer(trainer);
    tokenizer.train(&mut trainer, texts.iter()).map_err(|error| failed(&error))?;
    HfTokenizer::from_json(tokenizer.to_string(false).map_err(|error| failed(&error))?)
}
