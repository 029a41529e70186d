//! Likelihoods, divergences, margins and similarities: gradients, values by hand, what is infinite, what is refused.

use super::cases::{Boxed, Double, SHAPES, labels};
use crate::common::near::{assert_near, numbers, scattered, tensor, tolerance, variable};
use elman::data::{Dataset, Inputs, Targets};
use elman::gradcheck::{Tolerance, gradcheck};
use elman::layers::{Dense, Mode, Sequential};
use elman::loss::*;
use elman::model::Batch;
use elman::optim::{Adam, Sgd};
use elman::training::Fit;
use elman::{Activation, Backend, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// What the predictions of a loss are made of.
#[derive(Clone, Copy, PartialEq)]
enum From {
    Numbers,
    Positive,
    Softmax,
    LogSoftmax,
    /// As many again, for the targets are half of them.
    Pairs,
    PositivePairs,
}

/// What its targets are.
#[derive(Clone, Copy, PartialEq)]
enum To {
    Labels,
    Distributions,
    Counts,
    Numbers,
}

fn losses<B: Backend>() -> Vec<(Boxed<B>, From, To)> {
    vec![
        (Box::new(NegativeLogLikelihood::new()), From::LogSoftmax, To::Labels),
        (Box::new(NegativeLogLikelihood::new().ignore_class(1)), From::LogSoftmax, To::Labels),
        (Box::new(KlDivergence::new()), From::Softmax, To::Distributions),
        (Box::new(KlDivergence::new()), From::Softmax, To::Labels),
        (Box::new(KlDivergence::from_log_probabilities()), From::LogSoftmax, To::Distributions),
        (Box::new(MultiMargin::new()), From::Numbers, To::Labels),
        (Box::new(MultiMargin::new().p(2).margin(0.4).ignore_class(9)), From::Numbers, To::Labels),
        (Box::new(Poisson::new()), From::Positive, To::Counts),
        (Box::new(Poisson::new().full().epsilon(0.1)), From::Positive, To::Counts),
        (Box::new(Poisson::from_log_rates().full()), From::Numbers, To::Counts),
        (Box::new(GaussianNll::new()), From::PositivePairs, To::Numbers),
        (Box::new(GaussianNll::from_log_variances().full()), From::Pairs, To::Numbers),
        (Box::new(CosineSimilarity), From::Numbers, To::Numbers),
        (Box::new(LogCosh), From::Numbers, To::Numbers),
    ]
}

#[test]
fn gradients_of_other_losses_agree_with_finite_differences() {
    let b = Double::new();
    for (loss, from, to) in losses::<Double>() {
        for shape in SHAPES.into_iter().filter(|shape| shape[shape.len() - 1] > 1) {
            let count: usize = shape.iter().product();
            let pairs = matches!(from, From::Pairs | From::PositivePairs);
            let (rows, outputs) = shape.split_at(shape.len() - 1);
            let wide = [rows, &[if pairs { 2 * outputs[0] } else { outputs[0] }]].concat();
            let drawn = scattered(wide.iter().product(), 3);
            let logits = tensor(&b, &drawn, &wide);
            let y = match from {
                From::Numbers | From::Pairs => drawn,
                From::Positive | From::PositivePairs => drawn.iter().map(|x| x.abs() + 0.1).collect(),
                From::Softmax => numbers(&logits.softmax().unwrap()),
                From::LogSoftmax => numbers(&logits.log_softmax().unwrap()),
            };
            let target = match to {
                To::Labels => labels(rows, outputs[0], loss.ignored()),
                To::Distributions => {
                    let t = tensor(&b, &scattered(count, 5), shape).softmax().unwrap();
                    Target::Values(t)
                }
                To::Counts => {
                    Target::Values(tensor(&b, &(0..count).map(|i| (i % 4) as f64).collect::<Vec<_>>(), shape))
                }
                To::Numbers => Target::Values(tensor(&b, &scattered(count, 5), shape)),
            };
            let each = loss.each(&tensor(&b, &y, &wide), &target).unwrap();
            assert_eq!(each.shape()[..], *rows, "{loss:?}");
            let checked = gradcheck(&b, &[(y, wide)], Tolerance::default(), |x| loss.each(&x[0], &target));
            checked.unwrap_or_else(|error| panic!("{loss:?} {shape:?}: {error}"));
        }
    }
}

/// The values of two or three rows.
fn by_hand<B: Backend>(b: &B) {
    let each = |loss: &dyn Loss<B>, y: &[f64], shape: &[usize], target: &Target<B>| {
        numbers(&loss.each(&tensor(b, y, shape), target).unwrap())
    };
    let values = |t: &[f64], shape: &[usize]| Target::Values(tensor(b, t, shape));
    let near = |what: &str, found: &[f64], expected: &[f64]| assert_near(what, found, expected, tolerance::<B>());
    let ln2 = std::f64::consts::LN_2;

    let y = [-0.25, -2.0, -3.0, -1.0, -0.5, -4.0];
    near("nll", &each(&NegativeLogLikelihood::new(), &y, &[2, 3], &Target::classes(vec![1, 2])), &[2.0, 4.0]);
    // Margins of 1 - 2 + 1.5 and 1 - 2 + 4; rivals of the second row are far below.
    let y = [2.0, 1.5, 4.0, -1.0, 5.0, 0.0];
    let target = Target::classes(vec![0, 1]);
    near("margin", &each(&MultiMargin::new(), &y, &[2, 3], &target), &[3.5 / 3.0, 0.0]);
    near("margin", &each(&MultiMargin::new().p(2), &y, &[2, 3], &target), &[9.25 / 3.0, 0.0]);
    near("margin", &each(&MultiMargin::new().margin(0.25), &y, &[2, 3], &target), &[2.25 / 3.0, 0.0]);
    // 1/2 ln 2 + 1/2 ln (2/3): a right model has none.
    let kl = each(&KlDivergence::new(), &[0.25, 0.75, 0.5, 0.5], &[2, 2], &values(&[0.5; 4], &[2, 2]));
    near("kl", &kl[..1], &[0.5 * ln2 + 0.5 * (2.0f64 / 3.0).ln()]);
    assert!(kl[1].abs() < tolerance::<B>());
    near(
        "kl",
        &each(&KlDivergence::from_log_probabilities(), &[-2.0, -1.0], &[1, 2], &values(&[0.0, 1.0], &[1, 2])),
        &[1.0],
    );
    // e^0 - 3 · 0, and e^(ln 2) - ln 2: their mean.
    near(
        "poisson",
        &each(&Poisson::from_log_rates(), &[0.0, ln2], &[1, 2], &values(&[3.0, 1.0], &[1, 2])),
        &[1.5 - 0.5 * ln2],
    );
    let (rates, counts) = ([1.0, 2.0], values(&[0.0, 4.0], &[1, 2]));
    near("poisson", &each(&Poisson::new().epsilon(0.0), &rates, &[1, 2], &counts), &[1.5 - 2.0 * ln2]);
    // 4 ln 4 - 4 + ln (8 π) / 2 for the count of 4, nothing for that of 0.
    let stirling = 8.0 * ln2 - 4.0 + 0.5 * (8.0 * std::f64::consts::PI).ln();
    near(
        "poisson",
        &each(&Poisson::new().epsilon(0.0).full(), &rates, &[1, 2], &counts),
        &[1.5 - 2.0 * ln2 + 0.5 * stirling],
    );
    // (ln 4 + 4 / 4) / 2 and (ln 1 + 0) / 2.
    let (y, t) = ([3.0, 1.0, 4.0, 1.0], values(&[5.0, 1.0], &[1, 2]));
    near("gaussian", &each(&GaussianNll::new(), &y, &[1, 4], &t), &[0.5 * ln2 + 0.25]);
    let y = [3.0, 1.0, 2.0 * ln2, 0.0];
    near("gaussian", &each(&GaussianNll::from_log_variances(), &y, &[1, 4], &t), &[0.5 * ln2 + 0.25]);
    let constant = 0.5 * std::f64::consts::TAU.ln();
    near("gaussian", &each(&GaussianNll::from_log_variances().full(), &y, &[1, 4], &t), &[0.5 * ln2 + 0.25 + constant]);
    let similar = each(
        &CosineSimilarity,
        &[3.0, 4.0, 0.0, 0.0, -2.0, 0.0],
        &[3, 2],
        &values(&[30.0, 40.0, 1.0, 2.0, 1.0, 0.0], &[3, 2]),
    );
    near("cosine", &similar, &[-1.0, 0.0, 1.0]);
    // Far away it is |e| - ln 2.
    let far = each(&LogCosh, &[1e4, -3e38], &[2, 1], &values(&[0.0, 0.0], &[2, 1]));
    near("log cosh", &far[..1], &[1e4 - ln2]);
    near("log cosh", &far[1..], &[3e38]);
}

/// What is impossible elsewhere, or need not be, makes no NaN.
fn infinite<B: Backend>(b: &B) {
    let check = |loss: &dyn Loss<B>, y: &[f64], target: Target<B>, value: f64, gradient: &[f64]| {
        let y = variable(b, y, &[1, y.len()]);
        let each = loss.each(&y, &target).unwrap();
        assert_near(loss.name(), &numbers(&each), &[value], tolerance::<B>());
        let found = numbers(&each.sum().unwrap().backward().unwrap().of(&y).unwrap());
        assert_near(loss.name(), &found, gradient, tolerance::<B>());
    };
    let never = f64::NEG_INFINITY;
    check(&NegativeLogLikelihood::new(), &[never, -0.5, -1.0], Target::classes(vec![1]), 0.5, &[0.0, -1.0, 0.0]);
    let target = Target::Values(tensor(b, &[0.0, 1.0, 0.0], &[1, 3]));
    check(&KlDivergence::from_log_probabilities(), &[never, -0.5, -1.0], target, 0.5, &[0.0, -1.0, 0.0]);
    let thirds = [1.0 / 3.0, 0.0, -1.0 / 3.0];
    check(&MultiMargin::new(), &[0.5, never, 1.0], Target::classes(vec![2]), 0.5 / 3.0, &thirds);
    // A variance that came below 0 counts as ε, and is driven up: (1 / ε - 4 / ε²) / 2.
    let (target, epsilon) = (Target::Values(tensor(b, &[2.0], &[1, 1])), 0.5f64);
    let value = 0.5 * (epsilon.ln() + 4.0 / epsilon);
    let gradient = [-2.0 / epsilon, 0.5 * (1.0 / epsilon - 4.0 / (epsilon * epsilon))];
    check(&GaussianNll::new().epsilon(epsilon), &[0.0, -3.0], target, value, &gradient);
    // A vector without a length points nowhere, and is drawn to the target by its least length of 1e-7.
    let target = Target::Values(tensor(b, &[3.0, 4.0], &[1, 2]));
    let zeros = variable(b, &[0.0, 0.0], &[1, 2]);
    let each = CosineSimilarity.each(&zeros, &target).unwrap();
    assert_eq!(numbers(&each), [0.0]);
    let found = numbers(&each.sum().unwrap().backward().unwrap().of(&zeros).unwrap());
    assert_near("cosine", &found, &[-0.6e7, -0.8e7], tolerance::<B>());
}

#[test]
fn other_losses_are_what_a_hand_calculates() {
    by_hand(&Reference::<f64>::new());
    by_hand(&Reference::<f32>::new());
    by_hand(&Candle::cpu());
}

#[test]
fn what_is_infinite_makes_no_nan_in_other_losses() {
    infinite(&Reference::<f64>::new());
    infinite(&Reference::<f32>::new());
    infinite(&Candle::cpu());
}

/// A softmax before the divergence is taken over, and one before the likelihood of log-probabilities is refused.
#[test]
fn other_losses_know_the_last_activation() {
    let b = Double::new();
    let logits = variable(&b, &[1.0, -2.0, 0.5, 3.0, 0.0, -1.0], &[2, 3]);
    let target = Target::Values(tensor(&b, &[0.2, 0.3, 0.5, 0.0, 1.0, 0.0], &[2, 3]));
    let stable = Loss::<Double>::before(&KlDivergence::new(), Activation::Softmax).unwrap();
    let found = |loss: &dyn Loss<Double>, y: &elman::Tensor<Double>| {
        let value = mean(loss, y, &target, None).unwrap();
        let gradient = value.backward().unwrap().of(&logits).unwrap();
        (value.to_scalar().unwrap(), numbers(&gradient))
    };
    let (value, gradient) = found(&*stable, &logits);
    let (plain, of_plain) = found(&KlDivergence::new(), &logits.softmax().unwrap());
    // On probabilities the targets of 0 count as 1e-7.
    assert_near("value", &[value], &[plain], 1e-5);
    assert_near("gradient", &gradient, &of_plain, 1e-5);
    assert_eq!(value, found(&KlDivergence::from_log_probabilities(), &logits.log_softmax().unwrap()).0);

    let model = |last: Activation, loss: Boxed<Double>| {
        let network = Sequential::new().add(Dense::new(3).activation(last));
        let mut model = network.build(&b, Spec::dense(&[2]), 0).unwrap();
        model.compile(Sgd::new(0.1), Wrapped(loss));
        let input = tensor(&b, &[0.1, 0.2], &[1, 2]).into();
        let batch = Batch { input, target: Target::classes(vec![1]), weights: None, len: 1 };
        model.loss(&batch, Mode::Evaluation).map(|batch| batch.loss.to_scalar().unwrap())
    };
    let expected = |name: &str, what: &str, last: Activation| {
        format!("{name}: expected {what}, found a model that ends in {last}")
    };
    let log = "log-probabilities, so a model that ends in log_softmax";
    for last in [Activation::Softmax, Activation::Linear, Activation::Sigmoid] {
        let error = model(last, Box::new(NegativeLogLikelihood::new())).unwrap_err().to_string();
        assert_eq!(error, expected("nll", log, last));
        let error = model(last, Box::new(KlDivergence::from_log_probabilities())).unwrap_err().to_string();
        assert_eq!(error, expected("kl_divergence", log, last));
    }
    assert!(model(Activation::Linear, Box::new(KlDivergence::new())).is_err());
    assert!(model(Activation::Softmax, Box::new(MultiMargin::new())).is_err());
    let nll = model(Activation::LogSoftmax, Box::new(NegativeLogLikelihood::new())).unwrap();
    let sparse = model(Activation::Softmax, Box::new(SparseCategoricalCrossEntropy::new())).unwrap();
    assert!((nll - sparse).abs() < 1e-15, "{nll} and {sparse}");
}

/// A boxed loss where one of its own type is wanted.
#[derive(Debug)]
struct Wrapped(Boxed<Double>);

impl Loss<Double> for Wrapped {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn each(&self, y: &elman::Tensor<Double>, target: &Target<Double>) -> elman::Result<elman::Tensor<Double>> {
        self.0.each(y, target)
    }
    fn outputs(&self) -> Outputs {
        self.0.outputs()
    }
    fn before(&self, last: Activation) -> Option<Boxed<Double>> {
        self.0.before(last)
    }
}

#[test]
fn what_other_losses_refuse() {
    let b = Double::new();
    let y = tensor(&b, &[0.2, 0.3, 0.5, 0.1, 0.8, 0.1], &[2, 3]);
    let refused = |loss: &dyn Loss<Double>, target: &Target<Double>| loss.each(&y, target).unwrap_err().to_string();
    let classes = |labels: &[u32]| Target::<Double>::classes(labels.to_vec());
    let values = Target::Values(y.clone());
    for loss in [&NegativeLogLikelihood::new() as &dyn Loss<Double>, &MultiMargin::new()] {
        let name = loss.name();
        assert_eq!(refused(loss, &classes(&[0, 3])), format!("{name}: expected labels below 3, found 3 in row 1"));
        assert_eq!(refused(loss, &values), format!("{name}: expected class labels as targets, found numbers"));
    }
    for loss in [&Poisson::new() as &dyn Loss<Double>, &CosineSimilarity, &LogCosh] {
        let name = loss.name();
        assert_eq!(
            refused(loss, &classes(&[0, 1])),
            format!("{name}: expected numbers as targets, found class labels")
        );
        let wide = Target::Values(tensor(&b, &[0.0; 6], &[3, 2]));
        assert_eq!(
            refused(loss, &wide),
            format!("{name}: expected targets of the predictions' shape [2, 3], found [3, 2]")
        );
    }
    let odd = "gaussian_nll: expected predictions [.., 2 d]: d means and as many variances, found shape [2, 3]";
    assert_eq!(refused(&GaussianNll::new(), &values), odd);
    for p in [0, 3] {
        assert_eq!(
            refused(&MultiMargin::new().p(p), &classes(&[0, 1])),
            format!("multi_margin: p: expected 1 or 2, found {p}")
        );
    }
    for wrong in [f64::NAN, f64::INFINITY] {
        let margin = refused(&MultiMargin::new().margin(wrong), &classes(&[0, 1]));
        assert_eq!(margin, format!("multi_margin: margin: expected a finite number, found {wrong}"));
    }
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        let epsilon = refused(&Poisson::new().epsilon(wrong), &values);
        assert_eq!(epsilon, format!("poisson: epsilon: expected a finite number from 0 on, found {wrong}"));
        let epsilon = refused(&GaussianNll::new().epsilon(wrong), &values);
        assert_eq!(epsilon, format!("gaussian_nll: epsilon: expected a finite number above 0, found {wrong}"));
    }
    let row = |loss: &dyn Loss<Double>, targets: &[f32]| loss.check_row(targets).unwrap_err().to_string();
    let negative = "poisson: expected targets that are counts, none negative, found -1";
    assert_eq!(row(&Poisson::new(), &[0.0, 2.0, -1.0]), negative);
    assert!(
        row(&KlDivergence::new(), &[0.5, 0.2]).starts_with("kl_divergence: expected targets of a row that sum to 1")
    );
}

/// A line with noise that is three times as great on one side: the model says so. Its outputs are twice its targets.
#[test]
fn a_gaussian_likelihood_is_fitted() {
    let b = Double::new();
    let sides: Vec<f32> = (0..40).map(|i| if i % 2 == 0 { -1.0 } else { 1.0 }).collect();
    // Around 1 + 2 x, off by ±0.5 on the left and ±1.5 on the right.
    let off = [0.5, 1.5, -0.5, -1.5];
    let targets = (0..40).map(|i| 1.0 + 2.0 * sides[i] + off[i % 4]).collect();
    let rows: Vec<[f32; 1]> = sides.iter().map(|&x| [x]).collect();
    let data = Dataset::new(Inputs::rows(&rows).unwrap(), Targets::values(targets, &[1]).unwrap()).unwrap();
    let mut model = Sequential::new().add(Dense::new(2)).build(&b, Spec::dense(&[1]), 0).unwrap();
    model.compile(Adam::new(0.1), GaussianNll::from_log_variances());
    model.fit(&data, Fit::new().epochs(300).batch_size(40).quiet()).unwrap();
    let y = model.predict(&Inputs::rows(&[[-1.0], [1.0]]).unwrap(), 2).unwrap();
    let expected = [-1.0, 0.25f64.ln(), 3.0, 2.25f64.ln()];
    let found: Vec<f64> = y.data().iter().map(|&y| f64::from(y)).collect();
    assert_near("means and logarithms of variances", &found, &expected, 1e-3);
}
