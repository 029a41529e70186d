//! From texts to what a network trains on: words with their numbers and vectors, rows of indices, a fingerprint of it all.

use super::classifier::{Description, Encoder, tokenizer};
use super::common::run::{Fingerprint, Part, Run};
use super::common::{corpus::Texts, files::Input, outcome::refuse};
use super::corpus::Corpus;
use super::settings::{Found, Settings};
use super::tell;
use elman::Key;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::Embedding;
use elman::text::{UnknownRows, Vocabulary, VocabularyBuilder, WordVectors};

/// Labels that are told with their texts.
const SHOWN: usize = 12;

/// What a training needs.
pub struct Prepared {
    pub description: Description,
    /// The table of vectors to begin with.
    pub words: Embedding,
    pub train: Dataset,
    pub valid: Option<Dataset>,
    /// Of the texts to train on.
    pub classes: Vec<u32>,
    /// All of it, to know it again.
    pub parts: Vec<Part>,
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
        let found =
            Found { words: vocabulary.width(), classes: corpus.labels.len(), texts: corpus.train.len(), dim: 1 };
        refuse(settings.size_problems(found))?;
        let Table { words, dim, print: vectors } = Table::new(settings, &vocabulary, seed)?;
        refuse(settings.size_problems(Found { dim, ..found }))?;
        let (settings, labels) = (settings.clone(), corpus.labels.clone());
        let description = Description { settings, labels, vocabulary, tokenizer: tokenizer.to_json() };

        let mut print = Fingerprint::new();
        corpus.labels.names().iter().for_each(|name| print.add(name.as_bytes()));
        description.vocabulary.words().for_each(|(word, _)| print.add(word.as_bytes()));
        print.add(description.tokenizer.to_string().as_bytes());
        let encoder = description.encoder()?;
        let (train, of_train) = dataset(&encoder, &corpus.train)?;
        let (valid, of_valid) = match corpus.valid.is_empty() {
            true => (None, String::new()),
            false => dataset(&encoder, &corpus.valid).map(|(data, print)| (Some(data), print))?,
        };
        let classes: Vec<u32> = corpus.train.iter().map(|(class, _)| *class).collect();
        let (each, chosen_by) = (each(corpus.labels.names(), &classes), corpus.valid.len());
        let known = description.vocabulary.len();
        tell!("{} texts to train on ({each}), {chosen_by} to choose by; {known} words", train.len());
        let settings = &description.settings;
        let (of, by) = (settings.train.as_deref(), settings.valid.as_deref().or(settings.train.as_deref()));
        let parts = vec![
            Part::new("train", "texts to train on", "--train", of, of_train),
            Part::new("valid", "texts to choose by", "--valid", by, of_valid),
            Part::new("vectors", "word vectors", "--vectors", settings.vectors.as_deref(), vectors),
            Part::new("words", "labels and words", "--train or --tokenizer", of, print.text()),
        ];
        Ok(Prepared { description, words, train, valid, classes, parts })
    }
}

/// How many texts each class has; of many classes, the largest.
fn each(names: &[String], classes: &[u32]) -> String {
    let mut counts: Vec<(usize, &String)> = names.iter().map(|name| (0, name)).collect();
    classes.iter().for_each(|&class| counts[class as usize].0 += 1);
    let more = names.len().saturating_sub(SHOWN);
    if more > 0 {
        counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    }
    let shown = counts.iter().take(SHOWN).map(|(count, name)| format!("{name} {count}")).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown}, and {more} more labels") } else { shown }
}

/// The vectors that words begin with.
struct Table {
    words: Embedding,
    /// Numbers of one.
    dim: usize,
    /// Of vectors that are read; nothing of those that are drawn.
    print: String,
}

impl Table {
    fn new(settings: &Settings, vocabulary: &Vocabulary, seed: u64) -> anyhow::Result<Self> {
        let Some(path) = &settings.vectors else {
            let dim = settings.dim();
            return Ok(Table { words: Embedding::new(vocabulary.width(), dim), dim, print: String::new() });
        };
        let vectors = Input::open(path)?.read(|path| WordVectors::read(path))?;
        tell!("{}: {}", path.display(), vectors.coverage(vocabulary, 5));
        // A vector that is drawn and never trained says nothing.
        let unknown = match settings.freeze_vectors {
            true => UnknownRows::Zeros,
            false => UnknownRows::Random(Key::new(seed).named("unknown words")),
        };
        let (matrix, dim) = (vectors.matrix(vocabulary, unknown)?, vectors.dim());
        let mut print = Fingerprint::new();
        matrix.iter().for_each(|number| print.add(&number.to_le_bytes()));
        let words = Embedding::from_vectors(matrix, dim)?;
        Ok(Table { words: if settings.freeze_vectors { words.frozen() } else { words }, dim, print: print.text() })
    }
}

/// Texts as rows of indices with their classes, and their fingerprint.
fn dataset(encoder: &Encoder, texts: &Texts) -> elman::Result<(Dataset, String)> {
    let mut print = Fingerprint::new();
    let rows = encoder.rows(texts.iter().map(|(_, text)| text.as_str()))?;
    for (row, (class, _)) in rows.iter().zip(texts) {
        let bytes: Vec<u8> = row.iter().chain([class]).flat_map(|number| number.to_le_bytes()).collect();
        print.add(&bytes);
    }
    let targets = Targets::classes(texts.iter().map(|(class, _)| *class).collect())?;
    Ok((Dataset::new(Inputs::indices(&rows)?, targets)?, print.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_labels_are_told_in_short() {
        let names = |count: usize| (0..count).map(|i| format!("l{i}")).collect::<Vec<_>>();
        assert_eq!(each(&names(2), &[1, 0, 1]), "l0 1, l1 2");
        let told = each(&names(100_000), &[7, 99_999, 7]);
        assert!(told.starts_with("l7 2, l99999 1, l0 0,") && told.ends_with("and 99988 more labels"), "{told}");
        assert!(told.len() < 200, "{told}");
    }
}
