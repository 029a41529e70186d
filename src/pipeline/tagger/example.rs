//! [`TaggerExample`]: a sentence with what is known of it.

use super::TaggerTask;
use crate::data::{Sentence, check_tree, spans};
use crate::error::{Error, Result};

/// A sentence to learn from, or to be tagged: its words, and what is known of them.
///
/// ```
/// use elman::pipeline::{TaggerExample, TaggerTask};
/// let example = TaggerExample::new(["Anna", "sleeps"]).tags(["B-PER", "O"]);
/// assert_eq!(example.tags.len(), 2);
/// // The rows of a file of columns, and a sentence of a treebank:
/// let rows = [["Anna", "NNP", "B-PER"], ["sleeps", "VBZ", "O"]].map(|row| row.map(String::from).to_vec());
/// assert_eq!(TaggerExample::of_columns(&rows).columns[1], ["VBZ"]);
/// let sentence = elman::data::Sentence::of_words(["Anna", "sleeps"])?;
/// assert!(TaggerExample::of_conllu(&sentence, TaggerTask::Trees).is_err(), "without heads it is no tree");
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaggerExample {
    /// The words, at least one to learn from.
    pub words: Vec<String>,
    /// Of each word what stands in further columns; none where there are none.
    pub columns: Vec<Vec<String>>,
    /// Of each word the tag; none where they are not known.
    pub tags: Vec<String>,
    /// Of each word the number of its head, from 1, 0 for the root of the sentence; none where the tree is not known.
    pub heads: Vec<usize>,
    /// Of each word the label of the arc from its head.
    pub labels: Vec<String>,
}

impl TaggerExample {
    /// Words of which nothing else is known.
    pub fn new<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        TaggerExample { words: words.into_iter().map(Into::into).collect(), ..Default::default() }
    }

    /// With a tag for each word.
    #[must_use]
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// With further columns, a row a word.
    #[must_use]
    pub fn columns(mut self, columns: Vec<Vec<String>>) -> Self {
        self.columns = columns;
        self
    }

    /// With a tree: for each word the number of its head, from 1, 0 for the root, and the label of the arc.
    #[must_use]
    pub fn tree<L: Into<String>>(mut self, heads: Vec<usize>, labels: impl IntoIterator<Item = L>) -> Self {
        (self.heads, self.labels) = (heads, labels.into_iter().map(Into::into).collect());
        self
    }

    /// Rows of a file of columns ([`Columns`](crate::data::Columns)): the first is the word, the last the tag, what is between them further columns.
    pub fn of_columns(rows: &[Vec<String>]) -> Self {
        let column = |row: &Vec<String>| row.get(1..row.len() - 1).unwrap_or_default().to_vec();
        let rows = || rows.iter().filter(|row| !row.is_empty());
        TaggerExample::new(rows().map(|row| &row[0]))
            .columns(rows().map(column).collect())
            .tags(rows().filter_map(|row| row[1..].last()))
    }

    /// A sentence of a treebank, with what the task needs of it: tags are those of UPOS. Errors: no tree, where the task is one of trees.
    pub fn of_conllu(sentence: &Sentence, task: TaggerTask) -> Result<Self> {
        let mut example = TaggerExample::new(sentence.words().map(|word| &word.form));
        if task.has_tags() {
            example = example.tags(sentence.words().map(|word| &word.upos));
        }
        if task.has_trees() {
            example = example.tree(sentence.tree()?, sentence.words().map(|word| &word.deprel));
        }
        Ok(example)
    }

    /// Errors where something is there for more or fewer words than there are.
    pub(super) fn check_columns(&self) -> Result<()> {
        let words = self.words.len();
        match self.columns.len() {
            0 => Ok(()),
            rows if rows == words => Ok(()),
            rows => Err(Error::invalid("columns", format!("a row for each of {words} words"), rows)),
        }
    }

    /// Errors unless all is there that a task is learnt from.
    pub(super) fn check(&self, task: TaggerTask) -> Result<()> {
        let words = self.words.len();
        if words == 0 {
            return Err(Error::invalid("words", "at least one", "none"));
        }
        self.check_columns()?;
        if task.has_tags() && self.tags.len() != words {
            return Err(Error::invalid("tags", format!("one for each of {words} words"), self.tags.len()));
        }
        if task == TaggerTask::Spans {
            spans(&self.tags)?;
        }
        if task.has_trees() {
            let [heads, labels] = [self.heads.len(), self.labels.len()];
            if heads != words || labels != words {
                let expected = format!("a head and a label for each of {words} words");
                return Err(Error::invalid("tree", expected, format!("{heads} and {labels}")));
            }
            check_tree(&self.heads)?;
        }
        Ok(())
    }
}
