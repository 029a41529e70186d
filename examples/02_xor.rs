//! XOR (L3): a linear model cannot do it, a multilayer perceptron can.

mod common;

use clap::Parser;
use common::{Options, Program, limits, say};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Sequential};
use elman::loss::BinaryCrossEntropy;
use elman::metrics::Accuracy;
use elman::optim::Adam;
use elman::training::{Fit, History};
use elman::{Activation, Backend, Model, Spec};
use serde_json::{Value, json};
use std::process::ExitCode;

/// XOR: a linear model fails, a multilayer perceptron solves it (L3)
#[derive(Parser)]
#[command(version)]
struct Xor {
    #[command(flatten)]
    options: Options,
    /// Epochs of four samples each
    #[arg(long, default_value_t = 500)]
    epochs: u64,
    /// Units of the hidden layer
    #[arg(long, default_value_t = 8)]
    hidden: usize,
    /// How many seeds to try, from --seed on; at least 1
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
}

const ROWS: [[f32; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];

impl Xor {
    /// Trains a network on the four samples; its accuracy and what it saw.
    fn train<B: Backend>(&self, model: &mut Model<B>, data: &Dataset) -> elman::Result<(f64, History)> {
        model.compile(Adam::new(0.05), BinaryCrossEntropy::new()).metric(Accuracy::new());
        let history = model.fit(data, Fit::new().epochs(self.epochs).batch_size(4).quiet())?;
        Ok((model.evaluate(data, 4)?.get("accuracy").unwrap_or(0.0), history))
    }
}

impl Program for Xor {
    fn problems(&self) -> Vec<String> {
        // Two weights from the inputs, a bias, a weight to the output.
        let bytes = self.hidden as f64 * 4.0 * limits::TRAINED;
        let memory = limits::memory_problem(&format!("--hidden {}", self.hidden), bytes);
        limits::zero_problems(&[("--hidden", self.hidden)]).chain(memory).collect()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let data = Dataset::new(Inputs::rows(&ROWS)?, Targets::classes(vec![0, 1, 1, 0])?)?;
        // A neuron alone, and with a hidden layer before it.
        let neuron = || Dense::new(1).activation(Activation::Sigmoid);
        let linear = Sequential::new().add(neuron());
        let mlp = Sequential::new().add(Dense::new(self.hidden).activation(Activation::Tanh)).add(neuron());

        let (mut solved, mut best_linear, mut last) = (0, 0.0f64, History::default());
        for seed in (0..self.seeds).map(|i| options.seed.wrapping_add(i)) {
            let mut line = linear.build(backend, Spec::dense(&[2]), seed)?;
            let mut network = mlp.build(backend, Spec::dense(&[2]), seed)?;
            let (of_line, _) = self.train(&mut line, &data)?;
            let (of_network, history) = self.train(&mut network, &data)?;
            say!("seed {seed}: accuracy of the linear model {of_line:.2}, of the perceptron {of_network:.2}")?;
            if seed == options.seed {
                say!("\n{}\n", network.summary())?;
                say!("  x1  x2  linear  perceptron")?;
                let (a, b) = (line.predict(data.inputs(), 4)?, network.predict(data.inputs(), 4)?);
                for (i, [x1, x2]) in ROWS.iter().enumerate() {
                    say!("{x1:>4}{x2:>4}  {:>6.3}  {:>10.3}", a.data()[i], b.data()[i])?;
                }
                say!("")?;
            }
            solved += u64::from(of_network == 1.0);
            best_linear = best_linear.max(of_line);
            last = history;
        }
        say!("perceptron: solved with {solved} of {} seeds; linear model: at best {best_linear:.2}", self.seeds)?;
        let metrics = json!({ "solved": solved, "seeds": self.seeds, "best_linear_accuracy": best_linear });
        Ok(common::merged(json!({ "metrics": metrics }), common::speed(&last)))
    }
}

fn main() -> ExitCode {
    common::main("02_xor", |program: &Xor| &program.options)
}
