//! Whether the entries of a binary file begin where they are taken to begin. The format ends a word with a space and says
//! nothing of a vector's end, so a word that has a space itself shifts what follows: a vector of parts of numbers, and the
//! next word lost behind the rest of them.
//!
//! word2vec writes a line end after every vector, and then a shift is seen at once. gensim writes none; what a shift
//! leaves there are a vector that begins with letters and a space, and numbers or a next word that nobody means.

use crate::file::cut;

/// What has been learnt of the entries so far.
#[derive(Default)]
pub(super) struct Alignment {
    /// Whether a line end follows each vector; told by the first.
    ends: Option<bool>,
    /// The word of the entry before.
    before: Vec<u8>,
    /// The entry before, where its vector begins as the rest of a word does, with that rest.
    suspect: Option<(u64, String)>,
    entry: u64,
}

impl Alignment {
    /// Takes the next entry's word. Errors: one that shows that the entry before was misread, with that entry.
    pub(super) fn word(&mut self, entry: u64, word: &[u8]) -> Result<(), (u64, String)> {
        self.entry = entry;
        let never = word.iter().any(|byte| matches!(byte, b'\n' | 0));
        let text = std::str::from_utf8(word).is_ok_and(|text| !text.contains(|c: char| c.is_control()));
        let suspect = self.suspect.take();
        if !never && (text || suspect.is_none()) {
            return Ok(());
        }
        let rest = suspect.map(|(_, rest)| rest);
        Err((entry.saturating_sub(1), spaced(&self.before, rest.as_deref())))
    }

    /// Takes its vector, which is `numbers` in `bytes`; `ends` says whether a line end follows, `last` whether the file
    /// ends there.
    pub(super) fn vector(
        &mut self,
        word: &[u8],
        bytes: &[u8],
        numbers: &[f32],
        ends: bool,
        last: bool,
    ) -> Result<(), String> {
        let rest = rest_of_word(bytes);
        match self.ends {
            // A file may end with a line end or without one, whatever stands between its entries. One that ends with its
            // only entry's line end was written with them.
            _ if last => self.ends = self.ends.or(ends.then_some(true)),
            None => self.ends = Some(ends),
            Some(true) if !ends => {
                let why = "expected a line end after the vector, as after those before";
                return Err(format!("{why}; {}", spaced(word, rest.as_deref())));
            }
            Some(false) if ends => {
                return Err("expected no line end after the vector, as after those before, found one".into());
            }
            Some(_) => {}
        }
        self.before.clear();
        self.before.extend_from_slice(word);
        let Some(rest) = rest.filter(|_| self.ends != Some(true)) else { return Ok(()) };
        // Far beyond what trained vectors have on either side; of parts of numbers three in four are.
        if numbers.iter().any(|x| *x != 0.0 && !(1e-12..1e4).contains(&x.abs())) {
            return Err(spaced(word, Some(&rest)));
        }
        self.suspect = Some((self.entry, rest));
        Ok(())
    }

    /// Where data follow the last entry. Errors: one that was misread.
    pub(super) fn end(&mut self) -> Result<(), (u64, String)> {
        match self.suspect.take() {
            Some((entry, rest)) => Err((entry, spaced(&self.before, Some(&rest)))),
            None => Ok(()),
        }
    }
}

/// What may be wrong where a vector's bytes are no numbers.
pub(super) fn hint(word: &[u8], bytes: &[u8]) -> Option<String> {
    rest_of_word(bytes).map(|rest| spaced(word, Some(&rest)))
}

/// Letters and a space, which a vector's bytes begin with.
fn rest_of_word(bytes: &[u8]) -> Option<String> {
    let space = bytes.iter().position(|&byte| byte == b' ')?;
    let rest = std::str::from_utf8(&bytes[..space]).ok()?;
    let sound = |c: char| !c.is_control() && !c.is_whitespace();
    (rest.contains(char::is_alphanumeric) && rest.chars().all(sound)).then(|| rest.to_string())
}

/// What is said of a word that has a space.
fn spaced(word: &[u8], rest: Option<&str>) -> String {
    let word = String::from_utf8_lossy(word);
    let whole = rest.map_or_else(|| word.to_string(), |rest| format!("{word} {rest}"));
    format!(
        "expected a word, a space and a vector, found no vector behind {}: a word with a space, which this format cannot hold?",
        cut(&whole)
    )
}
