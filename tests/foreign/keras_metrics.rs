//! Keras' metrics, in as many updates as its tests make.

use crate::compare::within;
use crate::metrics::{Aims, Fed, ROUNDED, hot, narrow};
use crate::suite::{Case, Numbers, number};
use anyhow::{Result, bail, ensure};
use elman::metrics::{Accuracy, Average, F1, MeanAbsoluteError, MeanSquaredError, Metric, Precision, Recall, TopK};

pub(crate) fn check(case: &Case<'_>) -> Result<()> {
    let config = case.option("config");
    for option in ["top_k", "from_sorted_ids", "class_id", "label_weights"] {
        ensure!(config[option].is_null() || config[option] == false, "{option}");
    }
    let class = case.text("class")?;
    let rows_of_one = matches!(class, "BinaryAccuracy" | "Precision" | "Recall");
    let updates =
        (0..case.count("updates")?).map(|i| update(case, i, class, rows_of_one)).collect::<Result<Vec<_>>>()?;
    let through = |mut metric: Box<dyn Metric>| -> Result<f64> {
        updates.iter().try_for_each(|update| update.to(&mut *metric))?;
        Ok(metric.value())
    };
    let thresholds = match &config["threshold"] {
        _ if !config["thresholds"].is_null() => &config["thresholds"],
        threshold => threshold,
    };
    let thresholds = match thresholds {
        serde_json::Value::Array(list) => list.iter().filter_map(number).collect(),
        other => vec![number(other).unwrap_or(0.5)],
    };
    let by_threshold = |metric: &dyn Fn(f32) -> Box<dyn Metric>| -> Result<Vec<f64>> {
        thresholds.iter().map(|&threshold| through(metric(threshold as f32))).collect()
    };
    let k = || TopK::new(number(&config["k"]).unwrap_or(5.0) as usize);
    let found = match class {
        "Accuracy" | "CategoricalAccuracy" | "SparseCategoricalAccuracy" => vec![through(Box::new(Accuracy::new()))?],
        "BinaryAccuracy" => by_threshold(&|at| Box::new(Accuracy::new().threshold(at)))?,
        "TopKCategoricalAccuracy" | "SparseTopKCategoricalAccuracy" => vec![through(Box::new(k()?))?],
        "Precision" => by_threshold(&|at| Box::new(Precision::new(Average::Binary).threshold(at)))?,
        "Recall" => by_threshold(&|at| Box::new(Recall::new(Average::Binary).threshold(at)))?,
        "MeanSquaredError" => vec![through(Box::new(MeanSquaredError::new()))?],
        "MeanAbsoluteError" => vec![through(Box::new(MeanAbsoluteError::new()))?],
        "F1Score" | "FBetaScore" => f1(case)?,
        other => bail!("no metric {other}"),
    };
    let expected = case.tensor("value")?;
    // Keras' own sums and quotients are in `float32` in its metrics, whatever the type of the rest.
    within("value", &Numbers::new(found.clone(), &[found.len()]), &expected, ROUNDED, 0.0)
}

/// One batch of a case of Keras.
fn update(case: &Case<'_>, i: usize, class: &str, rows_of_one: bool) -> Result<Fed> {
    let (targets, predictions) = (case.tensor(&format!("targets.{i}"))?, case.tensor(&format!("predictions.{i}"))?);
    let mut outputs = if rows_of_one { 1 } else { predictions.shape[predictions.shape.len() - 1] };
    let mut scores = narrow(&predictions.data);
    let sparse = class.starts_with("Sparse");
    let targets = match class {
        // Two lists of labels.
        "Accuracy" => {
            ensure!(targets.data.iter().chain(&predictions.data).all(|x| x.fract() == 0.0 && *x >= 0.0), "no labels");
            let classes =
                targets.data.iter().chain(&predictions.data).fold(1.0, |most: f64, &x| most.max(x)) as usize + 1;
            (scores, outputs) = (hot(&predictions.labels(), classes), classes);
            Aims::Classes(targets.data.iter().map(|&label| label as u32).collect())
        }
        _ if sparse => Aims::Classes(targets.data.iter().map(|&label| label as u32).collect()),
        _ => {
            ensure!(targets.data.len() == predictions.data.len(), "targets that are stretched to the predictions");
            Aims::Values(narrow(&targets.data))
        }
    };
    let rows = scores.len() / outputs;
    let weights = match case.find(&format!("sample_weight.{i}")) {
        None => None,
        Some(weights) => {
            let count = weights.data.len();
            // A weight of a sample counts for all its rows; one for each column is another matter.
            let fits =
                rows.is_multiple_of(count.max(1)) && (count == rows || weights.shape[0] == targets_len(case, i)?);
            ensure!(fits, "weights that are stretched to the predictions");
            Some((0..rows).map(|row| weights.data[row / (rows / count)] as f32).collect())
        }
    };
    Ok(Fed { predictions: scores, outputs, targets, weights, several: false })
}

fn targets_len(case: &Case<'_>, i: usize) -> Result<usize> {
    Ok(case.tensor(&format!("targets.{i}"))?.shape[0])
}

/// Each class is a yes or no of its own: whether it is the greatest, or, with a threshold, whether it is above.
fn f1(case: &Case<'_>) -> Result<Vec<f64>> {
    let config = case.option("config");
    ensure!(number(&config["beta"]).unwrap_or(1.0) == 1.0, "a beta other than 1");
    let threshold = number(&config["threshold"]);
    let classes = case.tensor("predictions.0")?.shape[1];
    let batch = |i: usize| -> Result<Fed> {
        let fed = update(case, i, "F1Score", false)?;
        let predictions = if threshold.is_none() { greatest(&fed.predictions, classes) } else { fed.predictions };
        Ok(Fed { predictions, several: true, ..fed })
    };
    let batches = (0..case.count("updates")?).map(batch).collect::<Result<Vec<_>>>()?;
    let of = |average: Average| -> Result<f64> {
        let mut metric = F1::new(average).threshold(threshold.unwrap_or(0.5) as f32);
        batches.iter().try_for_each(|batch| batch.to(&mut metric))?;
        Ok(metric.value())
    };
    Ok(match config["average"].as_str() {
        None => (0..classes).map(|class| of(Average::Class(class))).collect::<Result<_>>()?,
        Some("micro") => vec![of(Average::Micro)?],
        Some("macro") => vec![of(Average::Macro)?],
        Some("weighted") => vec![of(Average::Weighted)?],
        Some(other) => bail!("average {other}"),
    })
}

/// 1 for the greatest of each row, the first of equals, and 0 for the others.
fn greatest(scores: &[f32], classes: usize) -> Vec<f32> {
    let chosen = |row: &[f32]| (0..classes).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0) as i64;
    hot(&scores.chunks(classes).map(chosen).collect::<Vec<_>>(), classes)
}
