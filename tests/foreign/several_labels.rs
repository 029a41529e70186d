//! scikit-learn's metrics of several labels a row.

use crate::compare::within;
use crate::metrics::{Aims, COUNTED, Fed, narrow};
use crate::suite::{Case, Numbers, number};
use anyhow::{Result, bail, ensure};
use elman::metrics::{Accuracy, Average, F1, Precision, Recall};

/// Each column is a yes or no of its own.
pub(crate) fn check(case: &Case<'_>, function: &str, targets: &Numbers, predicted: &Numbers) -> Result<()> {
    ensure!(number(case.option("beta")).unwrap_or(1.0) == 1.0, "a beta other than 1");
    let zero = case.option("zero_division");
    ensure!(zero.is_null() || zero == "warn" || number(zero) == Some(0.0), "zero_division other than 0");
    ensure!(case.option("normalize") != false, "a count instead of a share");
    let chosen: Option<Vec<usize>> =
        case.option("labels").as_array().map(|list| list.iter().filter_map(|i| Some(i.as_u64()? as usize)).collect());
    let columns = chosen.unwrap_or_else(|| (0..targets.shape[1]).collect());
    ensure!(columns.iter().all(|&column| column < targets.shape[1]), "labels beyond the columns");
    let fed = of_columns(case, targets, predicted, &columns);
    type Measure<'a> = Box<dyn Fn(Average) -> Result<f64> + 'a>;
    let precision: Measure<'_> = Box::new(|average| fed.value(Precision::new(average)));
    let recall: Measure<'_> = Box::new(|average| fed.value(Recall::new(average)));
    let f1: Measure<'_> = Box::new(|average| fed.value(F1::new(average)));
    let measures = match function {
        "accuracy_score" => return compare(case, 0, vec![fed.value(Accuracy::exact_match())?]),
        "zero_one_loss" => return compare(case, 0, vec![1.0 - fed.value(Accuracy::exact_match())?]),
        "hamming_loss" => return compare(case, 0, vec![1.0 - fed.value(Accuracy::new())?]),
        "precision_score" => vec![precision],
        "recall_score" => vec![recall],
        "f1_score" => vec![f1],
        "precision_recall_fscore_support" => vec![precision, recall, f1],
        other => bail!("{other} of several labels a row"),
    };
    // A single column is one output, of which there is a yes and a no.
    let label = |i: usize| if columns.len() == 1 { Average::Binary } else { Average::Class(i) };
    for (i, measure) in measures.iter().enumerate() {
        let average = match case.option("average").as_str() {
            None => {
                compare(case, i, (0..columns.len()).map(|i| measure(label(i))).collect::<Result<_>>()?)?;
                continue;
            }
            Some(_) if columns.len() == 1 => Average::Binary,
            Some("micro") => Average::Micro,
            Some("macro") => Average::Macro,
            Some("weighted") => Average::Weighted,
            Some("samples") => Average::Samples,
            Some(other) => bail!("average {other}"),
        };
        compare(case, i, vec![measure(average)?])?;
    }
    case.pass_over("value.3", "how many rows each class has, which the library does not tell");
    Ok(())
}

/// The columns in this order as the labels of a row.
fn of_columns(case: &Case<'_>, targets: &Numbers, predicted: &Numbers, columns: &[usize]) -> Fed {
    let pick = |numbers: &Numbers| -> Vec<f32> {
        let rows = numbers.data.chunks(numbers.shape[1]);
        rows.flat_map(|row| columns.iter().map(|&column| row[column] as f32)).collect()
    };
    Fed {
        predictions: pick(predicted),
        outputs: columns.len(),
        targets: Aims::Values(pick(targets)),
        weights: case.find("sample_weight").map(|weights| narrow(&weights.data)),
        several: true,
    }
}

fn compare(case: &Case<'_>, i: usize, found: Vec<f64>) -> Result<()> {
    let what = format!("value.{i}");
    let expected = case.tensor(&what)?;
    within(&what, &Numbers::new(found, &expected.shape), &expected, COUNTED, 1.0)
}
