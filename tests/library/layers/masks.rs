//! What masked steps must not do: change anything. Where they stand, how many there are and what is in them is all one.

use super::Network;
use crate::common::near::{assert_near, numbers, scattered, tensor, tolerance, variable};
use crate::layers::harness::value_of;
use elman::layers::*;
use elman::{Backend, Key, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

const FEATURES: usize = 4;

/// A batch of one text of three steps and one of two, padded in ways of all kinds: which step of the text stands where.
fn paddings() -> Vec<[Vec<Option<usize>>; 2]> {
    let (a, b, c) = (Some(0), Some(1), Some(2));
    vec![
        [vec![a, b, c], vec![a, b, None]],
        [vec![a, b, c, None, None], vec![a, b, None, None, None]],
        [vec![None, None, a, b, c], vec![None, None, None, a, b]],
        [vec![a, None, b, None, c, None], vec![None, a, None, None, None, b]],
    ]
}

/// The outputs of the steps that count (or of the texts, if pooled) in order, for texts in this padding, whose steps hold
/// `padding`.
fn outcome<B: Backend>(b: &B, network: &Network, rows: &[Vec<Option<usize>>], padding: f64, mode: Mode) -> Vec<f64> {
    let text = |row: usize| scattered(3 * FEATURES, row as u64 + 1);
    let step = |row: usize, step: Option<usize>| match step {
        Some(step) => text(row)[step * FEATURES..][..FEATURES].to_vec(),
        None => vec![padding; FEATURES],
    };
    let (batch, time) = (rows.len(), rows[0].len());
    let data = rows.iter().enumerate().flat_map(|(row, steps)| steps.iter().flat_map(move |&s| step(row, s)));
    let x = tensor(b, &data.collect::<Vec<_>>(), &[batch, time, FEATURES]);
    let flags: Vec<bool> = rows.iter().flatten().map(Option::is_some).collect();
    let mask = Mask::new(b, &flags, time).unwrap();
    let model = network.layers().build(b, Spec::Dense(vec![None, Some(FEATURES)]), 3).unwrap();
    let y = value_of(&model, Value::from(x).with_mask(mask), mode).unwrap();
    let all = numbers(&y);
    if y.shape().rank() == 2 {
        return all;
    }
    let width = y.shape().last();
    all.chunks(width).zip(flags).filter(|(_, there)| *there).flat_map(|(step, _)| step.to_vec()).collect()
}

fn networks() -> Vec<Network> {
    let attention = MultiHeadAttention::new(2, 3);
    vec![
        Network::AveragePooling,
        Network::MaxPooling,
        Network::LastStep,
        Network::LayerNorm(LayerNorm::new()),
        Network::BatchNorm(BatchNorm::new()),
        Network::BatchNorm(BatchNorm::new().frozen_statistics()),
        Network::RmsNorm(RmsNorm::new()),
        Network::PRelu(PRelu::new().shared_axes([1])),
        Network::Glu,
        Network::AdditiveAttention(AdditiveAttention::new(5)),
        Network::MultiHeadAttention(attention.clone()),
        Network::MultiHeadAttention(attention.causal()),
        Network::Masking(Masking::new(7.0)),
    ]
}

fn padding_changes_nothing<B: Backend>(b: &B) {
    for network in networks() {
        for mode in [Mode::Evaluation, Mode::Training(Key::new(1))] {
            let [first, rest @ ..] = &paddings()[..] else { unreachable!() };
            let expected = outcome(b, &network, first, 0.0, mode);
            assert!(expected.iter().any(|&y| y != 0.0));
            for rows in rest {
                for padding in [0.0, -3.0, 1e6, f64::NAN, f64::INFINITY] {
                    let found = outcome(b, &network, rows, padding, mode);
                    assert_near(&format!("{network:?} on {rows:?}"), &found, &expected, tolerance::<B>());
                }
            }
        }
    }
}

#[test]
fn padding_has_no_influence() {
    padding_changes_nothing(&Reference::<f64>::new());
    padding_changes_nothing(&Candle::cpu());
}

/// A network without parameters on one batch, and the gradient of the sum of what it gives.
fn run<B: Backend>(b: &B, network: Network, data: &[f64], shape: [usize; 3], flags: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let x = variable(b, data, &shape);
    let mask = Mask::new(b, flags, shape[1]).unwrap();
    let model = network.layers().build(b, Spec::Dense(vec![None, Some(shape[2])]), 0).unwrap();
    let y = model.forward(Value::from(x.clone()).with_mask(mask), Mode::Training(Key::new(0))).unwrap();
    let gradients = y.sum().unwrap().backward().unwrap();
    (numbers(&y), numbers(&gradients.of(&x).unwrap()))
}

fn pools_by_hand<B: Backend>(b: &B) {
    const NAN: f64 = f64::NAN;
    let (y, n) = (true, false);
    // Two features; a hole, padding on the left, nothing.
    let data = [1.0, -2.0, NAN, NAN, 4.0, -6.0, NAN, NAN, NAN, NAN, -3.0, 5.0, NAN, NAN, NAN, NAN, NAN, NAN];
    let flags = [y, n, y, n, n, y, n, n, n];
    let pool = |network| run(b, network, &data, [3, 3, 2], &flags);

    let (mean, gradient) = pool(Network::AveragePooling);
    assert_eq!(mean, [2.5, -4.0, -3.0, 5.0, 0.0, 0.0]);
    let [a, c] = [&[0.5, 0.5][..], &[1.0, 1.0]];
    let none = &[0.0, 0.0][..];
    assert_eq!(gradient, [a, none, a, none, none, c, none, none, none].concat());

    let (most, gradient) = pool(Network::MaxPooling);
    assert_eq!(most, [4.0, -2.0, -3.0, 5.0, 0.0, 0.0]);
    assert_eq!(gradient, [&[0.0, 1.0], none, &[1.0, 0.0], none, none, c, none, none, none].concat());

    let (last, gradient) = pool(Network::LastStep);
    assert_eq!(last, [4.0, -6.0, -3.0, 5.0, 0.0, 0.0]);
    assert_eq!(gradient, [none, none, c, none, none, c, none, none, none].concat());

    // Padding on the right.
    let data = [1.0, 2.0, NAN, NAN];
    assert_eq!(run(b, Network::LastStep, &data, [1, 4, 1], &[y, y, n, n]), (vec![2.0], vec![0.0, 1.0, 0.0, 0.0]));
    // Without a mask all steps count, and the last is the last.
    let x = tensor(b, &[1.0, 2.0, 6.0], &[1, 3, 1]);
    for (network, expected) in [(Network::AveragePooling, 3.0), (Network::MaxPooling, 6.0), (Network::LastStep, 6.0)] {
        let model = network.layers().build(b, Spec::dense(&[3, 1]), 0).unwrap();
        assert_eq!(numbers(&model.forward(x.clone(), Mode::Evaluation).unwrap()), [expected], "{network:?}");
    }
}

#[test]
fn pooling_is_what_a_hand_calculates() {
    pools_by_hand(&Reference::<f64>::new());
    pools_by_hand(&Reference::<f32>::new());
    pools_by_hand(&Candle::cpu());
}

fn masks_by_value<B: Backend>(b: &B) {
    // A step counts as soon as one feature differs; NaN differs from everything.
    let data = [2.0, 2.0, 2.0, 1.0, f64::NAN, 2.0, 3.0, 4.0];
    let x = tensor(b, &data, &[1, 4, 2]);
    let network = Sequential::new().add(Masking::new(2.0)).add(LastStep);
    let model = network.build(b, Spec::dense(&[4, 2]), 0).unwrap();
    let last = |flags: &[bool]| {
        let mask = Mask::new(b, flags, 4).unwrap();
        let y = model.forward(Value::from(x.clone()).with_mask(mask), Mode::Evaluation).unwrap();
        numbers(&y)
    };
    assert_eq!(last(&[true; 4]), [3.0, 4.0]);
    // With a mask that is there already.
    assert_eq!(last(&[true, true, false, false]), [2.0, 1.0]);
    assert_eq!(last(&[true, false, false, false]), [0.0, 0.0]);
    let alone = Sequential::new().add(Masking::new(2.0)).build(b, Spec::dense(&[4, 2]), 0).unwrap();
    let y = numbers(&alone.forward(x.clone(), Mode::Evaluation).unwrap());
    assert_eq!(y[..4], [0.0, 0.0, 2.0, 1.0]);
    assert_eq!(y[5..], [2.0, 3.0, 4.0]);
}

#[test]
fn masking_masks_by_value() {
    masks_by_value(&Reference::<f64>::new());
    masks_by_value(&Candle::cpu());
}

/// Scores of 0 and ln 3 weigh 1 to 3.
fn attends_by_hand<B: Backend>(b: &B) {
    let near = |what: &str, y: &Tensor<B>, expected: &[f64]| {
        assert_near(what, &numbers(y), expected, tolerance::<B>());
    };
    let query = tensor(b, &[1.0, 0.0], &[1, 2, 1]);
    let key = tensor(b, &[0.0, 0.5 * 3f64.ln(), 50.0], &[1, 3, 1]);
    let value = tensor(b, &[4.0, 8.0, 100.0], &[1, 3, 1]);
    let mask = |flags: &[bool]| Mask::new(b, flags, 3).unwrap();
    let two = mask(&[true, true, false]);
    near("masked", &dot_attention(&query, &key, &value, Some(&two), 2.0, false).unwrap(), &[7.0, 6.0]);
    near("causal", &dot_attention(&query, &key, &value, Some(&two), 2.0, true).unwrap(), &[4.0, 6.0]);
    let late = mask(&[false, true, false]);
    near("blind", &dot_attention(&query, &key, &value, Some(&late), 2.0, true).unwrap(), &[0.0, 8.0]);
    let none = mask(&[false; 3]);
    near("all masked", &dot_attention(&query, &key, &value, Some(&none), 2.0, false).unwrap(), &[0.0, 0.0]);

    // tanh(q + k) of 0 and of 1/2, twice 1.1 times: artanh makes the scores 0 and ln 3.
    let key = tensor(b, &[0.0, (0.5 * 3f64.ln()).atanh(), f64::NAN], &[1, 3, 1]);
    let (query, scale) = (tensor(b, &[0.0, 0.0], &[1, 2, 1]), tensor(b, &[2.0], &[1]));
    let value = tensor(b, &[4.0, 8.0, f64::NAN], &[1, 3, 1]);
    let sum = |mask, causal| additive_attention(&query, &key, &value, &scale, Some(mask), causal).unwrap();
    near("sum", &sum(&two, false), &[7.0, 7.0]);
    near("sum, causal", &sum(&two, true), &[4.0, 7.0]);
    near("sum, all masked", &sum(&none, true), &[0.0, 0.0]);
}

#[test]
fn attention_is_what_a_hand_calculates() {
    attends_by_hand(&Reference::<f64>::new());
    attends_by_hand(&Reference::<f32>::new());
    attends_by_hand(&Candle::cpu());
}

/// What is masked gets no gradient and gives none, not even as NaN.
fn gradients_stay_clean<B: Backend>(b: &B) {
    let query = variable(b, &scattered(6, 1), &[1, 3, 2]);
    let [mut key, mut value] = [2, 3].map(|seed| scattered(6, seed));
    key[4..].fill(f64::NAN);
    value[4..].fill(f64::NAN);
    let (key, value) = (variable(b, &key, &[1, 3, 2]), variable(b, &value, &[1, 3, 2]));
    let scale = variable(b, &[0.7, -1.1], &[2]);
    let mask = Mask::from_lengths(b, &[2], 3).unwrap();
    let dot = dot_attention(&query, &key, &value, Some(&mask), 0.7, false).unwrap();
    let sum = additive_attention(&query, &key, &value, &scale, Some(&mask), false).unwrap();
    for y in [dot, sum] {
        let gradients = y.square().unwrap().sum().unwrap().backward().unwrap();
        for (of, cleared) in [(&query, 0), (&key, 2), (&value, 2)] {
            let gradient = numbers(&gradients.of(of).unwrap());
            assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
            let (counts, masked) = gradient.split_at(6 - cleared);
            assert!(counts.iter().all(|&g| g != 0.0) && masked.iter().all(|&g| g == 0.0), "{gradient:?}");
        }
    }
    // The layer that pools by attention, its weights included.
    let network = Sequential::new().add(AdditiveAttention::new(3));
    let model = network.build(b, Spec::dense(&[3, 2]), 0).unwrap();
    let y = model.forward(Value::from(value.clone()).with_mask(mask), Mode::Training(Key::new(0))).unwrap();
    let gradients = y.square().unwrap().sum().unwrap().backward().unwrap();
    for of in model.params().iter().map(|param| param.tensor()).chain([&value]) {
        let gradient = numbers(&gradients.of(of).unwrap());
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
    }
}

#[test]
fn masked_steps_leave_gradients_clean() {
    gradients_stay_clean(&Reference::<f64>::new());
    gradients_stay_clean(&Candle::cpu());
}

/// One draw for all steps of a feature, another for each sequence.
#[test]
fn spatial_dropout_drops_whole_features() {
    let b = Reference::<f64>::new();
    let network = Sequential::new().add(SpatialDropout::new(0.25));
    let model = network.build(&b, Spec::Dense(vec![None, Some(100)]), 0).unwrap();
    let x = Tensor::full(&b, &[20, 3, 100], 3.0).unwrap();
    let y = numbers(&model.forward(x, Mode::Training(Key::new(4))).unwrap());
    let of = |sequence: usize, step: usize| &y[(sequence * 3 + step) * 100..][..100];
    let mut kept = 0;
    for sequence in 0..20 {
        assert!(of(sequence, 0) == of(sequence, 1) && of(sequence, 0) == of(sequence, 2));
        assert_ne!(of(sequence, 0), of((sequence + 1) % 20, 0));
        assert!(of(sequence, 0).iter().all(|&y| y == 0.0 || y == 4.0));
        kept += of(sequence, 0).iter().filter(|&&y| y != 0.0).count();
    }
    // 1500 of 2000, give or take five standard deviations of 19.4.
    assert!((1403..=1597).contains(&kept), "{kept}");
}
