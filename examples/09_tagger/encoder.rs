//! From words to the numbers that the network takes.

use super::corpus::Tagged;
use super::settings::Settings;
use elman::Spec;
use elman::data::Inputs;
use elman::text::{Vocabulary, VocabularyBuilder};
use serde::{Deserialize, Serialize};

/// The vocabularies of a tagger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoder {
    /// Words in small letters that training knows.
    pub words: Vocabulary,
    pub letters: Vocabulary,
    /// Words that have a vector of outside.
    pub vectors: Option<Vocabulary>,
    /// What stands in each of the columns between word and tag that are read.
    pub features: Vec<Vocabulary>,
}

impl Encoder {
    /// What is in the sentences to train on.
    pub fn new(settings: &Settings, train: &[Tagged], vectors: Option<Vocabulary>) -> elman::Result<Self> {
        let small = |sentence: &Tagged| sentence.words.iter().map(|word| word.to_lowercase()).collect::<Vec<_>>();
        let letters = |sentence: &Tagged| {
            sentence.words.iter().flat_map(|word| word.chars()).map(String::from).collect::<Vec<_>>()
        };
        let read = if settings.features { train.first().map_or(0, |sentence| sentence.features[0].len()) } else { 0 };
        let column = |column: usize| {
            let of = |sentence: &Tagged| sentence.features.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
            VocabularyBuilder::new().nfc(false).fit(train.iter().map(of))
        };
        Ok(Encoder {
            words: VocabularyBuilder::new().min_count(settings.min_count).fit(train.iter().map(small))?,
            letters: VocabularyBuilder::new().nfc(false).fit(train.iter().map(letters))?,
            vectors,
            features: (0..read).map(column).collect::<elman::Result<_>>()?,
        })
    }

    /// What the network takes.
    pub fn spec(&self) -> elman::Result<Spec> {
        let words = |name: String| (name, Spec::Indices(None));
        let parts = [words("words".into()), ("letters".into(), Spec::distinct())].into_iter();
        let vectors = self.vectors.iter().map(|_| words("vectors".into()));
        Spec::record(parts.chain(vectors).chain((0..self.features.len()).map(|column| words(feature(column)))))
    }

    /// Sentences, each of at least one word.
    pub fn inputs<'s>(&self, sentences: impl Iterator<Item = &'s Tagged> + Clone) -> elman::Result<Inputs> {
        let by_word = |number: &dyn Fn(&str) -> u32| {
            let of = |sentence: &Tagged| sentence.words.iter().map(|word| number(word)).collect::<Vec<_>>();
            Inputs::indices(&sentences.clone().map(of).collect::<Vec<_>>())
        };
        let known = |vocabulary: &Vocabulary, word: &str| vocabulary.index(word).or(vocabulary.unknown()).unwrap_or(0);
        let letters = |word: &String| self.letters.encode(word.chars().map(|letter| letter.to_string()));
        let spelled = |sentence: &Tagged| sentence.words.iter().map(letters).collect::<Vec<_>>();
        let mut parts = vec![
            ("words".to_string(), by_word(&|word| known(&self.words, &word.to_lowercase()))?),
            ("letters".to_string(), Inputs::distinct(&sentences.clone().map(spelled).collect::<Vec<_>>())?),
        ];
        if let Some(vectors) = &self.vectors {
            // As it is written, or in small letters.
            let number = |word: &str| vectors.index(word).unwrap_or_else(|| known(vectors, &word.to_lowercase()));
            parts.push(("vectors".to_string(), by_word(&number)?));
        }
        for (column, vocabulary) in self.features.iter().enumerate() {
            let of = |sentence: &Tagged| sentence.features.iter().map(|row| known(vocabulary, &row[column])).collect();
            let rows: Vec<Vec<u32>> = sentences.clone().map(of).collect();
            parts.push((feature(column), Inputs::indices(&rows)?));
        }
        Inputs::record(parts)
    }
}

/// The name of a column's part of the input.
pub fn feature(column: usize) -> String {
    format!("column_{}", column + 2)
}
