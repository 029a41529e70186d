//! One seed, several backends: the same initial weights, shuffles and dropout, and so nearly the same training.

use super::toy::{R, Spy, Steps, numbered, numbers, watched, wires};
use elman::backend::Backend;
use elman::layers::{Dense, Dropout, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::Accuracy;
use elman::model::Model;
use elman::optim::Adam;
use elman::training::Fit;
use elman::{Activation, Element, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// Like `reuters_mlp` (L13).
fn model<B: Backend>(backend: &B, width: usize, hidden: usize, classes: usize) -> Model<B> {
    let network = Sequential::new()
        .add(Dense::new(hidden).activation(Activation::Relu))
        .add(Dropout::new(0.5))
        .add(Dense::new(classes).activation(Activation::Softmax));
    let mut model = network.build(backend, Spec::bags(width), 11).unwrap();
    model.compile(Adam::new(1e-3), SparseCategoricalCrossEntropy::new()).metric(Accuracy::new());
    model
}

/// Initial weights, the loss of each of 200 steps, final weights.
#[derive(Debug, PartialEq)]
struct Run<E> {
    first: Vec<Vec<E>>,
    losses: Vec<f64>,
    last: Vec<Vec<E>>,
}

fn run<B: Backend>(backend: &B) -> Run<B::Elem> {
    let data = wires(640, 300, 10);
    let mut model = model(backend, 300, 64, 10);
    let (first, mut steps) = (numbers(&model), Steps::default());
    model.fit(&data, Fit::new().epochs(10).batch_size(32).callback(&mut steps).quiet()).unwrap();
    Run { first, losses: steps.0, last: numbers(&model) }
}

#[test]
fn two_hundred_steps_agree_on_candle_and_reference() {
    let (candle, reference) = (run(&Candle::cpu()), run(&Reference::<f32>::new()));
    assert_eq!(candle.first, reference.first, "initial weights, bit for bit");
    assert_eq!(candle.losses.len(), 200);
    assert!(reference.losses[199] < 0.5 * reference.losses[0], "it learns: {:?}", reference.losses);
    // Sums in another order differ by some 1e-7 of their terms, and Adam, which divides by the size of the gradient, lets
    // that grow with the steps. Measured: 7e-7 of the losses, 2e-7 of the weights. A step of a weight is 1e-3 long.
    for (step, (a, b)) in candle.losses.iter().zip(&reference.losses).enumerate() {
        assert!((a - b).abs() < 1e-5, "step {step}: {a} and {b}");
    }
    let worst = candle.last.iter().flatten().zip(reference.last.iter().flatten()).map(|(a, b)| (a - b).abs());
    let worst = worst.fold(0.0, f32::max);
    assert!(worst < 1e-5, "final weights are {worst} apart");
}

#[test]
fn the_same_backend_gives_the_same_bits_twice() {
    assert_eq!(run(&Candle::cpu()), run(&Candle::cpu()));
    assert_eq!(run(&Reference::<f32>::new()), run(&Reference::<f32>::new()));
}

/// The reference backend promises that its results do not depend on the number of threads.
#[test]
fn the_number_of_threads_does_not_matter_on_the_reference_backend() {
    // Sizes at which products and optimiser steps are divided: the tests would pass without that, but show nothing.
    let run = |threads| {
        let backend = Reference::<f32>::with_threads(threads);
        let (data, mut steps) = (wires(256, 1000, 46), Steps::default());
        let mut model = model(&backend, 1000, 512, 46);
        model.fit(&data, Fit::new().batch_size(64).callback(&mut steps).quiet()).unwrap();
        (steps.0, numbers(&model))
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}

#[test]
fn shuffles_and_dropout_are_the_same_on_every_backend() {
    fn orders<B: Backend>(backend: &B) -> Vec<Vec<f64>> {
        let spy = Spy::default();
        watched(backend, &spy).fit(&numbered(50), Fit::new().epochs(2).batch_size(8).quiet()).unwrap();
        spy.take()
    }
    fn dropped<B: Backend>(backend: &B) -> Vec<Vec<bool>> {
        let (spy, data) = (Spy::default(), wires(40, 30, 3));
        let network = Sequential::new().add(Dropout::new(0.5)).add(spy.clone()).add(Dense::new(3));
        let mut model = network.build(backend, Spec::bags(30), 5).unwrap();
        model.compile(Adam::new(1e-3), SparseCategoricalCrossEntropy::from_logits());
        model.fit(&data, Fit::new().epochs(2).quiet()).unwrap();
        spy.take().into_iter().map(|batch| batch.into_iter().map(|x| x == 0.0).collect()).collect()
    }
    let (order, drops) = (orders(&R::new()), dropped(&R::new()));
    assert!(order == orders(&Candle::cpu()) && order == orders(&Reference::<f32>::new()));
    assert!(drops == dropped(&Candle::cpu()) && drops == dropped(&Reference::<f32>::new()));
    assert_ne!(drops[0], drops[2], "another step, another draw");
}

#[test]
fn initial_weights_are_the_same_up_to_the_precision() {
    let (single, double) = (model(&Reference::<f32>::new(), 30, 8, 3), model(&R::new(), 30, 8, 3));
    for (a, b) in numbers(&single).iter().flatten().zip(numbers(&double).iter().flatten()) {
        assert_eq!(*a, f32::from_f64(*b));
    }
}
