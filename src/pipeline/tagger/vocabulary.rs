//! [`TaggerVocabulary`]: from words to the numbers that the network takes, and the names of what it finds.

use super::{TaggerBuilder, TaggerExample, TaggerTask};
use crate::data::{Inputs, Labels, TagScheme, spans};
use crate::error::{Error, Result};
use crate::layers::Spec;
use crate::text::{Vocabulary, VocabularyBuilder, nfc};
use serde::{Deserialize, Serialize};

/// All words, letters, tags and labels that a tagger knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaggerVocabulary {
    words: Vocabulary,
    letters: Vocabulary,
    vectors: Option<Vocabulary>,
    columns: Vec<Vocabulary>,
    tags: Option<Labels>,
    labels: Option<Labels>,
    scheme: Option<TagScheme>,
}

/// Apostrophes that are curved.
const TYPOGRAPHIC: [char; 2] = ['\u{2019}', '\u{2bc}'];

/// A sentence as it is read: its words, and of each of them further columns.
pub(super) struct Row<'s> {
    pub(super) words: Vec<&'s str>,
    pub(super) columns: &'s [Vec<String>],
}

impl<'s> From<&'s TaggerExample> for Row<'s> {
    fn from(example: &'s TaggerExample) -> Self {
        Row { words: example.words.iter().map(String::as_str).collect(), columns: &example.columns }
    }
}

impl TaggerVocabulary {
    /// Words, letters and columns are those to train on; tags and labels also those to choose by.
    pub(super) fn new(settings: &TaggerBuilder, train: &[TaggerExample], valid: &[TaggerExample]) -> Result<Self> {
        let task = settings.task;
        let first = train.first().ok_or_else(|| Error::invalid("tagger", "sentences to train on", "none"))?;
        let width = if settings.columns { first.columns.first().map_or(0, Vec::len) } else { 0 };
        for (part, examples) in [("training", train), ("validation", valid)] {
            for (number, example) in examples.iter().enumerate() {
                let checked = example.check(task).and_then(|()| check_width(&example.into(), width));
                checked.map_err(|error| error.at(format!("sentence {number} of the {part}")))?;
            }
        }
        if settings.columns && width == 0 {
            let expected = "words with further columns, as the settings have it (`TaggerBuilder::columns`)";
            return Err(Error::invalid("tagger", expected, "words alone"));
        }
        let small = |example: &TaggerExample| example.words.iter().map(|word| word.to_lowercase()).collect::<Vec<_>>();
        // Composed where they can be.
        let letters = |example: &TaggerExample| {
            let of_word = |word: &String| nfc(word).chars().map(String::from).collect::<Vec<_>>();
            example.words.iter().flat_map(of_word).collect::<Vec<_>>()
        };
        let column = |column: usize| {
            let of =
                |example: &TaggerExample| example.columns.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
            VocabularyBuilder::new().nfc(false).fit(train.iter().map(of))
        };
        let all = || train.iter().chain(valid);
        Ok(TaggerVocabulary {
            words: VocabularyBuilder::new().min_count(settings.min_count).fit(train.iter().map(small))?,
            letters: VocabularyBuilder::new().nfc(false).fit(train.iter().map(letters))?,
            vectors: settings.vectors.as_ref().map(|known| Vocabulary::from_words(known.words(), true)).transpose()?,
            columns: (0..width).map(column).collect::<Result<_>>()?,
            tags: if task.has_tags() { Some(names(all().flat_map(|example| &example.tags))?) } else { None },
            labels: if task.has_trees() { Some(names(all().flat_map(|example| &example.labels))?) } else { None },
            scheme: scheme(task, || all().map(|example| &example.tags)),
        })
    }

    /// Words in small letters that came often enough in training to be known by themselves.
    pub fn words(&self) -> &Vocabulary {
        &self.words
    }

    /// Letters, by which all other words are known.
    pub fn letters(&self) -> &Vocabulary {
        &self.letters
    }

    /// Words that have a vector of outside, where there are such vectors.
    pub fn vectors(&self) -> Option<&Vocabulary> {
        self.vectors.as_ref()
    }

    /// What stands in each of the further columns that are read.
    pub fn columns(&self) -> &[Vocabulary] {
        &self.columns
    }

    /// The tags in alphabetical order; `None` of a task of trees alone.
    pub fn tags(&self) -> Option<&Labels> {
        self.tags.as_ref()
    }

    /// The labels of arcs in alphabetical order; `None` of a task without trees.
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The scheme that the tags of spans are in throughout, if they are in one.
    pub fn scheme(&self) -> Option<TagScheme> {
        self.scheme
    }

    /// Whether training knows a word by itself.
    pub(super) fn knows(&self, word: &str) -> bool {
        index(&self.words, &word.to_lowercase()).is_some()
    }

    /// What the network takes.
    pub(super) fn spec(&self) -> Result<Spec> {
        let words = |name: String| (name, Spec::Indices(None));
        let parts = [words("words".into()), ("letters".into(), Spec::distinct())].into_iter();
        let vectors = self.vectors.iter().map(|_| words("vectors".into()));
        Spec::record(parts.chain(vectors).chain((0..self.columns.len()).map(|column| words(column_name(column)))))
    }

    /// Sentences of at least one word, as the network takes them. Errors: further columns that are missing or too many.
    pub(super) fn inputs(&self, rows: &[Row<'_>]) -> Result<Inputs> {
        let by_word = |number: &dyn Fn(&str) -> u32| {
            let of = |row: &Row<'_>| row.words.iter().map(|word| number(word)).collect::<Vec<_>>();
            Inputs::indices(&rows.iter().map(of).collect::<Vec<_>>())
        };
        let number = |word: &str| known(&self.words, &word.to_lowercase());
        let letter = |letter: char| known(&self.letters, letter.encode_utf8(&mut [0; 4]));
        let letters = |word: &&str| nfc(word).chars().map(letter).collect::<Vec<_>>();
        let spelled = |row: &Row<'_>| row.words.iter().map(letters).collect::<Vec<_>>();
        let mut parts = vec![
            ("words".to_string(), by_word(&number)?),
            ("letters".to_string(), Inputs::distinct(&rows.iter().map(spelled).collect::<Vec<_>>())?),
        ];
        if let Some(vectors) = &self.vectors {
            // As it is written, or in small letters.
            let number = |word: &str| vectors.index(word).unwrap_or_else(|| known(vectors, &word.to_lowercase()));
            parts.push(("vectors".to_string(), by_word(&number)?));
        }
        for row in rows {
            check_width(row, self.columns.len())?;
        }
        for (column, vocabulary) in self.columns.iter().enumerate() {
            let of = |row: &Row<'_>| row.columns.iter().map(|cells| known(vocabulary, &cells[column])).collect();
            let numbers: Vec<Vec<u32>> = rows.iter().map(of).collect();
            parts.push((column_name(column), Inputs::indices(&numbers)?));
        }
        Inputs::record(parts)
    }
}

/// The name of a column's part of the input; the first column is the word.
pub(super) fn column_name(column: usize) -> String {
    format!("column_{}", column + 2)
}

/// Errors where words lack further columns that are read, or have more of them.
fn check_width(row: &Row<'_>, width: usize) -> Result<()> {
    if width == 0 || (row.columns.len() == row.words.len() && row.columns.iter().all(|cells| cells.len() == width)) {
        return Ok(());
    }
    let other = row.columns.iter().map(Vec::len).find(|&cells| cells != width).unwrap_or(0);
    Err(Error::invalid("columns", format!("{width} of each word besides it, as in training"), other))
}

/// The number of a word or letter as it is written, or with a straight apostrophe where it is not known with a typographic one.
fn index(vocabulary: &Vocabulary, word: &str) -> Option<u32> {
    let typographic = || if word.contains(TYPOGRAPHIC) { vocabulary.index(&straight(word)) } else { None };
    vocabulary.index(word).or_else(typographic)
}

/// The same, of what is not known that of unknown ones.
fn known(vocabulary: &Vocabulary, word: &str) -> u32 {
    index(vocabulary, word).or(vocabulary.unknown()).unwrap_or(0)
}

fn straight(word: &str) -> String {
    word.replace(TYPOGRAPHIC, "'")
}

/// All names in alphabetical order, which is that of no file.
fn names<'s>(all: impl Iterator<Item = &'s String>) -> Result<Labels> {
    let mut names: Vec<&String> = all.collect();
    names.sort_unstable();
    names.dedup();
    Labels::new(names)
}

/// The scheme in which all sentences have the spans that they have if read leniently.
fn scheme<'s, I: Iterator<Item = &'s Vec<String>>>(task: TaggerTask, tags: impl Fn() -> I) -> Option<TagScheme> {
    let fits = |scheme: &TagScheme| {
        tags().all(|tags| match (scheme.spans(tags), spans(tags)) {
            (Ok(strict), Ok(spans)) => strict == spans,
            _ => false,
        })
    };
    let schemes = [TagScheme::Bio, TagScheme::Bioes, TagScheme::Iob1];
    schemes.into_iter().find(|scheme| task == TaggerTask::Spans && fits(scheme))
}
