//! The model, the data and the comparisons that the tests share.

use elman::backend::Backend;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Dropout, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Auc, Average, F1, Metric, TopK};
use elman::model::Model;
use elman::optim::Optimizer;
use elman::training::callbacks::{EarlyStopping, ReduceOnPlateau};
use elman::training::{Fit, History};
use elman::{Activation, Element, Key, Spec};

/// Points in the plane; those on one side of a line are of class 1.
pub(crate) fn points(n: usize) -> Dataset {
    let key = Key::new(7).named("points");
    let xs: Vec<f32> = (0..2 * n as u64).map(|i| key.normal(i) as f32).collect();
    let labels = xs.chunks(2).map(|x| u32::from(x[0] + 0.5 * x[1] > 0.2)).collect();
    Dataset::new(Inputs::dense(xs, &[2]).unwrap(), Targets::classes(labels).unwrap()).unwrap()
}

/// With dropout, and metrics of all kinds that keep counts.
pub(crate) fn model<B: Backend>(backend: &B, seed: u64, optimizer: impl Into<Optimizer<B>>) -> Model<B> {
    let layers = Sequential::new()
        .add(Dense::new(4).activation(Activation::Tanh))
        .add(Dropout::new(0.3))
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = layers.build(backend, Spec::dense(&[2]), seed).unwrap();
    let compiled = model.compile(optimizer, SparseCategoricalCrossEntropy::new());
    compiled.metric(Accuracy::new()).metric(Auc::new()).metric(F1::new(Average::Macro)).metric(TopK::new(1).unwrap());
    model
}

/// Four batches an epoch, the last of them smaller; a plateau that soon lowers the rate; early stopping that keeps the
/// best weights and puts them back.
pub(crate) fn fit<'a, B: Backend + 'a>() -> Fit<'a, B> {
    Fit::new()
        .epochs(4)
        .batch_size(5)
        .validation_split(0.2)
        .callback(ReduceOnPlateau::new("val_loss").patience(1).min_delta(0.05).cooldown(1).factor(0.5))
        .callback(EarlyStopping::new("val_accuracy").patience(3).restore_best())
        .quiet()
}

/// The data of [`fit`].
pub(crate) fn data() -> Dataset {
    points(23)
}

/// Every bit that a training leaves: weights, the optimiser's counters and arrays, the history without its times.
pub(crate) fn bits<B: Backend>(model: &Model<B>, history: &History) -> Vec<String> {
    let array = |array: &B::Array| {
        let numbers = model.backend().download(array).unwrap();
        numbers.into_iter().map(|x| format!("{:x}", x.to_f64().to_bits())).collect::<Vec<_>>().join(" ")
    };
    let mut all: Vec<String> = model.weights().map(|(name, weights)| format!("{name}: {}", array(weights))).collect();
    if let Some(state) = model.optimizer().map(Optimizer::state) {
        let (rate, accumulated) = (state.learning_rate.to_bits(), state.accumulated);
        all.push(format!("{} {} {} {rate:x} {accumulated}", state.rule, state.calls, state.iteration));
        for param in &state.params {
            all.push(format!("{} {}", param.name, param.updates));
            all.extend(param.arrays.iter().map(|(name, slot)| format!("{name}: {}", array(slot))));
        }
    }
    for log in &history.epochs {
        let values = log.values.iter().map(|(name, value)| format!("{name} {:x}", value.to_bits()));
        let values: Vec<String> = values.collect();
        all.push(format!("{} {} {:x} {}", log.epoch, values.join(" "), log.learning_rate.to_bits(), log.samples));
    }
    all.push(format!("{:?}", history.stopped));
    all
}

/// A metric without a state.
#[derive(Clone, Debug)]
pub(crate) struct Stateless;

impl Metric for Stateless {
    fn name(&self) -> &str {
        "stateless"
    }

    fn reset(&mut self) {}

    fn update(&mut self, _: &elman::metrics::Scores<'_>) -> elman::Result<()> {
        Ok(())
    }

    fn value(&self) -> f64 {
        0.0
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}
