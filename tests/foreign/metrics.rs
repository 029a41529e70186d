//! Metrics of Keras and scikit-learn. They work on slices of the host and know nothing of backends.

use crate::compare::within;
use crate::suite::{Case, Numbers, number};
use anyhow::{Result, bail, ensure};
use elman::metrics::*;

/// The library's predictions are `f32`, so are weights; counts and quotients are `f64`.
const COUNTED: f64 = 1e-12;
const ROUNDED: f64 = 1e-6;

/// What one batch gives a metric.
pub(crate) struct Fed {
    pub(crate) predictions: Vec<f32>,
    pub(crate) outputs: usize,
    pub(crate) targets: Aims,
    pub(crate) weights: Option<Vec<f32>>,
}

pub(crate) enum Aims {
    Classes(Vec<u32>),
    Values(Vec<f32>),
}

impl Fed {
    pub(crate) fn to(&self, metric: &mut dyn Metric) -> Result<()> {
        let targets = match &self.targets {
            Aims::Classes(labels) => TargetsRef::Classes(labels),
            Aims::Values(values) => TargetsRef::Values(values),
        };
        let scores =
            Scores { weights: self.weights.as_deref(), ..Scores::new(&self.predictions, self.outputs, targets) };
        Ok(metric.update(&scores)?)
    }

    pub(crate) fn value(&self, mut metric: impl Metric) -> Result<f64> {
        self.to(&mut metric)?;
        Ok(metric.value())
    }
}

pub(crate) fn narrow(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&x| x as f32).collect()
}

/// Predicted classes as scores whose greatest is theirs.
pub(crate) fn hot(classes: &[i64], of: usize) -> Vec<f32> {
    classes.iter().flat_map(|&class| (0..of as i64).map(move |each| if each == class { 1.0 } else { 0.0 })).collect()
}

pub(crate) fn keras(case: &Case<'_>) -> Result<()> {
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

pub(crate) fn sklearn(case: &Case<'_>) -> Result<()> {
    let function = case.text("function")?;
    match function {
        "mean_squared_error" | "mean_absolute_error" => return errors(case, function),
        "roc_auc_score" => return auc(case),
        "top_k_accuracy_score" => return top_k(case),
        _ => {}
    }
    let (targets, predicted) = (case.tensor("y_true")?, case.tensor("y_pred")?);
    if case.is("several") {
        return several_labels(case, function, &targets, &predicted);
    }
    let weights = case.find("sample_weight");
    let rounded = weights.as_ref().is_some_and(|weights| weights.data.iter().any(|&w| f64::from(w as f32) != w));
    // Of a single class there is none to tell it from: there are two at least.
    let classes = case.count("classes")?;
    // A class that is asked for and does not occur is one more.
    let absent = case.option("average") == "binary" && case.option("pos_label").is_null();
    let classes = (classes + usize::from(absent)).max(2);
    let fed = Fed {
        predictions: hot(&predicted.labels(), classes),
        outputs: classes,
        targets: Aims::Classes(targets.data.iter().map(|&label| label as u32).collect()),
        weights: weights.map(|weights| narrow(&weights.data)),
    };
    let rows =
        fed.weights.as_ref().map_or(targets.data.len() as f64, |weights| weights.iter().map(|&w| f64::from(w)).sum());
    let found: Vec<Vec<f64>> = match function {
        "accuracy_score" => {
            let share = fed.value(Accuracy::new())?;
            vec![vec![if case.option("normalize") == false { share * rows } else { share }]]
        }
        "zero_one_loss" | "hamming_loss" => {
            let share = 1.0 - fed.value(Accuracy::new())?;
            vec![vec![if case.option("normalize") == false { share * rows } else { share }]]
        }
        "balanced_accuracy_score" => {
            ensure!(!case.is("adjusted"), "adjusted for chance");
            let occurring = (0..classes).filter(|&class| targets.labels().contains(&(class as i64)));
            let each: Vec<f64> =
                occurring.map(|class| fed.value(Recall::new(Average::Class(class)))).collect::<Result<_>>()?;
            vec![vec![each.iter().sum::<f64>() / each.len() as f64]]
        }
        "confusion_matrix" => vec![confusion(case, &fed, classes)?],
        _ => by_class(case, function, &fed, classes)?,
    };
    let rule = if rounded { ROUNDED } else { COUNTED };
    for (i, found) in found.iter().enumerate() {
        let Some(expected) = case.find(&format!("value.{i}")) else { continue };
        within(&format!("value.{i}"), &Numbers::new(found.clone(), &expected.shape), &expected, rule, 1.0)?;
    }
    if function == "precision_recall_fscore_support" {
        case.pass_over("value.3", "how many rows each class has, which the library does not tell");
    }
    Ok(())
}

/// Precision, recall and F1, by the average that is asked for.
fn by_class(case: &Case<'_>, function: &str, fed: &Fed, classes: usize) -> Result<Vec<Vec<f64>>> {
    ensure!(number(case.option("beta")).unwrap_or(1.0) == 1.0, "a beta other than 1");
    let zero = case.option("zero_division");
    ensure!(zero == "warn" || number(zero) == Some(0.0), "zero_division other than 0");
    type Measure<'a> = Box<dyn Fn(Average) -> Result<f64> + 'a>;
    let precision: Measure<'_> = Box::new(|average| fed.value(Precision::new(average)));
    let recall: Measure<'_> = Box::new(|average| fed.value(Recall::new(average)));
    let f1: Measure<'_> = Box::new(|average| fed.value(F1::new(average)));
    let measures = match function {
        "precision_score" => vec![precision],
        "recall_score" => vec![recall],
        "f1_score" => vec![f1],
        "precision_recall_fscore_support" => vec![precision, recall, f1],
        other => bail!("no metric {other}"),
    };
    let Aims::Classes(targets) = &fed.targets else { bail!("targets that are numbers") };
    let labels: Option<Vec<usize>> =
        case.option("labels").as_array().map(|list| list.iter().filter_map(|i| Some(i.as_u64()? as usize)).collect());
    let predicted: Vec<usize> =
        fed.predictions.chunks(classes).map(|row| row.iter().position(|&x| x == 1.0).unwrap_or(0)).collect();
    // Without a list all classes that occur.
    let occurs = |class: &usize| targets.contains(&(*class as u32)) || predicted.contains(class);
    let of: Vec<usize> = labels.clone().unwrap_or_else(|| (0..classes).filter(occurs).collect());
    let weight = |row: usize| fed.weights.as_ref().map_or(1.0, |weights| f64::from(weights[row]));
    let support = |class: usize| {
        targets.iter().enumerate().filter(|(_, t)| **t as usize == class).map(|(row, _)| weight(row)).sum::<f64>()
    };
    measures
        .iter()
        .map(|measure| {
            let each = || of.iter().map(|&class| measure(Average::Class(class))).collect::<Result<Vec<f64>>>();
            Ok(match case.option("average").as_str() {
                None => each()?,
                Some("macro") if labels.is_none() => vec![measure(Average::Macro)?],
                Some("macro") => vec![each()?.iter().sum::<f64>() / of.len() as f64],
                Some("micro") if labels.is_none() => vec![measure(Average::Micro)?],
                Some("weighted") => {
                    let all: f64 = of.iter().map(|&class| support(class)).sum();
                    let weighed = each()?.iter().zip(&of).map(|(value, &class)| value * support(class)).sum::<f64>();
                    vec![if all == 0.0 { 0.0 } else { weighed / all }]
                }
                Some("binary") => {
                    let class = case.option("pos_label").as_u64().map_or(classes - 1, |class| class as usize);
                    vec![measure(Average::Class(class))?]
                }
                Some(other) => bail!("average {other}"),
            })
        })
        .collect()
}

/// Several labels a row: each column is a yes or no of its own.
fn several_labels(case: &Case<'_>, function: &str, targets: &Numbers, predicted: &Numbers) -> Result<()> {
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

fn confusion(case: &Case<'_>, fed: &Fed, classes: usize) -> Result<Vec<f64>> {
    ensure!(case.option("normalize").is_null(), "shares instead of counts");
    let mut matrix = ConfusionMatrix::new(classes)?;
    let Aims::Classes(targets) = &fed.targets else { bail!("targets that are numbers") };
    let scores = Scores {
        weights: fed.weights.as_deref(),
        ..Scores::new(&fed.predictions, classes, TargetsRef::Classes(targets))
    };
    matrix.update(&scores)?;
    let shown: Vec<usize> = match case.option("labels").as_array() {
        Some(list) => list.iter().filter_map(|i| Some(i.as_u64()? as usize)).collect(),
        None => (0..case.count("classes")?).collect(),
    };
    let cell = |row: usize, column: usize| matrix.count(row, column).unwrap_or(f64::NAN);
    Ok(shown.iter().flat_map(|&row| shown.iter().map(move |&column| (row, column))).map(|(r, c)| cell(r, c)).collect())
}

fn errors(case: &Case<'_>, function: &str) -> Result<()> {
    ensure!(case.option("multioutput") == "uniform_average", "an error for each output");
    let (targets, predictions) = (case.tensor("y_true")?, case.tensor("y_pred")?);
    let outputs = if targets.shape.len() == 2 { targets.shape[1] } else { 1 };
    let fed = Fed {
        predictions: narrow(&predictions.data),
        outputs,
        targets: Aims::Values(narrow(&targets.data)),
        weights: case.find("sample_weight").map(|weights| narrow(&weights.data)),
    };
    let found = match function {
        "mean_squared_error" => fed.value(MeanSquaredError::new())?,
        _ => fed.value(MeanAbsoluteError::new())?,
    };
    within("value.0", &Numbers::new(vec![found], &[1]), &case.tensor("value.0")?, ROUNDED, 0.0)
}

fn auc(case: &Case<'_>) -> Result<()> {
    ensure!(!case.is("several"), "several labels a row");
    ensure!(case.option("max_fpr").is_null(), "a part of the area");
    let (targets, scores) = (case.tensor("y_true")?, case.tensor("y_score")?);
    let outputs = if scores.shape.len() == 2 { scores.shape[1] } else { 1 };
    if outputs > 1 {
        ensure!(case.option("multi_class") == "ovr", "each class against each other");
        ensure!(case.option("average") == "macro", "an average other than macro");
        ensure!(outputs > 2 && case.count("classes")? == outputs, "classes without a row");
    }
    let fed = Fed {
        predictions: narrow(&scores.data),
        outputs,
        targets: Aims::Classes(targets.data.iter().map(|&label| label as u32).collect()),
        weights: case.find("sample_weight").map(|weights| narrow(&weights.data)),
    };
    within("value.0", &Numbers::new(vec![fed.value(Auc::new())?], &[1]), &case.tensor("value.0")?, ROUNDED, 0.0)
}

fn top_k(case: &Case<'_>) -> Result<()> {
    let (targets, scores) = (case.tensor("y_true")?, case.tensor("y_score")?);
    ensure!(scores.shape.len() == 2, "a single score a row");
    ensure!(case.option("normalize") != false, "a count instead of a share");
    let fed = Fed {
        predictions: narrow(&scores.data),
        outputs: scores.shape[1],
        targets: Aims::Classes(targets.data.iter().map(|&label| label as u32).collect()),
        weights: case.find("sample_weight").map(|weights| narrow(&weights.data)),
    };
    let found = fed.value(TopK::new(case.count("k")?)?)?;
    within("value.0", &Numbers::new(vec![found], &[1]), &case.tensor("value.0")?, ROUNDED, 0.0)
}
