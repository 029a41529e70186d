//! A file's sentences one after the other.

use super::checks::InOrder;
use super::sentence::{Layout, Sentence};
use super::token::Token;
use crate::data::columns::all_sentences;
use crate::error::Result;
use crate::file::{Lines, Source, cut, whole};
use std::io::Read;
use std::path::Path;

/// The sentences of a CoNLL-U file, read line by line: an iterator.
///
/// Files may be gzip-compressed (with the feature `gz`). Errors name the file, the line and the column, and end the reading: a line
/// that has not ten columns, an empty column, a number, range or empty node out of order, a head beyond the sentence, a comment among
/// the tokens or without any, lines of one sentence that end in different ways. Trees are not looked at: [`Sentence::tree`] does.
///
/// ```
/// use elman::data::Conllu;
/// let text = "# text = It rains\n1\tIt\tit\tPRON\t_\t_\t2\texpl\t_\t_\n2\train\train\tVERB\t_\t_\t0\troot\t_\t_\n\n";
/// for sentence in Conllu::from_reader("standard input", text.as_bytes())? {
///     let sentence = sentence?;
///     assert_eq!(sentence.tree()?, [2, 0]);
///     assert_eq!(sentence.to_string(), text);
/// }
/// # Ok::<(), elman::Error>(())
/// ```
pub struct Conllu {
    lines: Lines,
    /// The line that begins the next sentence, which was read to know that the blank lines are over.
    ahead: Option<(String, &'static str)>,
    done: bool,
}

impl Conllu {
    /// The sentences of a file. Errors: a file that cannot be opened, or is of another kind by its first bytes.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Conllu { lines: Lines::open(path.as_ref())?, ahead: None, done: false })
    }

    /// The sentences of what is no file, with a name for messages. Errors: as [`Conllu::open`].
    pub fn from_reader(name: impl AsRef<Path>, reader: impl Read + 'static) -> Result<Self> {
        let source = Source::from_reader(name.as_ref(), reader)?;
        Ok(Conllu { lines: Lines::new(source), ahead: None, done: false })
    }

    /// The next line and its end.
    fn line(&mut self) -> Result<Option<(String, &'static str)>> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(line) = self.lines.next_line()?.map(str::to_string) else { return Ok(None) };
        whole(&line).map_err(|why| self.lines.error(why))?;
        Ok(Some((line, self.lines.end())))
    }

    /// The blank lines to come.
    fn blank(&mut self, end: &mut Option<&'static str>) -> Result<usize> {
        let mut blank = 0;
        while let Some((line, ends)) = self.line()? {
            if !line.is_empty() {
                self.ahead = Some((line, ends));
                break;
            }
            self.same_end(end, ends)?;
            blank += 1;
        }
        Ok(blank)
    }

    /// Only a file's last line has no end.
    fn same_end(&self, first: &mut Option<&'static str>, end: &'static str) -> Result<()> {
        match *first {
            Some(first) if first != end && !end.is_empty() => {
                Err(self.lines.error(format!("expected a line that ends in {first:?} as those before, found {end:?}")))
            }
            _ => {
                *first = first.or(Some(end)).filter(|end| !end.is_empty());
                Ok(())
            }
        }
    }

    fn sentence(&mut self) -> Result<Option<Sentence>> {
        let (mut comments, mut tokens, mut order) = (Vec::new(), Vec::new(), InOrder::default());
        let mut ends = None;
        // Elsewhere the sentence before has taken them.
        let before = self.blank(&mut ends)?;
        let (mut closed, mut after) = (true, 0);
        // The first token's, or as long as there is none the last comment's.
        let mut line_of_first = 0;
        while let Some((line, end)) = self.line()? {
            self.same_end(&mut ends, end)?;
            if line.is_empty() {
                after = 1 + self.blank(&mut ends)?;
                break;
            }
            closed = !end.is_empty();
            match (line.starts_with('#'), tokens.is_empty()) {
                (true, true) => {
                    comments.push(line);
                    line_of_first = self.lines.number();
                }
                (true, false) => {
                    let why = format!("expected comments before the words of a sentence only, found {}", cut(&line));
                    return Err(self.lines.error(why));
                }
                (false, first) => {
                    let token = Token::parse(&line).and_then(|token| order.next(&token).map(|()| token));
                    tokens.push(token.map_err(|wrong| self.lines.error(wrong.to_string()))?);
                    line_of_first = if first { self.lines.number() } else { line_of_first };
                }
            }
        }
        if tokens.is_empty() && comments.is_empty() {
            return Ok(None);
        }
        order.end(&tokens).map_err(|(at, wrong)| self.lines.error_at(line_of_first + at, wrong.to_string()))?;
        let layout = Layout { end: ends.unwrap_or("\n"), before, after, closed };
        Ok(Some(Sentence { comments, tokens, layout }))
    }
}

impl Iterator for Conllu {
    type Item = Result<Sentence>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let sentence = self.sentence().transpose();
        self.done = !matches!(sentence, Some(Ok(_)));
        sentence
    }
}

/// All sentences of a CoNLL-U file. Errors: as [`Conllu`], and a file without a sentence.
pub fn read_conllu(path: impl AsRef<Path>) -> Result<Vec<Sentence>> {
    all_sentences(path.as_ref(), Conllu::open(path.as_ref())?)
}
