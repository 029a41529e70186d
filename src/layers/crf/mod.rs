//! [`Crf`]: a conditional random field as the last layer of a tagger.

mod chain;
mod forbidden;

pub use chain::Chain;
pub(crate) use forbidden::Forbidden;

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value, Weight};
use crate::backend::Backend;
use crate::data::TagScheme;
use crate::description::{Description, describe};
use crate::element::Element;
use crate::error::Result;
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A linear-chain conditional random field: takes scores of tags `[batch, time, tags]`, from a linear layer, and gives the best
/// *path* of tags, one-hot `[batch, time, tags]`: a 1 at the tag, 0 throughout at steps that the mask leaves out. So
/// [`classes`](crate::model::Predictions::classes) of what a model predicts are the tags that Viterbi's algorithm finds, and metrics
/// are of these.
///
/// A path scores `start[y₁] + Σ scores[t, y_t] + Σ transitions[y_(t-1), y_t] + end[y_n]`; its probability is a softmax over all paths.
/// It is trained with [`CrfLoss`](crate::loss::CrfLoss), as the last layer of the network or of an output of it: to that loss it hands
/// the scores themselves ([`Chain`]). No gradient goes through the path. How sure a model is of each tag, the probability of a path and
/// the n best are a [`Trellis`](crate::decode::Trellis)'s. The mask goes through; padding may stand anywhere.
///
/// Parameters: `transitions [tags, tags]` (from row to column), `start [tags]`, `end [tags]`, which begin at 0: with them the network
/// is a softmax at each step. What is [forbidden](Crf::forbid) has a score of -∞, whatever the parameter.
///
/// Lafferty, McCallum, Pereira, "Conditional Random Fields", ICML 2001; behind a network: Lample and others, "Neural Architectures
/// for Named Entity Recognition", NAACL 2016.
///
/// ```
/// use elman::data::{Dataset, Inputs, TagScheme, Targets};
/// use elman::layers::{Bidirectional, Crf, Dense, Embedding, Lstm, Sequential};
/// use elman::loss::CrfLoss;
/// use elman::metrics::Accuracy;
/// use elman::optim::Adam;
/// use elman::{Fit, Spec};
/// use elman_reference::Reference;
///
/// let mut tagger = Sequential::new()
///     .add(Embedding::new(6, 8).padding(0))
///     .add(Bidirectional::new(Lstm::new(8).return_sequences()))
///     .add(Dense::new(3))
///     .add(Crf::new().scheme(TagScheme::Bio, &["O", "B-PER", "I-PER"])?)
///     .build(&Reference::<f32>::new(), Spec::Indices(None), 0)?;
/// tagger.compile(Adam::new(0.05), CrfLoss::new()).metric(Accuracy::new());
///
/// let words = Inputs::indices(&[vec![1, 2, 3], vec![4, 1, 2, 2]])?;
/// let tags = Targets::classes_per_step(&[vec![1, 2, 0], vec![0, 1, 2, 2]])?;
/// let data = Dataset::new(words, tags)?;
/// tagger.fit(&data, Fit::new().epochs(40).quiet())?;
/// assert_eq!(tagger.evaluate(&data, 2)?.get("accuracy"), Some(1.0));
/// assert_eq!(tagger.predict(data.inputs(), 2)?.classes()?[4..], [0, 1, 2, 2]);
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "ConditionalRandomField")]
#[doc(alias = "Viterbi")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Crf {
    transitions: Weight,
    /// Of the start and of the end.
    edges: Weight,
    forbidden: Forbidden,
}

impl Default for Crf {
    fn default() -> Self {
        Crf { transitions: Weight::zeros(), edges: Weight::zeros(), forbidden: Forbidden::default() }
    }
}

impl Crf {
    /// A field over as many tags as scores come in, of which any may follow any.
    pub fn new() -> Self {
        Crf::default()
    }

    /// How the transitions start and what is asked of them.
    pub fn transitions(self, transitions: Weight) -> Self {
        Crf { transitions, ..self }
    }

    /// How the scores of the start and of the end start and what is asked of them.
    pub fn edges(self, edges: Weight) -> Self {
        Crf { edges, ..self }
    }

    /// Forbids that the tag `to` stands behind the tag `from`, both by number.
    pub fn forbid(mut self, from: usize, to: usize) -> Self {
        self.forbidden.transitions.insert((from, to));
        self
    }

    /// Forbids a tag at the first step.
    pub fn forbid_start(mut self, tag: usize) -> Self {
        self.forbidden.start.insert(tag);
        self
    }

    /// Forbids a tag at the last step.
    pub fn forbid_end(mut self, tag: usize) -> Self {
        self.forbidden.end.insert(tag);
        self
    }

    /// Forbids whatever the scheme does not know, by the names of all tags in their order. Errors for a name that is none of the
    /// scheme's.
    pub fn scheme<N: AsRef<str>>(mut self, scheme: TagScheme, names: &[N]) -> Result<Self> {
        let Forbidden { start, transitions, end } =
            Forbidden::of(scheme, &names.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
        self.forbidden.start.extend(start);
        self.forbidden.transitions.extend(transitions);
        self.forbidden.end.extend(end);
        Ok(self)
    }
}

impl<B: Backend> Layer<B> for Crf {
    fn kind(&self) -> &'static str {
        "crf"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let (_, tags) = input.sequence()?;
        self.forbidden.check(tags)?;
        let (edge, square) = (Shape::new(&[tags])?, Shape::new(&[tags, tags])?);
        let transitions = scope.param("transitions", square, &self.transitions)?;
        let start = scope.param("start", edge, &self.edges)?;
        let end = scope.param("end", edge, &self.edges)?;
        let module = CrfModule { transitions, start, end, forbidden: Arc::new(self.forbidden.clone()) };
        Ok(Built::new(module, input.clone()))
    }
}

#[derive(Debug)]
struct CrfModule {
    transitions: ParamId,
    start: ParamId,
    end: ParamId,
    forbidden: Arc<Forbidden>,
}

impl CrfModule {
    /// A parameter with -∞ where it is forbidden.
    fn param<B: Backend>(
        &self,
        id: ParamId,
        pass: &Pass<'_, B>,
        forbidden: impl Iterator<Item = usize>,
    ) -> Result<Tensor<B>> {
        let (param, b) = (pass.param(id), pass.backend());
        let mut allowed = vec![B::Elem::ONE; param.shape().elements()];
        let mut any = false;
        for at in forbidden {
            (allowed[at], any) = (B::Elem::ZERO, true);
        }
        if !any {
            return Ok(param);
        }
        param.select(&Tensor::new(b, allowed, &param.shape())?, &Tensor::full(b, &[], f64::NEG_INFINITY)?)
    }

    fn chain<B: Backend>(&self, scores: Tensor<B>, pass: &Pass<'_, B>) -> Result<Chain<B>> {
        let (tags, forbidden) = (scores.shape().last(), &*self.forbidden);
        let pairs = forbidden.transitions.iter().map(|(from, to)| from * tags + to);
        Ok(Chain {
            start: self.param(self.start, pass, forbidden.start.iter().copied())?,
            transitions: self.param(self.transitions, pass, pairs)?,
            end: self.param(self.end, pass, forbidden.end.iter().copied())?,
            scores,
            forbidden: self.forbidden.clone(),
        })
    }
}

impl<B: Backend> Module<B> for CrfModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        self.forward_linear(input, pass)?.0.decoded()
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        pass.whole("crf")?;
        let (scores, mask) = input.sequence(pass)?;
        let chain = Value::Chain(Box::new(self.chain(scores, pass)?));
        Ok((chain.with_clean_mask(mask), Last::Path))
    }

    fn last_activation(&self, _: Last) -> Last {
        Last::Path
    }
}
