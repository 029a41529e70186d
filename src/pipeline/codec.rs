//! [`Codec`]: texts as numbers and back.

use crate::error::{Error, Result};
#[cfg(feature = "tokenizers")]
use crate::text::{HfTokenizer, Tokenizer, tokenizer_from_json};
use crate::text::{Vocabulary, VocabularyBuilder};
use serde::{Deserialize, Serialize};

#[cfg(feature = "tokenizers")]
mod byte_pairs;

/// How the texts of a language become numbers and come back from them: by words, by characters, or by the tokens of Hugging Face's
/// `tokenizer.json`. Two numbers above those of the tokens begin and end a text that is written.
///
/// ```
/// use elman::pipeline::Codec;
/// let codec = Codec::words(["a cat sat", "a dog"], usize::MAX, 1)?;
/// let numbers = codec.encode("a dog sat  here")?;
/// assert_eq!(numbers[3], codec.unknown().unwrap());
/// assert_eq!(codec.decode(&numbers)?, "a dog sat <unk>");
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codec {
    tokens: Tokens,
    /// Whether texts are taken in small letters.
    lowercase: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tokens {
    /// Apart by white space.
    Words(Vocabulary),
    Characters(Vocabulary),
    #[cfg(feature = "tokenizers")]
    Subwords(#[serde(with = "as_json")] HfTokenizer),
}

#[cfg(feature = "tokenizers")]
mod as_json {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(tokenizer: &HfTokenizer, to: S) -> Result<S::Ok, S::Error> {
        tokenizer.to_json().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HfTokenizer, D::Error> {
        let described = Value::deserialize(from)?;
        tokenizer_from_json(&described).map_err(D::Error::custom)?;
        let json = described["settings"]["json"].as_str().unwrap_or_default();
        Ok(HfTokenizer::from_json(json).map_err(D::Error::custom)?.special_tokens(false))
    }
}

impl Codec {
    /// The words of some texts, apart by white space, as corpora have them whose tokens are cut already: at most `most` numbers, and none
    /// for words that come less often than `min_count`, which are one to it. Errors: no word.
    pub fn words<T: AsRef<str>>(texts: impl IntoIterator<Item = T>, most: usize, min_count: u64) -> Result<Self> {
        let words = |text: T| text.as_ref().split_whitespace().map(String::from).collect::<Vec<_>>();
        let builder = VocabularyBuilder::new().max_features(most).min_count(min_count);
        Ok(Codec { tokens: Tokens::Words(builder.fit(texts.into_iter().map(words))?), lowercase: false })
    }

    /// The characters of some texts; those that are not among them are one to it. Errors: no character.
    pub fn characters<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self> {
        let characters = |text: T| characters(text.as_ref());
        let builder = VocabularyBuilder::new().nfc(false);
        Ok(Codec { tokens: Tokens::Characters(builder.fit(texts.into_iter().map(characters))?), lowercase: false })
    }

    /// The tokens of a tokenizer, without those that it puts around a text.
    #[cfg(feature = "tokenizers")]
    pub fn subwords(tokenizer: HfTokenizer) -> Self {
        Codec { tokens: Tokens::Subwords(tokenizer.special_tokens(false)), lowercase: false }
    }

    /// Byte pairs of some texts (Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016), learnt by
    /// Hugging Face's crate `tokenizers`: so many tokens at most, of which 256 are the bytes, so that nothing is unknown. Errors: fewer
    /// than 257 tokens; no text.
    #[cfg(feature = "tokenizers")]
    pub fn byte_pairs<T: AsRef<str>>(texts: impl IntoIterator<Item = T>, most: usize) -> Result<Self> {
        let texts: Vec<String> = texts.into_iter().map(|text| text.as_ref().to_string()).collect();
        Ok(Self::subwords(byte_pairs::learn(&texts, most)?))
    }

    /// The same of texts in small letters: what is encoded is put into them. Words and pairs are to be learnt from such texts too.
    #[must_use]
    pub fn lowercase(self) -> Self {
        Codec { lowercase: true, ..self }
    }

    /// Whether texts are put into small letters ([`Codec::lowercase`]).
    pub fn is_lowercase(&self) -> bool {
        self.lowercase
    }

    /// Tokens as people read them. Errors: what a tokenizer cannot cut.
    pub fn tokens(&self, text: &str) -> Result<Vec<String>> {
        let lowered = self.lowercase.then(|| text.to_lowercase());
        let text = lowered.as_deref().unwrap_or(text);
        match &self.tokens {
            Tokens::Words(_) => Ok(text.split_whitespace().map(String::from).collect()),
            Tokens::Characters(_) => Ok(characters(text)),
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(tokenizer) => {
                let piece = |id| tokenizer.decode(&[id]);
                tokenizer.encode(text)?.into_iter().map(piece).collect()
            }
        }
    }

    /// The numbers of a text's tokens. Errors: what a tokenizer cannot cut.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        match &self.tokens {
            Tokens::Words(vocabulary) | Tokens::Characters(vocabulary) => Ok(vocabulary.encode(self.tokens(text)?)),
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(tokenizer) => match self.lowercase {
                true => tokenizer.encode(&text.to_lowercase()),
                false => tokenizer.encode(text),
            },
        }
    }

    /// Numbers and tokens at once, of a text that is cut once.
    pub(crate) fn cut(&self, text: &str) -> Result<(Vec<u32>, Vec<String>)> {
        match &self.tokens {
            Tokens::Words(vocabulary) | Tokens::Characters(vocabulary) => {
                let tokens = self.tokens(text)?;
                Ok((vocabulary.encode(&tokens), tokens))
            }
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(_) => {
                let numbers = self.encode(text)?;
                let tokens = self.pieces(&numbers)?;
                Ok((numbers, tokens))
            }
        }
    }

    /// The text of some tokens: unknown ones are `<unk>`. Errors: numbers that no tokens have.
    pub fn decode(&self, numbers: &[u32]) -> Result<String> {
        match &self.tokens {
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(tokenizer) => Ok(tokenizer.decode(numbers)?.trim_start().to_string()),
            _ => Ok(self.join(&self.pieces(numbers)?)),
        }
    }

    /// Each token as people read it. Errors: numbers that no tokens have.
    pub fn pieces(&self, numbers: &[u32]) -> Result<Vec<String>> {
        match &self.tokens {
            Tokens::Words(vocabulary) | Tokens::Characters(vocabulary) => {
                Ok(vocabulary.decode(numbers)?.into_iter().map(String::from).collect())
            }
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(tokenizer) => numbers.iter().map(|&id| tokenizer.decode(&[id])).collect(),
        }
    }

    /// Whether the text of tokens is that of its pieces put together ([`Codec::join`]), which of subwords is not always so: characters may
    /// be several of them.
    pub(crate) fn has_pieces(&self) -> bool {
        !self.is_subwords()
    }

    /// Words or characters put together.
    pub(crate) fn join(&self, pieces: &[String]) -> String {
        pieces.join(if matches!(self.tokens, Tokens::Words(_)) { " " } else { "" })
    }

    fn is_subwords(&self) -> bool {
        !matches!(self.tokens, Tokens::Words(_) | Tokens::Characters(_))
    }

    /// What one of its tokens is called: `word`, `character`, `token`.
    pub fn unit(&self) -> &'static str {
        match &self.tokens {
            Tokens::Words(_) => "word",
            Tokens::Characters(_) => "character",
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(_) => "token",
        }
    }

    /// How many numbers there are, with those that begin and end a text: the rows of an embedding.
    pub fn width(&self) -> usize {
        self.of_tokens() + 2
    }

    /// Numbers below which tokens are.
    fn of_tokens(&self) -> usize {
        match &self.tokens {
            Tokens::Words(vocabulary) | Tokens::Characters(vocabulary) => vocabulary.width(),
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(tokenizer) => tokenizer.width(),
        }
    }

    /// The number that stands before the first token of a text that is written.
    pub fn begin(&self) -> u32 {
        self.of_tokens() as u32
    }

    /// The number that stands behind its last token.
    pub fn end(&self) -> u32 {
        self.begin() + 1
    }

    /// The number of tokens that are not known, where there are such.
    pub fn unknown(&self) -> Option<u32> {
        match &self.tokens {
            Tokens::Words(vocabulary) | Tokens::Characters(vocabulary) => vocabulary.unknown(),
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(_) => None,
        }
    }

    /// Numbers that are never written, besides that of unknown tokens: that of the beginning, and those that no token has.
    pub(crate) fn unwritten(&self) -> Vec<u32> {
        match &self.tokens {
            Tokens::Words(_) | Tokens::Characters(_) => vec![0, self.begin()],
            #[cfg(feature = "tokenizers")]
            Tokens::Subwords(tokenizer) => {
                let none = (0..self.begin()).filter(|&id| tokenizer.token(id).is_none());
                none.chain([self.begin()]).collect()
            }
        }
    }

    /// Errors for a table of another number of rows.
    pub(crate) fn check_rows(&self, place: &str, rows: usize) -> Result<()> {
        match rows == self.width() {
            true => Ok(()),
            false => Err(Error::invalid(place, format!("{}, as the codec has numbers", self.width()), rows)),
        }
    }
}

fn characters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}
