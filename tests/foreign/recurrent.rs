//! Recurrent networks of all suites: several layers, one direction or two, first and last states.

#[path = "../golden/recurrent/stack.rs"]
mod stack;

use crate::compare::{gradient, near, near_beside, numbers, param, set, tensor, variable};
use crate::suite::Numbers;
use anyhow::{Result, ensure};
use elman::layers::rnn::{CellKind, Rnn};
use elman::layers::{Mask, Merge, Mode, Value};
use elman::random::Key;
use elman::{Backend, Model, Spec, Tensor};
use stack::{Direction, Stack};

/// The weights of one direction of a layer and its first states, as the library lays them out; or their gradients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weights {
    pub(crate) kernel: Option<Numbers>,
    pub(crate) recurrent_kernel: Option<Numbers>,
    pub(crate) bias: Option<Numbers>,
    pub(crate) recurrent_bias: Option<Numbers>,
    /// `h`, and of an LSTM `c`, each `[batch, units]`; none for zeros.
    pub(crate) first: Vec<Numbers>,
}

impl Weights {
    fn named(&self) -> [(&'static str, &Option<Numbers>); 4] {
        [
            ("kernel", &self.kernel),
            ("recurrent_kernel", &self.recurrent_kernel),
            ("bias", &self.bias),
            ("recurrent_bias", &self.recurrent_bias),
        ]
    }
}

/// What is computed.
pub(crate) struct Network<C> {
    /// The layers' cell and its options.
    pub(crate) layer: Rnn<C>,
    pub(crate) units: usize,
    pub(crate) merge: Option<Merge>,
    /// Layers, each of one direction or two.
    pub(crate) layers: Vec<Vec<Weights>>,
    /// `[batch, time, features]`
    pub(crate) x: Numbers,
    pub(crate) mask: Option<Vec<bool>>,
    /// The output of every step, or the last one.
    pub(crate) sequences: bool,
}

/// What came out.
pub(crate) struct Ran<B: Backend> {
    y: Tensor<B>,
    x: Tensor<B>,
    model: Model<B>,
    firsts: Vec<Vec<Vec<Tensor<B>>>>,
    /// `[batch, time, width]` or `[batch, width]`.
    pub(crate) outputs: Numbers,
    /// `h`, and of an LSTM `c`, of each direction of each layer, `[batch, units]`.
    pub(crate) states: Vec<Numbers>,
}

impl<C: CellKind> Network<C> {
    pub(crate) fn run<B: Backend>(self, b: &B) -> Result<Ran<B>> {
        let states = if C::KIND == "lstm" { 2 } else { 1 };
        let mut firsts = Vec::new();
        let mut layers = Vec::new();
        for (number, directions) in self.layers.iter().enumerate() {
            let mut made = Vec::new();
            for (direction, weights) in directions.iter().enumerate() {
                let first = weights.first.iter().map(|first| variable(b, first)).collect::<Result<Vec<_>>>()?;
                let layer = if direction == 1 { self.layer.clone().reverse() } else { self.layer.clone() };
                let outputs = self.sequences || number + 1 < self.layers.len();
                made.push((Direction { layer, units: self.units, first: first.clone(), outputs }, first));
            }
            let (directions, first): (Vec<_>, Vec<_>) = made.into_iter().unzip();
            layers.push(directions);
            firsts.push(first);
        }
        let stack = Stack { layers, merge: self.merge, sequences: self.sequences, states: true };
        let x = variable(b, &self.x)?;
        let (batch, time) = (self.x.shape[0], self.x.shape[1]);
        let mut model = Model::new(b, &stack, Spec::dense(&self.x.shape[1..]), 0)?;
        for (number, directions) in self.layers.iter().enumerate() {
            for (direction, weights) in directions.iter().enumerate() {
                for (name, numbers) in weights.named() {
                    if let Some(numbers) = numbers {
                        set(b, &mut model, &format!("{}.{name}", place(number, direction)), numbers)?;
                    }
                }
            }
        }
        let mask = self.mask.map(|flags| Mask::new(b, &flags, time)).transpose()?;
        let y = model.forward(Value::from(x.clone()).with_mask(mask), Mode::Training(Key::new(1)))?;
        let all = numbers(&y)?;
        let of_states = self.layers.iter().flatten().count() * states;
        let width = all.shape[1] - of_states * self.units;
        let part = |from: usize, size: usize| {
            let rows = all.data.chunks(all.shape[1]).flat_map(|row| row[from..][..size].to_vec());
            Numbers::new(rows.collect(), &[batch, size])
        };
        let outputs = part(0, width);
        let steps = if self.sequences { vec![batch, time, width / time] } else { vec![batch, width] };
        let outputs = outputs.reshaped(&steps);
        let states = (0..of_states).map(|i| part(width + i * self.units, self.units)).collect();
        Ok(Ran { y, x, model, firsts, outputs, states })
    }
}

impl<B: Backend> Ran<B> {
    /// What comes back for gradients from above, of outputs and last states: for the input, and for all weights.
    pub(crate) fn backward(
        &self,
        b: &B,
        outputs: &Numbers,
        states: &[Numbers],
    ) -> Result<(Numbers, Vec<Vec<Weights>>)> {
        ensure!(states.len() == self.states.len(), "{} gradients for {} states", states.len(), self.states.len());
        let batch = self.outputs.shape[0];
        let rows = (0..batch).flat_map(|row| {
            let of = |numbers: &Numbers| {
                let width = numbers.data.len() / batch;
                numbers.data[row * width..][..width].to_vec()
            };
            std::iter::once(outputs).chain(states).flat_map(of).collect::<Vec<_>>()
        });
        let above = tensor(b, &Numbers::new(rows.collect(), &self.y.shape()))?;
        let gradients = self.y.backward_from(above.value().clone())?;
        let mut layers = Vec::new();
        for (number, directions) in self.firsts.iter().enumerate() {
            let mut made = Vec::new();
            for (direction, first) in directions.iter().enumerate() {
                let of = |name: &str| {
                    let found = param(&self.model, &format!("{}.{name}", place(number, direction))).ok();
                    found.map(|param| gradient(&gradients, param)).transpose()
                };
                made.push(Weights {
                    kernel: of("kernel")?,
                    recurrent_kernel: of("recurrent_kernel")?,
                    bias: of("bias")?,
                    recurrent_bias: of("recurrent_bias")?,
                    first: first.iter().map(|first| gradient(&gradients, first)).collect::<Result<_>>()?,
                });
            }
            layers.push(made);
        }
        Ok((gradient(&gradients, &self.x)?, layers))
    }
}

fn place(layer: usize, direction: usize) -> String {
    format!("layer{layer}_{}", ["forward", "backward"][direction])
}

/// Compares gradients of weights, where they are expected; `greatest` is the greatest of all gradients.
pub(crate) fn compare<B: Backend>(found: &[Vec<Weights>], expected: &[Vec<Weights>], greatest: f64) -> Result<()> {
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        for (direction, (found, expected)) in found.iter().zip(expected).enumerate() {
            for ((name, found), (_, expected)) in found.named().into_iter().zip(expected.named()) {
                let Some(expected) = expected else { continue };
                let what = format!("gradient of {}.{name}", place(number, direction));
                let found = found.as_ref().ok_or_else(|| anyhow::anyhow!("no {what}"))?;
                near_beside::<B>(&what, found, expected, greatest)?;
            }
            for (found, expected) in found.first.iter().zip(&expected.first) {
                near_beside::<B>("gradient of a first state", found, expected, greatest)?;
            }
        }
    }
    Ok(())
}

/// Compares outputs and states.
pub(crate) fn compare_out<B: Backend>(ran: &Ran<B>, outputs: &Numbers, states: &[Numbers]) -> Result<()> {
    near::<B>("outputs", &ran.outputs, outputs)?;
    ensure!(states.len() == ran.states.len(), "{} states for {}", ran.states.len(), states.len());
    ran.states.iter().zip(states).try_for_each(|(found, expected)| near::<B>("a last state", found, expected))
}
