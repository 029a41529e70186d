//! What holds of every sentence: numbers in order, heads that are there, texts that fit into a line.

use super::sentence::Sentence;
use super::token::{Token, TokenId, Wrong};
use crate::file::cut;

/// What is wrong with a sentence as it stands in memory, with its line, from 1.
pub(super) fn whole(sentence: &Sentence) -> Result<(), (usize, Wrong)> {
    let Sentence { comments, tokens, .. } = sentence;
    for (at, comment) in comments.iter().enumerate() {
        if !comment.starts_with('#') || comment.contains(['\n', '\r', '\0']) {
            return Err((at + 1, Wrong::line("a comment of one line that begins with `#`", cut(comment))));
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        let amiss = |&(_, text): &(usize, &str)| text.is_empty() || text.contains(['\t', '\n', '\r', '\0']);
        if let Some((column, text)) = token.texts().into_iter().find(amiss) {
            let why = Wrong::column(column, "a text of one line without tabs, `_` for none", cut(text));
            return Err((comments.len() + at + 1, why));
        }
        let numbers = match token.id {
            TokenId::Range(..) | TokenId::Empty(..) if token.head.is_some() => {
                Err(Wrong::column(6, "`_`, since only words have a head here", "a head"))
            }
            TokenId::Range(_, 0) | TokenId::Empty(_, 0) => Err(Wrong::column(0, "numbers from 1", "0")),
            _ => Ok(()),
        };
        numbers.map_err(|why| (comments.len() + at + 1, why))?;
    }
    let mut order = InOrder::default();
    for (at, token) in tokens.iter().enumerate() {
        order.next(token).map_err(|why| (comments.len() + at + 1, why))?;
    }
    order.end(tokens).map_err(|(at, why)| (comments.len() + at + 1, why))
}

/// The numbers of a sentence's lines, one after the other.
#[derive(Default)]
pub(super) struct InOrder {
    /// The word seen last.
    word: usize,
    /// The empty node seen last behind it.
    node: usize,
    /// The last word of the range seen last.
    covered: usize,
    /// Whether a range was just seen: the first of its words follows.
    open: bool,
}

impl InOrder {
    pub(super) fn next(&mut self, token: &Token) -> Result<(), Wrong> {
        let expected = self.word + 1;
        let fits = match token.id {
            TokenId::Word(word) => word == expected,
            TokenId::Range(first, last) => first == expected && last >= first && first > self.covered && !self.open,
            TokenId::Empty(word, node) => word == self.word && node == self.node + 1 && !self.open,
        };
        if !fits {
            let others = match (self.open, self.word < self.covered) {
                (true, _) => String::new(),
                (_, true) => format!(" or `{}.{}`", self.word, self.node + 1),
                _ => format!(", a range that begins there or `{}.{}`", self.word, self.node + 1),
            };
            return Err(Wrong::column(0, format!("`{expected}`{others}"), format!("`{}`", token.id)));
        }
        match token.id {
            TokenId::Word(word) => (self.word, self.node) = (word, 0),
            TokenId::Range(_, last) => self.covered = last,
            TokenId::Empty(_, node) => self.node = node,
        }
        self.open = matches!(token.id, TokenId::Range(..));
        Ok(())
    }

    /// What is known only at a sentence's end; an error has the position of its token.
    pub(super) fn end(&self, tokens: &[Token]) -> Result<(), (usize, Wrong)> {
        if self.word == 0 {
            return Err((0, Wrong::line("the words of a sentence", "none")));
        }
        if self.covered > self.word {
            let why =
                Wrong::column(0, format!("words up to {}, the end of a range", self.covered), "the sentence's end");
            return Err((tokens.len() - 1, why));
        }
        let beyond = |token: &Token| token.head.filter(|&head| head > self.word);
        match tokens.iter().enumerate().find_map(|(at, token)| Some((at, beyond(token)?))) {
            None => Ok(()),
            Some((at, head)) => {
                let expected = format!("a word of the sentence, 0 to {}", self.word);
                Err((at, Wrong::column(6, expected, head.to_string())))
            }
        }
    }
}
