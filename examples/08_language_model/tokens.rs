//! What a text is cut into: characters, words, or the tokens of Hugging Face's `tokenizer.json`.

use super::note;
use anyhow::{Context, bail, ensure};
use elman::text::{HfTokenizer, Tokenizer, Vocabulary, VocabularyBuilder, WordTokenizer, tokenizer_from_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Unknown tokens that are named.
const NAMED: usize = 10;
/// Tokens behind which a token of subwords is read: enough for the bytes of any character.
const BEFORE: usize = 8;
/// What stands close behind a word.
const CLOSE: &str = ".,;:!?)]}%'\u{2019}\u{201d}";

/// The tokens of a model, each with its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tokens {
    Characters(Vocabulary),
    /// Words and punctuation, and line ends; what is rare is one token.
    Words(Vocabulary),
    /// As [`Tokenizer::to_json`] gives it.
    Subwords(#[serde(with = "as_json")] HfTokenizer),
}

mod as_json {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};

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

/// A text as numbers.
pub struct Encoded {
    pub tokens: Vec<u32>,
    /// What the model has never seen: characters that are left out, or words that are one to it.
    pub unseen: BTreeSet<String>,
}

impl Tokens {
    /// Those of a text to train on, by `--level`. Words that come less often than `min_count` or beyond `most` tokens are one.
    pub fn new(level: &str, text: &str, most: usize, min_count: u64) -> anyhow::Result<Self> {
        let builder = VocabularyBuilder::new().nfc(false);
        Ok(match level {
            "char" => Tokens::Characters(builder.unknown(false).fit([characters(text)])?),
            "word" => Tokens::Words(builder.max_features(most).min_count(min_count).fit([words(text)?])?),
            path => Tokens::Subwords(HfTokenizer::from_file(Path::new(path)).context("--level")?.special_tokens(false)),
        })
    }

    /// How many numbers there are.
    pub fn width(&self) -> usize {
        match self {
            Tokens::Characters(vocabulary) | Tokens::Words(vocabulary) => vocabulary.width(),
            Tokens::Subwords(tokenizer) => tokenizer.width(),
        }
    }

    /// What one of them is called, for results.
    pub fn unit(&self) -> &'static str {
        match self {
            Tokens::Characters(_) => "character",
            Tokens::Words(_) => "word",
            Tokens::Subwords(_) => "token",
        }
    }

    /// Numbers that are no tokens, and are never written: of padding, and of words that are not known.
    pub fn banned(&self) -> Vec<u32> {
        match self {
            Tokens::Characters(_) => vec![0],
            Tokens::Words(_) => vec![0, 1],
            Tokens::Subwords(_) => Vec::new(),
        }
    }

    pub fn encode(&self, text: &str) -> anyhow::Result<Encoded> {
        let (vocabulary, tokens) = match self {
            Tokens::Characters(vocabulary) => (vocabulary, characters(text)),
            Tokens::Words(vocabulary) => (vocabulary, words(text)?),
            Tokens::Subwords(tokenizer) => {
                return Ok(Encoded { tokens: tokenizer.encode(text)?, unseen: BTreeSet::new() });
            }
        };
        let unseen = tokens.iter().filter(|token| vocabulary.index(token).is_none()).cloned().collect();
        Ok(Encoded { tokens: vocabulary.encode(tokens), unseen })
    }

    /// The numbers of a text, at least `least`; what the model has never seen is told of.
    pub fn read(&self, what: &str, text: &str, least: usize) -> anyhow::Result<Encoded> {
        let encoded = self.encode(text)?;
        if !encoded.unseen.is_empty() {
            let becomes = if matches!(self, Tokens::Words(_)) { "taken as unknown words" } else { "left out" };
            note!("{what}: the model has never seen {}; {becomes}", named(&encoded.unseen));
        }
        let (found, unit) = (encoded.tokens.len(), self.unit());
        if found < least {
            let never =
                if encoded.unseen.is_empty() { String::new() } else { format!(" besides {}", named(&encoded.unseen)) };
            bail!("{what}: expected {least} {unit}s at least that the model knows, found {found}{never}");
        }
        Ok(encoded)
    }

    /// What a token adds to the text of those before it.
    pub fn piece(&self, before: &[u32], token: u32) -> anyhow::Result<String> {
        match self {
            Tokens::Characters(vocabulary) => Ok(vocabulary.decode(&[token])?.concat()),
            Tokens::Words(vocabulary) => {
                let word = vocabulary.decode(&[token])?.concat();
                let last = before.last().and_then(|&last| vocabulary.word(last));
                let close = word == "\n" || (word.chars().count() == 1 && CLOSE.contains(&*word));
                Ok(if before.is_empty() || last == Some("\n") || close { word } else { format!(" {word}") })
            }
            Tokens::Subwords(tokenizer) => {
                let before = &before[before.len().saturating_sub(BEFORE)..];
                let without = tokenizer.decode(before)?;
                let with = tokenizer.decode(&[before, &[token]].concat())?;
                // A character whose bytes are several tokens comes with the last of them.
                let without = without.trim_end_matches('\u{fffd}');
                let piece = with.strip_prefix(without).unwrap_or_default();
                Ok(if piece.ends_with('\u{fffd}') { String::new() } else { piece.into() })
            }
        }
    }

    /// The text of tokens.
    pub fn text(&self, tokens: &[u32]) -> anyhow::Result<String> {
        (0..tokens.len()).map(|at| self.piece(&tokens[..at], tokens[at])).collect()
    }

    /// The one token that a text is.
    pub fn single(&self, option: &str, text: &str) -> anyhow::Result<u32> {
        let Encoded { tokens, unseen } = self.encode(text)?;
        ensure!(unseen.is_empty(), "{option}: the model has never seen {}", named(&unseen));
        let [token] = tokens[..] else {
            bail!("{option} {text:?}: expected one {} with --beam, found {}", self.unit(), tokens.len())
        };
        Ok(token)
    }
}

fn characters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

/// Words and punctuation as they are written, and line ends.
fn words(text: &str) -> anyhow::Result<Vec<String>> {
    let (tokenizer, mut tokens) = (WordTokenizer::new().lowercase(false), Vec::new());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            tokens.push("\n".into());
        }
        tokenizer.each_token(line, &mut |token| tokens.push(token.into()))?;
    }
    Ok(tokens)
}

/// Tokens as a message has them.
pub fn named(tokens: &BTreeSet<String>) -> String {
    let mut names: Vec<String> = tokens.iter().take(NAMED).map(|token| format!("{token:?}")).collect();
    if tokens.len() > NAMED {
        names.push(format!("... ({} in all)", tokens.len()));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_from_their_tokens() {
        let text = "Listen, he said.\nThe été is dark!\n";
        for level in ["char", "word"] {
            let tokens = Tokens::new(level, text, 1000, 1).unwrap();
            let encoded = tokens.encode(text).unwrap();
            assert_eq!(tokens.text(&encoded.tokens).unwrap(), text, "{level}");
            assert!(encoded.unseen.is_empty());
            let again: Tokens = serde_json::from_str(&serde_json::to_string(&tokens).unwrap()).unwrap();
            assert_eq!(again.encode(text).unwrap().tokens, encoded.tokens);
        }
    }

    #[test]
    fn subwords_are_those_of_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        let json = r###"{
            "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": null, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": {"?": 0, "cat": 1, "##s": 2, "dog": 3}}}"###;
        std::fs::write(&path, json).unwrap();
        let tokens = Tokens::new(path.to_str().unwrap(), "", 10, 1).unwrap();
        let again: Tokens = serde_json::from_str(&serde_json::to_string(&tokens).unwrap()).unwrap();
        for tokens in [tokens, again] {
            assert_eq!((tokens.encode("cats dog cat").unwrap().tokens, tokens.width()), (vec![1, 2, 3, 1], 4));
            let long = [1, 2, 3].repeat(5);
            assert_eq!(tokens.text(&long).unwrap(), ["cats dog"; 5].join(" "));
        }
    }

    #[test]
    fn what_was_never_seen_is_named() {
        let tokens = Tokens::new("char", "abc", 1000, 1).unwrap();
        let encoded = tokens.encode("axby").unwrap();
        assert_eq!((encoded.tokens, named(&encoded.unseen)), (vec![1, 2], "\"x\", \"y\"".to_string()));
        let error = tokens.read("--prompt", "xy", 1).err().unwrap().to_string();
        assert_eq!(
            error,
            "--prompt: expected 1 characters at least that the model knows, found 0 besides \"x\", \"y\""
        );
        let words = Tokens::new("word", "a b c a", 1000, 1).unwrap();
        assert_eq!(words.encode("a d").unwrap().tokens, [2, 1]);
    }
}
