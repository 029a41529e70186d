//! [`Tagger`]: parts of speech, names and chunks, dependency trees of raw text.

mod answer;
mod builder;
mod dataset;
mod example;
mod network;
mod predict;
mod tag;
mod task;
mod tree;
mod vocabulary;
mod words;

pub use answer::{Tagged, TaggedArc, TaggedSpan, TaggedWord};
pub use builder::TaggerBuilder;
pub use example::TaggerExample;
pub use task::TaggerTask;
pub use vocabulary::TaggerVocabulary;

use super::file::Format;
use crate::backend::Backend;
use crate::checkpoint::Extras;
use crate::data::{Labels, Source};
use crate::error::{Error, Result};
use crate::layers::Spec;
use crate::loss::{CrfLoss, SparseCategoricalCrossEntropy};
use crate::metrics::{Accuracy, SpanF1};
use crate::model::{Model, Objective};
use crate::optim::{Adam, Optimizer};
use crate::text::{RuleTokenizer, Tokenizer, tokenizer_from_json};
use crate::training::{Fit, History};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

const FORMAT: Format = Format { kind: "tagger", version: 1 };

/// Tags of words (parts of speech, ...), spans (names, chunks) and dependency trees of raw text, by one file that holds network, weights,
/// tokenizer, vocabularies and labels.
///
/// Another program, which knows nothing of the training, needs nothing but the file:
///
/// ```no_run
/// use elman::pipeline::Tagger;
/// # let backend = elman_reference::Reference::<f32>::new();
/// let tagger = Tagger::load(&backend, "model.safetensors")?;
/// for sentence in tagger.tag("Anna lives in New York. She sings.")? {
///     for word in &sentence.words {
///         println!("{} {} {:.2}", word.text, word.tag, word.probability);
///     }
///     for name in &sentence.spans {
///         println!("{}: {}", name.kind, name.text);
///     }
/// }
/// # Ok::<(), elman::Error>(())
/// ```
///
/// One is made from sentences ([`TaggerExample`]), trained by the ordinary [`Fit`] and saved whole:
///
/// ```
/// use elman::Fit;
/// use elman::pipeline::{Tagger, TaggerBuilder, TaggerExample, TaggerTask};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("model.safetensors");
/// let backend = elman_reference::Reference::<f32>::new();
/// let sentence = |words: &str, tags: &str| TaggerExample::new(words.split(' ')).tags(tags.split(' '));
/// let train = vec![
///     sentence("Anna sees Bert .", "B-PER O B-PER O"),
///     sentence("She sings in New York .", "O O O B-LOC I-LOC O"),
///     sentence("New York sees Anna .", "B-LOC I-LOC O B-PER O"),
/// ];
///
/// let builder = TaggerBuilder::new(TaggerTask::Spans).min_count(1).dim(8).letters(8, 8).units(8).dropout(0.1);
/// let mut tagger = builder.build(&backend, &train, &[], 7)?;
/// tagger.fit(&tagger.dataset(&train)?, Fit::new().epochs(120).batch_size(1).quiet())?;
/// tagger.save(&path)?;
///
/// let found = Tagger::load(&backend, &path)?.tag("Bert sings. Anna sees New York.")?;
/// let names = found.iter().flat_map(|sentence| &sentence.spans).map(|name| (name.text.as_str(), name.kind.as_str()));
/// assert_eq!(names.collect::<Vec<_>>(), [("Bert", "PER"), ("Anna", "PER"), ("New York", "LOC")]);
/// # Ok::<(), elman::Error>(())
/// ```
///
/// Raw text is parted into sentences and words by rules ([`RuleTokenizer`]), and where training parts words at their apostrophes (`do` `n't`) as
/// training does; texts whose words are known already are better given as these ([`tag_words`](Tagger::tag_words)). The same tagger answers
/// any number of threads.
#[doc(alias = "NER")]
#[doc(alias = "parser")]
#[derive(Debug)]
pub struct Tagger<B: Backend> {
    model: Model<B>,
    settings: TaggerBuilder,
    vocabulary: TaggerVocabulary,
    tokenizer: RuleTokenizer,
}

/// What a file holds besides the model.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    settings: TaggerBuilder,
    vocabulary: TaggerVocabulary,
    /// As [`Tokenizer::to_json`] describes it.
    tokenizer: Value,
}

impl<B: Backend> Tagger<B> {
    fn new(model: Model<B>, settings: TaggerBuilder, vocabulary: TaggerVocabulary) -> Result<Self> {
        let mut tagger = Tagger { model, settings, vocabulary, tokenizer: RuleTokenizer::new() };
        let (betas, norm) = if tagger.task().has_trees() { ((0.9, 0.99), 2.0) } else { ((0.9, 0.999), 1.0) };
        tagger.compile(Optimizer::new(Adam::new(0.002).betas(betas.0, betas.1)).clip_global_norm(norm))?;
        Ok(tagger)
    }

    /// Out of one file, of [`save`](Self::save) or a checkpoint with [`extras`](Self::extras). Errors: a file that cannot be read or is
    /// damaged; one that is no tagger's, or is of a newer version; a tokenizer that is not known; weights that are NaN or infinite.
    pub fn load(backend: &B, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (Parts { settings, vocabulary, tokenizer }, model) = FORMAT.load(backend, path)?;
        let at = |error: Error| error.at(path.display());
        // Others, which may be learnt one day, will be read here.
        let read = tokenizer_from_json(&tokenizer).map_err(at)?;
        let rules = RuleTokenizer::new();
        if read.name() != rules.name() {
            let expected = format!("a tokenizer of the kind `{}`", rules.name());
            return Err(at(Error::invalid("tagger", expected, format!("`{}`", read.name()))));
        }
        let tagger = Tagger { model, settings, vocabulary, tokenizer: rules };
        tagger.check().map_err(at)?;
        Ok(tagger)
    }

    /// Everything into one file, written whole or not at all.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.model.save_with(path, &self.extras()?)
    }

    /// What a file holds besides the model: for [`Checkpoint::extras`](crate::checkpoint::Checkpoint::extras), so that checkpoints of the
    /// training are taggers' files, too; and for [`Model::save_with`] by a program that adds something of its own.
    pub fn extras(&self) -> Result<Extras> {
        let (settings, vocabulary) = (self.settings.clone(), self.vocabulary.clone());
        FORMAT.extras(&Parts { settings, vocabulary, tokenizer: self.tokenizer.to_json() })
    }

    /// Says by which optimiser it is trained, with the loss and the metrics of its task: `accuracy`, and of spans `span_f1`; of trees
    /// `trees_accuracy`, and with tags `tags_accuracy`.
    pub fn compile(&mut self, optimizer: impl Into<Optimizer<B>>) -> Result<()> {
        let optimizer = optimizer.into();
        let softmax = SparseCategoricalCrossEntropy::from_logits().label_smoothing(self.settings.label_smoothing);
        let objective = |output: &str| Objective::new(output, softmax.clone()).metric(Accuracy::new());
        let compiled = match (self.task(), self.settings.crf) {
            (TaggerTask::Trees, _) => self.model.compile_outputs(optimizer, [objective("trees")]),
            (TaggerTask::All, _) => self.model.compile_outputs(optimizer, [objective("tags"), objective("trees")]),
            (_, true) => self.model.compile(optimizer, CrfLoss::new()).metric(Accuracy::new()),
            (_, false) => self.model.compile(optimizer, softmax).metric(Accuracy::new()),
        };
        if let (TaggerTask::Spans, Some(tags)) = (self.settings.task, self.vocabulary.tags()) {
            compiled.metric(SpanF1::new(tags.names().iter().cloned())?);
        }
        Ok(())
    }

    /// Trains on sentences of [`dataset`](Self::dataset), in batches of like length. As [`Model::fit`] otherwise: checkpoints, resuming, callbacks.
    pub fn fit(&mut self, data: &dyn Source, fit: Fit<'_, B>) -> Result<History> {
        self.model.fit(data, fit.by_length(0))
    }

    /// What it finds.
    pub fn task(&self) -> TaggerTask {
        self.settings.task
    }

    /// The words, letters, tags and labels that it knows.
    pub fn vocabulary(&self) -> &TaggerVocabulary {
        &self.vocabulary
    }

    /// The rules by which raw text is parted.
    pub fn tokenizer(&self) -> &RuleTokenizer {
        &self.tokenizer
    }

    /// The network with its weights.
    pub fn model(&self) -> &Model<B> {
        &self.model
    }

    fn settings(&self) -> &TaggerBuilder {
        &self.settings
    }

    /// Errors where the network does not give what the names stand for.
    fn check(&self) -> Result<()> {
        let output = self.model.output();
        let of = |name: &str| match output {
            Spec::Record(parts) => parts.get(name),
            single => Some(single).filter(|_| !self.task().has_trees()),
        };
        let names = self.vocabulary.tags().map(Labels::len);
        let tags = of("tags").and_then(|tags| tags.features().ok());
        let fits = (!self.task().has_tags() || (names.is_some() && names == tags))
            && (!self.task().has_trees() || (self.vocabulary.labels().is_some() && of("trees").is_some()));
        let names = names.map_or("no".into(), |names| names.to_string());
        let expected = || format!("a network for the task `{}` and {names} tags", self.task());
        if fits { Ok(()) } else { Err(Error::invalid("tagger", expected(), output)) }
    }
}
