//! Numbers into tensors and out of them, and how near two of them must be.

use crate::suite::{Case, Numbers};
use anyhow::{Result, ensure};
use elman::tensor::Gradients;
use elman::{Backend, Element, Model, Tensor};

/// How far numbers may be from those recorded, as a part of the greatest of the tensor: in `f64` some hundred roundings of a
/// sum in another order; a wrong formula is off by far more. In `f32` inputs and weights are rounded first. What was recorded
/// in single precision can be no nearer than that.
fn tolerance<B: Backend>(expected: &Numbers) -> f64 {
    if B::Elem::NAME == "f64" && !expected.single { 1e-12 } else { 1e-5 }
}

pub(crate) fn tensor<B: Backend>(b: &B, numbers: &Numbers) -> Result<Tensor<B>> {
    Ok(Tensor::new(b, numbers.data.iter().map(|&x| B::Elem::from_f64(x)).collect(), &numbers.shape)?)
}

pub(crate) fn variable<B: Backend>(b: &B, numbers: &Numbers) -> Result<Tensor<B>> {
    Ok(tensor(b, numbers)?.into_variable())
}

pub(crate) fn numbers<B: Backend>(tensor: &Tensor<B>) -> Result<Numbers> {
    Ok(Numbers::new(tensor.to_vec()?.into_iter().map(Element::to_f64).collect(), &tensor.shape()))
}

/// Compares numbers; shapes may differ in ones.
pub(crate) fn near<B: Backend>(what: &str, found: &Numbers, expected: &Numbers) -> Result<()> {
    within(what, found, expected, tolerance::<B>(expected), 0.0)
}

/// The same where a gradient may be a difference of greater terms, of which the greatest is given: its rounding is theirs.
pub(crate) fn near_beside<B: Backend>(what: &str, found: &Numbers, expected: &Numbers, greatest: f64) -> Result<()> {
    within(what, found, expected, tolerance::<B>(expected), greatest)
}

pub(crate) fn within(what: &str, found: &Numbers, expected: &Numbers, part: f64, beside: f64) -> Result<()> {
    let sizes = |shape: &[usize]| shape.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    let shapes = (sizes(&found.shape), sizes(&expected.shape));
    ensure!(shapes.0 == shapes.1, "{what}: shape {:?}, expected {:?}", found.shape, expected.shape);
    let finite = expected.data.iter().filter(|x| x.is_finite());
    let greatest = finite.fold(beside, |greatest, x| greatest.max(x.abs()));
    for (i, (&a, &b)) in found.data.iter().zip(&expected.data).enumerate() {
        let near = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= part * greatest;
        ensure!(near, "{what}, element {i}: {a}, expected {b} ({part:e} of {greatest})");
    }
    Ok(())
}

/// Compares a tensor with one of the case.
pub(crate) fn compare<B: Backend>(case: &Case<'_>, what: &str, found: &Tensor<B>) -> Result<()> {
    near::<B>(what, &numbers(found)?, &case.tensor(what)?)
}

/// What comes back for a variable; nothing came back where it does not matter.
pub(crate) fn gradient<B: Backend>(gradients: &Gradients<B>, of: &Tensor<B>) -> Result<Numbers> {
    match gradients.of(of) {
        Some(found) => numbers(&found),
        None => Ok(Numbers::new(vec![0.0; of.shape().elements()], &of.shape())),
    }
}

/// Compares the gradient for a variable with one of the case.
pub(crate) fn compare_gradient<B: Backend>(
    case: &Case<'_>,
    what: &str,
    gradients: &Gradients<B>,
    of: &Tensor<B>,
) -> Result<()> {
    near_beside::<B>(what, &gradient(gradients, of)?, &case.tensor(what)?, case.greatest_gradient())
}

/// Gives a parameter these numbers, whatever shape they have.
pub(crate) fn set<B: Backend>(b: &B, model: &mut Model<B>, name: &str, numbers: &Numbers) -> Result<()> {
    let param = model.params_mut().iter_mut().find(|param| param.name() == name);
    let param = param.ok_or_else(|| anyhow::anyhow!("no parameter {name}"))?;
    let data = numbers.data.iter().map(|&x| B::Elem::from_f64(x)).collect();
    Ok(param.set_value(b.upload(data, param.shape())?)?)
}

/// The parameter of this name as a tensor.
pub(crate) fn param<'a, B: Backend>(model: &'a Model<B>, name: &str) -> Result<&'a Tensor<B>> {
    let param = model.params().iter().find(|param| param.name() == name);
    Ok(param.ok_or_else(|| anyhow::anyhow!("no parameter {name}"))?.tensor())
}
