//! Data sets, models, layers and callbacks that the tests share.

use elman::backend::Backend;
use elman::data::{Bags, Dataset, Inputs, Targets};
use elman::layers::{Built, Dense, Layer, Module, Pass, Scope, Sequential, Value};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Metric, Scores};
use elman::model::Model;
use elman::optim::{Adam, Sgd};
use elman::training::callbacks::Callback;
use elman::training::{EpochLog, Fit, History};
use elman::{Activation, Element, Key, Result, Spec, Tensor};
use elman_reference::Reference;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The backend of tests that compare with numbers worked out by hand.
pub(crate) type R = Reference<f64>;

/// Points in the plane; those on one side of a line are of class 1.
pub(crate) fn points(n: usize) -> Dataset {
    let key = Key::new(7).named("points");
    let xs: Vec<f32> = (0..2 * n as u64).map(|i| key.normal(i) as f32).collect();
    let labels = xs.chunks(2).map(|x| u32::from(x[0] + 0.5 * x[1] > 0.2)).collect();
    Dataset::new(Inputs::dense(xs, &[2]).unwrap(), Targets::classes(labels).unwrap()).unwrap()
}

/// The numbers `0..n`, one a sample, so that a sample tells which it is; of classes 0 and 1 by turns.
pub(crate) fn numbered(n: usize) -> Dataset {
    let inputs = Inputs::dense((0..n).map(|i| i as f32).collect(), &[1]).unwrap();
    Dataset::new(inputs, Targets::classes((0..n as u32).map(|i| i % 2).collect()).unwrap()).unwrap()
}

/// Bags of twelve words, of which half are from the words of the text's class.
pub(crate) fn wires(n: usize, width: usize, classes: usize) -> Dataset {
    let key = Key::new(3).named("wires");
    let label = |i: u64| key.below(i, classes);
    let own = width / classes;
    let word = |i: u64, w: u64| match key.fold(i) {
        key if w < 6 => (label(i) * own + key.below(w, own)) as u32,
        key => key.below(w, width) as u32,
    };
    let bags = Bags::binary((0..n as u64).map(|i| (0..12).map(move |w| word(i, w))), width).unwrap();
    let labels = (0..n as u64).map(|i| label(i) as u32).collect();
    Dataset::new(Inputs::bags(bags).unwrap(), Targets::classes(labels).unwrap()).unwrap()
}

/// For [`points`]: a hidden layer, two classes, Adam, accuracy.
pub(crate) fn classifier<B: Backend>(backend: &B, seed: u64) -> Model<B> {
    let mut model = network().build(backend, Spec::dense(&[2]), seed).unwrap();
    model.compile(Adam::new(0.05), SparseCategoricalCrossEntropy::new()).metric(Accuracy::new());
    model
}

/// The layers of [`classifier`].
pub(crate) fn network<B: Backend>() -> Sequential<B> {
    Sequential::new().add(Dense::new(4).activation(Activation::Tanh)).add(Dense::new(2).activation(Activation::Softmax))
}

/// For [`numbered`]: a logistic regression that does not learn, behind a spy.
pub(crate) fn watched<B: Backend>(backend: &B, spy: &Spy) -> Model<B> {
    let layers = Sequential::new().add(spy.clone()).add(Dense::new(2).activation(Activation::Softmax));
    let mut model = layers.build(backend, Spec::dense(&[1]), 0).unwrap();
    model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::new());
    model
}

/// All numbers of all parameters.
pub(crate) fn numbers<B: Backend>(model: &Model<B>) -> Vec<Vec<B::Elem>> {
    model.params().iter().map(|param| param.tensor().to_vec().unwrap()).collect()
}

/// Passes its input on, and keeps what came in training.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spy(Arc<Mutex<Vec<Vec<f64>>>>);

impl Spy {
    /// What came, batch by batch, since the last call.
    pub(crate) fn take(&self) -> Vec<Vec<f64>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<B: Backend> Layer<B> for Spy {
    fn kind(&self) -> &'static str {
        "spy"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(self.clone(), input.numbers()?))
    }
}

impl<B: Backend> Module<B> for Spy {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let x = input.tensor(pass)?;
        if pass.is_training() {
            self.0.lock().unwrap().push(x.to_vec()?.into_iter().map(|x| x.to_f64()).collect());
        }
        Ok(x.into())
    }
}

/// Keeps the loss of each step.
#[derive(Default)]
pub(crate) struct Steps(pub(crate) Vec<f64>);

impl<B: Backend> Callback<B> for Steps {
    fn on_batch_end(&mut self, _: u64, _: usize, loss: &Tensor<B>, _: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.0.push(loss.to_scalar()?);
        Ok(ControlFlow::Continue(()))
    }
}

/// Keeps the weights and the base learning rate after each epoch.
pub(crate) struct Epochs<B: Backend> {
    pub(crate) weights: Vec<Vec<Vec<B::Elem>>>,
    pub(crate) rates: Vec<f64>,
}

impl<B: Backend> Epochs<B> {
    pub(crate) fn new() -> Self {
        Epochs { weights: Vec::new(), rates: Vec::new() }
    }
}

impl<B: Backend> Callback<B> for Epochs<B> {
    fn on_epoch_end(&mut self, _: &EpochLog, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        self.weights.push(numbers(model));
        self.rates.push(model.optimizer().unwrap().base_learning_rate());
        Ok(ControlFlow::Continue(()))
    }
}

/// A metric whose values are written down beforehand: one for each epoch.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    values: Vec<f64>,
    up: bool,
    /// Of all copies: each epoch resets a copy of its own.
    resets: Arc<AtomicUsize>,
}

impl Script {
    pub(crate) fn new(values: &[f64], up: bool) -> Self {
        Script { values: values.to_vec(), up, resets: Arc::default() }
    }
}

impl Metric for Script {
    fn name(&self) -> &str {
        "score"
    }

    fn reset(&mut self) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }

    fn update(&mut self, _: &Scores<'_>) -> Result<()> {
        Ok(())
    }

    fn value(&self) -> f64 {
        self.values[self.resets.load(Ordering::Relaxed) - 1]
    }

    fn higher_is_better(&self) -> bool {
        self.up
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

/// Checks what is said of something.
#[track_caller]
pub(crate) fn says<T>(what: &str, result: Result<T>, expected: &str) {
    let message = result.err().unwrap_or_else(|| panic!("{what}: no error")).to_string();
    println!("{what}\n    {message}");
    assert_eq!(message, expected, "{what}");
}

/// What `fit` makes of data and options, having checked that the model is left as it was.
pub(crate) fn fit(data: &Dataset, options: Fit<'_, R>) -> Result<History> {
    let mut model = classifier(&R::new(), 0);
    let before = numbers(&model);
    let result = model.fit(data, options.quiet());
    assert!(result.is_ok() || before == numbers(&model));
    result
}
