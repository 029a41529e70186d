//! [`Distinct`]: a layer over the different steps of a batch, each computed once.

use super::spec::{ENTRIES, PLACES};
use super::{Built, Last, Layer, Module, Pass, Scope, Spec, Value};
use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use serde_json::json;
use std::sync::Arc;

/// Reads steps that are sequences themselves, words by their letters say: the layer within goes over each different one that is in the
/// batch, once, and what it makes of it is put in all of its places: `[batch, time, features]`, with the mask of the places. Takes
/// [`Inputs::distinct`](crate::data::Inputs::distinct), a record of `places` and `entries`.
///
/// The layer within gives a vector for each entry `[entries, letters]`. Entries begin and end within the step: a stateful layer is an
/// error. Parameters are those of the layer, below its own name. Words by their letters as in UDPipe 2 and Stanza, and the usual sum
/// over all occurrences as gradient.
///
/// ```
/// use elman::Spec;
/// use elman::data::Inputs;
/// use elman::layers::{Bidirectional, Distinct, Embedding, Gru, Sequential, Value};
/// use elman_reference::Reference;
///
/// let letters = Sequential::new().add(Embedding::new(30, 16)).add(Bidirectional::new(Gru::new(8)));
/// let backend = Reference::<f32>::new();
/// let model = Sequential::new().add(Distinct::new(letters)).build(&backend, Spec::distinct(), 0)?;
/// let (the, cat) = (vec![20, 8, 5], vec![3, 1, 20]);
/// let words = model.predict(&Inputs::distinct(&[vec![&the, &cat, &the], vec![&cat]])?, 32)?;
/// assert_eq!(words.shape(), [2, 3, 16]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Distinct<B: Backend> {
    layer: Arc<dyn Layer<B>>,
}

impl<B: Backend> Distinct<B> {
    /// Applies `layer` to every entry.
    pub fn new(layer: impl Layer<B> + 'static) -> Self {
        Distinct { layer: Arc::new(layer) }
    }
}

impl<B: Backend> Layer<B> for Distinct<B> {
    fn kind(&self) -> &'static str {
        "distinct"
    }

    fn describe(&self) -> Result<Description> {
        let layer = self.layer.describe().map_err(|e| e.in_layer(self.layer.kind()))?;
        Ok(json!({ "kind": self.kind(), "layer": layer }))
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let wrong = || Error::invalid("input", format!("distinct inputs, {}", Spec::distinct()), input);
        let parts = input.parts().map_err(|_| wrong())?;
        let (Some(Spec::Indices(time)), Some(entries)) = (parts.get(PLACES), parts.get(ENTRIES)) else {
            return Err(wrong());
        };
        scope.apart();
        let built = scope.layer(None, self.layer.as_ref(), entries)?;
        let features = match &built.output {
            Spec::Dense(sizes) if sizes.len() == 1 => built.output.features(),
            _ => Err(Error::invalid("layer", "one that gives a vector for each entry", &built.output)),
        };
        Ok(Built::new(DistinctModule(built.module), Spec::Dense(vec![*time, Some(features?)])))
    }
}

#[derive(Debug)]
struct DistinctModule<B: Backend>(Box<dyn Module<B>>);

impl<B: Backend> DistinctModule<B> {
    /// Puts what `layer` makes of the entries in their places.
    fn placed<T>(
        &self,
        input: Value<B>,
        pass: &mut Pass<'_, B>,
        layer: impl FnOnce(&dyn Module<B>, Value<B>, &mut Pass<'_, B>) -> Result<(Value<B>, T)>,
    ) -> Result<(Value<B>, T)> {
        let [places, entries] = input.parts([PLACES, ENTRIES])?;
        let (Value::Indices(places), mask) = places.split() else {
            return Err(Error::invalid("places", "indices [batch, time]", "another value"));
        };
        let (of_entries, also) = pass.apart(|pass| layer(&*self.0, entries, pass))?;
        let placed = of_entries.tensor(pass)?.gather(&places)?;
        // Where there is padding stands an entry that occurs: as good a number as any other.
        Ok((Value::from(placed).with_clean_mask(mask), also))
    }
}

impl<B: Backend> Module<B> for DistinctModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        self.placed(input, pass, |layer, entries, pass| Ok((layer.forward(entries, pass)?, ()))).map(|(y, ())| y)
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        self.placed(input, pass, |layer, entries, pass| layer.forward_linear(entries, pass))
    }

    fn last_activation(&self, input: Last) -> Last {
        self.0.last_activation(input.part(Some(ENTRIES)).clone())
    }
}
