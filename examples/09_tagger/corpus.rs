//! Sentences as they are read, with words and tags, and as they are written again with other tags.

use super::common::files::Input;
use super::trees::Tree;
use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use elman::data::{Columns, Conllu, Sentence, write_columns};
use elman::pipeline::{Tagged, TaggerExample, TaggerTask};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Universal Dependencies' ten columns; the tags are those of UPOS
    Conllu,
    /// Words in the first column, tags in the last, a blank line behind each sentence
    Columns,
    /// Plain text, a sentence a line, whose words are found by rules
    Text,
}

impl Format {
    /// That of a file by its name, unless it is told.
    pub fn of(path: &Path, told: Option<Format>) -> Format {
        let name = path.to_string_lossy();
        let is_conllu = [".conllu", ".conllu.gz"].iter().any(|end| name.ends_with(end));
        told.unwrap_or(if is_conllu { Format::Conllu } else { Format::Columns })
    }
}

/// A sentence with how it stands in its file.
pub struct Given {
    pub example: TaggerExample,
    /// Of its file the line it begins in, of CoNLL-U.
    line: usize,
    source: Source,
}

/// What was found for a sentence.
pub struct Found<'t> {
    /// None by a network that finds trees alone.
    pub tags: Vec<&'t str>,
    pub tree: Option<Tree>,
}

impl<'t> Found<'t> {
    pub fn of(tagged: &'t Tagged, task: TaggerTask) -> Self {
        let tags = if task.has_tags() { tagged.tags().collect() } else { Vec::new() };
        Found { tags, tree: Tree::found(tagged) }
    }
}

enum Source {
    Conllu(Box<Sentence>),
    Columns(Vec<Vec<String>>, char),
}

/// Errors for a file of another format than the training's, whose files have these columns, if they are columns.
pub fn alike(path: &Path, format: Format, columns: Option<usize>) -> anyhow::Result<()> {
    let (wanted, found) = match (columns, format) {
        (Some(_), Format::Conllu) => ("columns", "CoNLL-U"),
        (None, Format::Columns) => ("CoNLL-U", "columns"),
        _ => return Ok(()),
    };
    bail!("{}: expected {wanted}, as the training's file has, found {found} by name or --format", path.display())
}

/// The sentences of a file with tags. Columns are as many as told, of which the last may lack where tags are `optional`.
pub fn read(path: &Path, format: Format, columns: Option<usize>, optional: bool) -> anyhow::Result<Vec<Given>> {
    let input = Input::open(path)?;
    match format {
        Format::Conllu => {
            let sentences = input.read(|path| Conllu::open(path)?.collect::<elman::Result<Vec<_>>>())?;
            let mut line = 1;
            let numbered = |sentence: Sentence| {
                let begins = line;
                line += sentence.to_string().matches('\n').count();
                Ok(Given { line: begins, ..Given::conllu(sentence)? })
            };
            sentences.into_iter().map(numbered).collect()
        }
        Format::Columns => {
            let (sentences, separator) = input.read(|path| {
                let mut reader = Columns::open(path)?;
                let sentences = reader.by_ref().collect::<elman::Result<Vec<_>>>()?;
                Ok((sentences, reader.separator()))
            })?;
            let Some(found) = sentences.first().map(|rows| rows[0].len()) else { return Ok(Vec::new()) };
            let wanted = columns.unwrap_or(found.max(2));
            let tags = found == wanted;
            ensure!(
                tags || (optional && found + 1 == wanted),
                "{}: expected {wanted} columns, the first the word, the last the tag, found {found}",
                path.display()
            );
            Ok(sentences.into_iter().map(|rows| Given::columns(rows, separator, tags)).collect())
        }
        Format::Text => bail!("{}: expected sentences with tags, found plain text by --format", path.display()),
    }
}

/// Plain text, a sentence a line, whose words are found by `parted`; as training's files would have it.
pub fn read_text(
    path: &Path,
    columns: Option<usize>,
    parted: impl Fn(&str) -> Vec<String>,
) -> anyhow::Result<Vec<Given>> {
    let lines = Input::open(path)?.read(|path| elman::data::read_lines(path))?;
    let sentences = lines.iter().map(|line| parted(line)).filter(|words| !words.is_empty());
    let given = |words: Vec<String>| match columns {
        None => Given::conllu(Sentence::of_words(words)?),
        Some(2) => Ok(Given::columns(words.into_iter().map(|word| vec![word]).collect(), '\t', false)),
        Some(more) => bail!(
            "--format text: expected {more} columns a word, as the training's files have, of which one is the tag"
        ),
    };
    sentences.map(given).collect()
}

/// Reads the sentences' trees too. Errors name the file and the line where the sentence begins.
pub fn read_trees(path: &Path, sentences: &mut [Given]) -> anyhow::Result<()> {
    for sentence in sentences {
        let place = || format!("{}, the sentence from line {} on", path.display(), sentence.line);
        sentence.example = match &sentence.source {
            Source::Conllu(read) => TaggerExample::of_conllu(read, TaggerTask::All).with_context(place)?,
            Source::Columns(..) => {
                bail!("{}: expected CoNLL-U, which has heads and labels, found columns", path.display())
            }
        };
    }
    Ok(())
}

impl Given {
    pub fn conllu(sentence: Sentence) -> anyhow::Result<Self> {
        let example = TaggerExample::of_conllu(&sentence, TaggerTask::Tags)?;
        Ok(Given { example, line: 0, source: Source::Conllu(Box::new(sentence)) })
    }

    /// Rows with or without a tag at the end.
    pub fn columns(mut rows: Vec<Vec<String>>, separator: char, tags: bool) -> Self {
        let tags: Vec<String> = if tags { rows.iter_mut().filter_map(Vec::pop).collect() } else { Vec::new() };
        let features = rows.iter().map(|row| row[1..].to_vec()).collect();
        let example = TaggerExample::new(rows.iter().map(|row| &row[0])).tags(tags).columns(features);
        Given { example, line: 0, source: Source::Columns(rows, separator) }
    }

    /// Columns of its file, tag and all; `None` of CoNLL-U.
    pub fn width(&self) -> Option<usize> {
        match &self.source {
            Source::Conllu(_) => None,
            Source::Columns(rows, _) => rows.first().map(|row| row.len() + 1),
        }
    }

    /// Writes the sentence as it was read, with what was found. Where that is a tree, the enhanced dependencies, which were another's, go.
    pub fn write(mut self, found: &Found<'_>, into: &mut impl Write) -> std::io::Result<()> {
        match &mut self.source {
            Source::Conllu(sentence) => {
                sentence.words_mut().zip(&found.tags).for_each(|(word, tag)| word.upos = tag.to_string());
                if let Some(tree) = &found.tree {
                    sentence.tokens.iter_mut().for_each(|token| token.deps = "_".into());
                    for ((word, &head), label) in sentence.words_mut().zip(&tree.heads).zip(&tree.labels) {
                        (word.head, word.deprel) = (Some(head), label.clone());
                    }
                }
                sentence.write(into)
            }
            Source::Columns(rows, separator) => {
                rows.iter_mut().zip(&found.tags).for_each(|(row, tag)| row.push(tag.to_string()));
                write_columns(into, rows, *separator)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str, format: Option<Format>, columns: Option<usize>) -> anyhow::Result<String> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        let mut out = Vec::new();
        let given = match Format::of(&path, format) {
            Format::Text => read_text(&path, columns, |line| line.split_whitespace().map(String::from).collect()),
            format => read(&path, format, columns, true),
        };
        for sentence in given? {
            let tags: Vec<String> = sentence.example.words.iter().map(|word| format!("T{word}")).collect();
            sentence.write(&Found { tags: tags.iter().map(String::as_str).collect(), tree: None }, &mut out)?;
        }
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn what_is_tagged_is_what_was_read() {
        let line = |id: &str, form: &str, tag: &str| format!("{id}\t{form}\tl\t{tag}\t_\t_\t_\t_\t_\tm\n");
        let text = |tags: [&str; 2]| {
            format!("# c\n{}{}{}\n", line("1-2", "ab", "_"), line("1", "a", tags[0]), line("2", "b", tags[1]))
        };
        assert_eq!(written("a.conllu", &text(["X", "_"]), None, None).unwrap(), text(["Ta", "Tb"]));
        assert_eq!(written("a.tsv", "a\tN\tX\nb\tM\tY\n", None, Some(3)).unwrap(), "a\tN\tTa\nb\tM\tTb\n\n");
        // Without the column of tags, and in spaces.
        assert_eq!(written("a.txt", "a N\nb M\n", None, Some(3)).unwrap(), "a N Ta\nb M Tb\n\n");
        assert_eq!(written("a", "a b\n\nc\n", Some(Format::Text), Some(2)).unwrap(), "a\tTa\nb\tTb\n\nc\tTc\n\n");
        assert!(written("a", "a b\n", Some(Format::Text), None).unwrap().starts_with("1\ta\t_\tTa\t"));
        assert!(written("a", "a b\n", Some(Format::Text), Some(3)).is_err());
        let few = written("a.tsv", "a\n", None, Some(3)).unwrap_err().to_string();
        assert!(few.ends_with("expected 3 columns, the first the word, the last the tag, found 1"), "{few}");
    }
}
