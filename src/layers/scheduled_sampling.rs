//! [`ScheduledSampling`]: a decoder that is trained on words of its own.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use crate::random::Key;
use crate::record::Record;
use crate::shape::Shape;
use serde_json::json;
use std::sync::Arc;

/// Lets a network that writes word by word learn from its own words: in training it reads the sequence twice, first as it is, and then with each
/// word but the first exchanged, with some probability, for the one that it would have written there (Bengio and others, "Scheduled
/// Sampling for Sequence Prediction with Recurrent Neural Networks", NeurIPS 2015; all steps at once as Mihaylova and Martins,
/// "Scheduled Sampling for Transformers", ACL 2019, and Duckworth and others, "Parallel Scheduled Sampling", 2019). The loss is that of the second
/// reading. Where it writes alone, it meets its own mistakes, which the words of others never show it.
///
/// Takes a record of which the part named is `[batch, time]` indices, the words so far; the layer within gives a score for each word that may
/// follow, `[batch, time, words]`. Otherwise, and in evaluation, it is the layer within, with its parameters under the same
/// names. Words are exchanged on the host, so that on a device each step of training waits for its first reading.
///
/// ```
/// use elman::layers::{Dense, Embedding, Graph, Gru, ScheduledSampling};
/// use elman::{Model, Spec};
/// use elman_reference::Reference;
///
/// let network = Graph::new()
///     .node("source_words", Embedding::new(50, 8), "source")
///     .node("encoder", Gru::new(8), "source_words")
///     .node("target_words", Embedding::new(60, 8), "target")
///     .node("decoder", Gru::new(8).return_sequences(), [("input", "target_words"), ("h", "encoder")])
///     .node("words", Dense::new(60), "decoder")
///     .output("words");
/// let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))])?;
/// let model = Model::new(&Reference::<f32>::new(), &ScheduledSampling::new(network, "target", 0.25), input, 0)?;
/// assert_eq!(model.output(), &Spec::Dense(vec![None, Some(60)]));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ScheduledSampling<B: Backend> {
    layer: Arc<dyn Layer<B>>,
    part: String,
    rate: f64,
}

impl<B: Backend> ScheduledSampling<B> {
    /// Exchanges words of the part with probability `rate`, in `[0, 1]`.
    pub fn new(layer: impl Layer<B> + 'static, part: impl Into<String>, rate: f64) -> Self {
        ScheduledSampling { layer: Arc::new(layer), part: part.into(), rate }
    }
}

impl<B: Backend> Layer<B> for ScheduledSampling<B> {
    fn kind(&self) -> &'static str {
        "scheduled_sampling"
    }

    fn describe(&self) -> Result<Description> {
        let layer = self.layer.describe().map_err(|e| e.in_layer(self.layer.kind()))?;
        Ok(json!({ "kind": self.kind(), "layer": layer, "part": self.part, "rate": self.rate }))
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(Error::invalid("rate", "a probability in [0, 1]", self.rate));
        }
        let part = input.parts()?.part(&self.part)?;
        if !matches!(part, Spec::Indices(_)) {
            return Err(Error::invalid(self.part.as_str(), "indices [batch, time]", part));
        }
        let Built { module, output, .. } = self.layer.build(input, scope)?;
        if !matches!(&output, Spec::Dense(sizes) if sizes.len() == 2) {
            return Err(Error::invalid("layer", "one that gives scores [batch, time, words]", &output));
        }
        Ok(Built::new(SamplingModule { layer: module, part: self.part.clone(), rate: self.rate }, output))
    }
}

#[derive(Debug)]
struct SamplingModule<B: Backend> {
    layer: Box<dyn Module<B>>,
    part: String,
    rate: f64,
}

impl<B: Backend> SamplingModule<B> {
    /// What is read: in training with words that the layer has written.
    fn read(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let key = if self.rate > 0.0 { pass.key() } else { None };
        let Some(key) = key else { return Ok(input) };
        let (scores, _) = self.layer.forward_linear(input.clone(), pass)?;
        let scores = scores.split().0.tensor(pass)?;
        let b = pass.backend();
        let written = b.download_indices(&b.argmax(scores.value(), 2)?)?;
        drop(scores);
        let exchanged = |name: &str, value: Value<B>| match (name == self.part, value.split()) {
            (true, (Value::Indices(given), mask)) => {
                let shape = b.indices_shape(&given);
                let words = self.exchange(b.download_indices(&given)?, &written, shape, key);
                Ok(Value::Indices(b.upload_indices(words, shape)?).with_mask(mask))
            }
            (_, (value, mask)) => Ok(value.with_mask(mask)),
        };
        Ok(Value::Record(Record::try_map(input.record()?, exchanged)?))
    }

    /// The words with some in the places of those that were given: what was written at a step stands at the next.
    fn exchange(&self, mut words: Vec<u32>, written: &[u32], shape: Shape, key: Key) -> Vec<u32> {
        let steps = shape[1];
        let drawn = |at: usize| !at.is_multiple_of(steps) && key.uniform(at as u64) < self.rate;
        for at in (1..words.len().min(written.len())).filter(|&at| drawn(at)) {
            words[at] = written[at - 1];
        }
        words
    }
}

impl<B: Backend> Module<B> for SamplingModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let input = self.read(input, pass)?;
        self.layer.forward(input, pass)
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        let input = self.read(input, pass)?;
        self.layer.forward_linear(input, pass)
    }

    fn last_activation(&self, input: Last) -> Last {
        self.layer.last_activation(input)
    }
}
