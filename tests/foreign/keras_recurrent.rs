//! Keras' recurrent layers.

use crate::compare::near_beside;
use crate::recurrent::{Network, Weights, compare, compare_out};
use crate::suite::{Case, Numbers};
use anyhow::{Context, Result, bail, ensure};
use elman::layers::rnn::{CellKind, Rnn};
use elman::layers::{Elman, Gru, Lstm, Merge};
use elman::{Activation, Backend};
use serde_json::Value;

pub(crate) fn check<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let both = case.text("class")? == "Bidirectional";
    let config = case.option("config");
    let layer = if both { &config["layer"]["config"] } else { config };
    let class = if both { config["layer"]["class_name"].as_str() } else { config_class(case) };
    let masked = case.find("in.mask").or_else(|| case.find("mask.0")).is_some();
    ensure!(!masked || layer["zero_output_for_mask"] != true, "zeros for masked steps");
    ensure!(layer["stateful"] != true, "states of calls before");
    let merge = match (both, config["merge_mode"].as_str()) {
        (false, _) => None,
        (true, Some("concat")) => Some(Merge::Concat),
        (true, Some("sum")) => Some(Merge::Sum),
        (true, Some("mul")) => Some(Merge::Mul),
        (true, Some("ave")) => Some(Merge::Average),
        // One beside the other.
        (true, None) => Some(Merge::Concat),
        (true, other) => bail!("merge {other:?}"),
    };
    let units = layer["units"].as_u64().context("units")? as usize;
    let f = |key: &str| activation(&layer[key]);
    match class.context("a class")? {
        "SimpleRNN" => run(b, case, layer, merge, Elman::new(units).activation(f("activation")?)),
        "LSTM" => {
            let lstm = Lstm::new(units).activation(f("activation")?).gate_activation(f("recurrent_activation")?);
            run(b, case, layer, merge, lstm)
        }
        "GRU" => {
            let gru = Gru::new(units).activation(f("activation")?).gate_activation(f("recurrent_activation")?);
            run(b, case, layer, merge, if layer["reset_after"] == true { gru } else { gru.reset_before() })
        }
        other => bail!("no layer {other}"),
    }
}

fn config_class<'a>(case: &Case<'a>) -> Option<&'a str> {
    case.option("class").as_str()
}

fn activation(name: &Value) -> Result<Activation> {
    Ok(match name.as_str() {
        Some("tanh") => Activation::Tanh,
        Some("sigmoid") => Activation::Sigmoid,
        Some("hard_sigmoid") => Activation::HardSigmoid,
        Some("relu") => Activation::Relu,
        Some("linear") => Activation::Linear,
        other => bail!("no activation {other:?}"),
    })
}

fn run<B: Backend, C: CellKind>(
    b: &B,
    case: &Case<'_>,
    config: &Value,
    merge: Option<Merge>,
    layer: Rnn<C>,
) -> Result<()> {
    let layer = if config["use_bias"] == true { layer } else { layer.without_bias() };
    let backwards = config["go_backwards"] == true;
    let layer = if backwards { layer.reverse() } else { layer };
    let (sequences, states) = (config["return_sequences"] == true, config["return_state"] == true);
    let units = config["units"].as_u64().context("units")? as usize;
    let x = case.tensor("in.0").or_else(|_| case.tensor("in.sequences"))?;
    let (batch, time) = (x.shape[0], x.shape[1]);
    let mask = case.find("in.mask").or_else(|| case.find("mask.0"));
    ensure!(case.tensors("mask.").len() <= 1, "masks of states");
    let mask = mask.map(|mask| mask.data.iter().map(|&there| there != 0.0).collect::<Vec<_>>());
    // Keras gives 0 for steps before the first that counts, which shows where they are many: only that may differ.
    ensure!(mask.as_ref().is_none_or(|mask| !sequences || mask.iter().all(|&there| there)), "outputs of masked steps");
    let count = if C::KIND == "lstm" { 2 } else { 1 };
    let firsts: Vec<Numbers> = {
        let mut names = case.tensors("in.initial_state");
        names.sort();
        names.iter().map(|name| case.tensor(&format!("in.initial_state{name}"))).collect::<Result<_>>()?
    };
    let directions = if merge.is_some() { 2 } else { 1 };
    ensure!(firsts.is_empty() || firsts.len() == count * directions, "{} first states", firsts.len());
    let is_given = !firsts.is_empty();
    let of = |front: &str, gradients: bool| -> Result<Vec<Weights>> {
        let names = case.tensors(front);
        (0..directions)
            .map(|direction| {
                let find = |what: &str| {
                    let fits = |name: &&String| {
                        name.ends_with(&format!("/{what}"))
                            && (directions == 1 || name.contains("forward") == (direction == 0))
                    };
                    let name = names.iter().find(fits);
                    name.map(|name| case.tensor(&format!("{front}{name}"))).transpose()
                };
                // Of a GRU two biases, one below the other.
                let (bias, recurrent_bias) = match find("bias")? {
                    Some(both) if both.shape.len() == 2 => {
                        let (front, back) = both.data.split_at(both.shape[1]);
                        let part = |part: &[f64]| Numbers::new(part.to_vec(), &[part.len()]);
                        (Some(part(front)), Some(part(back)))
                    }
                    bias => (bias, None),
                };
                let first = |i: usize| match gradients {
                    true => case.tensor(&format!(
                        "grad.in.initial_state{}",
                        if firsts.len() == 1 { String::new() } else { format!(".{i}") }
                    )),
                    false => Ok(firsts[i].clone()),
                };
                let range = if is_given { direction * count..(direction + 1) * count } else { 0..0 };
                Ok(Weights {
                    kernel: find("kernel")?,
                    recurrent_kernel: find("recurrent_kernel")?,
                    bias,
                    recurrent_bias,
                    first: range.map(first).collect::<Result<_>>()?,
                })
            })
            .collect()
    };
    let layers = vec![of("weight.", false)?];
    let ran = Network { layer, units, merge, layers, x: x.clone(), mask, sequences }.run(b)?;

    // Keras gives the outputs of `go_backwards` in the order of computation, the library at their own steps.
    let turned = |numbers: Numbers| match sequences && backwards {
        true if merge.is_none() => {
            let width = numbers.shape[2];
            let rows = numbers
                .data
                .chunks(time * width)
                .flat_map(|row| row.chunks(width).rev().flatten().copied().collect::<Vec<_>>());
            Numbers::new(rows.collect(), &numbers.shape)
        }
        _ => numbers,
    };
    let out = |front: &str| -> Result<(Numbers, Vec<Numbers>)> {
        // The last states stand behind the outputs, if they were asked for.
        let last = |behind: usize| -> Result<Vec<Numbers>> {
            let last = (0..count * directions).map(|i| match states {
                true => case.tensor(&format!("{front}out.{}", i + behind)),
                false if front.is_empty() => Ok(ran.states[i].clone()),
                false => Ok(Numbers::new(vec![0.0; batch * units], &[batch, units])),
            });
            last.collect()
        };
        if directions == 2 && case.option("config")["merge_mode"].is_null() {
            let [a, b] = [case.tensor(&format!("{front}out.0"))?, case.tensor(&format!("{front}out.1"))?];
            let side_by_side = a.data.chunks(units).zip(b.data.chunks(units)).flat_map(|(a, b)| [a, b].concat());
            let outputs = Numbers::new(side_by_side.collect(), &[&a.shape[..a.shape.len() - 1], &[2 * units]].concat());
            return Ok((outputs, last(2)?));
        }
        let outputs = if states { format!("{front}out.0") } else { format!("{front}out") };
        Ok((turned(case.tensor(&outputs)?), last(1)?))
    };
    let (outputs, last) = out("")?;
    compare_out(&ran, &outputs, &last)?;
    let (above, above_last) = out("above.")?;
    let (dx, found) = ran.backward(b, &above, &above_last)?;
    let greatest = case.greatest_gradient();
    // There is none for sequences of whole numbers.
    for name in ["grad.in.0", "grad.in.sequences"] {
        if let Some(expected) = case.find(name) {
            near_beside::<B>(name, &dx, &expected, greatest)?;
        }
    }
    compare::<B>(&found, &[of("grad.weight.", true)?], greatest)
}
