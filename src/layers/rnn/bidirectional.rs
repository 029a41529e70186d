//! [`Bidirectional`]: a recurrent layer in both directions.

use super::{CellKind, Rnn};
use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use crate::layers::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How the two directions become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Merge {
    /// The features of both, forward first.
    #[default]
    Concat,
    /// Their sum.
    Sum,
    /// Their product, elementwise.
    Mul,
    /// Their mean.
    Average,
}

/// A recurrent layer and one of its kind that goes from the last step to the first, with parameters of its own (Schuster
/// and Paliwal, 1997): `[batch, 2 units]`, or `[batch, time, 2 units]` of a layer that gives every step, where both
/// directions stand at the steps of the input. Their names are `forward` and `backward`.
///
/// A [`stateful`](Rnn::stateful) layer is an error: what reads sequences from their ends cannot go on where the last ones ended.
///
/// States are not merged, as in Keras: a layer with [`Rnn::return_state`] gives those of both directions side by side,
/// `[forward h, forward c, backward h, backward c]` of an LSTM, and any other merge is an error.
///
/// ```
/// use elman::layers::{Bidirectional, Lstm, Merge};
/// let encoder = Bidirectional::new(Lstm::new(64).return_sequences()).merge(Merge::Sum);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Bidirectional<C> {
    layer: Rnn<C>,
    merge: Merge,
}

impl<C: CellKind> Bidirectional<C> {
    /// The layer in both directions, side by side.
    pub fn new(layer: Rnn<C>) -> Self {
        Bidirectional { layer, merge: Merge::Concat }
    }

    /// How the two directions become one.
    pub fn merge(self, merge: Merge) -> Self {
        Bidirectional { merge, ..self }
    }
}

impl<B: Backend, C: CellKind> Layer<B> for Bidirectional<C> {
    fn kind(&self) -> &'static str {
        "bidirectional"
    }

    fn describe(&self) -> Result<Description> {
        let layer = Layer::<B>::describe(&self.layer)?;
        Ok(json!({ "kind": Layer::<B>::kind(self), "layer": layer, "merge": self.merge }))
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        if self.layer.return_state && self.merge != Merge::Concat {
            let expected = "the states of both directions side by side (Merge::Concat): only outputs are merged";
            return Err(Error::invalid(
                "bidirectional",
                expected,
                format!("`return_state` with Merge::{:?}", self.merge),
            ));
        }
        if self.layer.stateful {
            let expected =
                "a layer that is not stateful: what reads sequences from their ends cannot go on from batch to batch";
            return Err(Error::invalid("bidirectional", expected, "a stateful one"));
        }
        let forward = scope.layer(Some("forward"), &self.layer, input)?;
        let backward = scope.layer(Some("backward"), &self.layer.clone().reverse(), input)?;
        let output = match (self.merge, forward.output) {
            (Merge::Concat, Spec::Record(parts)) => {
                Spec::Record(parts.try_map(|_, part| Ok(part.with_features(2 * part.features()?)))?)
            }
            (Merge::Concat, output) => output.with_features(2 * output.features()?),
            (_, output) => output,
        };
        Ok(Built::new(
            BidirectionalModule { forward: forward.module, backward: backward.module, merge: self.merge },
            output,
        ))
    }
}

#[derive(Debug)]
struct BidirectionalModule<B: Backend> {
    forward: Box<dyn Module<B>>,
    backward: Box<dyn Module<B>>,
    merge: Merge,
}

impl<B: Backend> Module<B> for BidirectionalModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let forward = self.forward.forward(input.clone(), pass)?;
        let backward = self.backward.forward(input, pass)?;
        match (forward, backward) {
            (Value::Record(forward), Value::Record(backward)) => {
                let part = |name: &str, part: Value<B>| self.merged(part, backward.part(name)?.clone(), pass);
                forward.try_map(part).map(Value::Record)
            }
            (forward, backward) => self.merged(forward, backward, pass),
        }
    }

    fn last_activation(&self, input: Last) -> Last {
        let (forward, backward) = (self.forward.last_activation(input.clone()), self.backward.last_activation(input));
        // Sums and products leave the range of what goes into them.
        let same = forward == backward;
        forward.filter(|_| same && matches!(self.merge, Merge::Concat | Merge::Average))
    }
}

impl<B: Backend> BidirectionalModule<B> {
    /// One value of both directions.
    fn merged(&self, forward: Value<B>, backward: Value<B>, pass: &Pass<'_, B>) -> Result<Value<B>> {
        let ((forward, mask), (backward, _)) = (forward.split(), backward.split());
        let (forward, backward) = (forward.tensor(pass)?, backward.tensor(pass)?);
        let rank = forward.shape().rank();
        let features = rank.checked_sub(1).ok_or_else(|| Error::invalid("bidirectional", "features", "a number"))?;
        let merged = match self.merge {
            Merge::Concat => Tensor::concat(&[&forward, &backward], features)?,
            Merge::Sum => forward.add(&backward)?,
            Merge::Mul => forward.mul(&backward)?,
            Merge::Average => forward.add(&backward)?.affine(0.5, 0.0)?,
        };
        Ok(Value::Tensor(merged).with_clean_mask(mask))
    }
}
