//! The weight of what is positive in binary cross-entropy.

use crate::common::near::{assert_near, is_double, numbers, tensor, variable};
use elman::gradcheck::{Tolerance, gradcheck};
use elman::loss::*;
use elman::{Activation, Backend};
use elman_candle::Candle;
use elman_reference::Reference;

/// `-(p t ln o + (1 - t) ln(1 - o))` in `f64`, from a logit.
fn by_hand(z: f64, t: f64, p: f64) -> f64 {
    p * t * (-z).exp().ln_1p() + (1.0 - t) * z.exp().ln_1p()
}

fn is_its_formula<B: Backend>(b: &B) {
    let (z, t) = ([2.0, -1.0, 0.5, -0.25, 3.0, 1.5], [1.0, 0.0, 1.0, 0.0, 0.25, 1.0]);
    let logits = variable(b, &z, &[2, 3]);
    let target = Target::Values(tensor(b, &t, &[2, 3]));
    // Labels are kept in 64 or in 32 bits, and a row is a mean of three.
    let near = if is_double::<B>() { 1e-14 } else { 1e-6 };
    for weights in [vec![3.0], vec![0.01], vec![1.0], vec![0.5, 2.0, 7.0]] {
        let p = |i: usize| weights[if weights.len() == 1 { 0 } else { i % 3 }];
        let each: Vec<f64> = (0..6).map(|i| by_hand(z[i], t[i], p(i)) / 3.0).collect();
        let expected = [each[..3].iter().sum::<f64>(), each[3..].iter().sum()];
        let stable = BinaryCrossEntropy::from_logits().pos_weights(weights.clone());
        let plain = BinaryCrossEntropy::new().pos_weights(weights.clone());
        assert_near("from logits", &numbers(&stable.each(&logits, &target).unwrap()), &expected, near);
        let o = logits.sigmoid().unwrap();
        assert_near("probabilities", &numbers(&plain.each(&o, &target).unwrap()), &expected, 4.0 * near);
        // What a model that ends in a sigmoid is trained on has the weights, too.
        let taken_over = Loss::<B>::before(&plain, Activation::Sigmoid).unwrap();
        assert_near("taken over", &numbers(&taken_over.each(&logits, &target).unwrap()), &expected, near);
    }
    // One is none, to the bit; one number is that of each output.
    let each = |loss: BinaryCrossEntropy| numbers(&loss.each(&logits, &target).unwrap());
    assert_eq!(each(BinaryCrossEntropy::from_logits().pos_weight(1.0)), each(BinaryCrossEntropy::from_logits()));
    let three = BinaryCrossEntropy::from_logits().pos_weights([3.0; 3]);
    assert_eq!(each(BinaryCrossEntropy::from_logits().pos_weight(3.0)), each(three));
}

#[test]
fn a_weight_of_what_is_positive_is_its_formula() {
    is_its_formula(&Reference::<f64>::new());
    is_its_formula(&Reference::<f32>::new());
    is_its_formula(&Candle::cpu());
}

#[test]
fn gradients_with_a_weight_of_what_is_positive() {
    let b = Reference::<f64>::new();
    let target = Target::Values(tensor(&b, &[1.0, 0.0, 0.25, 1.0, 1.0, 0.0], &[3, 2]));
    let logits = (vec![0.4, -1.2, 2.0, 0.7, -0.3, 0.1], vec![3, 2]);
    let loss = BinaryCrossEntropy::from_logits().pos_weights([2.5, 0.3]).label_smoothing(0.1);
    gradcheck(&b, &[logits], Tolerance::default(), |x| loss.each(&x[0], &target)).unwrap();
    let o = (vec![0.4, 0.2, 0.7, 0.6, 0.3, 0.1], vec![3, 2]);
    let loss = BinaryCrossEntropy::new().pos_weight(2.5);
    gradcheck(&b, &[o], Tolerance::default(), |x| loss.each(&x[0], &target)).unwrap();
}

#[test]
fn wrong_weights_of_what_is_positive_are_errors() {
    let b = Reference::<f64>::new();
    let (z, target) = (tensor(&b, &[0.1, 0.2], &[1, 2]), Target::Values(tensor(&b, &[1.0, 0.0], &[1, 2])));
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = BinaryCrossEntropy::new().pos_weight(wrong).each(&z, &target).unwrap_err().to_string();
        assert_eq!(error, format!("binary_crossentropy: pos_weight: expected a finite number above 0, found {wrong}"));
    }
    let error = BinaryCrossEntropy::new().pos_weights([1.0; 3]).each(&z, &target).unwrap_err().to_string();
    assert_eq!(error, "binary_crossentropy: pos_weight: expected one number, or one for each of 2 outputs, found 3");
}
