//! From texts to what a network trains on: words with their numbers and vectors, rows of indices, a fingerprint of it all.

use super::classifier::{Description, Encoder, tokenizer};
use super::common::corpus::Texts;
use super::corpus::Corpus;
use super::run::{Fingerprint, Run};
use super::settings::Settings;
use super::tell;
use elman::Key;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::Embedding;
use elman::text::{UnknownRows, Vocabulary, VocabularyBuilder, WordVectors};

/// What a training needs.
pub struct Prepared {
    pub description: Description,
    /// The table of vectors to begin with.
    pub words: Embedding,
    pub train: Dataset,
    pub valid: Option<Dataset>,
    /// Of the texts to train on.
    pub classes: Vec<u32>,
    pub fingerprint: String,
}

impl Prepared {
    /// Reads everything that the settings name. Of made-up reviews those to test on go into the run's folder.
    pub fn new(settings: &Settings, seed: u64, run: &Run) -> anyhow::Result<Self> {
        let corpus = Corpus::read(settings, seed)?;
        if settings.train.is_none() {
            let path = run.file("test.tsv");
            tell!("No --train given: training on reviews that the project makes up, in which the order of the words");
            tell!("matters. {} more of them to evaluate are in {}.\n", corpus.test.len(), path.display());
            let name = |class: u32| corpus.labels.name(class).unwrap_or_default();
            let lines = corpus.test.iter().map(|(class, text)| format!("{}\t{text}\n", name(*class)));
            run.write("test.tsv", &lines.collect::<String>())?;
        }
        let tokenizer = tokenizer(&settings.tokenizer)?;
        let builder = VocabularyBuilder::new().max_features(settings.max_features).min_count(settings.min_count);
        let vocabulary = builder.fit_texts(tokenizer.as_ref(), corpus.train.iter().map(|(_, text)| text))?;
        let (words, dim) = table(settings, &vocabulary, seed)?;
        let (settings, labels) = (settings.clone(), corpus.labels.clone());
        let description = Description { settings, labels, vocabulary, tokenizer: tokenizer.to_json(), dim };

        let mut print = Fingerprint::new();
        corpus.labels.names().iter().for_each(|name| print.add(name.as_bytes()));
        description.vocabulary.words().for_each(|(word, _)| print.add(word.as_bytes()));
        let encoder = description.encoder()?;
        let train = dataset(&encoder, &corpus.train, &mut print)?;
        let valid = match corpus.valid.is_empty() {
            true => None,
            false => Some(dataset(&encoder, &corpus.valid, &mut print)?),
        };
        let classes: Vec<u32> = corpus.train.iter().map(|(class, _)| *class).collect();
        let count = |class: usize| classes.iter().filter(|&&c| c as usize == class).count();
        let each = corpus.labels.names().iter().enumerate().map(|(class, name)| format!("{name} {}", count(class)));
        let (each, chosen_by) = (each.collect::<Vec<_>>().join(", "), corpus.valid.len());
        let known = description.vocabulary.len();
        tell!("{} texts to train on ({each}), {chosen_by} to choose by; {known} words", train.len());
        Ok(Prepared { description, words, train, valid, classes, fingerprint: print.text() })
    }
}

/// The vectors that words begin with, and how many numbers one has.
fn table(settings: &Settings, vocabulary: &Vocabulary, seed: u64) -> anyhow::Result<(Embedding, usize)> {
    let Some(path) = &settings.vectors else {
        return Ok((Embedding::new(vocabulary.width(), settings.dim()), settings.dim()));
    };
    let vectors = WordVectors::read(path)?;
    tell!("{}: {}", path.display(), vectors.coverage(vocabulary, 5));
    // A vector that is drawn and never trained says nothing.
    let unknown = match settings.freeze_vectors {
        true => UnknownRows::Zeros,
        false => UnknownRows::Random(Key::new(seed).named("unknown words")),
    };
    let embedding = Embedding::from_vectors(vectors.matrix(vocabulary, unknown)?, vectors.dim())?;
    Ok((if settings.freeze_vectors { embedding.frozen() } else { embedding }, vectors.dim()))
}

/// Texts as rows of indices with their classes, seen by the fingerprint.
fn dataset(encoder: &Encoder, texts: &Texts, print: &mut Fingerprint) -> elman::Result<Dataset> {
    let rows = encoder.rows(texts.iter().map(|(_, text)| text.as_str()))?;
    for (row, (class, _)) in rows.iter().zip(texts) {
        let bytes: Vec<u8> = row.iter().chain([class]).flat_map(|number| number.to_le_bytes()).collect();
        print.add(&bytes);
    }
    Dataset::new(Inputs::indices(&rows)?, Targets::classes(texts.iter().map(|(class, _)| *class).collect())?)
}
