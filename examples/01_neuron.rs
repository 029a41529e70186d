//! One neuron (L1): `y = σ(<x, w> + b)`, logistic regression with an L2 penalty on `w`.
//!
//! Two clouds of points in the plane, told apart by a line.

mod common;

use clap::Parser;
use common::{Options, Program, limits, say};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Sequential, Weight};
use elman::loss::BinaryCrossEntropy;
use elman::metrics::{Accuracy, Auc};
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Activation, Backend, Init, Key, Spec};
use serde_json::{Value, json};
use std::process::ExitCode;

/// One neuron: logistic regression on two clouds of points (L1)
#[derive(Parser)]
#[command(version)]
struct Neuron {
    #[command(flatten)]
    options: Options,
    /// Points to train on; a fourth as many are drawn to test on
    #[arg(long, default_value_t = 2000)]
    points: usize,
    /// Epochs
    #[arg(long, default_value_t = 10)]
    epochs: u64,
    /// Learning rate of stochastic gradient descent
    #[arg(long, default_value_t = 0.1)]
    rate: f64,
    /// The factor λ of the penalty λ |w|²
    #[arg(long, default_value_t = 1e-3)]
    l2: f64,
}

/// Points of two normal clouds around (-1, -1) and (1, 1), deviation 1: a line through 0 tells 92 of 100 apart.
fn clouds(points: usize, key: Key) -> elman::Result<Dataset> {
    let labels: Vec<u32> = (0..points as u64).map(|i| key.named("class").bits(i) & 1).collect();
    let coordinate =
        |i: usize| key.named("point").normal(i as u64) as f32 + if labels[i / 2] == 1 { 1.0 } else { -1.0 };
    let inputs = Inputs::dense((0..2 * points).map(coordinate).collect(), &[2])?;
    Dataset::new(inputs, Targets::classes(labels)?)
}

impl Program for Neuron {
    fn problems(&self) -> Vec<String> {
        // Two numbers and a class each.
        let memory = limits::memory_problem(&format!("--points {}", self.points), self.points as f64 * 12.0);
        let numbers = [("--rate", self.rate, f64::MIN_POSITIVE, 100.0), ("--l2", self.l2, 0.0, 100.0)];
        let numbers =
            numbers.into_iter().filter_map(|(option, x, least, most)| limits::range_problem(option, x, least, most));
        limits::zero_problems(&[("--points", self.points)]).chain(memory).chain(numbers).collect()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let key = Key::new(options.seed).named("clouds");
        let (train, test) = (clouds(self.points, key.fold(0))?, clouds((self.points / 4).max(1), key.fold(1))?);

        let mut model = Sequential::new()
            .add(Dense::new(1).activation(Activation::Sigmoid).kernel(Weight::new(Init::GlorotUniform).l2(self.l2)))
            .build(backend, Spec::dense(&[2]), options.seed)?;
        model.compile(Sgd::new(self.rate), BinaryCrossEntropy::new()).metric(Accuracy::new()).metric(Auc::new());
        say!("{}\n", model.summary())?;

        let history = model.fit(&train, Fit::new().epochs(self.epochs))?;
        let scores = model.evaluate(&test, 32)?;
        say!("{history}\n\ntest: {scores}")?;
        common::converged(&history)?;
        for (name, array) in model.weights() {
            say!("{name}: {:?}", backend.download(array)?)?;
        }
        say!("(two clouds at distance 2 √2: on points without end no line does better than 0.921)")?;
        Ok(common::merged(json!({ "metrics": common::metrics(&scores) }), common::speed(&history)))
    }
}

fn main() -> ExitCode {
    common::main("01_neuron", |program: &Neuron| &program.options)
}
