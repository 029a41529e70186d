//! From raw text to probabilities: what a checkpoint holds besides weights, and the model that is made of it.

use super::common::run::{CURE, RunSettings, load};
use super::settings::{End, Settings};
use anyhow::{Context, bail, ensure};
use elman::checkpoint::Extras;
use elman::data::{Inputs, Labels};
use elman::text::{
    HfTokenizer, Padding, Tokenizer, Truncation, Vocabulary, WordTokenizer, pad_sequences, tokenizer_from_json,
};
use elman::{Backend, Model};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Name of a [`Description`] among the extras of a checkpoint.
const EXTRA: &str = "classifier";

/// All that predicting needs besides the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Description {
    pub settings: Settings,
    pub labels: Labels,
    pub vocabulary: Vocabulary,
    /// As [`Tokenizer::to_json`] gives it.
    pub tokenizer: Value,
}

impl Description {
    /// For a checkpoint.
    pub fn extras(&self) -> anyhow::Result<Extras> {
        let description = Description { settings: self.settings.with_bare_names()?, ..self.clone() };
        Ok(Extras::new().with(EXTRA, &description)?)
    }

    /// That of a checkpoint.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let extras = Extras::read(path)?;
        extras.get(EXTRA).with_context(|| format!("{}: not written by this program", path.display()))
    }

    pub fn encoder(&self) -> elman::Result<Encoder> {
        let end = |end: End| {
            if end == End::Pre { (Padding::Pre, Truncation::Pre) } else { (Padding::Post, Truncation::Post) }
        };
        Ok(Encoder {
            tokenizer: tokenizer_from_json(&self.tokenizer)?,
            vocabulary: self.vocabulary.clone(),
            steps: self.settings.steps,
            padding: end(self.settings.padding).0,
            truncation: end(self.settings.truncation).1,
        })
    }
}

/// The tokenizer of a name or a file.
pub fn tokenizer(name: &str) -> anyhow::Result<Box<dyn Tokenizer>> {
    Ok(match name {
        "words" => Box::new(WordTokenizer::new()),
        "tweets" => Box::new(WordTokenizer::tweets()),
        "keras" => Box::new(WordTokenizer::keras()),
        "glove-twitter" => Box::new(WordTokenizer::glove_twitter()),
        path if Path::new(path).exists() => Box::new(HfTokenizer::from_file(path)?.special_tokens(false)),
        other => bail!("--tokenizer {other}: expected the name of a tokenizer or a file, found neither"),
    })
}

/// What turns texts into rows of indices.
pub struct Encoder {
    tokenizer: Box<dyn Tokenizer>,
    vocabulary: Vocabulary,
    steps: usize,
    padding: Padding,
    truncation: Truncation,
}

impl Encoder {
    pub fn rows<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> elman::Result<Vec<Vec<u32>>> {
        let encode = |text: &str| self.vocabulary.encode_text(self.tokenizer.as_ref(), text);
        let rows = texts.into_iter().map(encode).collect::<elman::Result<Vec<_>>>()?;
        pad_sequences(&rows, self.padding, self.truncation, Some(self.steps))
    }
}

/// A trained model that takes texts.
pub struct Classifier<B: Backend> {
    pub labels: Labels,
    pub settings: Settings,
    model: Model<B>,
    encoder: Encoder,
}

/// What is predicted of a text.
pub struct Prediction {
    pub class: usize,
    /// Of all classes in the order of the labels.
    pub probabilities: Vec<f32>,
}

impl<B: Backend> Classifier<B> {
    /// Out of a checkpoint alone.
    pub fn load(backend: &B, path: &Path) -> anyhow::Result<Self> {
        let description = Description::read(path)?;
        let (model, encoder) = (load(backend, path)?, description.encoder()?);
        Ok(Classifier { labels: description.labels, settings: description.settings, model, encoder })
    }

    /// A prediction for each text, at least one. Errors: probabilities that are no numbers, of weights too large to
    /// compute with.
    pub fn predict<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> anyhow::Result<Vec<Prediction>> {
        let predicted = self.model.predict(&Inputs::indices(&self.encoder.rows(texts)?)?, 128)?;
        let are_numbers = predicted.data().iter().all(|p| p.is_finite());
        ensure!(are_numbers, "expected probabilities, found NaN: the training diverged; {CURE}");
        let rows = predicted.classes()?.into_iter().zip(predicted.rows());
        Ok(rows.map(|(class, row)| Prediction { class, probabilities: row.to_vec() }).collect())
    }

    /// Texts whose probabilities are no burden to keep.
    pub fn at_once(&self) -> usize {
        (4_000_000 / self.labels.len().max(1)).clamp(1, 2048)
    }

    /// Label and probabilities of a prediction as the fields of a JSON object.
    pub fn fields(&self, prediction: &Prediction) -> Map<String, Value> {
        let names = self.labels.names();
        let probabilities = names.iter().cloned().zip(prediction.probabilities.iter().map(|&p| number(p)));
        let probabilities: Map<String, Value> = probabilities.collect();
        Map::from_iter([
            ("label".to_string(), json!(names[prediction.class])),
            ("probabilities".to_string(), Value::Object(probabilities)),
        ])
    }
}

/// A number in as many digits as it has: as an `f64`, 0.9 would be 0.8999999761581421.
fn number(p: f32) -> Value {
    p.to_string().parse::<f64>().map_or(Value::Null, |p| json!(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use elman::layers::{Dense, Embedding, Lstm, Sequential, Weight};
    use elman::text::VocabularyBuilder;
    use elman::{Activation, Init, Spec};
    use elman_reference::Reference;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    /// Weights may be numbers and what is computed from them none.
    #[test]
    fn probabilities_that_are_no_numbers_are_an_error() {
        let settings = Cli::parse_from(["train", "--steps", "3"]).settings;
        let tokenizer = WordTokenizer::new();
        let vocabulary = VocabularyBuilder::new().fit_texts(&tokenizer, ["good bad"]).unwrap();
        let labels = Labels::new(["no", "yes"]).unwrap();
        let description = Description { settings, labels, vocabulary, tokenizer: tokenizer.to_json() };
        let (folder, backend) = (tempfile::tempdir().unwrap(), Reference::<f32>::new());
        let path = folder.path().join("model.safetensors");
        let load = |kernel: Init| {
            let network = Sequential::new()
                .add(Embedding::new(description.vocabulary.width(), 3).table(Weight::new(Init::Constant(1e30))))
                .add(Lstm::new(64))
                .add(Dense::new(2).kernel(Weight::new(kernel)).activation(Activation::Softmax));
            let model = network.build(&backend, Spec::indices(3), 0).unwrap();
            model.save_with(&path, &description.extras().unwrap()).unwrap();
            Classifier::load(&backend, &path).unwrap()
        };
        assert!(load(Init::GlorotUniform).predict(["good"]).is_ok());
        // Infinite sums, of which softmax takes differences.
        let error = load(Init::Constant(3e38)).predict(["good"]).err().unwrap().to_string();
        assert!(error.starts_with("expected probabilities, found NaN: the training diverged"), "{error}");
    }
}
