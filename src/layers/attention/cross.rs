//! [`CrossAttention`]: each step of a sequence looks at the steps of another one.

use super::super::{Built, Last, Layer, Mask, Module, Pass, Scope, Slot, Spec, Value, Weight};
use super::additive_weights;
use crate::activation::Activation;
use crate::backend::{Attention, Backend};
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::param::ParamId;
use crate::random::Key;
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// The parts of the record that it takes.
const PARTS: [&str; 2] = ["query", "memory"];

/// What a decoder looks at in what an encoder has read (L25, L26): for each query `q` the sum of the memory's steps `m`, weighed by
/// `softmax(score(q, m))`. Takes a record of `query [batch, queries, features]` and `memory [batch, steps, width]`, gives
/// `[batch, queries, width]`.
///
/// | form | score | parameters |
/// | --- | --- | --- |
/// | dot, the default | `q · m` | none; as many features as the memory has |
/// | [`general`](CrossAttention::general) | `q W · m` | `kernel [features, width]` |
/// | [`additive`](CrossAttention::additive) | `v · tanh(q W_q + m W_m + b)` | `query.kernel`, `memory.kernel`, `bias`, `score` |
///
/// The first two are Luong's (Luong, Pham, Manning, EMNLP 2015), the last Bahdanau's (Bahdanau, Cho, Bengio, ICLR 2015). With
/// [`combined`](CrossAttention::combined) it goes on to Luong's `tanh(W_c [context; query])`.
///
/// Steps that the memory's mask leaves out are not looked at; where there is none the context is 0. The mask of the queries goes
/// through. Steps of the query do not depend on each other: a decoder may go step by step, the memory computed
/// [once](super::super::Graph::once). [`Pass::observe`] hands out the weights `[batch, queries, steps]` under the name `attention`.
///
/// For a decoder that knows what it looked at before, with attention within its loop, see [`AttentionDecoder`](super::super::AttentionDecoder).
///
/// An encoder and a decoder with attention:
///
/// ```
/// use elman::Spec;
/// use elman::layers::{Bidirectional, CrossAttention, Dense, Embedding, Graph, Gru};
/// use elman_reference::Reference;
///
/// let translator = Graph::new()
///     .node("source_words", Embedding::new(50, 8).padding(0), "source")
///     .node("encoder", Bidirectional::new(Gru::new(8).return_sequences().record()), "source_words")
///     .node("target_words", Embedding::new(60, 8).padding(0), "target")
///     .node("decoder", Gru::new(16).return_sequences(), [("input", "target_words"), ("h", "encoder.h")])
///     .node("attention", CrossAttention::new().general().combined(16), [("query", "decoder"), ("memory", "encoder.output")])
///     .node("words", Dense::new(60), "attention")
///     .output("words")
///     .once(["encoder"]);
/// let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))])?;
/// let model = translator.build(&Reference::<f32>::new(), input, 0)?;
/// assert_eq!(model.output(), &Spec::Dense(vec![None, Some(60)]));
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "Attention")]
#[doc(alias = "Luong")]
#[doc(alias = "Bahdanau")]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct CrossAttention {
    form: Form,
    combined: Option<usize>,
    dropout: f64,
}

/// How a query and a step of the memory are scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    #[default]
    Dot,
    General,
    Additive(usize),
}

impl CrossAttention {
    /// By the product of query and memory.
    pub fn new() -> Self {
        CrossAttention::default()
    }

    /// By the product of the memory and a linear map of the query.
    pub fn general(self) -> Self {
        CrossAttention { form: Form::General, ..self }
    }

    /// By a layer of so many units over both.
    pub fn additive(self, units: usize) -> Self {
        CrossAttention { form: Form::Additive(units), ..self }
    }

    /// Gives `tanh(W_c [context; query])` of so many units in the place of the context: `combined.kernel [width + features, units]`.
    pub fn combined(self, units: usize) -> Self {
        CrossAttention { combined: Some(units), ..self }
    }

    /// Drops weights of the products' forms with this probability while training.
    pub fn dropout(self, rate: f64) -> Self {
        CrossAttention { dropout: rate, ..self }
    }
}

impl<B: Backend> Layer<B> for CrossAttention {
    fn kind(&self) -> &'static str {
        "cross_attention"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let parts = input.parts()?;
        if parts.len() != PARTS.len() {
            return Err(Error::invalid("input", "a record of `query` and `memory`", input));
        }
        let (queries, features) = parts.part("query")?.sequence().map_err(|e| e.at("query"))?;
        let (_, width) = parts.part("memory")?.sequence().map_err(|e| e.at("memory"))?;
        let attention = self.module(features, width, scope)?;
        let module = CrossLayer { attention, keys: scope.slot() };
        Ok(Built::new(module, Spec::Dense(vec![queries, Some(self.outputs(width))])))
    }
}

impl CrossAttention {
    /// Builds the parameters for queries of so many features and a memory of this width.
    pub(in crate::layers) fn module<B: Backend>(
        &self,
        features: usize,
        width: usize,
        scope: &mut Scope<'_, B>,
    ) -> Result<CrossModule> {
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::invalid("dropout", "a rate in [0, 1)", self.dropout));
        }
        if self.combined == Some(0) || self.form == Form::Additive(0) {
            return Err(Error::invalid("units", "at least 1", 0));
        }
        let glorot = Weight::new(Init::GlorotUniform);
        let mut kernel =
            |name: &str, rows: usize, columns: usize| scope.param(name, Shape::new(&[rows, columns])?, &glorot);
        let scores = match self.form {
            Form::Dot if features != width => {
                let expected = format!("queries of {width} features, as the memory has (or the form `general`)");
                return Err(Error::invalid("query", expected, features));
            }
            Form::Dot => Scores::Dot,
            Form::General => Scores::General(kernel("kernel", features, width)?),
            Form::Additive(units) => {
                let (query, memory) =
                    (kernel("query.kernel", features, units)?, kernel("memory.kernel", width, units)?);
                let bias = scope.param("bias", [units].into(), &Weight::zeros())?;
                Scores::Additive { query, memory, bias, score: scope.param("score", [units].into(), &glorot)? }
            }
        };
        let combined = match self.combined {
            Some(units) => Some(scope.param("combined.kernel", Shape::new(&[width + features, units])?, &glorot)?),
            None => None,
        };
        Ok(CrossModule { scores, combined, dropout: self.dropout })
    }

    /// Whether it goes on to Luong's `tanh(W_c [context; query])`.
    pub(in crate::layers) fn is_combined(&self) -> bool {
        self.combined.is_some()
    }

    /// How many numbers come out for a query to a memory of this width.
    pub(in crate::layers) fn outputs(&self, width: usize) -> usize {
        self.combined.unwrap_or(width)
    }
}

#[derive(Debug)]
enum Scores {
    Dot,
    General(ParamId),
    Additive { query: ParamId, memory: ParamId, bias: ParamId, score: ParamId },
}

/// The layer with its parameters.
#[derive(Debug)]
pub(in crate::layers) struct CrossModule {
    scores: Scores,
    combined: Option<ParamId>,
    dropout: f64,
}

/// What is looked at.
pub(in crate::layers) struct Memory<B: Backend> {
    pub(in crate::layers) steps: Tensor<B>,
    pub(in crate::layers) mask: Option<Mask<B>>,
    /// [`CrossModule::keys_once`].
    pub(in crate::layers) keys: Tensor<B>,
}

/// What queries look at.
pub(in crate::layers) struct Looked<B: Backend> {
    /// The weighted sums, `[batch, queries, width]`.
    pub(in crate::layers) context: Tensor<B>,
    /// The weights, `[batch, queries, steps]`, where somebody asked for them.
    pub(in crate::layers) weights: Option<Tensor<B>>,
}

impl CrossModule {
    /// What queries are compared with, which depends on the memory alone and is computed once a sequence: of the additive form `m W_m`,
    /// else the memory.
    pub(in crate::layers) fn keys_once<B: Backend>(
        &self,
        slot: Slot,
        memory: &Tensor<B>,
        pass: &mut Pass<'_, B>,
    ) -> Result<Tensor<B>> {
        match &self.scores {
            Scores::Additive { memory: kernel, .. } => {
                let keys = |pass: &mut Pass<'_, B>| memory.linear(&pass.param(*kernel), None).map(Value::from);
                pass.once(slot, keys)?.tensor(pass)
            }
            Scores::Dot | Scores::General(_) => Ok(memory.clone()),
        }
    }

    /// What each query looks at.
    pub(in crate::layers) fn look<B: Backend>(
        &self,
        query: &Tensor<B>,
        memory: &Memory<B>,
        pass: &mut Pass<'_, B>,
    ) -> Result<Looked<B>> {
        let Memory { steps, mask, keys } = memory;
        let is_observed = pass.is_observed("attention");
        let query = match &self.scores {
            Scores::Dot => query.clone(),
            Scores::General(kernel) => query.linear(&pass.param(*kernel), None)?,
            Scores::Additive { query: kernel, bias, score, .. } => {
                let query = query.linear(&pass.param(*kernel), Some(&pass.param(*bias)))?;
                let score = pass.param(*score);
                let (weights, steps) = additive_weights(&query, keys, steps, &score, mask.as_ref(), false)?;
                return Ok(Looked { context: weights.matmul(&steps)?, weights: is_observed.then_some(weights) });
            }
        };
        let dropout = if self.dropout > 0.0 { pass.key().map(|key| (self.dropout, key)) } else { None };
        let weights = is_observed.then(|| product_weights(&query, keys, mask.as_ref(), dropout)).transpose()?;
        let mask = mask.as_ref().map(|mask| mask.array().clone());
        let context = query.attention(keys, steps, Attention { mask, dropout, ..Attention::new(1.0) })?;
        Ok(Looked { context, weights })
    }

    /// Luong's `tanh(W_c [context; query])`, where it is asked for.
    pub(in crate::layers) fn combine<B: Backend>(
        &self,
        context: &Tensor<B>,
        query: &Tensor<B>,
        pass: &Pass<'_, B>,
    ) -> Result<Option<Tensor<B>>> {
        let Some(kernel) = self.combined else { return Ok(None) };
        Tensor::concat(&[context, query], 2)?.linear(&pass.param(kernel), None)?.tanh().map(Some)
    }
}

/// The weights of attention by products, which the fused operation keeps to itself.
fn product_weights<B: Backend>(
    query: &Tensor<B>,
    keys: &Tensor<B>,
    mask: Option<&Mask<B>>,
    dropout: Option<(f64, Key)>,
) -> Result<Tensor<B>> {
    let scores = query.matmul(&keys.transpose()?)?;
    let weights = match mask {
        None => scores.softmax()?,
        Some(mask) => {
            let there = query.backend().reshape(mask.array(), Shape::new(&[keys.shape()[0], 1, keys.shape()[1]])?)?;
            scores.masked_softmax(&there)?
        }
    };
    dropout.map_or(Ok(weights.clone()), |(rate, key)| weights.dropout(rate, key))
}

/// The layer by itself.
#[derive(Debug)]
struct CrossLayer {
    attention: CrossModule,
    /// What depends on the memory alone.
    keys: Slot,
}

impl<B: Backend> Module<B> for CrossLayer {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (attention, [query, memory]) = (&self.attention, input.parts(PARTS)?);
        let (query, of_query) = query.sequence(pass)?;
        let (steps, mask) = memory.sequence(pass)?;
        let keys = attention.keys_once(self.keys, &steps, pass)?;
        let Looked { context, weights } = attention.look(&query, &Memory { steps, mask, keys }, pass)?;
        weights.iter().for_each(|weights| pass.observe("attention", weights));
        let y = attention.combine(&context, &query, pass)?.unwrap_or(context);
        Ok(Value::Tensor(y).with_clean_mask(of_query))
    }

    // A mean of the memory's steps stays within their bounds, and is 0 where there is none.
    fn last_activation(&self, input: Last) -> Last {
        match self.attention.combined {
            Some(_) => Activation::Tanh.into(),
            None => input.part(Some("memory")).clone().filter(|last| last != Activation::LogSoftmax),
        }
    }
}
