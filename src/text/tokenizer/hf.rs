//! [`HfTokenizer`]: Hugging Face's `tokenizer.json`.

use super::{Tokenizer, described};
use crate::error::{Error, Result};
use crate::file::Source;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use tokenizers::ModelWrapper;

pub(super) const KIND: &str = "hugging_face";
const PLACE: &str = "tokenizer";

/// The numbers of tokens that are accepted: an embedding has a row for each.
const MOST_TOKENS: u32 = 1 << 24;

/// The largest file that is read; the largest in use have some tens of MiB.
const MOST_BYTES: u64 = 256 << 20;

/// A tokenizer of subwords as Hugging Face's models have it, from a file `tokenizer.json`; its tokens have numbers
/// already.
///
/// Files of older layouts (a model without `type`, merges as text) are read too. What a file says about truncation and
/// padding is not done: the length of rows is [`pad_sequences`](crate::text::pad_sequences)' business. Nor is BPE dropout
/// (Provilkov and others, 2020), which cuts words otherwise at every call, for the training of another model: a text has
/// the same tokens every time.
///
/// ```
/// use elman::text::{HfTokenizer, Tokenizer};
/// let tokenizer = HfTokenizer::from_json(r###"{
///     "version": "1.0", "added_tokens": [], "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
///     "post_processor": null, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
///     "model": {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
///               "vocab": {"?": 0, "cat": 1, "##s": 2}}}"###)?;
/// assert_eq!(tokenizer.tokenize("Cats cat dog")?, ["cat", "##s", "cat", "?"]);
/// assert_eq!(tokenizer.encode("Cats cat dog")?, [1, 2, 1, 0]);
/// assert_eq!((tokenizer.decode(&[1, 2])?.as_str(), tokenizer.width()), ("cats", 3));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone)]
pub struct HfTokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    json: Arc<str>,
    special_tokens: bool,
    width: usize,
}

/// What is saved of a tokenizer. The file is kept as text: what the library would write anew may differ.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    special_tokens: bool,
    json: String,
}

/// What of a file is checked against what the library made of it.
#[derive(Deserialize)]
struct Added {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

impl HfTokenizer {
    /// Reads a `tokenizer.json`, plain or gzip-compressed.
    ///
    /// Errors, naming the file: one that cannot be read; one that is not of this format; a token whose number is not
    /// the one that the file says, is another token's too, or is 2^24 or above; special tokens around a text with numbers
    /// that no token has; more than 256 MiB.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let error = |why| Error::Parse { path: path.into(), line: None, why };
        let mut source = Source::open(path)?;
        let mut json = Vec::new();
        let read = source.by_ref().take(MOST_BYTES + 1).read_to_end(&mut json);
        read.map_err(|error| source.error(None, error))?;
        if json.len() as u64 > MOST_BYTES {
            return Err(error(format!("expected at most {} MiB, found more", MOST_BYTES >> 20)));
        }
        let json = String::from_utf8(json).map_err(|_| error("expected UTF-8, found other bytes".into()))?;
        HfTokenizer::parse(json).map_err(error)
    }

    /// Reads the content of a `tokenizer.json`. Errors: as [`from_file`](Self::from_file).
    pub fn from_json(json: impl Into<String>) -> Result<Self> {
        HfTokenizer::parse(json.into()).map_err(|why| Error::invalid(PLACE, "the content of a tokenizer.json", why))
    }

    pub(super) fn from_settings(settings: &Value) -> Result<Self> {
        let settings = Settings::deserialize(settings);
        let settings =
            settings.map_err(|error| Error::invalid(PLACE, "settings of a tokenizer of Hugging Face's", error))?;
        Ok(HfTokenizer::from_json(settings.json)?.special_tokens(settings.special_tokens))
    }

    /// Whether tokens are put around a text that its model expects there, such as `[CLS]` and `[SEP]`. Default: true,
    /// as the library has it.
    #[must_use]
    pub fn special_tokens(mut self, special_tokens: bool) -> Self {
        self.special_tokens = special_tokens;
        self
    }

    fn parse(json: String) -> Result<Self, String> {
        let invalid = |error: &dyn std::fmt::Display| format!("not a tokenizer.json that can be read ({error})");
        let added: Added = serde_json::from_str(&json).map_err(|error| invalid(&error))?;
        let read = guarded(|| json.parse::<tokenizers::Tokenizer>().map_err(|error| error.to_string()));
        let mut inner = read.map_err(|error| invalid(&error))?;
        for AddedToken { id, content } in added.added_tokens {
            let found = inner.token_to_id(&content);
            if found != Some(id) {
                let found = found.map_or("none".into(), |found| found.to_string());
                return Err(format!("expected the added token {content:?} to have the number {id}, found {found}"));
            }
        }
        // The one thing that a file can ask to be drawn; Unigram's sampling is no part of the format.
        if let ModelWrapper::BPE(bpe) = inner.get_model()
            && bpe.dropout.is_some()
        {
            let mut bpe = bpe.clone();
            bpe.dropout = None;
            inner.with_model(bpe);
        }
        inner.with_truncation(None).map_err(|error| invalid(&error))?;
        inner.with_padding(None);
        let vocabulary = inner.get_vocab(true);
        let width = vocabulary.values().max().map_or(0, |&id| u64::from(id) + 1);
        if width > u64::from(MOST_TOKENS) {
            return Err(format!("expected tokens numbered below {MOST_TOKENS}, found {}", width - 1));
        }
        check_numbers(&vocabulary)?;
        // What is put around every text may have numbers that no token has.
        let around = guarded(|| inner.encode("", true).map_err(|error| error.to_string()));
        let beyond = around.iter().flat_map(|around| around.get_ids()).find(|&&id| u64::from(id) >= width);
        if let Some(id) = beyond {
            return Err(format!("expected special tokens numbered below {width}, as the tokens are, found {id}"));
        }
        Ok(HfTokenizer { inner: inner.into(), json: json.into(), special_tokens: true, width: width as usize })
    }

    /// The numbers of a text's tokens. Errors: what the tokenizer has no token for, where it has none for the unknown.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.encoding(text)?.get_ids().to_vec())
    }

    /// The text of tokens, without those of `[CLS]`'s kind. Errors: a number that no token has.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        if let Some(id) = ids.iter().find(|&&id| self.token(id).is_none()) {
            return Err(Error::invalid(PLACE, "numbers of tokens", id));
        }
        let decoded = guarded(|| self.inner.decode(ids, true).map_err(|error| error.to_string()));
        decoded.map_err(|why| Error::invalid(PLACE, "tokens that make a text", why))
    }

    /// The number of a token; `None` for what is none.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token of a number; `None` where there is none.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// One more than the greatest number of a token: the rows of an embedding.
    pub fn width(&self) -> usize {
        self.width
    }

    fn encoding(&self, text: &str) -> Result<tokenizers::Encoding> {
        let encode = || self.inner.encode(text, self.special_tokens).map_err(|error| error.to_string());
        guarded(encode).map_err(|why| Error::invalid(PLACE, "a text that it has tokens for", why))
    }
}

impl std::fmt::Debug for HfTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("HfTokenizer").field("width", &self.width).field("special_tokens", &self.special_tokens).finish()
    }
}

impl Tokenizer for HfTokenizer {
    fn name(&self) -> &str {
        KIND
    }

    fn each_token(&self, text: &str, each: &mut dyn FnMut(&str)) -> Result<()> {
        self.encoding(text)?.get_tokens().iter().for_each(|token| each(token));
        Ok(())
    }

    fn to_json(&self) -> Value {
        let settings = Settings { special_tokens: self.special_tokens, json: self.json.to_string() };
        // Text and a flag always have a value.
        described(KIND, serde_json::to_value(settings).unwrap_or_default())
    }
}

/// Errors where two tokens have one number: which of them it stands for would differ from call to call.
fn check_numbers(vocabulary: &HashMap<String, u32>) -> Result<(), String> {
    let mut tokens: Vec<(u32, &String)> = vocabulary.iter().map(|(token, &id)| (id, token)).collect();
    tokens.sort_unstable();
    let twice = tokens.windows(2).find(|pair| pair[0].0 == pair[1].0);
    let Some([(id, one), (_, other)]) = twice else { return Ok(()) };
    Err(format!("expected one token for each number, found {one:?} and {other:?} for {id}"))
}

/// The library panics on some files that contradict themselves; here that is an error like any other.
fn guarded<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let message = |panic: Box<dyn std::any::Any + Send>| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast::<&str>().map_or("it contradicts itself".into(), |message| message.to_string()),
    };
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(message(panic)))
}

#[cfg(test)]
mod tests;
