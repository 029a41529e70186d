//! Recurrent layers: with given first states and all that comes out of them, and by themselves where that suffices.

use super::options::{self, Options};
use super::stack::{Direction, Stack};
use super::{TRAINING, compare_gradient, compare_gradients, compare_seen, constant, set_weights};
use crate::common::golden::Reading;
use crate::common::near::variable;
use elman::layers::rnn::{CellKind, Rnn};
use elman::layers::{Mask, Sequential, Value};
use elman::{Backend, Model, Spec, Tensor};

/// What of a case the library's layers could be asked for without the test's own around them.
#[derive(Default)]
pub(crate) struct ByLayers {
    pub(crate) values: bool,
    pub(crate) gradients: bool,
}

pub(crate) fn check<B: Backend>(b: &B, case: &Reading<'_>) -> ByLayers {
    let options = Options::of(case);
    match case.text("cell") {
        "elman" => both_ways(b, case, &options, &options::elman(case, &options)),
        "lstm" => both_ways(b, case, &options, &options::lstm(case, &options)),
        "gru" => both_ways(b, case, &options, &options::gru(case, &options)),
        other => panic!("{}: cell {other}", case.name()),
    }
}

fn both_ways<B: Backend, C: CellKind>(b: &B, case: &Reading<'_>, options: &Options, layer: &Rnn<C>) -> ByLayers {
    let mask = mask(b, case);
    stacked(b, case, options, layer, mask.clone());
    by_layers(b, case, options, layer, mask)
}

/// The mask, which must be of the kind that the options say.
fn mask<B: Backend>(b: &B, case: &Reading<'_>) -> Option<Mask<B>> {
    let kind = case.option("mask").as_str();
    let all_masked_rows = case.is("all_masked_rows");
    kind?;
    let (numbers, shape) = case.tensor("mask");
    let rows = || numbers.chunks(shape[1]);
    let found = match () {
        () if rows().all(|row| row.is_sorted()) => "left",
        () if rows().all(|row| row.iter().rev().is_sorted()) => "right",
        () => "holes",
    };
    assert_eq!(kind, Some(found), "{}", case.name());
    let empty = rows().any(|row| row.iter().all(|&there| there == 0.0));
    assert_eq!(all_masked_rows, empty, "{}", case.name());
    let flags: Vec<bool> = numbers.iter().map(|&there| there != 0.0).collect();
    Some(Mask::new(b, &flags, shape[1]).unwrap())
}

/// The input as a variable, and what it is for a model.
fn input<B: Backend>(b: &B, case: &Reading<'_>, options: &Options) -> (Tensor<B>, Spec) {
    let (data, shape) = case.tensor("input");
    assert_eq!(shape[2], options.features, "{}", case.name());
    (variable(b, &data, &shape), Spec::dense(&shape[1..]))
}

/// All of a case: outputs, last states, and the gradients for all that went in.
fn stacked<B: Backend, C: CellKind>(
    b: &B,
    case: &Reading<'_>,
    options: &Options,
    layer: &Rnn<C>,
    mask: Option<Mask<B>>,
) {
    let (names, states): (&[&str], &[&str]) = (
        if options.merge.is_some() { &["forward", "backward"] } else { &["forward"] },
        match case.text("cell") {
            "lstm" => &["h", "c"],
            _ => &["h"],
        },
    );
    let prefixes: Vec<Vec<String>> =
        (0..options.layers).map(|number| names.iter().map(|name| format!("layer{number}/{name}/")).collect()).collect();
    let first = |prefix: &String, state: &&str| {
        let (data, shape) = case.tensor(&format!("{prefix}initial_{state}"));
        variable(b, &data, &shape)
    };
    let given = case.is("initial_state");
    let direction = |prefix: &String, last: bool| Direction {
        layer: if prefix.contains("backward") { layer.clone().reverse() } else { layer.clone() },
        units: options.units,
        first: if given { states.iter().map(|state| first(prefix, state)).collect() } else { Vec::new() },
        outputs: options.sequences || !last,
    };
    let layers = prefixes.iter().enumerate().map(|(number, prefixes)| {
        let last = number + 1 == options.layers;
        prefixes.iter().map(|prefix| direction(prefix, last)).collect()
    });
    let stack =
        Stack { layers: layers.collect(), merge: options.merge, sequences: options.sequences, states: options.states };

    let (x, spec) = input(b, case, options);
    let mut model = Model::new(b, &stack, spec, 0).unwrap();
    set_weights(b, case, &mut model);
    let y = model.forward(Value::from(x.clone()).with_mask(mask), TRAINING()).unwrap();

    // What came out, one after another in each row, and the gradients that come from above in the same way.
    let mut parts = vec![("output".to_string(), "grad_output".to_string())];
    if options.states {
        let of =
            |prefix: &String, state: &&str| (format!("{prefix}state_{state}"), format!("{prefix}grad_state_{state}"));
        parts.extend(prefixes.iter().flatten().flat_map(|prefix| states.iter().map(move |state| of(prefix, state))));
    }
    let (mut at, mut upstream) = (0, Vec::new());
    for (what, grad) in &parts {
        let grad = constant(b, case, grad);
        let width = grad.shape()[1..].iter().product();
        let seen = if what == "output" { case.find("output_mask") } else { None };
        compare_seen(case, what, &y.slice(1, at, width).unwrap(), seen.map(|(seen, _)| seen));
        upstream.push(grad.reshape(&[grad.shape()[0], width]).unwrap());
        at += width;
    }
    assert_eq!(at, y.shape()[1], "{}: nothing else comes out", case.name());
    let upstream = Tensor::concat(&upstream.iter().collect::<Vec<_>>(), 1).unwrap();
    let gradients = y.backward_from(upstream.value().clone()).unwrap();
    compare_gradient(case, "grad_input", &gradients, &x);
    compare_gradients(case, &gradients, &model);
    for (prefix, direction) in prefixes.iter().flatten().zip(stack.layers.iter().flatten()) {
        for (first, state) in direction.first.iter().zip(states) {
            compare_gradient(case, &format!("{prefix}grad_initial_{state}"), &gradients, first);
        }
    }
}

/// The library's layers one upon another, which begin at 0, or where a single sequence learned to: their output, and the
/// gradients where none came from the last states.
fn by_layers<B: Backend, C: CellKind>(
    b: &B,
    case: &Reading<'_>,
    options: &Options,
    layer: &Rnn<C>,
    mask: Option<Mask<B>>,
) -> ByLayers {
    let (x, spec) = input(b, case, options);
    let layer = match (case.is("initial_state"), x.shape()[0]) {
        (false, _) => layer.clone(),
        (true, 1) => layer.clone().learned_state(),
        (true, _) => return ByLayers::default(),
    };
    let mut model = options.add(Sequential::new(), &layer).build(b, spec, 0).unwrap();
    set_weights(b, case, &mut model);
    let y = model.forward(Value::from(x.clone()).with_mask(mask), TRAINING()).unwrap();
    let (expected, shape) = case.tensor("output");
    assert_eq!((&y.shape()[..], expected.len()), (&shape[..], y.shape().elements()), "{}", case.name());
    compare_seen(case, "output", &y, case.find("output_mask").map(|(seen, _)| seen));
    if !options.states {
        let gradients = y.backward_from(constant(b, case, "grad_output").value().clone()).unwrap();
        compare_gradient(case, "grad_input", &gradients, &x);
        compare_gradients(case, &gradients, &model);
    }
    ByLayers { values: true, gradients: !options.states }
}
