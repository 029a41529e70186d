//! PyTorch's losses.

use crate::compare::{gradient, near, near_beside, numbers, tensor, variable};
use crate::cross_entropy::{Aim, CrossEntropy};
use crate::suite::{Case, Numbers};
use anyhow::{Result, bail};
use elman::loss::{BinaryCrossEntropy, Huber, Loss, MeanAbsoluteError, MeanSquaredError, Target};
use elman::{Backend, Tensor};

pub(crate) fn check<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    match case.text("module")?.trim_start_matches("nn.") {
        "L1Loss" => elementwise(b, case, &MeanAbsoluteError, 1.0),
        "MSELoss" => elementwise(b, case, &MeanSquaredError, 1.0),
        "HuberLoss" => elementwise(b, case, &Huber::new(case.number("delta")?), 1.0),
        "SmoothL1Loss" => match case.number("beta")? {
            0.0 => elementwise(b, case, &MeanAbsoluteError, 1.0),
            beta => elementwise(b, case, &Huber::new(beta), 1.0 / beta),
        },
        "BCELoss" => elementwise(b, case, &BinaryCrossEntropy::new(), 1.0),
        "BCEWithLogitsLoss" => match case.find("option.pos_weight") {
            Some(weights) => several(b, case, &BinaryCrossEntropy::from_logits().pos_weights(weights.data)),
            None => elementwise(b, case, &BinaryCrossEntropy::from_logits(), 1.0),
        },
        "CrossEntropyLoss" => cross_entropy(b, case),
        "LinearCrossEntropyLoss" => linear_cross_entropy(b, case),
        other => crate::torch_likelihoods::check(b, case, other),
    }
}

/// How PyTorch reduces; a weight for each element is multiplied in before.
pub(crate) fn reduce<B: Backend>(case: &Case<'_>, each: &Tensor<B>) -> Result<Tensor<B>> {
    Ok(match case.text("reduction")? {
        "mean" => each.mean()?,
        "sum" => each.sum()?,
        "none" => each.clone(),
        other => bail!("reduction {other}"),
    })
}

/// A gradient of the file as the variable is laid out.
type Layout<'a> = &'a dyn Fn(Numbers) -> Numbers;

/// Compares a value with `out`, and what comes back for a variable.
pub(crate) fn finish<B: Backend>(
    b: &B,
    case: &Case<'_>,
    value: &Tensor<B>,
    of: &[(&str, &Tensor<B>, Layout<'_>)],
) -> Result<()> {
    near::<B>("out", &numbers(value)?, &case.tensor("out")?.reshaped(&value.shape()))?;
    let above = tensor(b, &case.tensor("above.out")?.reshaped(&value.shape()))?;
    let gradients = value.backward_from(above.value().clone())?;
    for (what, variable, laid_out) in of {
        near_beside::<B>(what, &gradient(&gradients, variable)?, &laid_out(case.tensor(what)?), 0.0)?;
    }
    Ok(())
}

/// A loss that the library averages over a row's outputs: of rows of one it is what it is of each element.
fn elementwise<B: Backend>(b: &B, case: &Case<'_>, loss: &dyn Loss<B>, times: f64) -> Result<()> {
    let input = case.tensor("in.input")?;
    let rows = [input.data.len(), 1];
    let x = variable(b, &input.reshaped(&rows))?;
    let target = Target::Values(tensor(b, &case.tensor("in.target")?.reshaped(&rows))?);
    let mut each = loss.each(&x, &target)?.affine(times, 0.0)?;
    if let Some(weight) = case.find("option.weight") {
        each = each.mul(&tensor(b, &stretched(&weight, &input.shape).reshaped(&[rows[0]]))?)?;
    }
    finish(b, case, &reduce(case, &each)?, &[("grad.in.input", &x, &|grad| grad.reshaped(&rows))])
}

/// A loss with options for each output.
fn several<B: Backend>(b: &B, case: &Case<'_>, loss: &dyn Loss<B>) -> Result<()> {
    let x = variable(b, &case.tensor("in.input")?)?;
    let target = Target::Values(tensor(b, &case.tensor("in.target")?)?);
    let each = loss.each(&x, &target)?;
    let value = match case.text("reduction")? {
        "mean" => each.mean()?,
        "sum" => each.sum()?.affine(x.shape().last() as f64, 0.0)?,
        other => bail!("reduction {other} of options for each output"),
    };
    finish(b, case, &value, &[("grad.in.input", &x, &|grad| grad)])
}

/// Numbers repeated along axes of which they have one, or none.
pub(crate) fn stretched(numbers: &Numbers, shape: &[usize]) -> Numbers {
    let own = [vec![1; shape.len() - numbers.shape.len()], numbers.shape.clone()].concat();
    let count = shape.iter().product();
    let at = |mut i: usize| {
        let (mut stride, mut at) = (1, 0);
        for (&size, &own) in shape.iter().zip(&own).rev() {
            at += if own == 1 { 0 } else { (i % size) * stride };
            stride *= own;
            i /= size;
        }
        numbers.data[at]
    };
    Numbers::new((0..count).map(at).collect(), shape)
}

fn how<'a>(case: &Case<'a>) -> Result<CrossEntropy<'a>> {
    Ok(CrossEntropy {
        reduction: case.text("reduction")?,
        weights: case.find("option.weight").map(|weights| weights.data),
        ignore: case.option("ignore_index").as_i64(),
        smoothing: case.number("label_smoothing").unwrap_or(0.0),
    })
}

/// Classes along axis 1, or along the only one, as rows `[rows, classes]`.
pub(crate) fn by_rows(numbers: &Numbers) -> Numbers {
    let numbers = if numbers.shape.len() > 1 { numbers.with_last(1) } else { numbers.clone() };
    let classes = numbers.shape[numbers.shape.len() - 1];
    numbers.reshaped(&[numbers.data.len() / classes, classes])
}

fn aim(target: &Numbers, rows: usize) -> Aim {
    if target.data.len() == rows { Aim::Labels(target.labels()) } else { Aim::Distributions(by_rows(target)) }
}

fn cross_entropy<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let input = by_rows(&case.tensor("in.input")?);
    let x = variable(b, &input)?;
    let value = how(case)?.of(b, &x, &aim(&case.tensor("in.target")?, input.shape[0]))?;
    finish(b, case, &value, &[("grad.in.input", &x, &|grad| by_rows(&grad))])
}

/// A dense layer and its cross-entropy in one.
fn linear_cross_entropy<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let input = case.tensor("in.input")?;
    let features = input.shape[input.shape.len() - 1];
    let batch = input.data.len() / features;
    let x = variable(b, &input.reshaped(&[batch, features]))?;
    let w = variable(b, &case.tensor("param.linear.weight")?.permuted(&[1, 0]))?;
    let bias = case.find("param.linear.bias").map(|bias| variable(b, &bias)).transpose()?;
    let classes = case.count("num_classes")?;
    let places = w.shape()[1] / classes;
    let logits = x.linear(&w, bias.as_ref())?.reshape(&[batch, classes, places])?;
    let logits = logits.permute(&[0, 2, 1])?.reshape(&[batch * places, classes])?;
    let value = how(case)?.of(b, &logits, &aim(&case.tensor("in.target")?, batch * places))?;
    let kernel = |grad: Numbers| grad.permuted(&[1, 0]);
    let mut of: Vec<(&str, &Tensor<B>, Layout<'_>)> =
        vec![("grad.in.input", &x, &|grad| grad), ("grad.param.linear.weight", &w, &kernel)];
    of.extend(bias.iter().map(|bias| ("grad.param.linear.bias", bias, &(|grad| grad) as Layout<'_>)));
    finish(b, case, &value, &of)
}
