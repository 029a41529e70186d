//! [`Tokenizer`]: what parts a text into tokens.

mod emoticons;
#[cfg(feature = "tokenizers")]
mod hf;
mod rules;
mod scan;
mod words;

#[cfg(feature = "tokenizers")]
pub use hf::HfTokenizer;
pub use rules::RuleTokenizer;
pub use words::{Hashtags, Special, WordTokenizer};

use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::fmt::Debug;

/// What parts a text into tokens, in order.
///
/// ```
/// use elman::text::{Tokenizer, WordTokenizer, tokenizer_from_json};
/// let tokenizer: Box<dyn Tokenizer> = Box::new(WordTokenizer::new());
/// assert_eq!(tokenizer.tokenize("Don't panic!")?, ["don't", "panic", "!"]);
/// // Saved with a model, and read again:
/// let again = tokenizer_from_json(&tokenizer.to_json())?;
/// assert_eq!(again.tokenize("It works.")?, ["it", "works", "."]);
/// # Ok::<(), elman::Error>(())
/// ```
pub trait Tokenizer: Debug + Send + Sync {
    /// What kind of tokenizer this is, such as `words`.
    fn name(&self) -> &str;

    /// Hands every token of `text` to `each`. Errors: what the tokenizer cannot part; one for words always can.
    fn each_token(&self, text: &str, each: &mut dyn FnMut(&str)) -> Result<()>;

    /// Everything needed to make this tokenizer again: an object of which `kind` is the [`name`](Self::name).
    /// [`tokenizer_from_json`] reads those of this library.
    fn to_json(&self) -> Value;

    /// The tokens of `text`. Errors: as [`each_token`](Self::each_token).
    fn tokenize(&self, text: &str) -> Result<Vec<String>> {
        let mut tokens = Vec::new();
        self.each_token(text, &mut |token| tokens.push(token.to_string()))?;
        Ok(tokens)
    }
}

/// The tokenizer that [`Tokenizer::to_json`] described.
///
/// Errors: a kind that is not of this library (a tokenizer of one's own is made by one's own code), or of a feature
/// that is not built in; settings that are not those of the kind.
pub fn tokenizer_from_json(description: &Value) -> Result<Box<dyn Tokenizer>> {
    const PLACE: &str = "tokenizer";
    let part =
        |name: &str| description.get(name).ok_or_else(|| Error::invalid(PLACE, format!("a field `{name}`"), "none"));
    match part("kind")?.as_str() {
        Some(words::KIND) => {
            let settings = serde_json::from_value::<WordTokenizer>(part("settings")?.clone());
            Ok(Box::new(settings.map_err(|error| Error::invalid(PLACE, "settings of a tokenizer for words", error))?))
        }
        Some(rules::KIND) => Ok(Box::new(RuleTokenizer::from_settings(part("settings")?)?)),
        #[cfg(feature = "tokenizers")]
        Some(hf::KIND) => Ok(Box::new(HfTokenizer::from_settings(part("settings")?)?)),
        #[cfg(not(feature = "tokenizers"))]
        Some("hugging_face") => Err(Error::invalid(PLACE, "elman built with its feature `tokenizers`", "it without")),
        _ => Err(Error::invalid(PLACE, "one of the kinds `words`, `rules` and `hugging_face`", part("kind")?)),
    }
}

/// The description of a tokenizer of this library.
fn described(kind: &str, settings: Value) -> Value {
    json!({ "kind": kind, "settings": settings })
}
