//! The layer-normalised LSTM on steps without variance: zero vectors in front, as padding without a mask has them.

use crate::common::near::numbers;
use elman::layers::{Dense, Lstm, Mode, Sequential};
use elman::loss::{MeanSquaredError, Target};
use elman::model::Batch;
use elman::optim::{Adam, Sgd};
use elman::{Backend, Key, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

/// Sequences of `front` zero vectors and then `steps` steps of two numbers, the second of which marks two of them; the sum of
/// the marked ones. It is the adding problem with padding in front.
fn adding<B: Backend>(b: &B, n: usize, front: usize, steps: usize, key: Key) -> (Tensor<B>, Tensor<B>) {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for row in 0..n as u64 {
        let key = key.fold(row);
        let marks = [key.named("mark").below(0, steps / 2), steps / 2 + key.named("mark").below(1, steps / 2)];
        x.resize(x.len() + 2 * front, 0.0);
        let mut sum = 0.0;
        for t in 0..steps {
            let (value, marked) = (key.uniform(t as u64), marks.contains(&t));
            x.extend([value, f64::from(u8::from(marked))]);
            sum += if marked { value } else { 0.0 };
        }
        y.push(sum);
    }
    let up = |x: Vec<f64>, shape: &[usize]| crate::common::near::tensor(b, &x, shape);
    (up(x, &[n, front + steps, 2]), up(y, &[n, 1]))
}

fn network<B: Backend>() -> Sequential<B> {
    Sequential::new().add(Lstm::new(16).layer_norm()).add(Dense::new(1))
}

/// The length of the gradient for all parameters.
fn length<B: Backend>(b: &B, front: usize) -> f64 {
    let mut model = network().build(b, Spec::Dense(vec![None, Some(2)]), 1).unwrap();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    let (x, y) = adding(b, 8, front, 4, Key::new(2));
    let batch = Batch { input: x.into(), target: Target::Values(y), weights: None, len: 8 };
    let loss = model.loss(&batch, Mode::Training(Key::new(0))).unwrap().loss;
    let gradients = loss.backward().unwrap();
    let squares = |param: &elman::Param<B>| -> f64 {
        gradients.of(param.tensor()).map_or(0.0, |g| numbers(&g).iter().map(|g| g * g).sum())
    };
    model.params().iter().map(squares).sum::<f64>().sqrt()
}

/// Zero vectors change nothing in an untrained network, whose state stays 0, so that the gradient has no reason to grow.
fn gradients_stay_bounded<B: Backend>(b: &B) {
    let alone = length(b, 0);
    for front in [1, 5, 20, 40, 100] {
        let padded = length(b, front);
        assert!(padded < 10.0 * alone, "{front} zero vectors on {}: {padded:e}, without any {alone:e}", b.name());
    }
}

#[test]
fn gradients_do_not_grow_over_steps_without_variance() {
    gradients_stay_bounded(&Reference::<f64>::new());
    gradients_stay_bounded(&Candle::cpu());
}

/// To say 1 whatever comes is an error of 0.167.
#[test]
fn the_adding_problem_is_learned_behind_zero_vectors() {
    let (b, key) = (Candle::cpu(), Key::new(5));
    for front in [0, 40] {
        let mut model = network().build(&b, Spec::Dense(vec![None, Some(2)]), 1).unwrap();
        model.compile(Adam::new(0.01), MeanSquaredError);
        for update in 0..UPDATES {
            let (x, y) = adding(&b, 32, front, 8, key.fold(update));
            let batch = Batch { input: x.into(), target: Target::Values(y), weights: None, len: 32 };
            model.train_step(&batch).unwrap();
        }
        let (x, y) = adding(&b, 200, front, 8, key.named("test"));
        let found = model.forward(x, Mode::Evaluation).unwrap();
        let loss = found.sub(&y).unwrap().square().unwrap().mean().unwrap().to_scalar().unwrap();
        assert!(loss < 0.02, "{loss} behind {front} zero vectors");
    }
}

const UPDATES: u64 = 300;
