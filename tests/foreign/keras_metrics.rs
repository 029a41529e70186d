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
    Ok(Fed { predictions: scores, outputs, targets, weights })
}

fn targets_len(case: &Case<'_>, i: usize) -> Result<usize> {
    Ok(case.tensor(&format!("targets.{i}"))?.shape[0])
}

/// Of each class by itself: whether it is the greatest, or, with a threshold, whether it is above.
fn f1(case: &Case<'_>) -> Result<Vec<f64>> {
    let config = case.option("config");
    ensure!(number(&config["beta"]).unwrap_or(1.0) == 1.0, "a beta other than 1");
    let threshold = number(&config["threshold"]);
    let updates = case.count("updates")?;
    let classes = case.tensor("predictions.0")?.shape[1];
    let batches = (0..updates).map(|i| update(case, i, "F1Score", false)).collect::<Result<Vec<_>>>()?;
    let of = |columns: std::ops::Range<usize>| -> Result<f64> {
        let mut metric = F1::new(Average::Binary).threshold(threshold.unwrap_or(0.5) as f32);
        for batch in &batches {
            let Aims::Values(targets) = &batch.targets else { bail!("targets that are no numbers") };
            let chosen = |numbers: &[f32], as_greatest: bool| -> Vec<f32> {
                let rows = numbers.chunks(classes).flat_map(|row| {
                    let greatest = (0..classes).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]));
                    let of = |c: usize| if as_greatest { f32::from(u8::from(greatest == Some(c))) } else { row[c] };
                    columns.clone().map(of).collect::<Vec<_>>()
                });
                rows.collect()
            };
            let weights = batch
                .weights
                .as_ref()
                .map(|weights| weights.iter().flat_map(|&w| columns.clone().map(move |_| w)).collect());
            let fed = Fed {
                predictions: chosen(&batch.predictions, threshold.is_none()),
                outputs: 1,
                targets: Aims::Values(chosen(targets, false)),
                weights,
            };
            fed.to(&mut metric)?;
        }
        Ok(metric.value())
    };
    let each = || (0..classes).map(|class| of(class..class + 1)).collect::<Result<Vec<f64>>>();
    Ok(match config["average"].as_str() {
        None => each()?,
        Some("micro") => vec![of(0..classes)?],
        Some("macro") => vec![each()?.iter().sum::<f64>() / classes as f64],
        Some(other) => bail!("average {other}"),
    })
}
