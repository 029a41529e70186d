//! PyTorch's losses that are logarithms of likelihoods, divergences and margins.

use crate::compare::{tensor, variable};
use crate::suite::{Case, Numbers};
use crate::torch_losses::{by_rows, finish, reduce, stretched};
use anyhow::{Result, bail, ensure};
use elman::loss::{GaussianNll, KlDivergence, Loss, MultiMargin, NegativeLogLikelihood, Poisson, Target};
use elman::{Backend, Shape, Tensor};

pub(crate) fn check<B: Backend>(b: &B, case: &Case<'_>, module: &str) -> Result<()> {
    match module {
        "NLLLoss" => nll(b, case),
        "KLDivLoss" => divergence(b, case),
        "PoissonNLLLoss" => poisson(b, case),
        "GaussianNLLLoss" => gaussian(b, case),
        "MultiMarginLoss" => margin(b, case),
        other => bail!("no loss {other}"),
    }
}

fn classes<B: Backend>(labels: &[i64]) -> Result<Target<B>> {
    let shape = Shape::new(&[labels.len()])?;
    Ok(Target::Classes { labels: labels.iter().map(|&label| label as u32).collect(), shape })
}

/// The negative log-likelihood of labels, which weigh what their class weighs, or nothing where they are ignored.
pub(crate) fn of_labels<B: Backend>(
    b: &B,
    logarithms: &Tensor<B>,
    labels: &[i64],
    weights: Option<&[f64]>,
    ignore: Option<i64>,
    reduction: &str,
) -> Result<Tensor<B>> {
    let loss = NegativeLogLikelihood::new();
    let loss = match ignore {
        Some(class) => loss.ignore_class(class as u32),
        None => loss,
    };
    let weight = |&label: &i64| match weights {
        _ if Some(label) == ignore => 0.0,
        Some(weights) => weights[label as usize],
        None => 1.0,
    };
    let weights: Vec<f64> = labels.iter().map(weight).collect();
    let all: f64 = weights.iter().sum();
    let each = loss.each(logarithms, &classes(labels)?)?.mul(&tensor(b, &Numbers::new(weights, &[labels.len()]))?)?;
    Ok(match reduction {
        "mean" if all == 0.0 => bail!("a mean of nothing"),
        "mean" => each.sum()?.affine(1.0 / all, 0.0)?,
        "sum" => each.sum()?,
        "none" => each,
        other => bail!("reduction {other}"),
    })
}

fn nll<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let x = variable(b, &by_rows(&case.tensor("in.input")?))?;
    let (labels, weights) = (case.tensor("in.target")?.labels(), case.find("option.weight"));
    let ignore = case.option("ignore_index").as_i64();
    let weights = weights.as_ref().map(|weights| &weights.data[..]);
    let value = of_labels(b, &x, &labels, weights, ignore, case.text("reduction")?)?;
    finish(b, case, &value, &[("grad.in.input", &x, &|grad| by_rows(&grad))])
}

/// PyTorch's `mean` is by the number of all numbers, `batchmean` by that of rows.
fn divergence<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let (input, target) = (case.tensor("in.input")?, case.tensor("in.target")?);
    ensure!(input.shape.len() > 1, "a single number of a distribution");
    let target = if case.is("log_target") { target.map(f64::exp) } else { target };
    let x = variable(b, &input)?;
    let sum = KlDivergence::from_log_probabilities().each(&x, &Target::Values(tensor(b, &target)?))?.sum()?;
    let value = match case.text("reduction")? {
        "sum" => sum,
        "mean" => sum.affine(1.0 / input.data.len() as f64, 0.0)?,
        "batchmean" => sum.affine(1.0 / input.shape[0] as f64, 0.0)?,
        other => bail!("reduction {other} of what is summed over a row"),
    };
    finish(b, case, &value, &[("grad.in.input", &x, &|grad| grad)])
}

fn poisson<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let input = case.tensor("in.log_input")?;
    let rows = [input.data.len(), 1];
    let x = variable(b, &input.reshaped(&rows))?;
    let loss = if case.is("log_input") { Poisson::from_log_rates() } else { Poisson::new() };
    let loss = loss.epsilon(case.number("eps")?);
    let loss = if case.is("full") { loss.full() } else { loss };
    let each = loss.each(&x, &Target::Values(tensor(b, &case.tensor("in.target")?.reshaped(&rows))?))?;
    finish(b, case, &reduce(case, &each)?, &[("grad.in.log_input", &x, &|grad| grad.reshaped(&rows))])
}

/// Means and variances apart there, side by side here.
fn gaussian<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let input = case.tensor("in.input")?;
    let rows = [input.data.len(), 1];
    let x = variable(b, &input.reshaped(&rows))?;
    let variances = tensor(b, &stretched(&case.tensor("in.var")?, &input.shape).reshaped(&rows))?;
    let loss = GaussianNll::new().epsilon(case.number("eps")?);
    let loss = if case.is("full") { loss.full() } else { loss };
    let target = Target::Values(tensor(b, &case.tensor("in.target")?.reshaped(&rows))?);
    let each = loss.each(&Tensor::concat(&[&x, &variances], 1)?, &target)?;
    finish(b, case, &reduce(case, &each)?, &[("grad.in.input", &x, &|grad| grad.reshaped(&rows))])
}

fn margin<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let input = by_rows(&case.tensor("in.input")?);
    let x = variable(b, &input)?;
    let labels = case.tensor("in.target")?.labels();
    let loss = MultiMargin::new().p(case.count("p")? as u32).margin(case.number("margin")?);
    let mut each = loss.each(&x, &classes(&labels)?)?;
    if let Some(weights) = case.find("option.weight") {
        let of = labels.iter().map(|&label| weights.data[label as usize]).collect();
        each = each.mul(&tensor(b, &Numbers::new(of, &[labels.len()]))?)?;
    }
    finish(b, case, &reduce(case, &each)?, &[("grad.in.input", &x, &|grad| grad.reshaped(&input.shape))])
}
