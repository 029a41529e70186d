//! [`Model`]: a network with its parameters: building it, its value for a batch, the loss, a step; `evaluate` and `predict`.
//!
//! What a training loop of one's own needs is public too: [`Model::loss`] with its `backward`, or [`Model::run`] and a loss of
//! one's own, where state is carried on [`Model::train_step_carried`]; [`Optimizer::step`](crate::optim::Optimizer::step) on [`Model::params_mut`]; [`Model::keep`]. The loop that is there already is
//! [`Model::fit`] in [`training`](crate::training).

mod batch;
mod build;
mod chains;
mod check;
mod check_batch;
mod clone;
mod compile;
mod counted;
mod evaluate;
mod gathered;
mod outcome;
mod predictions;
mod step;
mod steps;
mod summary;
mod tally;
mod tally_state;
mod told;
mod update_counts;

pub use batch::{Batch, BatchWeights};
pub use compile::{Compiled, Objective};
pub use evaluate::Evaluation;
pub use predictions::Predictions;
pub use step::BatchLoss;
pub use summary::Summary;
pub(crate) use update_counts::UpdateCounts;

pub(crate) use steps::{StepEntry, Steps};
pub(crate) use tally::Tally;
pub(crate) use tally_state::{TallyState, same};

use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use crate::layers::{Last, Module, NewStates, Row, Spec};
use crate::param::Param;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A network with its parameters on a backend, and what it is trained with once it is compiled.
///
/// ```
/// use elman::data::{Dataset, Inputs, Targets};
/// use elman::layers::{Dense, Sequential};
/// use elman::loss::BinaryCrossEntropy;
/// use elman::metrics::Accuracy;
/// use elman::optim::Adam;
/// use elman::{Activation, Fit, Spec};
/// use elman_reference::Reference;
///
/// // XOR (L3)
/// let rows = [vec![0.0, 0.0], vec![0.0, 1.0], vec![1.0, 0.0], vec![1.0, 1.0]];
/// let data = Dataset::new(Inputs::rows(&rows)?, Targets::classes(vec![0, 1, 1, 0])?)?;
/// let mut model = Sequential::new()
///     .add(Dense::new(8).activation(Activation::Tanh))
///     .add(Dense::new(1).activation(Activation::Sigmoid))
///     .build(&Reference::<f32>::new(), Spec::dense(&[2]), 0)?;
/// model.compile(Adam::new(0.1), BinaryCrossEntropy::new()).metric(Accuracy::new());
/// model.fit(&data, Fit::new().epochs(100).batch_size(4).quiet())?;
/// assert_eq!(model.evaluate(&data, 4)?.get("accuracy"), Some(1.0));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Debug)]
pub struct Model<B: Backend> {
    backend: B,
    root: Arc<dyn Module<B>>,
    /// The description of the network, or why there is none.
    network: Result<Description, String>,
    input: Spec,
    output: Spec,
    /// The last activation, where it is known.
    last: Last,
    rows: Vec<Row>,
    params: Vec<Param<B>>,
    /// What every index of the input, or of a part of it, must be below, where a table says so.
    indices_below: BTreeMap<String, usize>,
    pub(crate) seed: u64,
    /// Training steps and epochs done so far: they number the streams of dropout and of shuffling.
    pub(crate) steps: u64,
    pub(crate) epochs: u64,
    compiled: Option<Compiled<B>>,
    /// The path of the first layer that carries state from batch to batch.
    stateful: Option<String>,
}

impl<B: Backend> Model<B> {
    /// The backend that the model lives on.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// What the model takes.
    pub fn input(&self) -> &Spec {
        &self.input
    }

    /// What the model gives.
    pub fn output(&self) -> &Spec {
        &self.output
    }

    /// What every index of a part of the input must be below, where a table says so.
    pub(crate) fn indices_below(&self, part: &str) -> Option<usize> {
        self.indices_below.get(part).copied()
    }

    /// The network as JSON, from which a [`Registry`](crate::Registry) rebuilds it; without its numbers. Errors, by path, where
    /// a layer does not describe itself ([`Layer::describe`](crate::layers::Layer::describe)).
    pub fn describe(&self) -> Result<Description> {
        let undescribed = |why: &String| Error::invalid("model", "layers that all describe themselves", why);
        self.network.as_ref().cloned().map_err(undescribed)
    }

    /// The network itself as the type of a module of one's own, for what it can do besides `forward`; `None` where it is another.
    pub fn module<M: Module<B>>(&self) -> Option<&M> {
        let root: &dyn Any = &*self.root;
        root.downcast_ref()
    }

    /// The seed of the parameters, of shuffling and of dropout.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// All parameters in build order.
    #[doc(alias = "parameters")]
    #[doc(alias = "weights")]
    pub fn params(&self) -> &[Param<B>] {
        &self.params
    }

    /// All parameters in build order, for an optimiser's step.
    pub fn params_mut(&mut self) -> &mut [Param<B>] {
        &mut self.params
    }

    /// Puts what a pass in training made of the layers' own state (the running statistics of batch normalisation) in the place
    /// of what was there. Errors, and nothing is changed then, when it is another model's.
    pub fn keep(&mut self, states: NewStates<B>) -> Result<()> {
        states.put(&self.backend, &mut self.params)
    }

    /// The number of all numbers in the parameters.
    pub fn count_params(&self) -> usize {
        self.params.iter().map(|param| param.shape().elements()).sum()
    }

    /// Keeps the parameters at and below a path (`dense_1`, `dense_1.kernel`) as they are: no gradient, no optimiser
    /// state. Errors when the model has no such parameter.
    #[doc(alias = "requires_grad")]
    #[doc(alias = "trainable")]
    pub fn freeze(&mut self, path: &str) -> Result<()> {
        self.set_trainable("freeze", path, false)
    }

    /// Trains the parameters at and below a path again. Errors when the model has no such parameter.
    pub fn unfreeze(&mut self, path: &str) -> Result<()> {
        self.set_trainable("unfreeze", path, true)
    }

    fn set_trainable(&mut self, place: &str, path: &str, trainable: bool) -> Result<()> {
        let mut found = false;
        for param in self.params.iter_mut().filter(|param| param.is_at_or_below(path)) {
            param.set_trainable(trainable);
            found = true;
        }
        if found {
            return Ok(());
        }
        let names: Vec<&str> = self.params.iter().map(Param::name).collect();
        let expected = format!("the path of a layer or parameter ({})", names.join(", "));
        Err(Error::invalid(place, expected, format!("`{path}`")))
    }
}
