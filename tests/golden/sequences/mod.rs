//! Normalisation, attention, pooling and embedding against PyTorch and Keras: values, all gradients, running statistics.

mod attention;
mod heads;
mod masked;
mod norm;
mod steps;

use crate::common::golden::{Golden, Reading};
use crate::common::near::{assert_near, is_double, numbers, tensor};
use elman::layers::{Mask, Mode};
use elman::random::Key;
use elman::tensor::Gradients;
use elman::{Backend, Element, Model, Tensor};
use elman_candle::Candle;
use elman_candle::candle_core::Device;
use std::cell::RefCell;
use std::collections::BTreeMap;

on_every_backend!();

#[test]
fn on_portable_candle() {
    check(&Candle::portable(Device::Cpu));
}

/// How many cases of each kind there were when this was written: fewer would be a file that lost some.
const CASES: [(&str, usize); 10] = [
    ("layer_norm", 10),
    ("batch_norm", 15),
    ("attention", 10),
    ("additive_attention", 10),
    ("multi_head_attention", 10),
    ("scaled_dot_product_attention", 16),
    ("masked_multi_head_attention", 16),
    ("global_average_pooling", 5),
    ("global_max_pooling", 5),
    ("embedding", 10),
];

fn check<B: Backend>(b: &B) {
    let done: RefCell<BTreeMap<String, usize>> = RefCell::default();
    Golden::open("sequences").each(|case| {
        match case.kind() {
            "layer_norm" => norm::layer_norm(b, case),
            "batch_norm" => norm::batch_norm(b, case),
            "attention" => attention::dot(b, case),
            "additive_attention" => attention::additive(b, case),
            "multi_head_attention" => heads::check(b, case),
            "scaled_dot_product_attention" => masked::products(b, case),
            "masked_multi_head_attention" => masked::heads(b, case),
            "global_average_pooling" => steps::average_pooling(b, case),
            "global_max_pooling" => steps::max_pooling(b, case),
            "embedding" => steps::embedding(b, case),
            other => panic!("{}: kind {other}", case.name()),
        }
        *done.borrow_mut().entry(case.kind().to_string()).or_default() += 1;
    });
    for (kind, cases) in CASES {
        let done = done.borrow().get(kind).copied().unwrap_or(0);
        assert!(done >= cases, "{done} of {cases} cases of {kind}");
    }
}

/// How far numbers may be from those in double precision, as a part of the greatest of the tensor that is compared: in
/// `f64` some roundings, in `f32` those of inputs and weights too.
fn tolerance<B: Backend>() -> f64 {
    if is_double::<B>() { 1e-12 } else { 1e-5 }
}

const TRAINING: fn() -> Mode = || Mode::Training(Key::new(1));

/// Below this a whole tensor is 0, and what the file has there are roundings: all that is drawn is of order 1, and nothing
/// comes to the keys' bias, which adds the same to all scores of a query, or to the scores where there is only one.
const ROUNDINGS: f64 = 1e-14;

#[track_caller]
fn near<B: Backend>(case: &Reading<'_>, what: &str, found: &[f64], expected: &[f64]) {
    let what = format!("{}: {what}", case.name());
    match expected.iter().all(|x| x.abs() < ROUNDINGS) {
        // With a 1 to measure by.
        true => assert_near(
            &what,
            &[found, &[1.0]].concat(),
            &[vec![0.0; expected.len()], vec![1.0]].concat(),
            tolerance::<B>(),
        ),
        false => assert_near(&what, found, expected, tolerance::<B>()),
    }
}

/// Compares a tensor with one of the file.
#[track_caller]
fn compare<B: Backend>(case: &Reading<'_>, what: &str, found: &Tensor<B>) {
    let (expected, shape) = case.tensor(what);
    assert_eq!(found.shape()[..], shape[..], "{}: {what}", case.name());
    near::<B>(case, what, &numbers(found), &expected);
}

/// Compares the gradient for a variable.
#[track_caller]
fn compare_gradient<B: Backend>(case: &Reading<'_>, what: &str, gradients: &Gradients<B>, of: &Tensor<B>) {
    compare(case, what, &gradients.of(of).unwrap_or_else(|| panic!("{}: no {what}", case.name())));
}

/// Compares a value with `output`; gives the gradients for `grad_output` from above.
#[track_caller]
fn compare_output<B: Backend>(b: &B, case: &Reading<'_>, y: &Tensor<B>) -> Gradients<B> {
    compare(case, "output", y);
    y.backward_from(constant(b, case, "grad_output").value().clone()).unwrap()
}

/// A tensor of the file as a constant.
#[track_caller]
fn constant<B: Backend>(b: &B, case: &Reading<'_>, what: &str) -> Tensor<B> {
    let (data, shape) = case.tensor(what);
    tensor(b, &data, &shape)
}

/// A tensor of the file as a variable.
#[track_caller]
fn variable<B: Backend>(b: &B, case: &Reading<'_>, what: &str) -> Tensor<B> {
    constant(b, case, what).into_variable()
}

/// A tensor of the file as a variable, if it is there.
fn if_there<B: Backend>(b: &B, case: &Reading<'_>, what: &str) -> Option<Tensor<B>> {
    case.find(what).map(|(data, shape)| tensor(b, &data, &shape).into_variable())
}

/// A mask of the file, if it is there.
fn mask<B: Backend>(b: &B, case: &Reading<'_>, what: &str) -> Option<Mask<B>> {
    let (numbers, shape) = case.find(what)?;
    let flags: Vec<bool> = numbers.iter().map(|&there| there != 0.0).collect();
    Some(Mask::new(b, &flags, shape[1]).unwrap())
}

/// Gives a parameter these numbers, whatever shape they have.
#[track_caller]
fn set<B: Backend>(b: &B, model: &mut Model<B>, name: &str, numbers: &[f64]) {
    let param = model.params_mut().iter_mut().find(|param| param.name() == name);
    let param = param.unwrap_or_else(|| panic!("no parameter {name}"));
    let numbers = numbers.iter().map(|&x| B::Elem::from_f64(x)).collect();
    param.set_value(b.upload(numbers, param.shape()).unwrap()).unwrap();
}
