//! A copy of a model.

use super::{Compiled, Model};
use crate::backend::Backend;

/// A model of its own: training the one does not change the other. Arrays share memory until they are changed.
///
/// The copy is where the model is: weights, counters, what it is compiled with and the optimiser's state. Of an optimiser whose
/// rule cannot be copied ([`Rule::boxed_clone`](crate::optim::Rule::boxed_clone)) the copy is not compiled.
///
/// ```
/// use elman::{Backend, Spec};
/// use elman::layers::{Dense, Sequential};
/// use elman_reference::Reference;
///
/// let b = Reference::<f32>::new();
/// let model = Sequential::new().add(Dense::new(1)).build(&b, Spec::dense(&[2]), 0)?;
/// let mut other = model.clone();
/// other.params_mut()[0].set_value(b.fill([2, 1].into(), 0.5)?)?;
/// assert_eq!(other.params()[0].tensor().to_vec()?, [0.5, 0.5]);
/// assert_ne!(model.params()[0].tensor().to_vec()?, [0.5, 0.5]);
/// # Ok::<(), elman::Error>(())
/// ```
impl<B: Backend> Clone for Model<B> {
    fn clone(&self) -> Self {
        Model {
            backend: self.backend.clone(),
            root: self.root.clone(),
            network: self.network.clone(),
            input: self.input.clone(),
            output: self.output.clone(),
            last: self.last.clone(),
            rows: self.rows.clone(),
            params: self.params.clone(),
            indices_below: self.indices_below.clone(),
            stateful: self.stateful.clone(),
            seed: self.seed,
            steps: self.steps,
            epochs: self.epochs,
            compiled: self.compiled.as_ref().and_then(Compiled::copy),
        }
    }
}

impl<B: Backend> Compiled<B> {
    fn copy(&self) -> Option<Self> {
        let optimizer = self.optimizer.copy()?;
        Some(Compiled { optimizer, objectives: self.objectives.clone() })
    }
}
