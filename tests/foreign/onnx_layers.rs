//! ONNX's recurrent networks, normalisation and losses. Values only.

use crate::compare::{near, numbers, set, tensor};
use crate::cross_entropy::{Aim, CrossEntropy};
use crate::onnx_ops::{attribute, axis, number};
use crate::recurrent::{Network, Weights};
use crate::suite::{Case, Numbers};
use crate::torch_likelihoods::of_labels;
use crate::torch_losses::by_rows;
use crate::torch_recurrent::{by_gate, sum};
use anyhow::{Result, bail, ensure};
use elman::layers::rnn::{CellKind, Rnn};
use elman::layers::{BatchNorm, Elman, Gru, LayerNorm, Lstm, Merge, Mode, RmsNorm, Sequential};
use elman::{Backend, Spec};

pub(crate) fn recurrent<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let units = number(case, "hidden_size", 0.0) as usize;
    for option in ["activations", "clip", "input_forget"] {
        ensure!(attribute(case, option).is_null(), "{option}");
    }
    ensure!(case.find("in.7").is_none(), "peepholes");
    match case.text("op")? {
        "RNN" => run(b, case, Elman::new(units), &[0]),
        // i, o, f, c there; i, f, c, o here.
        "LSTM" => run(b, case, Lstm::new(units), &[0, 2, 3, 1]),
        "GRU" if number(case, "linear_before_reset", 0.0) == 1.0 => bail!("two biases"),
        "GRU" => run(b, case, Gru::new(units).reset_before(), &[0, 1, 2]),
        other => bail!("no network {other}"),
    }
}

fn run<B: Backend, C: CellKind>(b: &B, case: &Case<'_>, layer: Rnn<C>, gates: &[usize]) -> Result<()> {
    let batches_first = number(case, "layout", 0.0) == 1.0;
    let input = case.tensor("in.0")?;
    let x = if batches_first { input } else { input.permuted(&[1, 0, 2]) };
    let (batch, time) = (x.shape[0], x.shape[1]);
    let (w, r) = (case.tensor("in.1")?, case.tensor("in.2")?);
    let (directions, units) = (w.shape[0], r.shape[2]);
    let part = |numbers: &Numbers, at: usize| {
        let size = numbers.data.len() / numbers.shape[0];
        let part = Numbers::new(numbers.data[at * size..][..size].to_vec(), &numbers.shape[1..]);
        Numbers { single: numbers.single, ..part }
    };
    let reverse = attribute(case, "direction") == "reverse";
    let layer = if reverse { layer.reverse() } else { layer };
    let biases = case.find("in.3");
    let layer = if biases.is_some() { layer } else { layer.without_bias() };
    let states = if C::KIND == "lstm" { 2 } else { 1 };
    let firsts: Vec<Numbers> = (0..states).filter_map(|i| case.find(&format!("in.{}", 5 + i))).collect();
    let one = |at: usize| Weights {
        kernel: Some(by_gate(&part(&w, at), gates).permuted(&[1, 0])),
        recurrent_kernel: Some(by_gate(&part(&r, at), gates).permuted(&[1, 0])),
        // That of the input and that of the state, one behind the other.
        bias: biases.as_ref().map(|biases| {
            let both = part(biases, at);
            let (front, back) = both.data.split_at(both.data.len() / 2);
            let half = |half: &[f64]| by_gate(&Numbers::new(half.to_vec(), &[half.len()]), gates);
            sum(&half(front), &half(back))
        }),
        recurrent_bias: None,
        first: firsts.iter().map(|first| part(first, at)).collect(),
    };
    let mask = case.find("in.4").map(|lengths| {
        lengths.data.iter().flat_map(|&length| (0..time).map(move |step| (step as f64) < length)).collect()
    });
    let merge = (directions == 2).then_some(Merge::Concat);
    let layers = vec![(0..directions).map(one).collect()];
    let ran = Network { layer, units, merge, layers, x, mask, sequences: true }.run(b)?;
    if let Some(outputs) = case.find("out.0") {
        // `[time, directions, batch, units]`, or batches first.
        let outputs = if batches_first { outputs } else { outputs.permuted(&[2, 0, 1, 3]) };
        near::<B>("outputs", &ran.outputs, &outputs.reshaped(&[batch, time, directions * units]))?;
    }
    for which in 0..states {
        let Some(last) = case.find(&format!("out.{}", 1 + which)) else { continue };
        let last = if batches_first { last.permuted(&[1, 0, 2]) } else { last };
        for at in 0..directions {
            near::<B>("a last state", &ran.states[at * states + which], &part(&last, at))?;
        }
    }
    Ok(())
}

pub(crate) fn norm<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let epsilon = number(case, "epsilon", 1e-5);
    let input = case.tensor("in.0")?;
    match case.text("op")? {
        "LayerNormalization" => {
            let at = axis(number(case, "axis", -1.0) as i64, input.shape.len());
            let width: usize = input.shape[at..].iter().product();
            let rows = [input.data.len() / width, width];
            for what in ["out.1", "out.2"] {
                case.pass_over(what, "the library gives no statistics");
            }
            let layer = Sequential::new().add_named("norm", LayerNorm::new().epsilon(epsilon));
            let mut model = layer.build(b, Spec::dense(&[width]), 0)?;
            for (name, i) in [("norm.gamma", 1), ("norm.beta", 2)] {
                if let Some(weight) = case.find(&format!("in.{i}")) {
                    set(b, &mut model, name, &weight)?;
                }
            }
            let y = model.forward(tensor(b, &input.reshaped(&rows))?, Mode::Evaluation)?;
            near::<B>("out.0", &numbers(&y)?, &case.tensor("out.0")?.reshaped(&rows))
        }
        "BatchNormalization" => {
            let training = number(case, "training_mode", 0.0) == 1.0;
            let x = input.with_last(1);
            let features = x.shape[x.shape.len() - 1];
            let rows = [x.data.len() / features, features];
            let layer = BatchNorm::new().epsilon(epsilon).momentum(number(case, "momentum", 0.9));
            let mut model = Sequential::new().add_named("norm", layer).build(b, Spec::dense(&[features]), 0)?;
            for (i, name) in ["gamma", "beta", "moving_mean", "moving_variance"].into_iter().enumerate() {
                set(b, &mut model, &format!("norm.{name}"), &case.tensor(&format!("in.{}", i + 1))?)?;
            }
            let mode = if training { Mode::Training(elman::Key::new(1)) } else { Mode::Evaluation };
            let mut pass = model.pass(mode);
            let y = model.run(tensor(b, &x.reshaped(&rows))?, &mut pass)?.tensor(&pass)?;
            let states = pass.into_states();
            near::<B>("out.0", &numbers(&y)?, &case.tensor("out.0")?.with_last(1).reshaped(&rows))?;
            if training {
                model.keep(states)?;
                for (i, name) in ["moving_mean", "moving_variance"].into_iter().enumerate() {
                    let found = numbers(crate::compare::param(&model, &format!("norm.{name}"))?)?;
                    near::<B>(name, &found, &case.tensor(&format!("out.{}", i + 1))?)?;
                }
            }
            Ok(())
        }
        "RMSNormalization" => {
            let at = axis(number(case, "axis", -1.0) as i64, input.shape.len());
            let width: usize = input.shape[at..].iter().product();
            let rows = [input.data.len() / width, width];
            let layer = Sequential::new().add_named("norm", RmsNorm::new().epsilon(epsilon));
            let mut model = layer.build(b, Spec::dense(&[width]), 0)?;
            set(b, &mut model, "norm.gamma", &case.tensor("in.1")?)?;
            let y = model.forward(tensor(b, &input.reshaped(&rows))?, Mode::Evaluation)?;
            near::<B>("out.0", &numbers(&y)?, &case.tensor("out.0")?.reshaped(&rows))
        }
        other => bail!("no layer {other}"),
    }
}

pub(crate) fn loss<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let reduction = attribute(case, "reduction").as_str().unwrap_or("mean");
    let how = CrossEntropy {
        reduction,
        weights: case.find("in.2").map(|weights| weights.data),
        ignore: attribute(case, "ignore_index").as_i64(),
        smoothing: 0.0,
    };
    let scores = tensor(b, &by_rows(&case.tensor("in.0")?))?;
    let labels = Aim::Labels(case.tensor("in.1")?.labels());
    if case.text("op")? == "NegativeLogLikelihoodLoss" {
        let (weights, labels) = (how.weights.as_deref(), case.tensor("in.1")?.labels());
        let value = of_labels(b, &scores, &labels, weights, how.ignore, reduction)?;
        return near::<B>("out.0", &numbers(&value)?, &case.tensor("out.0")?.reshaped(&value.shape()));
    }
    let value = how.of(b, &scores, &labels)?;
    near::<B>("out.0", &numbers(&value)?, &case.tensor("out.0")?.reshaped(&value.shape()))?;
    match case.find("out.1") {
        Some(expected) => near::<B>("log-probabilities", &numbers(&scores.log_softmax()?)?, &by_rows(&expected)),
        None => Ok(()),
    }
}
