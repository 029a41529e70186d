//! A sentence: its comments, its tokens, and how it stood in its file.

use super::token::{Token, TokenId};
use super::{checks, tree};
use crate::error::Result;
use std::fmt;
use std::io::{self, Write};

/// A sentence of a treebank.
///
/// Printed ([`Display`](fmt::Display), [`Sentence::write`]) it is what was read, to the byte: with the ends of its lines and the blank
/// lines around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The lines before the tokens, `#` included: `# sent_id = 1`.
    pub comments: Vec<String>,
    /// Words, ranges and empty nodes in the order of their lines. What is changed here is checked by [`Sentence::check`].
    pub tokens: Vec<Token>,
    pub(super) layout: Layout,
}

/// How a sentence stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// What ends each line.
    pub(super) end: &'static str,
    /// Blank lines before the first line: only at the beginning of a file.
    pub(super) before: usize,
    /// Blank lines behind the last one: none at the end of some files.
    pub(super) after: usize,
    /// Whether the last line has an end.
    pub(super) closed: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Layout { end: "\n", before: 0, after: 1, closed: true }
    }
}

impl Sentence {
    /// A sentence of these tokens. Errors: as [`Sentence::check`].
    pub fn new(comments: Vec<String>, tokens: Vec<Token>) -> Result<Self> {
        let sentence = Sentence { comments, tokens, layout: Layout::default() };
        sentence.check()?;
        Ok(sentence)
    }

    /// A sentence of which nothing but its words is known. Errors: no word, an empty one, or one with a tab or the end of a line.
    ///
    /// ```
    /// let sentence = elman::data::Sentence::of_words(["It", "rains"])?;
    /// assert_eq!(sentence.words().map(|word| word.form.as_str()).collect::<Vec<_>>(), ["It", "rains"]);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn of_words<S: Into<String>>(forms: impl IntoIterator<Item = S>) -> Result<Self> {
        let tokens = forms.into_iter().enumerate().map(|(at, form)| Token::word(at + 1, form)).collect();
        Sentence::new(Vec::new(), tokens)
    }

    /// Whether this is a sentence that the format can hold: what reading checks of a file.
    ///
    /// Errors name the line of the sentence (from 1, comments too) and the column: no token; a comment without `#`; a text that is
    /// empty or has a tab or the end of a line; numbers that are not in order; heads beyond the sentence.
    pub fn check(&self) -> Result<()> {
        checks::whole(self).map_err(|(line, wrong)| wrong.in_line(line))
    }

    /// The syntactic words, without ranges and empty nodes.
    pub fn words(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| matches!(token.id, TokenId::Word(_)))
    }

    /// The syntactic words, to be changed.
    pub fn words_mut(&mut self) -> impl Iterator<Item = &mut Token> {
        self.tokens.iter_mut().filter(|token| matches!(token.id, TokenId::Word(_)))
    }

    /// What a comment `# key = value` says.
    ///
    /// ```
    /// # use elman::data::{Sentence, Token};
    /// let sentence = Sentence::new(vec!["# sent_id = w-1".into()], vec![Token::word(1, "Yes")])?;
    /// assert_eq!((sentence.comment("sent_id"), sentence.comment("text")), (Some("w-1"), None));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn comment(&self, key: &str) -> Option<&str> {
        self.comments.iter().find_map(|line| {
            let rest = line.strip_prefix('#')?.trim_start().strip_prefix(key)?;
            rest.trim_start().strip_prefix('=').map(str::trim_start)
        })
    }

    /// The sentence as it is written: its tokens, with a space wherever none is missing (`SpaceAfter=No`).
    ///
    /// ```
    /// # use elman::data::{Sentence, Token};
    /// let mut sentence = Sentence::of_words(["Wait", "!"])?;
    /// sentence.tokens[0].misc = "SpaceAfter=No".into();
    /// assert_eq!(sentence.text(), "Wait!");
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn text(&self) -> String {
        let (mut text, mut covered) = (String::new(), 0);
        for token in &self.tokens {
            match token.id {
                TokenId::Empty(..) => continue,
                TokenId::Word(word) if word <= covered => continue,
                TokenId::Range(_, last) => covered = last,
                TokenId::Word(_) => {}
            }
            text.push_str(&token.form);
            if token.space_after() {
                text.push(' ');
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text
    }

    /// The head of each word, 0 for the root, where they are a tree: every word has a head, one word is the root, and from every word
    /// the way to its head, and to the head of that, ends at the root.
    ///
    /// Errors name the word: one without a head; no root or a second one; a cycle, with the words on it.
    pub fn tree(&self) -> Result<Vec<usize>> {
        tree::heads(self)
    }

    /// Writes the sentence as it was read.
    pub fn write(&self, into: &mut impl Write) -> io::Result<()> {
        write!(into, "{self}")
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout { end, before, after, closed } = self.layout;
        f.write_str(&end.repeat(before))?;
        let lines = self.comments.len() + self.tokens.len();
        let end_of = |line: usize| if line < lines || closed { end } else { "" };
        for (at, comment) in self.comments.iter().enumerate() {
            write!(f, "{comment}{}", end_of(at + 1))?;
        }
        for (at, token) in self.tokens.iter().enumerate() {
            write!(f, "{token}{}", end_of(self.comments.len() + at + 1))?;
        }
        f.write_str(&end.repeat(after))
    }
}
