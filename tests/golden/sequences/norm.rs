//! Layer and batch normalisation.

use super::{TRAINING, compare, compare_gradient, compare_output, mask, near, set, tolerance, variable};
use crate::common::golden::Reading;
use crate::common::near::numbers;
use elman::layers::{BatchNorm, Flatten, LayerNorm, Mode, Reshape, Sequential, Value, Weight};
use elman::tensor::Gradients;
use elman::{Backend, Model, Spec, Tensor};
use std::collections::BTreeMap;

/// Scale and shift: what they are called here and what they are without the option.
const SCALE_AND_SHIFT: [(&str, &str, f64); 2] = [("gamma", "scale", 1.0), ("beta", "center", 0.0)];

/// A frozen scale or shift is none: it stays as it starts.
fn weight(case: &Reading<'_>, option: &str, weight: Weight) -> Weight {
    if case.is(option) { weight } else { weight.frozen() }
}

/// Gives the layer its scale and shift from the file.
fn set_scale_and_shift<B: Backend>(b: &B, case: &Reading<'_>, model: &mut Model<B>) {
    for (name, option, _) in SCALE_AND_SHIFT {
        let given = case.find(name);
        assert_eq!(given.is_some(), case.is(option), "{}: {name}", case.name());
        if let Some((data, _)) = given {
            set(b, model, &format!("norm.{name}"), &data);
        }
    }
}

/// Compares the gradients of scale and shift, of which there are none where they are frozen.
fn compare_scale_and_shift<B: Backend>(case: &Reading<'_>, gradients: &Gradients<B>, model: &Model<B>) {
    for (name, option, _) in SCALE_AND_SHIFT {
        let param = model.params().iter().find(|param| param.name() == format!("norm.{name}")).unwrap();
        let found = gradients.of(param.tensor());
        assert_eq!(found.is_some(), case.is(option), "{}: the gradient of {name}", case.name());
        if let Some(found) = found {
            near::<B>(case, name, &numbers(&found), &case.numbers(&format!("grad_{name}")));
        }
    }
}

/// Compares the gradient for the input. Where mean and variance are of few numbers, they take nearly all of it away: of two
/// numbers nothing is left but for epsilon. So the error is measured by the greatest that there was before, the gradient
/// from above times gamma over the deviation. `together` says of each number of the input which statistics it belongs to,
/// which number of gamma, and whether it counts for the statistics.
fn compare_input<B: Backend>(
    case: &Reading<'_>,
    gradients: &Gradients<B>,
    of: &Tensor<B>,
    together: impl Fn(usize) -> (usize, usize, bool),
) {
    let (x, above, gamma) = (case.numbers("input"), case.numbers("grad_output"), case.find("gamma"));
    let mut sums: BTreeMap<usize, [f64; 3]> = BTreeMap::new();
    for (i, x) in x.iter().enumerate().filter(|&(i, _)| together(i).2) {
        let sums = sums.entry(together(i).0).or_default();
        *sums = [sums[0] + 1.0, sums[1] + x, sums[2] + x * x];
    }
    let before = above.iter().enumerate().map(|(i, above)| {
        let (group, of_gamma, _) = together(i);
        let [count, sum, squares] = sums[&group];
        let variance = squares / count - (sum / count).powi(2);
        let gamma = gamma.as_ref().map_or(1.0, |(gamma, _)| gamma[of_gamma]);
        (above * gamma).abs() / (variance + case.number("epsilon")).sqrt()
    });
    let greatest = before.fold(0.0, f64::max);
    let (found, (expected, shape)) = (gradients.of(of).unwrap(), case.tensor("grad_input"));
    assert_eq!(found.shape()[..], shape[..], "{}: grad_input", case.name());
    for (i, (found, expected)) in numbers(&found).iter().zip(&expected).enumerate() {
        let off = (found - expected).abs() / greatest;
        assert!(off <= tolerance::<B>(), "{}: grad_input, element {i}: {found}, expected {expected}", case.name());
    }
}

/// Over the features, or over the last two axes, which are then made one and two again.
pub(crate) fn layer_norm<B: Backend>(b: &B, case: &Reading<'_>) {
    let x = variable(b, case, "input");
    let layer = LayerNorm::new().epsilon(case.number("epsilon"));
    let layer = layer.gamma(weight(case, "scale", Weight::ones())).beta(weight(case, "center", Weight::zeros()));
    let sizes = &x.shape()[1..];
    let network = match (case.option("axes").to_string().as_str(), sizes.len()) {
        ("[-1]", _) => Sequential::new().add_named("norm", layer),
        ("[-2,-1]", 2) => Sequential::new().add(Flatten).add_named("norm", layer).add(Reshape::new(sizes)),
        (axes, _) => panic!("{}: axes {axes}", case.name()),
    };
    let mut model = network.build(b, Spec::dense(sizes), 0).unwrap();
    set_scale_and_shift(b, case, &mut model);
    let y = model.forward(x.clone(), TRAINING()).unwrap();
    let gradients = compare_output(b, case, &y);
    let width: usize = model.params()[0].shape().elements();
    let together = |i: usize| (i / width, i % width, true);
    compare_input(case, &gradients, &x, together);
    compare_scale_and_shift(case, &gradients, &model);
    compare(case, "output", &model.forward(x, Mode::Evaluation).unwrap());
}

pub(crate) fn batch_norm<B: Backend>(b: &B, case: &Reading<'_>) {
    let x = variable(b, case, "input");
    let layer = BatchNorm::new().epsilon(case.number("epsilon")).momentum(case.number("momentum"));
    let layer = layer.gamma(weight(case, "scale", Weight::ones())).beta(weight(case, "center", Weight::zeros()));
    let mut model = Sequential::new().add_named("norm", layer).build(b, Spec::dense(&x.shape()[1..]), 0).unwrap();
    set_scale_and_shift(b, case, &mut model);
    for name in ["moving_mean", "moving_variance"] {
        set(b, &mut model, &format!("norm.{name}"), &case.numbers(name));
    }
    let input = || Value::from(x.clone()).with_mask(mask(b, case, "mask"));
    let training = case.is("training");
    let mut pass = model.pass(if training { TRAINING() } else { Mode::Evaluation });
    let y = model.run(input(), &mut pass).unwrap().split().0.tensor(&pass).unwrap();
    let states = pass.into_states();
    let gradients = compare_output(b, case, &y);
    let features = x.shape().last();
    let counts = case.find("mask").map(|(mask, _)| mask);
    let together =
        |i: usize| (i % features, i % features, counts.as_ref().is_none_or(|mask| mask[i / features] != 0.0));
    match training {
        true => compare_input(case, &gradients, &x, together),
        false => compare_gradient(case, "grad_input", &gradients, &x),
    }

    model.keep(states).unwrap();
    for name in ["moving_mean", "moving_variance"] {
        let param = model.params().iter().find(|param| param.name() == format!("norm.{name}")).unwrap();
        let what = if training { format!("new_{name}") } else { name.to_string() };
        compare(case, &what, param.tensor());
    }
    match training {
        true => compare_scale_and_shift(case, &gradients, &model),
        false => compare_evaluated(b, case, &mut model, input()),
    }
}

/// Evaluation records nothing for parameters. But the layer's value is linear in scale and shift, so that their gradients
/// are what comes out for 1 in the place of one of the numbers and 0 in that of all others, times the gradient from above.
fn compare_evaluated<B: Backend>(b: &B, case: &Reading<'_>, model: &mut Model<B>, input: Value<B>) {
    let from_above = case.numbers("grad_output");
    for (name, option, _) in SCALE_AND_SHIFT {
        if !case.is(option) {
            continue;
        }
        let expected = case.numbers(&format!("grad_{name}"));
        let of_unit = |feature: usize| {
            for (each, ..) in SCALE_AND_SHIFT {
                let unit = |i| f64::from(u8::from(each == name && i == feature));
                set(b, model, &format!("norm.{each}"), &(0..expected.len()).map(unit).collect::<Vec<_>>());
            }
            let y = numbers(&model.forward(input.clone(), Mode::Evaluation).unwrap());
            y.iter().zip(&from_above).map(|(y, dy)| y * dy).sum()
        };
        let found: Vec<f64> = (0..expected.len()).map(of_unit).collect();
        near::<B>(case, name, &found, &expected);
    }
}
