//! [`TimeDistributed`]: the same layer for every step.

use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use serde_json::json;
use std::sync::Arc;

/// Applies a layer to every step by itself: `[batch, time, sizes..]` goes into it as `[batch time, sizes..]`, and what comes out
/// gets its axes back. The mask goes through; the layer does not see it. Sequences
/// within a step begin anew and end there: a stateful layer is an error. Parameters are those of the layer, below its own
/// name: `time_distributed.dense.kernel`.
///
/// [`Dense`](super::Dense), [`LayerNorm`](super::LayerNorm) and other layers that work on the last axis need no wrapper. It is
/// for layers of another mind, such as one that reads every sentence of a text `[batch, sentences, words, features]` as
/// a sequence of its own.
///
/// ```
/// use elman::Spec;
/// use elman::layers::{GlobalMaxPooling, Sequential, TimeDistributed};
/// use elman_reference::Reference;
///
/// let sentences = Sequential::new().add(TimeDistributed::new(GlobalMaxPooling));
/// let model = sentences.build(&Reference::<f32>::new(), Spec::dense(&[4, 10, 8]), 0)?;
/// assert_eq!(model.output(), &Spec::dense(&[4, 8]));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimeDistributed<B: Backend> {
    layer: Arc<dyn Layer<B>>,
}

impl<B: Backend> TimeDistributed<B> {
    /// Applies `layer` to every step.
    pub fn new(layer: impl Layer<B> + 'static) -> Self {
        TimeDistributed { layer: Arc::new(layer) }
    }
}

impl<B: Backend> Layer<B> for TimeDistributed<B> {
    fn kind(&self) -> &'static str {
        "time_distributed"
    }

    fn describe(&self) -> Result<Description> {
        let layer = self.layer.describe().map_err(|e| e.in_layer(self.layer.kind()))?;
        Ok(json!({ "kind": self.kind(), "layer": layer }))
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let wrong = || Error::invalid("input", "sequences [batch, time, ..] of at least one step", input);
        let Spec::Dense(sizes) = input else { return Err(wrong()) };
        let [time, of_step @ ..] = &sizes[..] else { return Err(wrong()) };
        if *time == Some(0) {
            return Err(wrong());
        }
        scope.apart();
        let built = scope.layer(None, self.layer.as_ref(), &Spec::Dense(of_step.to_vec()))?;
        let Spec::Dense(given) = built.output else {
            return Err(Error::invalid("layer", "one that gives numbers", built.output));
        };
        Ok(Built::new(Steps(built.module), Spec::Dense([&[*time], &given[..]].concat())))
    }
}

#[derive(Debug)]
struct Steps<B: Backend>(Box<dyn Module<B>>);

impl<B: Backend> Steps<B> {
    /// Calls the layer on the steps as samples.
    fn each<T>(
        &self,
        input: Value<B>,
        pass: &mut Pass<'_, B>,
        layer: impl FnOnce(&dyn Module<B>, Tensor<B>, &mut Pass<'_, B>) -> Result<(Value<B>, T)>,
    ) -> Result<(Value<B>, T)> {
        let (value, mask) = input.cleared(pass)?;
        let x = value.tensor(pass)?;
        let shape = x.shape();
        let (batch, time, of_step) = match &shape[..] {
            &[batch, time, ref of_step @ ..] if time > 0 => (batch, time, of_step),
            _ => {
                let expected = "sequences [batch, time, ..] of at least one step";
                return Err(Error::invalid("input", expected, format!("shape {shape}")));
            }
        };
        let (y, also) = {
            let x = x.reshape(&[&[batch * time], of_step].concat())?;
            pass.apart(|pass| layer(&*self.0, x, pass))?
        };
        let y = y.tensor(pass)?;
        let given = y.shape();
        if given.first() != Some(&(batch * time)) {
            let expected = format!("a layer that gives {} samples for as many", batch * time);
            return Err(Error::invalid("layer", expected, format!("shape {given}")));
        }
        let y = y.reshape(&[&[batch, time], &given[1..]].concat())?;
        Ok((Value::from(y).with_mask(mask), also))
    }
}

impl<B: Backend> Module<B> for Steps<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let forward = |layer: &dyn Module<B>, x: Tensor<B>, pass: &mut Pass<'_, B>| layer.forward(x.into(), pass);
        self.each(input, pass, |layer, x, pass| Ok((forward(layer, x, pass)?, ()))).map(|(y, ())| y)
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        self.each(input, pass, |layer, x, pass| layer.forward_linear(x.into(), pass))
    }

    fn last_activation(&self, input: Last) -> Last {
        self.0.last_activation(input)
    }
}
