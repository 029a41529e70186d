//! PyTorch's recurrent modules and cells.

use crate::compare::near_beside;
use crate::recurrent::{Network, Weights, compare, compare_out};
use crate::suite::{Case, Numbers};
use anyhow::{Result, bail};
use elman::layers::rnn::{CellKind, Rnn};
use elman::layers::{Elman, Gru, Lstm, Merge};
use elman::{Activation, Backend};

pub(crate) fn check<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let units = case.count("hidden_size")?;
    let relu = case.option("nonlinearity").as_str() == Some("relu");
    match case.text("module")?.trim_start_matches("nn.").trim_end_matches("Cell") {
        "RNN" => {
            let activation = if relu { Activation::Relu } else { Activation::Tanh };
            run(b, case, Elman::new(units).activation(activation), &[0])
        }
        "LSTM" if case.option("proj_size").as_f64().unwrap_or(0.0) > 0.0 => bail!("no projection of an LSTM's output"),
        "LSTM" => run(b, case, Lstm::new(units), &[0, 1, 2, 3]),
        // PyTorch's order is r, z, n; the library's z, r, h.
        "GRU" => run(b, case, Gru::new(units), &[1, 0, 2]),
        other => bail!("no cell {other}"),
    }
}

fn run<B: Backend, C: CellKind>(b: &B, case: &Case<'_>, layer: Rnn<C>, gates: &[usize]) -> Result<()> {
    let is_cell = case.text("module")?.ends_with("Cell");
    let layer = if case.is("bias") { layer } else { layer.without_bias() };
    let directions = if case.is("bidirectional") { 2 } else { 1 };
    let layers = if is_cell { 1 } else { case.count("num_layers")? };
    let units = case.count("hidden_size")?;
    let input = case.tensor("in.input")?;
    // Batches first: `[batch, time, features]`, of single sequences and of a cell's single steps too.
    let batched = input.shape.len() == if is_cell { 2 } else { 3 };
    let first_batch = is_cell || case.is("batch_first");
    let sequences = |numbers: &Numbers| match (batched, first_batch, is_cell) {
        (true, _, true) => numbers.reshaped(&[numbers.shape[0], 1, numbers.shape[1]]),
        (false, _, true) => numbers.reshaped(&[1, 1, numbers.shape[0]]),
        (true, true, false) => numbers.clone(),
        (true, false, false) => numbers.permuted(&[1, 0, 2]),
        (false, _, false) => numbers.reshaped(&[1, numbers.shape[0], numbers.shape[1]]),
    };
    let x = sequences(&input);
    let batch = x.shape[0];
    // `[layers directions, batch, units]` into one a direction.
    let apart = |numbers: &Numbers| -> Vec<Numbers> {
        numbers.data.chunks(batch * units).map(|part| Numbers::new(part.to_vec(), &[batch, units])).collect()
    };
    let states = if C::KIND == "lstm" { 2 } else { 1 };
    let state = |front: &str, which: usize| {
        let name = if states == 2 { format!("{front}.{which}") } else { front.to_string() };
        case.find(&name).map(|numbers| apart(&numbers))
    };
    let of = |front: &str, firsts: &str| -> Result<Vec<Vec<Weights>>> {
        let firsts: Vec<_> = (0..states).map(|which| state(firsts, which)).collect();
        let one = |layer: usize, direction: usize| {
            let end = match (is_cell, direction) {
                (true, _) => String::new(),
                (false, 0) => format!("_l{layer}"),
                _ => format!("_l{layer}_reverse"),
            };
            let find = |what: &str| case.find(&format!("{front}{what}{end}")).map(|numbers| by_gate(&numbers, gates));
            let transposed = |numbers: Option<Numbers>| numbers.map(|numbers| numbers.permuted(&[1, 0]));
            let (bias, recurrent_bias) = (find("bias_ih"), find("bias_hh"));
            let (bias, recurrent_bias) = match (C::KIND, front) {
                ("gru", _) => (bias, recurrent_bias),
                // One bias is enough: the sum; its gradient is that of either.
                (_, "param.") => (bias.zip(recurrent_bias).map(|(a, b)| sum(&a, &b)), None),
                _ => (bias, None),
            };
            let at = layer * directions + direction;
            Weights {
                kernel: transposed(find("weight_ih")),
                recurrent_kernel: transposed(find("weight_hh")),
                bias,
                recurrent_bias,
                first: firsts.iter().flatten().map(|of_all| of_all[at].clone()).collect(),
            }
        };
        Ok((0..layers).map(|layer| (0..directions).map(|direction| one(layer, direction)).collect()).collect())
    };
    let weights = of("param.", "in.hx")?;
    let merge = (directions == 2).then_some(Merge::Concat);
    let network = Network { layer, units, merge, layers: weights, x, mask: None, sequences: true };
    let ran = network.run(b)?;

    // Outputs, and the last states layer by layer: `h` and `c` of the first direction, of the second, and so on.
    let out = |front: &str| -> Result<(Numbers, Vec<Numbers>)> {
        if is_cell {
            let names = if states == 2 {
                vec![format!("{front}out.0"), format!("{front}out.1")]
            } else {
                vec![format!("{front}out")]
            };
            let found =
                names.iter().map(|name| Ok(apart(&case.tensor(name)?).remove(0))).collect::<Result<Vec<_>>>()?;
            // A cell's value is its state: as an output it is not asked for.
            let outputs = if front.is_empty() {
                found[0].reshaped(&[batch, 1, units])
            } else {
                Numbers::new(vec![0.0; batch * units], &[batch, 1, units])
            };
            return Ok((outputs, found));
        }
        let last: Vec<Vec<Numbers>> = (0..states)
            .map(|which| {
                let name = if states == 2 { format!("{front}out.1.{which}") } else { format!("{front}out.1") };
                Ok(apart(&case.tensor(&name)?))
            })
            .collect::<Result<_>>()?;
        let by_direction = (0..layers * directions).flat_map(|at| last.iter().map(move |states| states[at].clone()));
        Ok((sequences(&case.tensor(&format!("{front}out.0"))?), by_direction.collect()))
    };
    let (outputs, last) = out("")?;
    compare_out(&ran, &outputs, &last)?;
    let (above, above_last) = out("above.")?;
    let (dx, found) = ran.backward(b, &above, &above_last)?;
    let greatest = case.greatest_gradient();
    near_beside::<B>("grad.in.input", &dx, &sequences(&case.tensor("grad.in.input")?), greatest)?;
    compare::<B>(&found, &of("grad.param.", "grad.in.hx")?, greatest)
}

/// The blocks of gates in the library's order, along the first axis.
pub(crate) fn by_gate(numbers: &Numbers, gates: &[usize]) -> Numbers {
    let size = numbers.data.len() / gates.len();
    let data = gates.iter().flat_map(|&gate| numbers.data[gate * size..][..size].to_vec()).collect();
    Numbers { data, ..numbers.clone() }
}

pub(crate) fn sum(a: &Numbers, b: &Numbers) -> Numbers {
    Numbers { data: a.data.iter().zip(&b.data).map(|(a, b)| a + b).collect(), ..a.clone() }
}
