//! A model from its layers: [`Model::new`], [`Sequential::build`].

use super::Model;
use crate::backend::Backend;
use crate::error::Result;
use crate::layers::{Builder, Layer, Row, Sequential, Spec};

impl<B: Backend> Model<B> {
    /// Builds a network for inputs of this kind and shape, with parameters drawn from `seed`. Errors name the layer
    /// that cannot take its input.
    pub fn new(backend: &B, network: &dyn Layer<B>, input: Spec, seed: u64) -> Result<Self> {
        let mut builder = Builder::new(seed);
        let built = network.build(&input, &mut builder.root(backend))?;
        let last = built.module.last_activation(None);
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
            root: built.module,
            input,
            output: built.output,
            rows: builder.rows,
            params: builder.params,
            indices_below: builder.indices_below,
            seed,
            steps: 0,
            epochs: 0,
            compiled: None,
            stateful: builder.stateful,
        })
    }
}

impl<B: Backend> Sequential<B> {
    /// A model of these layers for inputs of this kind and shape, with parameters drawn from `seed`.
    pub fn build(&self, backend: &B, input: Spec, seed: u64) -> Result<Model<B>> {
        Model::new(backend, self, input, seed)
    }
}
