//! Losses against PyTorch and Keras: values, and gradients with respect to the predictions.

use crate::common::golden::{Golden, Reading};
use crate::common::near::{assert_near, is_double, numbers, tensor, tolerance, variable};
use elman::data::ClassWeights;
use elman::loss::*;
use elman::{Backend, Shape, Tensor};

on_every_backend!();

fn check<B: Backend>(b: &B) {
    Golden::open("losses").each(|case| {
        let (data, shape) = case.tensor("predictions");
        let y = variable(b, &data, &shape);
        let target = target(b, case, &shape);
        let value = reduced(b, case, &y, &target);
        let gradient = value.backward().unwrap().of(&y).unwrap();
        let near = |what: &str, found: &Tensor<B>, expected: &[f64]| {
            assert_near(&format!("{}: {what}", case.name()), &numbers(found), expected, tolerance::<B>());
        };
        near("value", &value, &[expected_value::<B>(case)]);
        near("grad", &gradient, &expected_gradient(case, &data));
    });
}

/// The targets as they are in the file: labels or numbers.
fn target<B: Backend>(b: &B, case: &Reading<'_>, predictions: &[usize]) -> Target<B> {
    match case.kind() {
        "sparse_categorical_crossentropy" | "nll" | "multi_margin" => {
            let (labels, _) = case.labels("targets");
            let shape = Shape::new(&predictions[..predictions.len() - 1]).unwrap();
            Target::Classes { labels: labels.into(), shape }
        }
        // The predictions are means and variances of the targets.
        "gaussian_nll" => {
            let (numbers, shape) = case.tensor("targets");
            assert_eq!(predictions, [shape[0], 2 * shape[1]]);
            Target::Values(tensor(b, &numbers, &shape))
        }
        _ => Target::Values(tensor(b, &case.numbers("targets"), predictions)),
    }
}

/// The loss that a case is about.
fn loss<B: Backend>(case: &Reading<'_>) -> Box<dyn Loss<B>> {
    let crossentropy = case.kind().ends_with("crossentropy");
    let logits = crossentropy && case.is("from_logits");
    let smoothing = if crossentropy { case.number("label_smoothing") } else { 0.0 };
    if crossentropy {
        check_clipping(case, logits);
    }
    if !matches!(case.kind(), "sparse_categorical_crossentropy" | "nll") {
        assert!(case.option("ignore_class").is_null());
    }
    // What is notable about a case is said for readers.
    let _ = case.option("note");
    match case.kind() {
        "binary_crossentropy" => {
            let loss = if logits { BinaryCrossEntropy::from_logits() } else { BinaryCrossEntropy::new() };
            let loss = match case.option("pos_weight").as_array() {
                Some(weights) => loss.pos_weights(weights.iter().map(|w| w.as_f64().unwrap()).collect::<Vec<_>>()),
                None => loss,
            };
            Box::new(loss.label_smoothing(smoothing))
        }
        "categorical_crossentropy" => {
            let loss = if logits { CategoricalCrossEntropy::from_logits() } else { CategoricalCrossEntropy::new() };
            Box::new(loss.label_smoothing(smoothing))
        }
        "sparse_categorical_crossentropy" => {
            let form =
                if logits { SparseCategoricalCrossEntropy::from_logits } else { SparseCategoricalCrossEntropy::new };
            let loss = form().label_smoothing(smoothing);
            Box::new(match case.option("ignore_class").as_f64() {
                Some(class) => loss.ignore_class(crate::common::golden::label(class)),
                None => loss,
            })
        }
        "hinge" | "squared_hinge" => {
            // Both kinds of target go in as they are: 0 counts as -1.
            assert!(["-1/+1", "0/1"].contains(&case.text("targets")));
            if case.kind() == "hinge" { Box::new(Hinge) } else { Box::new(SquaredHinge) }
        }
        "categorical_hinge" => Box::new(CategoricalHinge),
        "mse" => Box::new(MeanSquaredError),
        "mae" => Box::new(MeanAbsoluteError),
        "huber" => Box::new(Huber::new(case.number("delta"))),
        "nll" => Box::new(negative_log_likelihood(case)),
        "kl_divergence" if case.is("log") => {
            assert!(case.option("clip_epsilon").is_null());
            Box::new(KlDivergence::from_log_probabilities())
        }
        "kl_divergence" => {
            assert_eq!(case.number("clip_epsilon"), 1e-7);
            Box::new(KlDivergence::new())
        }
        "multi_margin" => Box::new(MultiMargin::new().p(case.number("p") as u32).margin(case.number("margin"))),
        "poisson" => {
            let loss = if case.is("log") { Poisson::from_log_rates() } else { Poisson::new() };
            let loss = loss.epsilon(case.number("epsilon"));
            Box::new(if case.is("full") { loss.full() } else { loss })
        }
        "gaussian_nll" => {
            let loss = GaussianNll::new().epsilon(case.number("epsilon"));
            Box::new(if case.is("full") { loss.full() } else { loss })
        }
        "cosine_similarity" => Box::new(CosineSimilarity),
        "log_cosh" => Box::new(LogCosh),
        other => panic!("{}: kind {other}", case.name()),
    }
}

fn negative_log_likelihood(case: &Reading<'_>) -> NegativeLogLikelihood {
    match case.option("ignore_class").as_f64() {
        Some(class) => NegativeLogLikelihood::new().ignore_class(crate::common::golden::label(class)),
        None => NegativeLogLikelihood::new(),
    }
}

/// Probabilities are clipped, and divided by their sum where there are several, as by Keras; PyTorch does neither, so
/// its cases must hold probabilities to which neither matters.
fn check_clipping(case: &Reading<'_>, logits: bool) {
    let (clip, divide) = (case.option("clip_epsilon").as_f64(), case.is("renormalise"));
    let several = case.kind() != "binary_crossentropy";
    match (logits, clip) {
        (true, None) => assert!(!divide),
        (false, Some(epsilon)) => assert_eq!((epsilon, divide), (1e-7, several)),
        (false, None) => {
            let (y, shape) = case.tensor("predictions");
            assert!(!divide && y.iter().all(|p| (1e-7..1.0 - 1e-7).contains(p)));
            let mut sums = y.chunks(shape[shape.len() - 1]).map(|row| row.iter().sum::<f64>());
            assert!(!several || sums.all(|sum| (sum - 1.0).abs() < 1e-12));
        }
        (true, Some(_)) => panic!("{}: logits clipped", case.name()),
    }
}

/// The loss reduced to one number as the case says.
fn reduced<B: Backend>(b: &B, case: &Reading<'_>, y: &Tensor<B>, target: &Target<B>) -> Tensor<B> {
    let loss = loss::<B>(case);
    let weights = match case.option("weights").as_str() {
        None => None,
        Some("sample") => Some(case.numbers("sample_weight")),
        Some("class") => Some(class_weights(case)),
        Some(other) => panic!("{}: weights {other}", case.name()),
    };
    match case.text("reduction") {
        "mean" | "mean_valid" => {
            assert_eq!(case.text("reduction") == "mean_valid", loss.ignored().is_some(), "{}", case.name());
            weighted(&*loss, y, target, weights.as_deref())
        }
        // These weights are numbers that an f32 holds.
        "weighted_mean" if case.kind() == "nll" => {
            let weights: Vec<f32> = weights.unwrap().into_iter().map(|w| w as f32).collect();
            mean(&WeightedMean(negative_log_likelihood(case)), y, target, Some(&weights)).unwrap()
        }
        "weighted_mean" => weighted_mean(b, case, y, target, &weights.unwrap()),
        other => panic!("{}: reduction {other}", case.name()),
    }
}

/// Weights are `f32` in the library. The mean is linear in them, so that the weights of the file, as a sum of two `f32`
/// each, are exact to 48 bits.
fn weighted<B: Backend>(loss: &dyn Loss<B>, y: &Tensor<B>, target: &Target<B>, weights: Option<&[f64]>) -> Tensor<B> {
    let Some(weights) = weights else { return mean(loss, y, target, None).unwrap() };
    let front: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
    let rest: Vec<f32> = weights.iter().zip(&front).map(|(&w, &front)| (w - f64::from(front)) as f32).collect();
    let part = |weights: &[f32]| mean(loss, y, target, Some(weights)).unwrap();
    part(&front).add(&part(&rest)).unwrap()
}

/// The weight of each row by the class of its target.
fn class_weights(case: &Reading<'_>) -> Vec<f64> {
    let by_class = case.numbers("class_weight");
    let labels: Vec<u32> = case.labels("targets").0;
    // Of rows that are ignored any weight will do.
    let weight = |&label: &u32| by_class.get(label as usize).copied().unwrap_or(1.0);
    let weights: Vec<f64> = labels.iter().map(weight).collect();
    if let Some((given, _)) = case.find("sample_weight") {
        assert_eq!(given, weights, "{}", case.name());
    }
    // The public way from classes to samples, in the `f32` of all weights.
    let classes = by_class.len() as u32;
    // It refuses weights of classes that do not occur, and labels that are ignored.
    if (0..classes).all(|class| labels.contains(&class)) && labels.iter().all(|&label| label < classes) {
        let public = ClassWeights::new((0..).zip(by_class.iter().map(|&w| w as f32))).unwrap();
        let narrow: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
        assert_eq!(public.weights_for(&labels, by_class.len()).unwrap(), narrow);
    }
    weights
}

/// PyTorch divides by the sum of the weights, not by their number, as [`WeightedMean`] does; for weights in double precision it
/// is taken as the ratio of the weighted mean to the mean of the weights. With label smoothing PyTorch weighs the smoothed part of each class
/// by that class' own weight: the cross-entropy with `(1 - s) w_t onehot + s / classes w` as its targets.
fn weighted_mean<B: Backend>(
    b: &B,
    case: &Reading<'_>,
    y: &Tensor<B>,
    target: &Target<B>,
    weights: &[f64],
) -> Tensor<B> {
    let labels = case.labels("targets").0;
    let ignored = case.option("ignore_class").as_f64().map(crate::common::golden::label);
    let counted: Vec<f64> =
        labels.iter().zip(weights).filter(|(label, _)| Some(**label) != ignored).map(|(_, &w)| w).collect();
    let by_mean = counted.len() as f64 / counted.iter().sum::<f64>();
    let smoothing = case.number("label_smoothing");
    if smoothing == 0.0 {
        return weighted(&*loss::<B>(case), y, target, Some(weights)).affine(by_mean, 0.0).unwrap();
    }
    assert!(ignored.is_none() && case.is("from_logits"));
    let by_class = case.numbers("class_weight");
    let share = |&label: &u32| {
        let part = |(class, w): (u32, &f64)| {
            smoothing / by_class.len() as f64 * w + if class == label { (1.0 - smoothing) * w } else { 0.0 }
        };
        (0..).zip(&by_class).map(part).collect::<Vec<f64>>()
    };
    let distributions: Vec<f64> = labels.iter().flat_map(share).collect();
    let target = Target::Values(tensor(b, &distributions, &y.shape()));
    mean(&CategoricalCrossEntropy::from_logits(), y, &target, None).unwrap().affine(by_mean, 0.0).unwrap()
}

/// The value of the file, but for one case in `f32`: `1 - 1e-7` has the neighbours 1 - 2^-23 and 1 - 2^-24 there and
/// becomes the former, so that a probability of 1 counts `-ln 2^-23` against a target of 0, not `-ln 1e-7` (as in a
/// Keras of `f32`).
fn expected_value<B: Backend>(case: &Reading<'_>) -> f64 {
    let value = case.numbers("value")[0];
    if is_double::<B>() || case.kind() != "binary_crossentropy" || case.is("from_logits") {
        return value;
    }
    let (y, t) = (case.numbers("predictions"), case.numbers("targets"));
    let clipped = y.iter().zip(&t).filter(|(y, _)| **y > 1.0 - 1e-7);
    let change: f64 = clipped.map(|(_, t)| (1.0 - t) * (23.0 * 2.0f64.ln() + 1e-7f64.ln())).sum();
    value + change / y.len() as f64
}

/// The gradient of the file, but for PyTorch's from probabilities of several classes: the library divides them by their
/// sum `S`, here 1, and `∂(p_k / S)/∂p_j = (δ_jk - p_k / S) / S` takes `Σ_k g_k p_k` off each row's `g`.
fn expected_gradient(case: &Reading<'_>, y: &[f64]) -> Vec<f64> {
    let (mut gradient, shape) = case.tensor("grad");
    let several = case.kind().ends_with("categorical_crossentropy");
    if several && !case.is("from_logits") && !case.is("renormalise") {
        let classes = shape[shape.len() - 1];
        for (g, p) in gradient.chunks_mut(classes).zip(y.chunks(classes)) {
            let along: f64 = g.iter().zip(p).map(|(g, p)| g * p).sum();
            g.iter_mut().for_each(|g| *g -= along);
        }
    }
    gradient
}
