//! [`Model`]: a network with its parameters, and how it is trained: `compile`, `fit`, `evaluate`, `predict`.
//!
//! What a training loop of one's own needs is public too: [`Model::forward`], [`Model::loss`] with its `backward`, and
//! [`Optimizer::step`](crate::optim::Optimizer::step) on [`Model::params_mut`].

mod batch;
pub mod callbacks;
mod epoch;
mod evaluate;
mod fit;
mod history;
mod progress;
mod resume;
mod summary;
mod tally;

pub use batch::Batch;
pub use evaluate::{Evaluation, Predictions};
pub use fit::Fit;
pub use history::{EpochLog, History};
pub use summary::Summary;

use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::layers::{Builder, Layer, Mask, Mode, Module, Pass, Row, Spec, Value};
use crate::loss::{self, Loss};
use crate::metrics::Metric;
use crate::optim::Optimizer;
use crate::param::{Param, ParamId};
use crate::random::Key;
use crate::tensor::Tensor;
use std::sync::{Mutex, PoisonError};

/// A network with its parameters on a backend, and what it is trained with once it is compiled.
///
/// ```
/// use elman::data::{Dataset, Inputs, Targets};
/// use elman::layers::{Dense, Sequential};
/// use elman::loss::BinaryCrossEntropy;
/// use elman::metrics::Accuracy;
/// use elman::model::Fit;
/// use elman::optim::Adam;
/// use elman::{Activation, Spec};
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
    root: Box<dyn Module<B>>,
    input: Spec,
    output: Spec,
    /// The last activation, where it is known.
    last: Option<Activation>,
    rows: Vec<Row>,
    params: Vec<Param<B>>,
    pub(crate) seed: u64,
    /// Training steps and epochs done so far: they number the streams of dropout and of shuffling.
    pub(crate) steps: u64,
    pub(crate) epochs: u64,
    compiled: Option<Compiled<B>>,
    /// New values of the layers' own state, from the last forward in training.
    states: Mutex<Vec<(ParamId, B::Array)>>,
}

/// What a batch gave, all of it on the device.
struct Outcome<B: Backend> {
    loss: Tensor<B>,
    predictions: Tensor<B>,
    /// The steps that count, where there is an output at every step.
    mask: Option<Mask<B>>,
}

/// What a model is trained with: what [`Model::compile`] gives, to add metrics to.
#[derive(Debug)]
pub struct Compiled<B: Backend> {
    optimizer: Optimizer<B>,
    loss: Box<dyn Loss<B>>,
    metrics: Vec<Box<dyn Metric>>,
}

impl<B: Backend> Compiled<B> {
    /// Adds a metric that `fit` and `evaluate` report. Names must differ:
    /// [`Accuracy::named`](crate::metrics::Accuracy::named) and its like tell two of a kind apart.
    pub fn metric(&mut self, metric: impl Metric + 'static) -> &mut Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// The names of what is reported, the loss first.
    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once("loss").chain(self.metrics.iter().map(|metric| metric.name()))
    }

    fn check(&self) -> Result<()> {
        match self.names().enumerate().find(|&(i, name)| self.names().take(i).any(|before| before == name)) {
            None => Ok(()),
            Some((_, twice)) => Err(Error::invalid("metrics", "names that differ", format!("`{twice}` twice"))),
        }
    }
}

impl<B: Backend> Model<B> {
    /// Builds a network for inputs of this kind and shape, with parameters drawn from `seed`. Errors name the layer
    /// that cannot take its input.
    pub fn new(backend: &B, network: &dyn Layer<B>, input: Spec, seed: u64) -> Result<Self> {
        let mut builder = Builder::new(seed);
        let built = network.build(&input, &mut builder.root(backend))?;
        let last = built.module.last_activation(None);
        Ok(Model {
            backend: backend.clone(),
            last,
            root: built.module,
            input,
            output: built.output,
            rows: builder.rows,
            params: builder.params,
            seed,
            steps: 0,
            epochs: 0,
            compiled: None,
            states: Mutex::default(),
        })
    }

    /// Says what the model is trained with: an optimiser and a loss; [`Compiled::metric`] adds metrics. Compiling again
    /// starts with a fresh optimiser and no metrics, and keeps the parameters.
    pub fn compile(&mut self, optimizer: impl Into<Optimizer<B>>, loss: impl Loss<B> + 'static) -> &mut Compiled<B> {
        let (optimizer, loss) = (optimizer.into(), Box::new(loss));
        self.compiled.insert(Compiled { optimizer, loss, metrics: Vec::new() })
    }

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

    /// The seed of the parameters, of shuffling and of dropout.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// All parameters in build order.
    pub fn params(&self) -> &[Param<B>] {
        &self.params
    }

    /// All parameters in build order, for an optimiser's step. The state that layers keep for themselves (the running
    /// statistics of batch normalisation) takes the values that the last forward in training gave it.
    pub fn params_mut(&mut self) -> &mut [Param<B>] {
        self.put_states();
        &mut self.params
    }

    fn put_states(&mut self) {
        for (id, value) in self.states.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            *self.params[id.index()].value_mut() = value;
        }
    }

    /// The number of all numbers in the parameters.
    pub fn count_params(&self) -> usize {
        self.params.iter().map(|param| param.shape().elements()).sum()
    }

    /// The optimiser, once compiled.
    pub fn optimizer(&self) -> Option<&Optimizer<B>> {
        self.compiled.as_ref().map(|compiled| &compiled.optimizer)
    }

    /// The optimiser, once compiled; to change its learning rate, say.
    pub fn optimizer_mut(&mut self) -> Option<&mut Optimizer<B>> {
        self.compiled.as_mut().map(|compiled| &mut compiled.optimizer)
    }

    /// Keeps the parameters at and below a path (`dense_1`, `dense_1.kernel`) as they are: no gradient, no optimiser
    /// state. Errors when the model has no such parameter.
    pub fn freeze(&mut self, path: &str) -> Result<()> {
        self.set_trainable("freeze", path, false)
    }

    /// Trains the parameters at and below a path again. Errors when the model has no such parameter.
    pub fn unfreeze(&mut self, path: &str) -> Result<()> {
        self.set_trainable("unfreeze", path, true)
    }

    fn set_trainable(&mut self, place: &str, path: &str, trainable: bool) -> Result<()> {
        let below = |name: &str| name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let mut found = false;
        for param in self.params.iter_mut().filter(|param| below(param.name())) {
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

    /// The model's value for a batch. Errors when the input is not of the model's kind and shape.
    pub fn forward(&self, input: impl Into<Value<B>>, mode: Mode) -> Result<Tensor<B>> {
        let input = input.into();
        self.input.check_value("model input", &input, &self.backend)?;
        let mut pass = Pass::new(&self.backend, &self.params, mode);
        let y = self.root.forward(input, &mut pass)?.split().0.tensor(&pass)?;
        self.keep(pass);
        Ok(y)
    }

    /// Keeps what a pass made of the layers' own state until the parameters can be changed.
    fn keep(&self, pass: Pass<'_, B>) {
        let states = pass.into_states();
        if !states.is_empty() {
            *self.states.lock().unwrap_or_else(PoisonError::into_inner) = states;
        }
    }

    /// Forgets what stateful layers carry from batch to batch: the next sequences begin anew.
    pub fn reset_states(&mut self) {
        self.root.reset_state();
    }

    /// The loss of a batch with the weights' penalties (a scalar to take `backward` of), and the model's predictions,
    /// cut off from the tape. Where the loss has a stable form on what feeds the last activation, that form is used.
    pub fn loss(&self, batch: &Batch<B>, mode: Mode) -> Result<(Tensor<B>, Tensor<B>)> {
        let outcome = self.outcome(batch, Pass::new(&self.backend, &self.params, mode))?;
        Ok((outcome.loss, outcome.predictions))
    }

    fn outcome(&self, batch: &Batch<B>, mut pass: Pass<'_, B>) -> Result<Outcome<B>> {
        let compiled = self.compiled()?;
        self.input.check_value("model input", &batch.input, &self.backend)?;
        let (z, last) = self.root.forward_linear(batch.input.clone(), &mut pass)?;
        self.check_last(Some(last).filter(|&last| last != Activation::Linear).or(self.last))?;
        let (z, mask) = z.split();
        let z = z.tensor(&pass)?;
        let weights = batch.weights.as_deref();
        let mean = |loss: &dyn Loss<B>, y| loss::masked_mean(loss, y, &batch.target, weights, mask.as_ref());
        let (loss, predictions) = match compiled.loss.before(last) {
            Some(stable) => (mean(&*stable, &z)?, z.detach().activate(last)?),
            None => {
                let y = z.activate(last)?;
                (mean(&*compiled.loss, &y)?, y.detach())
            }
        };
        let loss = self.with_penalties(loss, &pass)?;
        self.keep(pass);
        Ok(Outcome { loss, predictions, mask })
    }

    /// Adds the penalties of the weights that are trained: those of frozen ones do not count, as in Keras.
    fn with_penalties(&self, mut loss: Tensor<B>, pass: &Pass<'_, B>) -> Result<Tensor<B>> {
        for (i, param) in self.params.iter().enumerate().filter(|(_, param)| param.is_trainable()) {
            if let Some(regularizer) = param.regularizer() {
                loss = loss.add(&regularizer.penalty(&pass.param(ParamId::new(i)))?)?;
            }
        }
        Ok(loss)
    }

    /// One training step on a batch: forward, backward, update. Returns the loss before the update and the predictions,
    /// both still on the device: reading them waits for it.
    pub fn train_step(&mut self, batch: &Batch<B>) -> Result<(Tensor<B>, Tensor<B>)> {
        self.step(batch).map(|outcome| (outcome.loss, outcome.predictions))
    }

    fn step(&mut self, batch: &Batch<B>) -> Result<Outcome<B>> {
        let key = Key::new(self.seed).named("dropout").fold(self.steps);
        let outcome = self.outcome(batch, Pass::new(&self.backend, &self.params, Mode::Training(key)))?;
        let gradients = outcome.loss.backward().map_err(|error| match error {
            // Nothing that is trained took part at all.
            Error::Constant => Error::MissingGradient {
                names: self.params.iter().filter(|p| p.is_trainable()).map(|p| p.name().to_string()).collect(),
            },
            other => other,
        })?;
        let compiled = self.compiled.as_mut().ok_or_else(not_compiled)?;
        compiled.optimizer.step(&mut self.params, gradients)?;
        self.put_states();
        self.steps += 1;
        Ok(Outcome { loss: outcome.loss.detach(), ..outcome })
    }

    fn compiled(&self) -> Result<&Compiled<B>> {
        self.compiled.as_ref().ok_or_else(not_compiled)
    }

    /// Whether a greater value of this name is a better one: less loss is, and each metric knows for itself.
    fn higher_is_better(&self, name: &str) -> Option<bool> {
        let name = name.strip_prefix("val_").unwrap_or(name);
        let metric = || self.compiled.as_ref()?.metrics.iter().find(|metric| metric.name() == name);
        if name == "loss" { Some(false) } else { metric().map(|metric| metric.higher_is_better()) }
    }
}

fn not_compiled() -> Error {
    Error::invalid("model", "a call of `compile` before training and evaluation", "a model without optimiser and loss")
}
