//! Every loss, on predictions and targets that suit it.

use crate::common::near::{numbers, scattered, tensor};
use elman::loss::*;
use elman::{Activation, Backend, Shape};
use elman_reference::Reference;

pub(crate) type Boxed<B> = Box<dyn Loss<B>>;
pub(crate) type Double = Reference<f64>;

/// Cross-entropies on logits with the activation that they contain, and the same on probabilities.
pub(crate) fn pairs<B: Backend>() -> Vec<(Activation, Boxed<B>, Boxed<B>)> {
    let mut pairs: Vec<(Activation, Boxed<B>, Boxed<B>)> = Vec::new();
    for s in [0.0, 0.1] {
        let binary = |loss: BinaryCrossEntropy| Box::new(loss.label_smoothing(s));
        let several = |loss: CategoricalCrossEntropy| Box::new(loss.label_smoothing(s));
        let sparse = |loss: SparseCategoricalCrossEntropy| Box::new(loss.label_smoothing(s));
        // Class 1 occurs among the labels; 99 is beyond the classes.
        let ignoring =
            |loss: SparseCategoricalCrossEntropy, class| Box::new(loss.label_smoothing(s).ignore_class(class));
        use {
            BinaryCrossEntropy as Binary, CategoricalCrossEntropy as Several, SparseCategoricalCrossEntropy as Sparse,
        };
        pairs.push((Activation::Sigmoid, binary(Binary::from_logits()), binary(Binary::new())));
        pairs.push((Activation::Softmax, several(Several::from_logits()), several(Several::new())));
        pairs.push((Activation::Softmax, sparse(Sparse::from_logits()), sparse(Sparse::new())));
        for class in [1, 99] {
            pairs.push((Activation::Softmax, ignoring(Sparse::from_logits(), class), ignoring(Sparse::new(), class)));
        }
    }
    pairs
}

/// Losses for a linear last layer.
pub(crate) fn linear<B: Backend>() -> Vec<Boxed<B>> {
    vec![
        Box::new(Hinge),
        Box::new(SquaredHinge),
        Box::new(CategoricalHinge),
        Box::new(MeanSquaredError),
        Box::new(MeanAbsoluteError),
        Box::new(Huber::new(0.3)),
        Box::new(Huber::default()),
    ]
}

/// Labels of one shape and classes, one row in six of the class that is ignored.
pub(crate) fn labels<B: Backend>(shape: &[usize], classes: usize, ignored: Option<u32>) -> Target<B> {
    let shape = Shape::new(shape).unwrap();
    let label = |i: usize| ignored.filter(|_| i % 6 == 4).unwrap_or((i * 7 % classes) as u32);
    Target::Classes { labels: (0..shape.elements()).map(label).collect(), shape }
}

/// All the targets that a loss takes for predictions of a shape.
pub(crate) fn targets<B: Backend>(b: &B, loss: &dyn Loss<B>, shape: &[usize]) -> Vec<Target<B>> {
    let (rows, classes) = (&shape[..shape.len() - 1], shape[shape.len() - 1]);
    let count: usize = shape.iter().product();
    let values = |f: &dyn Fn(usize) -> f64| Target::Values(tensor(b, &(0..count).map(f).collect::<Vec<_>>(), shape));
    let one_hot = |i: usize| if i % classes == i / classes * 7 % classes { 1.0 } else { 0.0 };
    let shares = |i: usize| 2.0 * (i % classes + 1) as f64 / (classes * (classes + 1)) as f64;
    let two = [0.0, 1.0, 1.0, 0.0, 0.0];
    let of_classes = || labels(rows, classes.max(2), loss.ignored());
    match loss.name() {
        "binary_crossentropy" if classes == 1 => {
            vec![values(&|i| two[i % 5]), values(&|i| 0.13 * (i % 7) as f64), of_classes()]
        }
        "binary_crossentropy" => vec![values(&|i| two[i % 5]), values(&|i| 0.13 * (i % 7) as f64)],
        "categorical_crossentropy" => {
            vec![values(&one_hot), values(&shares), of_classes()]
        }
        "sparse_categorical_crossentropy" => vec![of_classes()],
        "categorical_hinge" => vec![values(&one_hot), of_classes()],
        "hinge" | "squared_hinge" => vec![values(&|i| two[i % 5]), values(&|i| 2.0 * two[i % 5] - 1.0)],
        _ => vec![values(&|i| scattered(count, 5)[i])],
    }
}

/// Rows, steps, and what each has; the losses of several classes do without the last.
pub(crate) const SHAPES: [&[usize]; 3] = [&[7, 4], &[2, 3, 4], &[7, 1]];

pub(crate) fn for_one_output<B: Backend>(loss: &dyn Loss<B>) -> bool {
    !loss.name().contains("categorical")
}

/// Calls `check` with every loss on predictions that suit it, for every target and every shape.
pub(crate) fn each_case<B: Backend>(b: &B, check: impl Fn(&dyn Loss<B>, Vec<f64>, &[usize], &Target<B>)) {
    for shape in SHAPES {
        let logits = scattered(shape.iter().product(), 3).into_iter().map(|x| 3.0 * x).collect::<Vec<_>>();
        let every = |loss: &dyn Loss<B>, predictions: &[f64]| {
            if shape[shape.len() - 1] > 1 || for_one_output(loss) {
                targets(b, loss, shape).iter().for_each(|target| check(loss, predictions.to_vec(), shape, target));
            }
        };
        for (last, stable, plain) in pairs() {
            every(&*stable, &logits);
            // No probability so small that its logarithm bends much within a step of `gradcheck`.
            let milder = tensor(b, &logits, shape).affine(0.3, 0.0).unwrap();
            every(&*plain, &numbers(&milder.activate(last).unwrap()));
        }
        for loss in linear() {
            every(&*loss, &logits);
        }
    }
}
