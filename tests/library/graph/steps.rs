//! `Pass::steps`: a loop over steps, whose layers go on with gradients; and `Pass::observe`.

use super::{Double, check_gradients};
use crate::common::near::{assert_near, numbers, scattered, tensor};
use elman::layers::rnn::RnnModule;
use elman::layers::*;
use elman::{Backend, Key, Model, Result, Spec, Tensor};
use elman_candle::{Candle, candle_core::Device};
use elman_reference::Reference;

/// A recurrent network over its input and what it gave one step before: input feeding.
#[derive(Debug)]
struct Fed {
    stateful: bool,
}

#[derive(Debug)]
struct FedModule {
    cell: RnnModule,
    steps: Slot,
    /// The output of the step before.
    before: Slot,
}

impl<B: Backend> Layer<B> for Fed {
    fn kind(&self) -> &'static str {
        "fed"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let (time, features) = input.sequence()?;
        let (steps, before) = (scope.slot(), if self.stateful { scope.stateful_slot()? } else { scope.slot() });
        let cell = Lstm::new(2).return_sequences();
        let cell = if self.stateful { cell.stateful() } else { cell };
        let cell = cell.module(features + 2, &mut scope.scope("cell")?)?;
        Ok(Built::new(FedModule { cell, steps, before }, Spec::Dense(vec![time, Some(2)])))
    }
}

impl<B: Backend> Module<B> for FedModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        pass.steps(self.steps, input, |step, pass| {
            let (x, mask) = step.sequence(pass)?;
            let rows = x.shape()[0];
            let place = pass.place(self.before);
            let before =
                place.as_ref().map(|place| pass.carried(place, rows)).transpose()?.and_then(|mut states| states.pop());
            let before = before.map_or_else(|| Tensor::full(pass.backend(), &[rows, 2], 0.0), Ok)?;
            let x = Tensor::concat(&[&x, &before.reshape(&[rows, 1, 2])?], 2)?;
            let y = self.cell.states(&x, mask.as_ref(), &[], true, pass)?;
            pass.observe("h", &y.h);
            if let Some(place) = place {
                pass.carry(place, [y.h.clone()])?;
            }
            Ok(Value::Tensor(y.h.reshape(&[rows, 1, 2])?))
        })
    }
}

fn model<B: Backend>(b: &B) -> Model<B> {
    Model::new(b, &Fed { stateful: false }, Spec::Dense(vec![None, Some(3)]), 4).unwrap()
}

/// The loop by hand: an LSTM's cell from its weights, step by step.
#[test]
fn steps_are_the_loop_by_hand() {
    let b = Double::new();
    let (model, x) = (model(&b), scattered(2 * 4 * 3, 1));
    let found = numbers(&model.forward(tensor(&b, &x, &[2, 4, 3]), Mode::Evaluation).unwrap());
    let [kernel, recurrent, bias] = [0, 1, 2].map(|i| numbers(model.params()[i].tensor()));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut expected = Vec::new();
    for row in 0..2 {
        let (mut h, mut c) = ([0.0; 2], [0.0; 2]);
        for t in 0..4 {
            let fed: Vec<f64> = x[(row * 4 + t) * 3..][..3].iter().copied().chain(h).collect();
            let z = |j: usize| {
                let of_x: f64 = fed.iter().enumerate().map(|(i, x)| x * kernel[i * 8 + j]).sum();
                let of_h: f64 = h.iter().enumerate().map(|(i, h)| h * recurrent[i * 8 + j]).sum();
                of_x + of_h + bias[j]
            };
            // Gates in the order i, f, candidate, o.
            let next: Vec<(f64, f64)> = (0..2)
                .map(|u| {
                    let (i, f, o, g) = (sigmoid(z(u)), sigmoid(z(2 + u)), sigmoid(z(6 + u)), z(4 + u).tanh());
                    let c = f * c[u] + i * g;
                    (o * c.tanh(), c)
                })
                .collect();
            h = [next[0].0, next[1].0];
            c = [next[0].1, next[1].1];
            expected.extend(h);
        }
    }
    assert_near("outputs", &found, &expected, 1e-13);
}

#[test]
fn gradients_go_back_through_all_steps() {
    let b = Double::new();
    check_gradients(&model(&b), &[(scattered(24, 1), vec![2, 4, 3])], |model, inputs, pass| {
        // The last step alone: its gradient for the first input comes through the states.
        model.run(inputs[0].clone(), pass)?.tensor(pass)?.slice(1, 3, 1)
    });
    let masked = Mask::new(&b, &[true, true, true, false, true, false, true, true], 4).unwrap();
    check_gradients(&model(&b), &[(scattered(24, 1), vec![2, 4, 3])], |model, inputs, pass| {
        model.run(Value::from(inputs[0].clone()).with_mask(masked.clone()), pass)?.split().0.tensor(pass)
    });
}

/// Cut anywhere it is the whole: the same bits on `Reference`, 1e-6 on candle.
#[test]
fn a_loop_over_steps_can_be_stepped() {
    fn check<B: Backend>(b: &B, exact: bool) {
        let model = model(b);
        let x = tensor(b, &scattered(2 * 11 * 3, 1), &[2, 11, 3]);
        let whole = numbers(&model.forward(x.clone(), Mode::Evaluation).unwrap());
        let mut carry = Carry::stepping();
        let (mut start, mut pieces) = (0, Vec::new());
        for length in [3, 1, 7] {
            pieces.push(model.forward_carried(x.slice(1, start, length).unwrap(), &mut carry).unwrap());
            start += length;
        }
        let pieces = numbers(&Tensor::concat(&pieces.iter().collect::<Vec<_>>(), 1).unwrap());
        match exact {
            true => assert_eq!(pieces, whole),
            false => assert_near("pieces", &pieces, &whole, 1e-6),
        }
    }
    check(&Double::new(), true);
    check(&Reference::<f32>::new(), true);
    check(&Candle::cpu(), false);
    check(&Candle::portable(Device::Cpu), false);
}

/// Stateful layers in the loop go on from batch to batch, others begin anew.
#[test]
fn what_is_stateful_in_a_loop_goes_on_from_batch_to_batch() {
    let b = Double::new();
    let x = tensor(&b, &scattered(2 * 6 * 3, 1), &[2, 6, 3]);
    let [own, stateful] = [false, true].map(|stateful| {
        let model = Model::new(&b, &Fed { stateful }, Spec::Dense(vec![None, Some(3)]), 4).unwrap();
        let mut carry = Carry::new();
        let first = numbers(&model.forward_carried(x.slice(1, 0, 3).unwrap(), &mut carry).unwrap());
        let second = numbers(&model.forward_carried(x.slice(1, 3, 3).unwrap(), &mut carry).unwrap());
        let whole = model.forward(x.clone(), Mode::Evaluation).unwrap();
        let part = |start| numbers(&whole.slice(1, start, 3).unwrap());
        assert_eq!(first, part(0));
        second == part(3)
    });
    assert_eq!((own, stateful), (false, true));
}

#[test]
fn what_is_observed_is_handed_out_where_it_was_asked_for() {
    let b = Double::new();
    let (model, x) = (model(&b), tensor(&b, &scattered(12, 1), &[1, 4, 3]));
    let mut pass = model.pass(Mode::Training(Key::new(1))).observing(["h", "other"]);
    let whole = numbers(&model.run(x.clone(), &mut pass).unwrap().tensor(&pass).unwrap());
    let seen: Vec<f64> = pass.observed("h").flat_map(numbers).collect();
    assert_eq!(seen, whole);
    assert!(pass.observed("h").all(|h| !h.is_tracked()) && pass.observed("other").next().is_none());
    let mut pass = model.pass(Mode::Evaluation);
    model.run(x, &mut pass).unwrap();
    assert_eq!(pass.observed("h").count(), 0);
}

/// A loop within a loop: for each step the input feeding network goes over it twice, as over a sequence of its own.
#[derive(Debug)]
struct Twice;

#[derive(Debug)]
struct TwiceModule<B: Backend> {
    inner: Box<dyn Module<B>>,
    steps: Slot,
}

impl<B: Backend> Layer<B> for Twice {
    fn kind(&self) -> &'static str {
        "twice"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let steps = scope.slot();
        let inner = scope.layer(None, &Fed { stateful: false }, input)?;
        Ok(Built::new(TwiceModule { inner: inner.module, steps }, inner.output))
    }
}

impl<B: Backend> Module<B> for TwiceModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        pass.steps(self.steps, input, |step, pass| {
            let step = step.tensor(pass)?;
            let twice = Tensor::concat(&[&step, &step], 1)?;
            Ok(self.inner.forward(twice.into(), pass)?.tensor(pass)?.slice(1, 1, 1)?.into())
        })
    }
}

#[test]
fn a_loop_within_a_loop_begins_anew() {
    let b = Double::new();
    let model = Model::new(&b, &Twice, Spec::Dense(vec![None, Some(3)]), 4).unwrap();
    let x = tensor(&b, &scattered(2 * 5 * 3, 1), &[2, 5, 3]);
    let whole = numbers(&model.forward(x.clone(), Mode::Evaluation).unwrap());
    let mut carry = Carry::stepping();
    let pieces = [(0, 2), (2, 1), (3, 2)]
        .map(|(start, length)| model.forward_carried(x.slice(1, start, length).unwrap(), &mut carry).unwrap());
    assert_eq!(numbers(&Tensor::concat(&pieces.each_ref(), 1).unwrap()), whole);
    // Each step by itself is all that it depends on.
    let alone = model.forward(x.slice(1, 4, 1).unwrap(), Mode::Evaluation).unwrap();
    let last = model.forward(x, Mode::Evaluation).unwrap().slice(1, 4, 1).unwrap();
    assert_eq!(numbers(&alone), numbers(&last));
    check_gradients(&model, &[(scattered(12, 1), vec![2, 2, 3])], |model, inputs, pass| {
        model.run(inputs[0].clone(), pass)?.tensor(pass)
    });
}
