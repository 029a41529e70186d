//! [`WordTokenizer`]: a plain tokenizer for words.

use super::scan::{Kind, scan};
use super::{Tokenizer, described};
use crate::error::Result;
use crate::text::nfc;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

pub(super) const KIND: &str = "words";

/// What parts words besides white space in Keras: its default filter. The apostrophe is not in it.
const KERAS_FILTER: &str = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";

/// What becomes of tokens of a special kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Special {
    /// They stay as they are.
    #[default]
    Keep,
    /// The name of the kind stands for each of them, such as `<user>`.
    Replace,
    /// They are left out.
    Drop,
}

/// What becomes of `#tags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hashtags {
    /// They stay as they are: `#tag`.
    #[default]
    Keep,
    /// They are words: `tag`.
    Word,
    /// Two tokens, `<hashtag>` and `tag`, as in GloVe's Twitter vectors.
    Mark,
    /// They are left out.
    Drop,
}

/// Words of any script, with what tweets have besides: names, addresses, tags, emoji.
///
/// A word is a run of letters, digits and underscores, with apostrophes inside (typographic ones become `'`). Each
/// emoji is one token, however many characters it is made of; so is a run of one punctuation mark (`!!!`). By default
/// text is composed (NFC) and put in lower case, and nothing is left out.
///
/// ```
/// use elman::text::{Tokenizer, WordTokenizer};
/// let text = "@anna Это ооооочень круто!!! #music 👍🏽 https://t.co/x 10:30 :)";
/// let plain = WordTokenizer::new().tokenize(text)?;
/// assert_eq!(plain, ["@anna", "это", "ооооочень", "круто", "!!!", "#music", "👍🏽", "https://t.co/x", "10:30", ":)"]);
/// let tweets = WordTokenizer::tweets().tokenize(text)?;
/// assert_eq!(tweets, ["<user>", "это", "ооочень", "круто", "!!!", "music", "👍🏽", "<url>", "10:30", ":)"]);
/// let glove = WordTokenizer::glove_twitter().tokenize("@anna #music at 10:30 :-) don't")?;
/// assert_eq!(glove, ["<user>", "<hashtag>", "music", "at", "<number>", "<smile>", "don't"]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct WordTokenizer {
    // A file from before says nothing of it: its vocabulary has words as they came.
    #[serde(default = "as_they_come")]
    nfc: bool,
    split_at: Option<String>,
    lowercase: bool,
    apostrophes: bool,
    names: Special,
    urls: Special,
    numbers: Special,
    emoticons: Special,
    hashtags: Hashtags,
    emoji: bool,
    punctuation: bool,
    repeats: Option<usize>,
}

fn as_they_come() -> bool {
    false
}

impl Default for WordTokenizer {
    fn default() -> Self {
        WordTokenizer {
            nfc: true,
            split_at: None,
            lowercase: true,
            apostrophes: true,
            names: Special::Keep,
            urls: Special::Keep,
            numbers: Special::Keep,
            emoticons: Special::Keep,
            hashtags: Hashtags::Keep,
            emoji: true,
            punctuation: true,
            repeats: None,
        }
    }
}

impl WordTokenizer {
    /// Words in lower case; everything else is kept as a token of its own.
    pub fn new() -> Self {
        WordTokenizer::default()
    }

    /// Keras' `Tokenizer`: text in lower case, split at white space and at each of ``!"#$%&()*+,-./:;<=>?@[\]^_`{|}~``,
    /// and nothing else. Of the options only [`lowercase`](Self::lowercase) and [`nfc`](Self::nfc), which Keras
    /// does not do, have an effect then.
    pub fn keras() -> Self {
        WordTokenizer::new().split_at(KERAS_FILTER)
    }

    /// For tweets: `<user>` and `<url>` for names and addresses, tags as words, letters and marks at most three times
    /// in a row.
    pub fn tweets() -> Self {
        let special = WordTokenizer::new().names(Special::Replace).urls(Special::Replace);
        special.hashtags(Hashtags::Word).repeats(3)
    }

    /// The tokens of GloVe's Twitter vectors: `<user>`, `<url>`, `<number>`, `<hashtag>` before a tag's word, faces
    /// such as `<smile>`. Their marks for capitals, lengthened words and repeated punctuation are not made.
    pub fn glove_twitter() -> Self {
        let special = WordTokenizer::new().names(Special::Replace).urls(Special::Replace).numbers(Special::Replace);
        special.emoticons(Special::Replace).hashtags(Hashtags::Mark).repeats(3)
    }

    /// Whether text is put in Unicode's form NFC first, in which characters are composed: `e` with a combining accent is
    /// `é`. Default: true.
    pub fn nfc(mut self, nfc: bool) -> Self {
        self.nfc = nfc;
        self
    }

    /// Splits text at white space and at each of these characters, and does nothing else with it but
    /// [`lowercase`](Self::lowercase) and [`nfc`](Self::nfc).
    pub fn split_at(mut self, characters: impl Into<String>) -> Self {
        self.split_at = Some(characters.into());
        self
    }

    /// Whether words, names and tags are put in lower case. Default: true.
    pub fn lowercase(mut self, lowercase: bool) -> Self {
        self.lowercase = lowercase;
        self
    }

    /// Whether an apostrophe between letters is part of the word (`don't`). Default: true; else it parts it.
    pub fn apostrophes(mut self, apostrophes: bool) -> Self {
        self.apostrophes = apostrophes;
        self
    }

    /// What becomes of `@names`: `<user>` may replace them. Default: kept.
    pub fn names(mut self, names: Special) -> Self {
        self.names = names;
        self
    }

    /// What becomes of addresses that begin with `http://`, `https://` or `www.`: `<url>` may replace them. Default:
    /// kept.
    pub fn urls(mut self, urls: Special) -> Self {
        self.urls = urls;
        self
    }

    /// What becomes of numbers (`-3.5`, `1,000`, `10:30`; not `2nd`): `<number>` may replace them. Default: kept.
    pub fn numbers(mut self, numbers: Special) -> Self {
        self.numbers = numbers;
        self
    }

    /// What becomes of faces made of punctuation: `<smile>`, `<sadface>`, `<lolface>`, `<neutralface>`, and `<heart>`
    /// for `<3`, may replace them. Default: kept.
    pub fn emoticons(mut self, emoticons: Special) -> Self {
        self.emoticons = emoticons;
        self
    }

    /// What becomes of `#tags`. Default: kept.
    pub fn hashtags(mut self, hashtags: Hashtags) -> Self {
        self.hashtags = hashtags;
        self
    }

    /// Whether emoji are tokens. Default: true; else they are left out.
    pub fn emoji(mut self, emoji: bool) -> Self {
        self.emoji = emoji;
        self
    }

    /// Whether punctuation marks are tokens. Default: true; else they are left out.
    pub fn punctuation(mut self, punctuation: bool) -> Self {
        self.punctuation = punctuation;
        self
    }

    /// Shortens runs of one letter, and of one punctuation mark, to `limit` (at least 1): `sooooo` becomes `sooo` with
    /// 3. Default: no limit. Digits are left alone.
    pub fn repeats(mut self, limit: usize) -> Self {
        self.repeats = Some(limit.max(1));
        self
    }

    /// Hands every token of `text` to `each`.
    pub fn for_each(&self, text: &str, mut each: impl FnMut(&str)) {
        let text = &*if self.nfc { nfc(text) } else { Cow::Borrowed(text) };
        if let Some(characters) = &self.split_at {
            let text = if self.lowercase { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) };
            let parts = |c: char| c.is_whitespace() || characters.contains(c);
            return text.split(parts).filter(|word| !word.is_empty()).for_each(each);
        }
        let special = |what: Special, token: &str, name: &str, each: &mut dyn FnMut(&str)| match what {
            Special::Keep => each(token),
            Special::Replace => each(name),
            Special::Drop => {}
        };
        scan(text, self.apostrophes, |kind, token| match kind {
            Kind::Word if token.is_ascii() => each(&self.shortened(&self.lowered(token))),
            Kind::Word => each(&self.shortened(&self.lowered(token).replace(['\u{2019}', '\u{2bc}'], "'"))),
            Kind::Number => special(self.numbers, token, "<number>", &mut each),
            Kind::Name => special(self.names, &self.lowered(token), "<user>", &mut each),
            Kind::Url => special(self.urls, token, "<url>", &mut each),
            Kind::Emoticon(name) => special(self.emoticons, token, name, &mut each),
            Kind::Hashtag => self.hashtag(token, &mut each),
            Kind::Emoji if self.emoji => each(token),
            Kind::Punctuation if self.punctuation => each(&self.shortened(token)),
            Kind::Emoji | Kind::Punctuation => {}
        });
    }

    fn hashtag(&self, token: &str, each: &mut dyn FnMut(&str)) {
        let tag = self.lowered(token);
        let word = || self.shortened(tag.trim_start_matches('#'));
        match self.hashtags {
            Hashtags::Keep => each(&tag),
            Hashtags::Word => each(&word()),
            Hashtags::Mark => {
                each("<hashtag>");
                each(&word());
            }
            Hashtags::Drop => {}
        }
    }

    fn lowered<'a>(&self, token: &'a str) -> Cow<'a, str> {
        // Most words are in lower case, and need no memory of their own.
        let is_lower = || token.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        if self.lowercase && !is_lower() { Cow::Owned(token.to_lowercase()) } else { Cow::Borrowed(token) }
    }

    fn shortened<'a>(&self, token: &'a str) -> Cow<'a, str> {
        let Some(limit) = self.repeats else { return Cow::Borrowed(token) };
        let mut short = String::with_capacity(token.len());
        let (mut last, mut run) = (None, 0);
        for character in token.chars() {
            run = if last == Some(character) { run + 1 } else { 1 };
            last = Some(character);
            if run <= limit.max(1) || character.is_numeric() {
                short.push(character);
            }
        }
        Cow::Owned(short)
    }
}

impl Tokenizer for WordTokenizer {
    fn name(&self) -> &str {
        KIND
    }

    fn each_token(&self, text: &str, each: &mut dyn FnMut(&str)) -> Result<()> {
        self.for_each(text, each);
        Ok(())
    }

    fn to_json(&self) -> Value {
        // A plain struct of flags, text and numbers always has a value.
        described(KIND, serde_json::to_value(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
