//! Metrics against Keras and scikit-learn. They work on slices of the host and know nothing of backends.

use crate::common::golden::{Golden, Reading};
use crate::common::near::assert_near;
use elman::loss::{Outputs, Scale};
use elman::metrics::*;
use serde_json::Value;

#[test]
fn metrics_have_the_values_of_keras_and_scikit_learn() {
    Golden::open("metrics").each(|case| {
        let found = match case.kind() {
            "binary_accuracy" => binary_accuracy(case),
            "categorical_accuracy" => by_values(case, Accuracy::new()),
            "sparse_categorical_accuracy" => by_labels(case, Accuracy::new()),
            "top_k_categorical_accuracy" => by_values(case, top_k(case)),
            "sparse_top_k_categorical_accuracy" => by_labels(case, top_k(case)),
            "precision" => by_class(case, Precision::new),
            "recall" => by_class(case, Recall::new),
            "f1" => by_class(case, F1::new),
            "confusion_matrix" => confusion_matrix(case),
            "roc_auc" => roc_auc(case),
            "one_class" | "multilabel" => measured(case),
            "auc_ovr" | "auc_labels" => averaged(case, |average| Auc::new().average(average)),
            "auc_ovo" => averaged(case, |average| Auc::new().one_vs_one().average(average)),
            "exact_match" => [weighed(case, Accuracy::new()), weighed(case, Accuracy::exact_match())].concat(),
            "confusion_rows" => confusion_of_rows(case),
            other => panic!("{}: kind {other}", case.name()),
        };
        // Counts in `f64` and one division, or a mean of five: the last digits.
        assert_near(case.name(), &found, &case.numbers("value"), 1e-14);
    });
}

/// Predictions are `f32` in the library; no two in the file are so close that rounding could swap them, or that it
/// could carry one across the threshold.
fn narrow(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&x| x as f32).collect()
}

/// Feeds a metric the rows in two batches, as it would be in training.
fn fed(mut metric: impl Metric, scores: &[f32], outputs: usize, targets: TargetsRef<'_>) -> Vec<f64> {
    let rows = scores.len() / outputs;
    let first = rows / 3;
    for (from, to) in [(0, first), (first, rows)] {
        let targets = match targets {
            TargetsRef::Classes(labels) => TargetsRef::Classes(&labels[from..to]),
            TargetsRef::Values(values) => TargetsRef::Values(&values[from * outputs..to * outputs]),
        };
        metric.update(&Scores::new(&scores[from * outputs..to * outputs], outputs, targets)).unwrap();
    }
    vec![metric.value()]
}

fn by_values(case: &Reading<'_>, metric: impl Metric) -> Vec<f64> {
    let (scores, shape) = case.tensor("predictions");
    fed(metric, &narrow(&scores), shape[shape.len() - 1], TargetsRef::Values(&narrow(&case.numbers("targets"))))
}

fn by_labels(case: &Reading<'_>, metric: impl Metric) -> Vec<f64> {
    let (scores, shape) = case.tensor("predictions");
    fed(metric, &narrow(&scores), shape[shape.len() - 1], TargetsRef::Classes(&case.labels("targets").0))
}

fn top_k(case: &Reading<'_>) -> TopK {
    TopK::new(case.number("k") as usize).unwrap()
}

/// Keras compares every number with its own target, however many there are in a row: to the library these are rows of
/// one.
fn binary_accuracy(case: &Reading<'_>) -> Vec<f64> {
    let metric = Accuracy::new().threshold(case.number("threshold") as f32);
    let (scores, targets) = (narrow(&case.numbers("predictions")), narrow(&case.numbers("targets")));
    fed(metric, &scores, 1, TargetsRef::Values(&targets))
}

/// Scores whose greatest is the class predicted in the file.
fn scores_of(case: &Reading<'_>, classes: usize) -> Vec<f32> {
    let (predicted, _) = case.labels("predicted");
    let row = |class: u32| (0..classes).map(move |c| if c == class as usize { 1.0 } else { 0.0 });
    predicted.into_iter().flat_map(row).collect()
}

fn by_class<M: Metric>(case: &Reading<'_>, metric: fn(Average) -> M) -> Vec<f64> {
    let classes = case.number("classes") as usize;
    assert_eq!(case.number("zero_division"), 0.0, "the library's only rule");
    let (scores, labels) = (scores_of(case, classes), case.labels("targets").0);
    let averaged = |average| fed(metric(average), &scores, classes, TargetsRef::Classes(&labels));
    let each = || (0..classes).flat_map(|class| averaged(Average::Class(class)));
    match case.text("average") {
        "macro" => averaged(Average::Macro),
        "micro" => averaged(Average::Micro),
        "per_class" => each().collect(),
        "weighted" => averaged(Average::Weighted),
        other => panic!("{}: average {other}", case.name()),
    }
}

fn confusion_matrix(case: &Reading<'_>) -> Vec<f64> {
    assert_eq!((case.text("rows"), case.text("columns")), ("targets", "predicted"));
    let classes = case.number("classes") as usize;
    let mut matrix = ConfusionMatrix::new(classes).unwrap();
    matrix
        .update(&Scores::new(&scores_of(case, classes), classes, TargetsRef::Classes(&case.labels("targets").0)))
        .unwrap();
    let cells = (0..classes * classes).map(|cell| matrix.count(cell / classes, cell % classes).unwrap());
    cells.collect()
}

fn roc_auc(case: &Reading<'_>) -> Vec<f64> {
    let scores = narrow(&case.numbers("scores"));
    let mut sorted = scores.clone();
    sorted.sort_by(f32::total_cmp);
    assert_eq!(sorted.windows(2).any(|pair| pair[0] == pair[1]), case.is("ties"), "{}", case.name());
    fed(Auc::new(), &scores, 1, TargetsRef::Classes(&case.labels("targets").0))
}

/// The averages of the file, in its order.
fn averages(case: &Reading<'_>) -> Vec<Average> {
    let named = |name: &Value| match name.as_str() {
        Some("macro") => Average::Macro,
        Some("micro") => Average::Micro,
        Some("weighted") => Average::Weighted,
        Some("samples") => Average::Samples,
        other => panic!("{}: average {other:?}", case.name()),
    };
    case.option("averages").as_array().unwrap().iter().map(named).collect()
}

/// Calls `update` with the rows of the file, weighted where they are, in two batches: probabilities of one class a row, or
/// of several labels.
fn in_batches(case: &Reading<'_>, mut update: impl FnMut(&Scores<'_>)) {
    let (scores, shape) = case.tensor("predictions");
    let (scores, outputs) = (narrow(&scores), shape[1]);
    let weights = case.find("weights").map(|(weights, _)| narrow(&weights));
    let several = matches!(case.kind(), "multilabel" | "auc_labels" | "exact_match");
    let (labels, values) = match several {
        true => (Vec::new(), narrow(&case.numbers("targets"))),
        false => (case.labels("targets").0, Vec::new()),
    };
    for rows in [0..shape[0] / 3, shape[0] / 3..shape[0]] {
        let numbers = rows.start * outputs..rows.end * outputs;
        let (targets, read_as) = match several {
            true => (TargetsRef::Values(&values[numbers.clone()]), Outputs::Labels(Scale::Probabilities)),
            false => (TargetsRef::Classes(&labels[rows.clone()]), Outputs::Class(Scale::Probabilities)),
        };
        let weights = weights.as_ref().map(|weights| &weights[rows]);
        update(&Scores { weights, read_as, ..Scores::new(&scores[numbers], outputs, targets) });
    }
}

fn weighed(case: &Reading<'_>, mut metric: impl Metric) -> Vec<f64> {
    in_batches(case, |scores| metric.update(scores).unwrap());
    vec![metric.value()]
}

/// A value for each of the averages.
fn averaged<M: Metric>(case: &Reading<'_>, metric: impl Fn(Average) -> M) -> Vec<f64> {
    averages(case).into_iter().flat_map(|average| weighed(case, metric(average))).collect()
}

fn measured(case: &Reading<'_>) -> Vec<f64> {
    let of = |average| {
        [weighed(case, Precision::new(average)), weighed(case, Recall::new(average)), weighed(case, F1::new(average))]
    };
    averages(case).into_iter().flat_map(|average| of(average).concat()).collect()
}

fn confusion_of_rows(case: &Reading<'_>) -> Vec<f64> {
    let mut matrix = ConfusionMatrix::new(4).unwrap();
    in_batches(case, |scores| matrix.update(scores).unwrap());
    (0..16).map(|cell| matrix.count(cell / 4, cell % 4).unwrap()).collect()
}
