//! Losses: against Keras and PyTorch, against finite differences, at the extremes, and their errors.

mod common;

use common::golden::{Case, Golden};
use elman::gradcheck::{Tolerance, gradcheck};
use elman::loss::{
    self, BinaryCrossEntropy, CategoricalCrossEntropy, CategoricalHinge, Hinge, Huber, Loss, MeanAbsoluteError,
    MeanSquaredError, SparseCategoricalCrossEntropy, SquaredHinge, Target,
};
use elman::{Activation, Shape, Tensor};
use elman_reference::Reference;

type B = Reference<f64>;

/// Stands for the ignored label where it is negative, as ours are not.
const IGNORED: u32 = 99;

fn labels(data: &[u32], shape: &[usize]) -> Target<B> {
    Target::Classes { labels: data.into(), shape: Shape::new(shape).unwrap() }
}

fn numbers(data: &[f64], shape: &[usize]) -> Target<B> {
    Target::Values(Tensor::new(&B::new(), data.to_vec(), shape).unwrap())
}

/// The loss of a case; `None` for what is not offered.
fn loss_of(case: &Case) -> Option<Box<dyn Loss<B>>> {
    let smoothing = case.args["label_smoothing"].as_f64().unwrap_or(0.0);
    let logits = case.is("from_logits");
    // On probabilities PyTorch clips nothing and never renormalises; ours are Keras'.
    let probabilities_of_torch = case.args["from_logits"] == false && case.args["clip_epsilon"].is_null();
    if probabilities_of_torch || case.args["reduction"] == "weighted_mean" {
        return None;
    }
    Some(match &*case.kind {
        "binary_crossentropy" => {
            let loss = if logits { BinaryCrossEntropy::from_logits() } else { BinaryCrossEntropy::new() };
            Box::new(loss.label_smoothing(smoothing))
        }
        "categorical_crossentropy" => {
            let loss = if logits { CategoricalCrossEntropy::from_logits() } else { CategoricalCrossEntropy::new() };
            Box::new(loss.label_smoothing(smoothing))
        }
        "sparse_categorical_crossentropy" => {
            use SparseCategoricalCrossEntropy as Sparse;
            let loss = if logits { Sparse::from_logits() } else { Sparse::new() }.label_smoothing(smoothing);
            match case.args["ignore_class"].as_i64() {
                Some(class) => Box::new(loss.ignore_class(u32::try_from(class).unwrap_or(IGNORED))),
                None => Box::new(loss),
            }
        }
        "hinge" => Box::new(Hinge),
        "squared_hinge" => Box::new(SquaredHinge),
        "categorical_hinge" => Box::new(CategoricalHinge),
        "huber" => Box::new(Huber::new(case.number("delta"))),
        "mse" => Box::new(MeanSquaredError),
        "mae" => Box::new(MeanAbsoluteError),
        other => panic!("{other}"),
    })
}

#[test]
fn values_and_gradients_are_those_of_keras_and_pytorch() {
    let golden = Golden::open("losses");
    let mut compared = 0;
    for case in &golden.cases {
        let Some(loss) = loss_of(case) else { continue };
        let tensor = |what: &str| golden.tensor(case, what);
        let (data, shape) = tensor("predictions").unwrap();
        let prediction = Tensor::variable(&B::new(), data, &shape).unwrap();
        let (targets, target_shape) = tensor("targets").unwrap();
        let target = if case.kind.starts_with("sparse") {
            let classes = targets.iter().map(|&label| if label < 0.0 { IGNORED } else { label as u32 });
            labels(&classes.collect::<Vec<_>>(), &target_shape)
        } else {
            numbers(&targets, &target_shape)
        };
        // Weights are f32, the files' are not all.
        let weights = tensor("sample_weight").map(|(w, _)| w.iter().map(|&w| w as f32).collect::<Vec<_>>());
        let tolerance = if weights.is_some() { 1e-7 } else { 1e-12 };
        let mean = loss::mean(&*loss, &prediction, &target, weights.as_deref()).unwrap();
        let gradient = mean.backward().unwrap().of(&prediction).unwrap().to_vec().unwrap();
        let found = [mean.to_vec().unwrap(), gradient].concat();
        let expected = [tensor("value").unwrap().0, tensor("grad").unwrap().0].concat();
        assert_eq!(found.len(), expected.len());
        for (i, (x, y)) in found.iter().zip(&expected).enumerate() {
            let near = (x - y).abs() <= tolerance * (1.0 + y.abs());
            assert!(near, "{}: number {i} of value and gradient: {x}, expected {y}", case.name);
        }
        compared += 1;
    }
    assert!(compared >= 60, "only {compared} cases were compared");
}

#[test]
fn gradients_are_those_of_the_differences() {
    let b = B::new();
    let logits = (vec![0.3, -1.2, 2.0, 0.7, -0.4, 1.1], vec![2, 3]);
    let probabilities = (vec![0.2, 0.5, 0.3, 0.6, 0.1, 0.25], vec![2, 3]);
    let single = (vec![0.3, -1.7], vec![2, 1]);
    let check = |loss: &dyn Loss<B>, input: &(Vec<f64>, Vec<usize>), target: &Target<B>| {
        let inputs = [input.clone()];
        gradcheck(&b, &inputs, Tolerance::default(), |x| loss.each(&x[0], target)).unwrap();
        let weighted = |x: &[Tensor<B>]| loss::mean(loss, &x[0], target, Some(&[0.5, 2.0]));
        gradcheck(&b, &inputs, Tolerance::default(), weighted).unwrap();
    };
    let (classes, bits, soft) = (labels(&[2, 0], &[2]), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0], [0.1, 0.2, 0.7, 1.0, 0.0, 0.0]);
    let (bits, soft) = (numbers(&bits, &[2, 3]), numbers(&soft, &[2, 3]));
    check(&BinaryCrossEntropy::new().label_smoothing(0.1), &probabilities, &bits);
    check(&BinaryCrossEntropy::from_logits(), &logits, &bits);
    check(&BinaryCrossEntropy::from_logits(), &single, &labels(&[1, 0], &[2]));
    check(&CategoricalCrossEntropy::new(), &probabilities, &soft);
    check(&CategoricalCrossEntropy::from_logits().label_smoothing(0.2), &logits, &soft);
    check(&SparseCategoricalCrossEntropy::new(), &probabilities, &classes);
    check(&SparseCategoricalCrossEntropy::from_logits().label_smoothing(0.2), &logits, &classes);
    check(&SparseCategoricalCrossEntropy::from_logits().ignore_class(2), &logits, &classes);
    check(&Hinge, &logits, &bits);
    check(&SquaredHinge, &logits, &bits);
    check(&SquaredHinge, &single, &labels(&[1, 0], &[2]));
    check(&CategoricalHinge, &logits, &classes);
    let values = numbers(&[0.0, -1.0, 0.5, 0.1, 0.2, 3.0], &[2, 3]);
    check(&MeanSquaredError, &logits, &values);
    check(&MeanAbsoluteError, &logits, &values);
    check(&Huber::new(0.5), &logits, &values);
}

#[test]
fn a_batch_of_ignored_rows_gives_zero_and_zero_gradients() {
    let b = B::new();
    for probabilities in [false, true] {
        let loss = match probabilities {
            true => SparseCategoricalCrossEntropy::new(),
            false => SparseCategoricalCrossEntropy::from_logits(),
        };
        // A row of zeros is what a masked step may come as.
        let x = Tensor::variable(&b, vec![0.2, 0.8, 0.0, 0.0], &[1, 2, 2]).unwrap();
        let ignored = labels(&[IGNORED, IGNORED], &[1, 2]);
        let mean = loss::mean(&loss.ignore_class(IGNORED), &x, &ignored, None).unwrap();
        assert_eq!(mean.to_scalar().unwrap(), 0.0);
        assert_eq!(mean.backward().unwrap().of(&x).unwrap().to_vec().unwrap(), [0.0; 4]);
    }
}

#[test]
fn extreme_logits_give_finite_losses_also_in_f32() {
    let b = Reference::<f32>::new();
    let x = Tensor::variable(&b, vec![1e30, -1e30, 300.0, -300.0], &[2, 2]).unwrap();
    let target = Target::Classes { labels: [1, 0].into(), shape: [2].into() };
    let finite = |loss: &dyn Loss<Reference<f32>>| {
        let each = loss.each(&x, &target).unwrap();
        let gradient = each.sum().unwrap().backward().unwrap().of(&x).unwrap();
        assert!(
            [each.to_vec().unwrap(), gradient.to_vec().unwrap()].concat().iter().all(|x| x.is_finite()),
            "{loss:?}"
        );
    };
    finite(&SparseCategoricalCrossEntropy::from_logits());
    finite(&CategoricalCrossEntropy::from_logits());
    finite(&BinaryCrossEntropy::from_logits());
}

#[test]
fn a_loss_on_probabilities_takes_over_the_last_activation() {
    let b = B::new();
    let z = Tensor::new(&b, vec![0.3, -1.2, 2.0, 0.7], &[2, 2]).unwrap();
    let classes = labels(&[1, 0], &[2]);
    let same = |loss: &dyn Loss<B>, last: Activation| {
        let stable = loss.before(last).unwrap().expect("a stable form");
        let (a, c) = (stable.each(&z, &classes).unwrap(), loss.each(&z.activate(last).unwrap(), &classes).unwrap());
        let near = a.to_vec().unwrap().into_iter().zip(c.to_vec().unwrap()).all(|(a, c)| (a - c).abs() < 1e-12);
        assert!(near, "{loss:?}");
        assert!(loss.before(Activation::Tanh).unwrap().is_none());
        assert!(stable.before(last).is_err(), "logits of what is no longer logits");
    };
    same(&SparseCategoricalCrossEntropy::new().label_smoothing(0.1), Activation::Softmax);
    same(&CategoricalCrossEntropy::new(), Activation::Softmax);
    same(&BinaryCrossEntropy::new(), Activation::Sigmoid);
    let kept = SparseCategoricalCrossEntropy::new().ignore_class(7);
    assert_eq!(<_ as Loss<B>>::before(&kept, Activation::Softmax).unwrap().unwrap().ignored(), Some(7));
}

#[test]
fn weights_are_one_a_sample_or_one_a_row() {
    let b = B::new();
    let x = Tensor::new(&b, vec![1.0, 2.0, 3.0, 4.0], &[2, 2, 1]).unwrap();
    let zeros = numbers(&[0.0; 4], &[2, 2, 1]);
    let mean = |weights: &[f32]| loss::mean(&MeanAbsoluteError, &x, &zeros, Some(weights));
    assert_eq!(mean(&[1.0, 0.0]).unwrap().to_scalar().unwrap(), 0.75);
    assert_eq!(mean(&[1.0, 0.0, 0.0, 1.0]).unwrap().to_scalar().unwrap(), 1.25);
    let error = mean(&[1.0, 0.0, 0.0]).unwrap_err().to_string();
    assert_eq!(error, "mean_absolute_error: expected 2 sample weights or 4, one a row, found 3");
}

#[test]
fn a_single_output_takes_one_number_a_sample() {
    let x = Tensor::new(&B::new(), vec![1.0, 2.0], &[2, 1]).unwrap();
    let mean = loss::mean(&MeanSquaredError, &x, &numbers(&[0.0, 0.0], &[2]), None).unwrap();
    assert_eq!(mean.to_scalar().unwrap(), 2.5);
}

#[test]
fn what_does_not_go_together_is_an_error_that_says_what() {
    let b = B::new();
    let two = Tensor::new(&b, vec![0.2, 0.8, 0.6, 0.4], &[2, 2]).unwrap();
    let steps = Tensor::new(&b, vec![0.5; 8], &[2, 2, 2]).unwrap();
    let one = Tensor::new(&b, vec![0.2, 0.8], &[2, 1]).unwrap();
    let message = |loss: &dyn Loss<B>, x: &Tensor<B>, target: Target<B>| loss.each(x, &target).unwrap_err().to_string();
    let sparse = SparseCategoricalCrossEntropy::new();
    assert_eq!(
        message(&sparse, &two, labels(&[0, 2], &[2])),
        "sparse_categorical_crossentropy: expected labels below 2, found 2 in row 1"
    );
    assert_eq!(
        message(&sparse, &steps, labels(&[0, 1, 1, 5], &[2, 2])),
        "sparse_categorical_crossentropy: expected labels below 2, found 5 in row 1, step 1"
    );
    assert_eq!(
        message(&BinaryCrossEntropy::new(), &one, labels(&[0, 3], &[2])),
        "binary_crossentropy: expected labels 0 and 1 for a single output, found 3 in row 1"
    );
    assert!(message(&sparse, &two, labels(&[0, 1, 1], &[3])).contains("[2, 2] and [3]"));
    assert!(message(&sparse, &two, numbers(&[0.0; 4], &[2, 2])).contains("expected class labels"));
    assert!(message(&MeanSquaredError, &two, labels(&[0, 1], &[2])).contains("expected numbers"));
    assert!(message(&MeanSquaredError, &two, numbers(&[0.0; 2], &[2])).contains("found [2]"));
    assert!(message(&Huber::new(0.0), &two, numbers(&[0.0; 4], &[2, 2])).contains("delta"));
    assert!(message(&sparse.label_smoothing(1.5), &two, labels(&[0, 1], &[2])).contains("1.5"));
}
