//! What counts as a row: weights a sample or a row, targets without the last axis.

use elman::loss::{self, MeanAbsoluteError, MeanSquaredError, SparseCategoricalCrossEntropy, Target};
use elman::{Shape, Tensor};
use elman_reference::Reference;

type B = Reference<f64>;

fn values(data: &[f64], shape: &[usize]) -> Target<B> {
    Target::Values(Tensor::new(&B::new(), data.to_vec(), shape).unwrap())
}

#[test]
fn weights_are_one_a_sample_or_one_a_row() {
    let x = Tensor::new(&B::new(), vec![1.0, 2.0, 3.0, 4.0], &[2, 2, 1]).unwrap();
    let zeros = values(&[0.0; 4], &[2, 2, 1]);
    let mean = |weights: &[f32]| loss::mean(&MeanAbsoluteError, &x, &zeros, Some(weights));
    assert_eq!(mean(&[1.0, 0.0]).unwrap().to_scalar().unwrap(), 0.75);
    assert_eq!(mean(&[1.0, 0.0, 0.0, 1.0]).unwrap().to_scalar().unwrap(), 1.25);
    let error = mean(&[1.0, 0.0, 0.0]).unwrap_err().to_string();
    assert_eq!(error, "mean_absolute_error: expected 2 sample weights or 4, one a row, found 3");
}

#[test]
fn a_single_output_takes_one_number_a_sample() {
    let x = Tensor::new(&B::new(), vec![1.0, 2.0], &[2, 1]).unwrap();
    let mean = loss::mean(&MeanSquaredError, &x, &values(&[0.0, 0.0], &[2]), None).unwrap();
    assert_eq!(mean.to_scalar().unwrap(), 2.5);
}

#[test]
fn a_wrong_label_of_a_sequence_is_named_by_row_and_step() {
    let steps = Tensor::new(&B::new(), vec![0.5; 8], &[2, 2, 2]).unwrap();
    let target = Target::Classes { labels: [0, 1, 1, 5].as_slice().into(), shape: Shape::from([2, 2]) };
    let error = loss::mean(&SparseCategoricalCrossEntropy::new(), &steps, &target, None).unwrap_err().to_string();
    assert_eq!(error, "sparse_categorical_crossentropy: expected labels below 2, found 5 in row 1, step 1");
}
