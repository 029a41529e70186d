//! scikit-learn's metrics of several labels a row.

use crate::compare::within;
use crate::metrics::{Aims, COUNTED, Fed, narrow};
use crate::suite::{Case, Numbers, number};
use anyhow::{Result, bail, ensure};
use elman::metrics::{Accuracy, Average, F1, Metric, Precision, Recall};

/// Each column is a yes or no of its own.
pub(crate) fn check(case: &Case<'_>, function: &str, targets: &Numbers, predicted: &Numbers) -> Result<()> {
    ensure!(number(case.option("beta")).unwrap_or(1.0) == 1.0, "a beta other than 1");
    let zero = case.option("zero_division");
    ensure!(zero.is_null() || zero == "warn" || number(zero) == Some(0.0), "zero_division other than 0");
    let chosen: Option<Vec<usize>> =
        case.option("labels").as_array().map(|list| list.iter().filter_map(|i| Some(i.as_u64()? as usize)).collect());
    let columns = chosen.unwrap_or_else(|| (0..targets.shape[1]).collect());
    ensure!(columns.iter().all(|&column| column < targets.shape[1]), "labels beyond the columns");
    let width = targets.shape[1];
    let weights = case.find("sample_weight").map(|weights| narrow(&weights.data));
    let of = |columns: &[usize], metric: &mut dyn Metric| -> Result<f64> {
        let pick = |numbers: &Numbers| -> Vec<f32> {
            numbers
                .data
                .chunks(width)
                .flat_map(|row| columns.iter().map(|&c| row[c] as f32).collect::<Vec<_>>())
                .collect()
        };
        let weights =
            weights.as_ref().map(|weights| weights.iter().flat_map(|&w| columns.iter().map(move |_| w)).collect());
        Fed { predictions: pick(predicted), outputs: 1, targets: Aims::Values(pick(targets)), weights }.to(metric)?;
        Ok(metric.value())
    };
    if function == "hamming_loss" {
        let found = 1.0 - of(&columns, &mut Accuracy::new())?;
        return within("value.0", &Numbers::new(vec![found], &[1]), &case.tensor("value.0")?, COUNTED, 1.0);
    }
    let precision: &dyn Fn() -> Box<dyn Metric> = &|| Box::new(Precision::new(Average::Binary));
    let recall: &dyn Fn() -> Box<dyn Metric> = &|| Box::new(Recall::new(Average::Binary));
    let f1: &dyn Fn() -> Box<dyn Metric> = &|| Box::new(F1::new(Average::Binary));
    let measures = match function {
        "precision_score" => vec![precision],
        "recall_score" => vec![recall],
        "f1_score" => vec![f1],
        "precision_recall_fscore_support" => vec![precision, recall, f1],
        other => bail!("{other} of several labels a row"),
    };
    let support: Vec<f64> = columns
        .iter()
        .map(|&column| {
            let rows = targets.data.chunks(width).enumerate().filter(|(_, row)| row[column] != 0.0);
            rows.map(|(row, _)| weights.as_ref().map_or(1.0, |weights| f64::from(weights[row]))).sum()
        })
        .collect();
    for (i, measure) in measures.iter().enumerate() {
        let each = || columns.iter().map(|&column| of(&[column], &mut *measure())).collect::<Result<Vec<f64>>>();
        let found = match case.option("average").as_str() {
            None => each()?,
            Some("micro") => vec![of(&columns, &mut *measure())?],
            Some("macro") => vec![each()?.iter().sum::<f64>() / columns.len() as f64],
            Some("weighted") => {
                let all: f64 = support.iter().sum();
                let weighed = each()?.iter().zip(&support).map(|(value, support)| value * support).sum::<f64>();
                vec![if all == 0.0 { 0.0 } else { weighed / all }]
            }
            Some(other) => bail!("average {other}"),
        };
        let expected = case.tensor(&format!("value.{i}"))?;
        within(&format!("value.{i}"), &Numbers::new(found, &expected.shape), &expected, COUNTED, 1.0)?;
    }
    case.pass_over("value.3", "how many rows each class has, which the library does not tell");
    Ok(())
}
