//! [`Translator`]: texts of one language in, of another one out.

mod languages;
mod network;
mod options;
mod search;

pub use languages::Languages;
pub use network::{AttentionForm, EncoderDecoder};
pub use options::TranslationOptions;

use super::file::{Format, check_finite};
use crate::backend::Backend;
use crate::checkpoint::Extras;
use crate::error::{Error, Result};
use crate::layers::Spec;
use crate::model::Model;
use languages::{SOURCE, TARGET};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FORMAT: Format = Format { kind: "translator", version: 1 };

/// A translation of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Translation {
    /// The text.
    pub text: String,
    /// Its tokens as people read them.
    pub tokens: Vec<String>,
    /// The tokens of what was translated.
    pub source: Vec<String>,
    /// The logarithm of its probability divided by `length^α`, and what [`TranslationOptions::coverage_penalty`] adds to that.
    pub score: f64,
    /// How much each token looked at each of the source's, a row a token; none where nobody asked for it, or of a network without attention.
    pub attention: Vec<Vec<f32>>,
}

/// A network that translates, with the languages that it translates from and into.
///
/// Dates in other words, learnt from three of them:
///
/// ```
/// use elman::loss::SparseCategoricalCrossEntropy;
/// use elman::optim::Adam;
/// use elman::pipeline::{Codec, EncoderDecoder, Languages, Translator};
/// use elman::{Fit, Model};
/// use elman_reference::Reference;
///
/// let pairs = [("may the fourth", "4-5"), ("june the fifth", "5-6"), ("may the fifth", "5-5")];
/// let source = Codec::words(pairs.map(|pair| pair.0), usize::MAX, 1)?;
/// let languages = Languages::new(source, Codec::characters(pairs.map(|pair| pair.1))?);
/// let network = EncoderDecoder::new(8, 16).graph(languages.source.width(), languages.target.width())?;
/// let mut model = network.build(&Reference::<f32>::new(), languages.spec()?, 0)?;
/// model.compile(Adam::new(0.02), SparseCategoricalCrossEntropy::from_logits());
/// model.fit(&languages.dataset(&pairs)?, Fit::new().epochs(60).quiet())?;
///
/// let translator = Translator::new(model, languages)?;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("dates.safetensors");
/// translator.save(&path)?;
/// let translator = Translator::load(&Reference::<f32>::new(), &path)?; // another program
/// assert_eq!(translator.translate("june the fifth")?.text, "5-6");
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Debug)]
pub struct Translator<B: Backend> {
    model: Model<B>,
    languages: Languages,
    options: TranslationOptions,
}

impl<B: Backend> Translator<B> {
    /// A translator of a network that takes `source` and `target`, indices both, and gives scores of the target's tokens, such as an
    /// [`EncoderDecoder`]; what depends on the source alone is to be computed [once](crate::layers::Graph::once). Errors: a model that
    /// takes or gives something else, or not as many tokens as the languages have; weights that are no numbers.
    pub fn new(model: Model<B>, languages: Languages) -> Result<Self> {
        check_finite(&model)?;
        Self::of_finite(model, languages)
    }

    /// The same of weights that are known to be numbers.
    fn of_finite(model: Model<B>, languages: Languages) -> Result<Self> {
        let place = "translator";
        let expected =
            || Error::invalid(place, "a model that takes `source` and `target`, indices both", model.input());
        let parts = model.input().parts().map_err(|_| expected())?;
        let is_words = |name: &str| matches!(parts.get(name), Some(Spec::Indices(None)));
        if parts.len() != 2 || !is_words(SOURCE) || !is_words(TARGET) {
            return Err(expected());
        }
        languages.target.check_rows("translator: outputs", model.output().features()?)?;
        for (name, codec) in [(SOURCE, &languages.source), (TARGET, &languages.target)] {
            if let Some(rows) = model.indices_below(name) {
                codec.check_rows(&format!("translator: {name}"), rows)?;
            }
        }
        Ok(Translator { model, languages, options: TranslationOptions::new() })
    }

    /// Everything out of one file, of [`Translator::save`] or a checkpoint with [`Languages::extras`]. Errors: a file of something else;
    /// weights that are no numbers.
    pub fn load(backend: &B, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (languages, model) = FORMAT.load(backend, path)?;
        Self::of_finite(model, languages).map_err(|error| error.at(path.display()))
    }

    /// Everything into one file, written whole or not at all. Errors: the model's ([`Model::save_with`]).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.model.save_with(path, &self.extras()?)
    }

    /// What it adds to the model's own file.
    pub fn extras(&self) -> Result<Extras> {
        self.languages.extras()
    }

    /// How it searches for translations from now on.
    #[must_use]
    pub fn options(self, options: TranslationOptions) -> Self {
        Translator { options, ..self }
    }

    /// The network.
    pub fn model(&self) -> &Model<B> {
        &self.model
    }

    /// The languages.
    pub fn languages(&self) -> &Languages {
        &self.languages
    }

    /// The best translation of a text; of one without a token it is empty. Errors: options out of range, unknown words to be replaced
    /// by a network without attention; what a tokenizer cannot cut.
    pub fn translate(&self, text: &str) -> Result<Translation> {
        Ok(self.translate_all(&[text])?.swap_remove(0))
    }

    /// The best translations of many texts, in batches of like length whose memory is bounded.
    pub fn translate_all<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Translation>> {
        let first = |mut best: Vec<Translation>| best.swap_remove(0);
        Ok(self.n_best_all(texts)?.into_iter().map(first).collect())
    }

    /// The `n` best translations of each text, the best first ([`TranslationOptions::n_best`]); there may be fewer, but never none.
    pub fn n_best_all<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vec<Translation>>> {
        search::n_best(&self.model, &self.languages, &self.options, texts)
    }
}
