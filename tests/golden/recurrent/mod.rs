//! Recurrent layers, and whole models with them, against PyTorch and Keras: values and all gradients.

mod layers;
mod models;
mod options;
mod stack;

use crate::common::golden::{Golden, Reading};
use crate::common::near::{assert_near, is_double, numbers, tensor};
use elman::layers::Mode;
use elman::random::Key;
use elman::tensor::Gradients;
use elman::{Backend, Model, Tensor};
use elman_candle::Candle;
use elman_candle::candle_core::Device;
use std::cell::Cell;

on_every_backend!();

#[test]
fn on_portable_candle() {
    check(&Candle::portable(Device::Cpu));
}

/// All cases; fewer than there were when this was written would be a file that lost some.
fn check<B: Backend>(b: &B) {
    let golden = Golden::open("recurrent");
    assert!(golden.cases.len() >= 140, "{} recurrent layers", golden.cases.len());
    let (values, gradients) = (Cell::new(0), Cell::new(0));
    golden.each(|case| {
        assert_eq!(case.kind(), "recurrent", "{}", case.name());
        let by_layers = layers::check(b, case);
        values.set(values.get() + usize::from(by_layers.values));
        gradients.set(gradients.get() + usize::from(by_layers.gradients));
    });
    // What the layers can do by themselves, without the test's own around them.
    let by_layers = (values.get(), gradients.get());
    assert!(by_layers.0 >= 73 && by_layers.1 >= 44, "{by_layers:?} cases by layers alone");

    let golden = Golden::open("models");
    assert!(golden.cases.len() >= 12, "{} models", golden.cases.len());
    golden.each(|case| models::check(b, case));
}

/// How far numbers may be from those in double precision, as a part of the greatest of the tensor that is compared. In
/// `f64` the errors of several layers and ten steps add up to some fifty roundings (1e-14), which another order of sums may
/// make more of; a wrong formula is off by far more than 1e-12. In `f32` inputs and weights are rounded first, and layers
/// without a bounded activation make more of it.
fn tolerance<B: Backend>() -> f64 {
    if is_double::<B>() { 1e-12 } else { 1e-5 }
}

const TRAINING: fn() -> Mode = || Mode::Training(Key::new(1));

/// Compares numbers with a tensor of the file where `seen` is not 0, a number for each of its rows.
#[track_caller]
fn compare_seen<B: Backend>(case: &Reading<'_>, what: &str, found: &Tensor<B>, seen: Option<Vec<f64>>) {
    let (expected, shape) = case.tensor(what);
    let found = numbers(found);
    assert_eq!(found.len(), expected.len(), "{}: {what}", case.name());
    let width = shape[shape.len() - 1];
    let keep = |all: Vec<f64>| match &seen {
        Some(seen) => {
            assert_eq!(seen.len() * width, all.len(), "{}: the mask of {what}", case.name());
            all.chunks(width).zip(seen).filter(|(_, seen)| **seen != 0.0).flat_map(|(row, _)| row.to_vec()).collect()
        }
        None => all,
    };
    near::<B>(case, what, &keep(found), &keep(expected));
}

#[track_caller]
fn near<B: Backend>(case: &Reading<'_>, what: &str, found: &[f64], expected: &[f64]) {
    assert_near(&format!("{}: {what}", case.name()), found, expected, tolerance::<B>());
}

/// Compares the gradient for a variable, whose shape may have ones that the file's has not, and the other way round.
#[track_caller]
fn compare_gradient<B: Backend>(case: &Reading<'_>, what: &str, gradients: &Gradients<B>, of: &Tensor<B>) {
    let found = gradients.of(of).unwrap_or_else(|| panic!("{}: no {what}", case.name()));
    let (expected, shape) = case.tensor(what);
    let sizes = |shape: &[usize]| shape.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    assert_eq!(sizes(&found.shape()), sizes(&shape), "{}: {what}", case.name());
    let found = numbers(&found);
    if is_double::<B>() {
        return near::<B>(case, what, &found, &expected);
    }
    // A gradient that is much smaller than the case's others is a difference of terms as large as they are, or went
    // through gates at the ends of their range; its rounding is that of the terms.
    let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let greatest = expected.iter().fold(0.0, |greatest: f64, x| greatest.max(x.abs()));
    // What is small has four digits all the same, so that it is not lost among what is large.
    let allowed = f64::min(tolerance::<B>() * case.greatest_gradient(), 1e-4 * greatest);
    assert!(far <= allowed, "{}: {what}: off by {far}, {allowed} allowed", case.name());
}

/// Compares the gradients of all weights of a model.
#[track_caller]
fn compare_gradients<B: Backend>(case: &Reading<'_>, gradients: &Gradients<B>, model: &Model<B>) {
    for param in model.params() {
        let name = in_file(param.name());
        let at = name.rfind('/').map_or(0, |slash| slash + 1);
        compare_gradient(case, &format!("{}grad_{}", &name[..at], &name[at..]), gradients, param.tensor());
    }
}

/// A tensor of the file as a constant.
#[track_caller]
fn constant<B: Backend>(b: &B, case: &Reading<'_>, what: &str) -> Tensor<B> {
    let (data, shape) = case.tensor(what);
    tensor(b, &data, &shape)
}

/// Gives all of a model's parameters the values of the file.
fn set_weights<B: Backend>(b: &B, case: &Reading<'_>, model: &mut Model<B>) {
    let weights = model.params().iter().map(|param| {
        let weight = constant(b, case, &in_file(param.name()));
        (param.name().to_string(), weight.reshape(&param.shape()).unwrap().value().clone())
    });
    let weights: Vec<_> = weights.collect();
    model.set_weights(weights).unwrap();
}

/// A parameter's name in the file: `layer0.kernel`, `layer0_forward.kernel` and `layer0.forward.kernel` are
/// `layer0/forward/kernel`, `output.kernel` is `output_kernel`.
fn in_file(name: &str) -> String {
    match name.split(['.', '_']).next() {
        Some(layer) if layer.starts_with("layer") => {
            let direction = if name.contains("backward") { "backward" } else { "forward" };
            format!("{layer}/{direction}/{}", name.rsplit('.').next().unwrap_or_default())
        }
        _ => name.replace("embedding.", "").replace('.', "_"),
    }
}
