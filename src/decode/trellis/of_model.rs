//! The trellises of what a model has read.

use super::{Edges, Trellis};
use crate::backend::Backend;
use crate::data::Inputs;
use crate::element::Element;
use crate::error::Result;
use crate::model::Model;
use std::sync::Arc;

impl Trellis {
    /// Those of inputs, by a model whose only output ends in a [`Crf`](crate::layers::Crf), one a sample: of the steps that its mask
    /// leaves in. Errors when the inputs do not fit, and for a model that ends otherwise.
    ///
    /// ```
    /// use elman::Spec;
    /// use elman::data::Inputs;
    /// use elman::decode::Trellis;
    /// use elman::layers::{Crf, Dense, Embedding, Sequential};
    /// use elman_reference::Reference;
    ///
    /// let tagger = Sequential::new().add(Embedding::new(6, 8).padding(0)).add(Dense::new(3)).add(Crf::new().forbid(0, 2));
    /// let tagger = tagger.build(&Reference::<f32>::new(), Spec::Indices(None), 0)?;
    /// let words = Inputs::indices(&[vec![1, 2, 3], vec![4, 1]])?;
    /// for (trellis, path) in Trellis::of(&tagger, &words, 32)?.iter().zip(tagger.predict(&words, 32)?.classes()?.chunks(3)) {
    ///     let best = trellis.best().unwrap();
    ///     assert_eq!(best.tags, path[..trellis.steps()]);
    ///     let sure: Vec<f64> = best.tags.iter().zip(trellis.marginals()).map(|(&tag, of_step)| of_step[tag]).collect();
    ///     println!("{:?}, {sure:?}, then {:?}", best.tags, &trellis.n_best(5)[1..]);
    /// }
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn of<B: Backend>(model: &Model<B>, inputs: &Inputs, batch_size: usize) -> Result<Vec<Trellis>> {
        of_chains(model, None, inputs, batch_size)
    }

    /// The same of the output of this name, of a model that has several.
    pub fn of_output<B: Backend>(
        model: &Model<B>,
        output: &str,
        inputs: &Inputs,
        batch_size: usize,
    ) -> Result<Vec<Trellis>> {
        of_chains(model, Some(output), inputs, batch_size)
    }
}

fn of_chains<B: Backend>(
    model: &Model<B>,
    output: Option<&str>,
    inputs: &Inputs,
    batch_size: usize,
) -> Result<Vec<Trellis>> {
    let mut all: Vec<Option<Trellis>> = vec![None; inputs.len()];
    let mut edges: Option<Arc<Edges>> = None;
    model.chains(output, inputs, batch_size, |rows, chain, mask| {
        let numbers = |x: &B::Array| -> Result<Vec<f64>> {
            Ok(model.backend().download(x)?.into_iter().map(Element::to_f64).collect())
        };
        let edges = match &edges {
            Some(edges) => edges.clone(),
            None => {
                let [start, transitions, end] = [&chain.start, &chain.transitions, &chain.end];
                let read = Edges {
                    start: numbers(start.value())?,
                    transitions: numbers(transitions.value())?,
                    end: numbers(end.value())?,
                };
                edges.insert(Arc::new(read)).clone()
            }
        };
        let (scores, tags, steps) = (numbers(chain.scores.value())?, edges.start.len(), chain.scores.shape()[1]);
        let there = mask.map(|mask| numbers(mask.array())).transpose()?;
        for (number, &row) in rows.iter().enumerate() {
            let counts = |step: &usize| there.as_ref().is_none_or(|there| there[number * steps + step] != 0.0);
            let of_step = |step: usize| &scores[(number * steps + step) * tags..][..tags];
            let own = (0..steps).filter(counts).flat_map(of_step).copied().collect();
            all[row] = Some(Trellis::with_edges(own, edges.clone())?);
        }
        Ok(())
    })?;
    Ok(all.into_iter().flatten().collect())
}
