//! One line of a sentence: its number and nine more columns.

use crate::error::Error;
use crate::file::cut;
use std::fmt;

/// The names of the columns, for messages.
const COLUMNS: [&str; 10] = ["ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"];

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenId {
    /// A syntactic word: its number, from 1.
    Word(usize),
    /// A token that is written as one and is several words (`1-2`: Spanish *vámonos*): the first and the last of them.
    Range(usize, usize),
    /// A word that is not written (`3.1`): the word before it, and its number there, from 1.
    Empty(usize, usize),
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenId::Word(word) => write!(f, "{word}"),
            TokenId::Range(first, last) => write!(f, "{first}-{last}"),
            TokenId::Empty(word, number) => write!(f, "{word}.{number}"),
        }
    }
}

/// A line of a [`Sentence`](super::Sentence). `_` in a column is what the format writes where there is nothing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Column 1.
    pub id: TokenId,
    /// Column 2: as it is written.
    pub form: String,
    /// Column 3: the dictionary's form.
    pub lemma: String,
    /// Column 4: the universal part of speech.
    pub upos: String,
    /// Column 5: the part of speech by the language's own tags.
    pub xpos: String,
    /// Column 6: morphological features, `Case=Nom|Number=Sing`.
    pub feats: String,
    /// Column 7: the number of the word it depends on, 0 where it is the root; `None` (`_`) where nothing is said.
    pub head: Option<usize>,
    /// Column 8: how it depends on it, `nsubj:pass`.
    pub deprel: String,
    /// Column 9: enhanced dependencies.
    pub deps: String,
    /// Column 10: anything else, `SpaceAfter=No`.
    pub misc: String,
}

impl Token {
    /// A word of which nothing but its form is known.
    ///
    /// ```
    /// let token = elman::data::Token::word(2, "can");
    /// assert_eq!(token.to_string(), "2\tcan\t_\t_\t_\t_\t_\t_\t_\t_");
    /// ```
    pub fn word(number: usize, form: impl Into<String>) -> Self {
        let nothing = || "_".to_string();
        Token {
            id: TokenId::Word(number),
            form: form.into(),
            lemma: nothing(),
            upos: nothing(),
            xpos: nothing(),
            feats: nothing(),
            head: None,
            deprel: nothing(),
            deps: nothing(),
            misc: nothing(),
        }
    }

    /// Whether no space follows, as column 10 says.
    pub fn space_after(&self) -> bool {
        !self.misc.split('|').any(|entry| entry == "SpaceAfter=No")
    }

    /// The label of the arc without its subtype: `nsubj` of `nsubj:pass`.
    pub fn relation(&self) -> &str {
        self.deprel.split(':').next().unwrap_or_default()
    }

    /// A line without its end.
    pub(super) fn parse(line: &str) -> Result<Self, Wrong> {
        let columns: Vec<&str> = line.split('\t').collect();
        let Ok(columns) = <[&str; 10]>::try_from(columns) else {
            let found = line.split('\t').count();
            return Err(Wrong::line("ten columns with tabs between them", format!("{found} in {}", cut(line))));
        };
        if let Some(at) = columns.iter().position(|column| column.is_empty()) {
            return Err(Wrong::column(at, "something (`_` where there is nothing to say)", "an empty column"));
        }
        let id = id(columns[0]).ok_or_else(|| {
            Wrong::column(0, "a number from 1 (`3`), a range (`3-4`) or an empty node (`3.1`)", cut(columns[0]))
        })?;
        let head = match columns[6] {
            "_" => None,
            head => Some(number(head).ok_or_else(|| Wrong::column(6, "the number of a word, 0 or `_`", cut(head)))?),
        };
        if let (TokenId::Range(..) | TokenId::Empty(..), Some(head)) = (id, head) {
            return Err(Wrong::column(6, "`_`, since only words have a head here", head.to_string()));
        }
        let [_, form, lemma, upos, xpos, feats, _, deprel, deps, misc] = columns.map(str::to_string);
        Ok(Token { id, form, lemma, upos, xpos, feats, head, deprel, deps, misc })
    }

    /// The columns that hold text, with their places.
    pub(super) fn texts(&self) -> [(usize, &str); 8] {
        [
            (1, &self.form),
            (2, &self.lemma),
            (3, &self.upos),
            (4, &self.xpos),
            (5, &self.feats),
            (7, &self.deprel),
            (8, &self.deps),
            (9, &self.misc),
        ]
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Token { id, form, lemma, upos, xpos, feats, head, deprel, deps, misc } = self;
        write!(f, "{id}\t{form}\t{lemma}\t{upos}\t{xpos}\t{feats}\t")?;
        match head {
            None => write!(f, "_")?,
            Some(head) => write!(f, "{head}")?,
        }
        write!(f, "\t{deprel}\t{deps}\t{misc}")
    }
}

/// What is wrong with a line.
pub(super) struct Wrong {
    /// Where it is a column's fault.
    column: Option<usize>,
    expected: String,
    found: String,
}

impl Wrong {
    pub(super) fn line(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Wrong { column: None, expected: expected.into(), found: found.into() }
    }

    /// The column counts from 0; it is told from 1.
    pub(super) fn column(column: usize, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Wrong { column: Some(column), expected: expected.into(), found: found.into() }
    }

    fn place(&self) -> Option<String> {
        self.column.map(|at| format!("column {} ({})", at + 1, COLUMNS[at]))
    }

    /// As an error of a sentence in memory.
    pub(super) fn in_line(self, line: usize) -> Error {
        let column = self.place().map_or(String::new(), |column| format!(", {column}"));
        Error::invalid(format!("sentence, line {line}{column}"), self.expected, self.found)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place().map_or(String::new(), |column| format!("{column}: "));
        write!(f, "{place}expected {}, found {}", self.expected, self.found)
    }
}

fn id(text: &str) -> Option<TokenId> {
    Some(match (text.split_once('-'), text.split_once('.')) {
        (Some((first, last)), _) => TokenId::Range(from_one(first)?, from_one(last)?),
        (_, Some((word, node))) => TokenId::Empty(number(word)?, from_one(node)?),
        _ => TokenId::Word(from_one(text)?),
    })
}

/// Only as it would be written: `+1` and `01` would not come out as they went in.
fn number(text: &str) -> Option<usize> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    text.parse().ok().filter(|_| plain)
}

fn from_one(text: &str) -> Option<usize> {
    number(text).filter(|&number| number > 0)
}
