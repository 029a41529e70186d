//! Keras' losses, with the weights and reductions of its tests.

use crate::compare::{gradient, near_beside, numbers, tensor, variable};
use crate::suite::{Case, Numbers, number};
use anyhow::{Result, bail, ensure};
use elman::loss::*;
use elman::{Backend, Shape, Tensor};

pub(crate) fn check<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let predictions = case.tensor("predictions")?;
    let sparse = case.text("class")? == "SparseCategoricalCrossentropy";
    let config = case.option("config");
    ensure!(config["axis"].as_i64().unwrap_or(-1) == -1, "an axis that is not the last");
    ensure!(case.find("mask").is_none(), "a mask of samples");
    let y = variable(b, &predictions)?;
    let targets = case.tensor("targets")?;
    let rows = &predictions.shape[..predictions.shape.len() - 1];
    let target = match sparse {
        true => {
            let labels = targets.data.iter().map(|&label| label as i64 as u32).collect();
            Target::Classes { labels, shape: Shape::new(rows)? }
        }
        false => {
            let fits = targets.data.len() == predictions.data.len();
            ensure!(fits, "targets that are stretched to the predictions");
            Target::Values(tensor(b, &targets.reshaped(&predictions.shape))?)
        }
    };
    let loss = loss::<B>(case)?;
    let each = loss.each(&y, &target)?;
    let shape = each.shape();
    // A weight for each row, stretched: of a sample for all its rows.
    let weights = match case.find("sample_weight") {
        None => None,
        Some(weights) => {
            let count = weights.data.len();
            ensure!(count == 1 || shape.elements().is_multiple_of(count), "weights of elements");
            let samples = shape.first().copied().unwrap_or(1);
            ensure!([1, samples, shape.elements()].contains(&count), "weights of elements");
            let sharing = shape.elements() / count;
            Some((0..shape.elements()).map(|row| weights.data[row / sharing]).collect::<Vec<f64>>())
        }
    };
    let weighed = |each: &Tensor<B>| -> Result<Tensor<B>> {
        let weights = weights.as_ref().map(|weights| tensor(b, &Numbers::new(weights.clone(), &shape)));
        let each = match weights.transpose()? {
            Some(weights) => each.mul(&weights)?,
            None => each.clone(),
        };
        let Some(ignored) = loss.ignored() else { return Ok(each) };
        let kept = targets.data.iter().map(|&label| f64::from(u8::from(label as i64 as u32 != ignored)));
        Ok(each.mul(&tensor(b, &Numbers::new(kept.collect(), &shape))?)?)
    };
    let value = match config["reduction"].as_str() {
        // Weights are `f32` in the library: the mean is linear in them, and two of them hold 48 bits.
        Some("sum_over_batch_size" | "mean") => match &weights {
            None => mean(&*loss, &y, &target, None)?,
            Some(weights) => {
                let front: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
                let rest: Vec<f32> =
                    weights.iter().zip(&front).map(|(&w, &front)| (w - f64::from(front)) as f32).collect();
                mean(&*loss, &y, &target, Some(&front))?.add(&mean(&*loss, &y, &target, Some(&rest))?)?
            }
        },
        Some("sum") => weighed(&each)?.sum()?,
        Some("none") | None => weighed(&each)?,
        // Of no weights it is the plain mean.
        Some("mean_with_sample_weight") => {
            let all = weights.as_ref().map_or(shape.elements() as f64, |weights| weights.iter().sum());
            weighed(&each)?.sum()?.affine(1.0 / all, 0.0)?
        }
        Some(other) => bail!("reduction {other}"),
    };
    // The logarithm of what is nearly 1 is as exact as that is.
    near_beside::<B>("value", &numbers(&value)?, &case.tensor("value")?, 1.0)?;
    if let Some(expected) = case.find("grad") {
        let found = gradient(&value.sum()?.backward()?, &y)?;
        // It is a difference of terms, such as a probability and a target of 1, for each number of the predictions.
        near_beside::<B>("grad", &found, &expected, 1.0 / expected.data.len() as f64)?;
    }
    Ok(())
}

fn loss<B: Backend>(case: &Case<'_>) -> Result<Box<dyn Loss<B>>> {
    let config = case.option("config");
    let logits = config["from_logits"].as_bool() == Some(true);
    let smoothing = number(&config["label_smoothing"]).unwrap_or(0.0);
    Ok(match case.text("class")? {
        "BinaryCrossentropy" => {
            let loss = if logits { BinaryCrossEntropy::from_logits() } else { BinaryCrossEntropy::new() };
            Box::new(loss.label_smoothing(smoothing))
        }
        "CategoricalCrossentropy" => {
            let loss = if logits { CategoricalCrossEntropy::from_logits() } else { CategoricalCrossEntropy::new() };
            Box::new(loss.label_smoothing(smoothing))
        }
        "SparseCategoricalCrossentropy" => {
            let loss = if logits {
                SparseCategoricalCrossEntropy::from_logits()
            } else {
                SparseCategoricalCrossEntropy::new()
            };
            match config["ignore_class"].as_i64() {
                Some(class) => Box::new(loss.ignore_class(class as u32)),
                None => Box::new(loss),
            }
        }
        "Hinge" => Box::new(Hinge),
        "SquaredHinge" => Box::new(SquaredHinge),
        "CategoricalHinge" => Box::new(CategoricalHinge),
        "MeanSquaredError" => Box::new(MeanSquaredError),
        "MeanAbsoluteError" => Box::new(MeanAbsoluteError),
        "Huber" => Box::new(Huber::new(number(&config["delta"]).unwrap_or(1.0))),
        "KLDivergence" => Box::new(KlDivergence::new()),
        "Poisson" => Box::new(Poisson::new()),
        "CosineSimilarity" => Box::new(CosineSimilarity),
        "LogCosh" => Box::new(LogCosh),
        other => bail!("no loss {other}"),
    })
}
