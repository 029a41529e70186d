//! A model from its layers: [`Model::new`], [`Sequential::build`], [`Graph::build`].

use super::Model;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::layers::{Builder, Graph, Last, Layer, Row, Sequential, Spec};
use std::collections::BTreeMap;

impl<B: Backend> Model<B> {
    /// Builds a network for inputs of this kind and shape, with parameters drawn from `seed`. Errors name the layer
    /// that cannot take its input.
    pub fn new(backend: &B, network: &dyn Layer<B>, input: Spec, seed: u64) -> Result<Self> {
        Self::of_builder(backend, network, input, seed, &mut Builder::new(seed))
    }

    /// The network with these arrays as its parameters, by name: nothing is drawn. Errors unless they are those of the network.
    pub(crate) fn of_weights(
        backend: &B,
        network: &dyn Layer<B>,
        input: Spec,
        seed: u64,
        weights: BTreeMap<String, B::Array>,
    ) -> Result<Self> {
        let mut builder = Builder::given(seed, weights);
        let model = Self::of_builder(backend, network, input, seed, &mut builder)?;
        let superfluous: Vec<String> = builder.given.unwrap_or_default().into_keys().collect();
        match superfluous.is_empty() {
            true => Ok(model),
            false => {
                let (network, missing, mismatched) = Default::default();
                Err(Error::Weights { network, missing, superfluous, mismatched })
            }
        }
    }

    fn of_builder(
        backend: &B,
        network: &dyn Layer<B>,
        input: Spec,
        seed: u64,
        builder: &mut Builder<B>,
    ) -> Result<Self> {
        let built = network.build(&input, &mut builder.root(backend, &input))?;
        let last = built.module.last_activation(Last::Unknown);
        // A network that is one layer, or has parameters of its own, has a line for itself.
        let listed = |i: usize| builder.rows.iter().any(|row| row.params.contains(&i));
        if builder.rows.is_empty() || !(0..builder.params.len()).all(listed) {
            builder.rows.iter_mut().for_each(|row| row.depth += 1);
            let (path, kind, output) = (network.kind().to_string(), network.kind(), built.output.clone());
            let of_network = Row { path, kind, output, params: 0..builder.params.len(), depth: 0 };
            builder.rows.insert(0, of_network);
        }
        Ok(Model {
            backend: backend.clone(),
            last,
            root: built.module.into(),
            network: network.describe().map_err(|e| e.to_string()),
            input,
            output: built.output,
            rows: std::mem::take(&mut builder.rows),
            params: std::mem::take(&mut builder.params),
            indices_below: std::mem::take(&mut builder.indices_below),
            seed,
            steps: 0,
            epochs: 0,
            compiled: None,
            stateful: builder.stateful.take(),
        })
    }
}

impl<B: Backend> Sequential<B> {
    /// A model of these layers for inputs of this kind and shape, with parameters drawn from `seed`.
    pub fn build(&self, backend: &B, input: Spec, seed: u64) -> Result<Model<B>> {
        Model::new(backend, self, input, seed)
    }
}

impl<B: Backend> Graph<B> {
    /// A model of this network for inputs of this kind and shape, with parameters drawn from `seed`.
    pub fn build(&self, backend: &B, input: Spec, seed: u64) -> Result<Model<B>> {
        Model::new(backend, self, input, seed)
    }
}
