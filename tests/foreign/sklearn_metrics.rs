//! scikit-learn's metrics.

use crate::compare::within;
use crate::metrics::{Aims, COUNTED, Fed, ROUNDED, hot, narrow};
use crate::several_labels;
use crate::suite::{Case, Numbers, number};
use anyhow::{Result, bail, ensure};
use elman::metrics::*;

pub(crate) fn check(case: &Case<'_>) -> Result<()> {
    let function = case.text("function")?;
    match function {
        "mean_squared_error" | "mean_absolute_error" => return errors(case, function),
        "roc_auc_score" => return auc(case),
        "top_k_accuracy_score" => return top_k(case),
        _ => {}
    }
    let (targets, predicted) = (case.tensor("y_true")?, case.tensor("y_pred")?);
    if case.is("several") {
        return several_labels::check(case, function, &targets, &predicted);
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
        several: false,
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
                Some("weighted") if labels.is_none() => vec![measure(Average::Weighted)?],
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
        several: false,
    };
    let found = match function {
        "mean_squared_error" => fed.value(MeanSquaredError::new())?,
        _ => fed.value(MeanAbsoluteError::new())?,
    };
    within("value.0", &Numbers::new(vec![found], &[1]), &case.tensor("value.0")?, ROUNDED, 0.0)
}

fn auc(case: &Case<'_>) -> Result<()> {
    ensure!(case.option("max_fpr").is_null(), "a part of the area");
    let (targets, scores) = (case.tensor("y_true")?, case.tensor("y_score")?);
    let outputs = if scores.shape.len() == 2 { scores.shape[1] } else { 1 };
    let several = case.is("several");
    let pairs = outputs > 1 && !several && case.option("multi_class") == "ovo";
    ensure!(outputs == 1 || several || (outputs > 2 && case.count("classes")? == outputs), "classes without a row");
    let fed = Fed {
        predictions: narrow(&scores.data),
        outputs,
        targets: match several {
            true => Aims::Values(narrow(&targets.data)),
            false => Aims::Classes(targets.data.iter().map(|&label| label as u32).collect()),
        },
        weights: case.find("sample_weight").map(|weights| narrow(&weights.data)),
        several,
    };
    let auc = if pairs { Auc::new().one_vs_one() } else { Auc::new() };
    let found = match case.option("average").as_str() {
        _ if outputs == 1 => vec![fed.value(auc)?],
        Some("macro") => vec![fed.value(auc)?],
        Some("weighted") => vec![fed.value(auc.average(Average::Weighted))?],
        Some("micro") => vec![fed.value(auc.average(Average::Micro))?],
        None => (0..outputs).map(|class| one_against_rest(&fed, class)).collect::<Result<_>>()?,
        Some(other) => bail!("average {other}"),
    };
    within("value.0", &Numbers::new(found.clone(), &[found.len()]), &case.tensor("value.0")?, ROUNDED, 0.0)
}

/// The area of one of several classes: it is the yes, all others are the no.
fn one_against_rest(fed: &Fed, class: usize) -> Result<f64> {
    let Aims::Classes(labels) = &fed.targets else { bail!("targets that are numbers") };
    let one = Fed {
        predictions: fed.predictions.iter().skip(class).step_by(fed.outputs).copied().collect(),
        outputs: 1,
        targets: Aims::Classes(labels.iter().map(|&label| u32::from(label as usize == class)).collect()),
        weights: fed.weights.clone(),
        several: false,
    };
    one.value(Auc::new())
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
        several: false,
    };
    let found = fed.value(TopK::new(case.count("k")?)?)?;
    within("value.0", &Numbers::new(vec![found], &[1]), &case.tensor("value.0")?, ROUNDED, 0.0)
}
