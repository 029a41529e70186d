//! Dropout: the key alone decides what is left out, to the bit the same on every backend.

use crate::common::near::{numbers, tensor};
use elman::layers::{Dropout, Mode, Sequential};
use elman::{Backend, Element, Key, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

const RATE: f64 = 0.4;
const SHAPE: [usize; 2] = [40, 50];

fn dropped<B: Backend>(b: &B, mode: Mode) -> Vec<f64> {
    let network = Sequential::new().add(Dropout::new(RATE)).add(Dropout::new(RATE));
    let model = network.build(b, Spec::dense(&SHAPE[1..]), 0).unwrap();
    // No element is 0 itself.
    let data: Vec<f64> = (1..=2000).map(|i| f64::from(i) / 8.0).collect();
    numbers(&model.forward(tensor(b, &data, &SHAPE), mode).unwrap())
}

#[test]
fn masks_are_the_same_bits_on_all_backends() {
    let key = Key::new(11);
    let double = dropped(&Reference::<f64>::new(), Mode::Training(key));
    let single = dropped(&Reference::<f32>::new(), Mode::Training(key));
    let candle = dropped(&Candle::cpu(), Mode::Training(key));
    let mask = |y: &[f64]| y.iter().map(|&y| y != 0.0).collect::<Vec<bool>>();
    assert_eq!(mask(&double), mask(&single));
    assert_eq!(mask(&double), mask(&candle));
    // Two `f32` backends multiply the same numbers.
    assert_eq!(single, candle);
}

fn keys_decide<B: Backend>(b: &B) {
    let train = |seed| dropped(b, Mode::Training(Key::new(seed)));
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
    // Not the identity of evaluation, and two layers of one pass draw from two streams: were it one stream, as much as
    // one of them keeps would be left. Kept are (1 - RATE)² of 2000, give or take five standard deviations of 21.
    let kept = train(1).iter().filter(|&&y| y != 0.0).count() as f64;
    assert!((kept - 0.36 * 2000.0).abs() < 5.0 * 21.5, "{kept}");
    let scale = (1.0 / (1.0 - RATE)) * (1.0 / (1.0 - RATE));
    for (i, y) in train(1).into_iter().enumerate() {
        let x = (i + 1) as f64 / 8.0;
        // Two products, each rounded.
        assert!(y == 0.0 || (y / (x * scale) - 1.0).abs() < if B::Elem::NAME == "f64" { 1e-15 } else { 2e-7 });
    }
    let evaluated = dropped(b, Mode::Evaluation);
    assert_eq!(evaluated, (1..=2000).map(|i| f64::from(i) / 8.0).collect::<Vec<_>>());
}

#[test]
fn another_key_leaves_out_others_and_evaluation_none() {
    keys_decide(&Reference::<f64>::new());
    keys_decide(&Reference::<f32>::new());
    keys_decide(&Candle::cpu());
}
