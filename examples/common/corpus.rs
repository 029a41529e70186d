//! Labelled texts in files, as the examples on text take them: `train.tsv.gz`, `test.tsv.gz` and, if there is one,
//! `valid.tsv.gz`, each line a label and a text with a tab between; `labels.txt` names label `i` on line `i + 1`.

use super::files::Files;
use super::limits::memory;
use super::reviews;
use elman::data::{Dataset, Inputs, Targets, read_labelled, read_lines};
use elman::text::{Padding, Tokenizer, Truncation, Vocabulary, pad_sequences};
use std::path::Path;

/// Labelled texts.
pub type Texts = Vec<(u32, String)>;

/// Texts to train on, to choose by and to test on, and what their labels mean.
pub struct Corpus {
    pub train: Texts,
    pub valid: Texts,
    pub test: Texts,
    pub labels: Vec<String>,
}

/// The files of a folder, as `--data` takes it.
pub fn files(folder: Option<&Path>) -> Files {
    let names = ["train.tsv.gz", "valid.tsv.gz", "test.tsv.gz", "labels.txt"];
    folder.iter().flat_map(|folder| names.map(|name| ("--data".to_string(), folder.join(name)))).collect()
}

impl Corpus {
    /// Reads a folder. Without `valid.tsv.gz` the last tenth of the training texts is taken; without `labels.txt` the
    /// labels are named as given.
    pub fn read(folder: &Path, labels: &[&str]) -> elman::Result<Self> {
        let mut train = read_labelled(folder.join("train.tsv.gz"))?;
        let test = read_labelled(folder.join("test.tsv.gz"))?;
        let valid = folder.join("valid.tsv.gz");
        let valid =
            if valid.exists() { read_labelled(valid)? } else { train.split_off(train.len() - train.len() / 10) };
        let names = folder.join("labels.txt");
        let labels =
            if names.exists() { read_lines(names)? } else { labels.iter().map(|label| label.to_string()).collect() };
        Ok(Corpus { train, valid, test, labels })
    }
}

impl Corpus {
    /// Made-up reviews in two classes.
    pub fn reviews() -> Self {
        let [train, valid, test] = [(4000, 1), (500, 2), (1000, 3)].map(|(texts, seed)| reviews::reviews(texts, seed));
        Corpus { train, valid, test, labels: vec!["negative".into(), "positive".into()] }
    }

    /// Made-up tweets in three classes.
    pub fn tweets() -> Self {
        let [train, valid, test] = [(6000, 1), (600, 2), (1200, 3)].map(|(texts, seed)| reviews::tweets(texts, seed));
        Corpus { train, valid, test, labels: reviews::SENTIMENTS.map(String::from).into() }
    }
}

/// What turns texts into rows of indices.
pub struct Encoder<'a> {
    pub tokenizer: &'a dyn Tokenizer,
    pub vocabulary: &'a Vocabulary,
    /// Steps of a row: longer texts lose their beginning or end.
    pub steps: usize,
    pub truncation: Truncation,
}

impl Encoder<'_> {
    /// Rows of indices, padded on the left.
    pub fn inputs<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> elman::Result<Inputs> {
        let encode = |text: &str| self.vocabulary.encode_text(self.tokenizer, text);
        let texts: Vec<&str> = texts.into_iter().collect();
        // As they are made, and as they are kept.
        let bytes = texts.len() as f64 * self.steps as f64 * 8.0;
        if bytes > memory() {
            let expected = format!("fewer, to have room for {} texts", texts.len());
            return Err(elman::Error::invalid("--steps", expected, self.steps));
        }
        let rows = texts.into_iter().map(encode).collect::<elman::Result<Vec<_>>>()?;
        Inputs::indices(&pad_sequences(&rows, Padding::Pre, self.truncation, Some(self.steps))?)
    }

    /// Rows with their labels.
    pub fn dataset(&self, texts: &Texts) -> elman::Result<Dataset> {
        let inputs = self.inputs(texts.iter().map(|(_, text)| text.as_str()))?;
        Dataset::new(inputs, Targets::classes(texts.iter().map(|(label, _)| *label).collect())?)
    }
}
