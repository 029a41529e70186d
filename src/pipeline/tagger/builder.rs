//! [`TaggerBuilder`]: how a tagger is made.

use super::{Tagger, TaggerExample, TaggerTask, TaggerVocabulary, network};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::pipeline::RecurrentCell;
use crate::text::WordVectors;
use serde::{Deserialize, Serialize};

/// The settings of a tagger that is to be trained. See [`Tagger`] for a whole program.
///
/// Words by their own vectors and by a bidirectional GRU over their letters (and, if they are asked for, by vectors of outside and by
/// further columns) go through recurrent layers in both directions; scores of tags, or of heads and labels ([`Biaffine`](crate::layers::Biaffine)),
/// end the network.
///
/// Ling and others, "Finding Function in Form", EMNLP 2015; Lample and others, "Neural Architectures for Named Entity Recognition", NAACL 2016;
/// Dozat and Manning, "Deep Biaffine Attention for Neural Dependency Parsing", ICLR 2017. The defaults of trees are those of UDPipe 2
/// (Straka, "UDPipe 2.0 Prototype at CoNLL 2018 UD Shared Task"), where two cores can bear them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct TaggerBuilder {
    pub(super) task: TaggerTask,
    pub(super) min_count: u64,
    #[serde(skip)]
    pub(super) vectors: Option<WordVectors>,
    pub(super) train_vectors: bool,
    pub(super) columns: bool,
    pub(super) dim: usize,
    pub(super) letter_dim: usize,
    pub(super) letter_units: usize,
    pub(super) cell: RecurrentCell,
    pub(super) layers: usize,
    pub(super) units: usize,
    pub(super) arc_units: usize,
    pub(super) label_units: usize,
    pub(super) crf: bool,
    pub(super) dropout: f64,
    pub(super) word_dropout: f64,
    pub(super) recurrent_dropout: f64,
    pub(super) label_smoothing: f64,
}

impl TaggerBuilder {
    /// With the defaults of a task.
    pub fn new(task: TaggerTask) -> Self {
        let trees = task.has_trees();
        TaggerBuilder {
            task,
            min_count: 2,
            vectors: None,
            train_vectors: false,
            columns: false,
            dim: 128,
            letter_dim: 64,
            letter_units: 64,
            cell: RecurrentCell::Lstm,
            layers: if trees { 2 } else { 1 },
            units: 200,
            arc_units: 512,
            label_units: 128,
            crf: false,
            dropout: 0.5,
            word_dropout: 0.2,
            recurrent_dropout: 0.0,
            label_smoothing: if trees { 0.03 } else { 0.0 },
        }
    }

    /// How often a word must come in training to be known by itself. Default: 2.
    pub fn min_count(self, min_count: u64) -> Self {
        TaggerBuilder { min_count, ..self }
    }

    /// Vectors of outside beside those that are trained, of words as they are written or in small letters.
    pub fn vectors(self, vectors: WordVectors) -> Self {
        TaggerBuilder { vectors: Some(vectors), ..self }
    }

    /// Whether these are trained too. Default: false.
    pub fn train_vectors(self, train_vectors: bool) -> Self {
        TaggerBuilder { train_vectors, ..self }
    }

    /// Whether further columns of words are read. Default: false; who tags must have them then.
    pub fn columns(self, columns: bool) -> Self {
        TaggerBuilder { columns, ..self }
    }

    /// Numbers of a word's vector. Default: 128.
    pub fn dim(self, dim: usize) -> Self {
        TaggerBuilder { dim, ..self }
    }

    /// Numbers of a letter's vector, and units, in each direction, of the network that reads a word's letters. Default: 64 and 64.
    pub fn letters(self, dim: usize, units: usize) -> Self {
        TaggerBuilder { letter_dim: dim, letter_units: units, ..self }
    }

    /// The cell of the recurrent layers over words. Default: LSTM.
    pub fn cell(self, cell: RecurrentCell) -> Self {
        TaggerBuilder { cell, ..self }
    }

    /// Recurrent layers over words, one on the other. Default: 1, of trees 2.
    pub fn layers(self, layers: usize) -> Self {
        TaggerBuilder { layers, ..self }
    }

    /// Units of each of them in each direction. Default: 200.
    pub fn units(self, units: usize) -> Self {
        TaggerBuilder { units, ..self }
    }

    /// Numbers that stand for a word where its head, and where its label is found. Default: 512 and 128.
    pub fn tree_units(self, arcs: usize, labels: usize) -> Self {
        TaggerBuilder { arc_units: arcs, label_units: labels, ..self }
    }

    /// Whether the tags of a sentence are chosen together, by a conditional random field ([`Crf`](crate::layers::Crf)), in which nothing is
    /// found that the scheme of all training's spans, if they are in one, does not know. Default: false. Not for trees.
    pub fn crf(self, crf: bool) -> Self {
        TaggerBuilder { crf, ..self }
    }

    /// Dropout of letters, and before and behind the recurrent layers. Default: 0.5.
    pub fn dropout(self, dropout: f64) -> Self {
        TaggerBuilder { dropout, ..self }
    }

    /// Dropout of whole words, which are unknown then. Default: 0.2.
    pub fn word_dropout(self, word_dropout: f64) -> Self {
        TaggerBuilder { word_dropout, ..self }
    }

    /// Dropout of the state of recurrent layers. Default: 0.
    pub fn recurrent_dropout(self, recurrent_dropout: f64) -> Self {
        TaggerBuilder { recurrent_dropout, ..self }
    }

    /// Part of the certainty that is spread over all tags, or heads with labels. Default: 0, of trees 0.03. Not with a field.
    pub fn label_smoothing(self, label_smoothing: f64) -> Self {
        TaggerBuilder { label_smoothing, ..self }
    }

    /// What is in the sentences: words, letters and columns of those to train on, tags and labels also of those to choose by, of which
    /// there may be none. Errors name the sentence: one without words, without the tags or the tree that the task needs, with tags that
    /// mark no spans, with other columns than the first one. Errors, too, for settings that contradict each other, for columns to be read
    /// where there are none, and where no word comes often enough.
    pub fn vocabulary(&self, train: &[TaggerExample], valid: &[TaggerExample]) -> Result<TaggerVocabulary> {
        if self.crf && self.task.has_trees() {
            let found = format!("one of the task `{}`", self.task);
            return Err(Error::invalid("tagger", "a tagger without trees, as it ends in a field", found));
        }
        if self.crf && self.label_smoothing > 0.0 {
            let expected = "no label smoothing, as a field learns from sentences as they are";
            return Err(Error::invalid("tagger", expected, self.label_smoothing));
        }
        TaggerVocabulary::new(self, train, valid)
    }

    /// A tagger for these sentences, yet to be trained ([`Tagger::fit`]): see [`vocabulary`](Self::vocabulary) for what it takes from which.
    /// Compiled with Adam at a rate of 0.002, gradients shortened to a norm of 1; of trees β₂ is 0.99 and the norm 2. For another optimiser
    /// see [`Tagger::compile`]. The `seed` is that of weights, shuffling and dropout.
    pub fn build<B: Backend>(
        &self,
        backend: &B,
        train: &[TaggerExample],
        valid: &[TaggerExample],
        seed: u64,
    ) -> Result<Tagger<B>> {
        self.build_with(backend, self.vocabulary(train, valid)?, seed)
    }

    /// The same where the vocabulary is there already.
    pub fn build_with<B: Backend>(&self, backend: &B, vocabulary: TaggerVocabulary, seed: u64) -> Result<Tagger<B>> {
        let model = network::network(self, &vocabulary)?.build(backend, vocabulary.spec()?, seed)?;
        Tagger::new(model, self.clone(), vocabulary)
    }
}
