//! Features without deviation: what batch normalisation and averages make of numbers that are all alike.

use crate::common::near::{numbers, tensor};
use crate::layers::harness::value_of;
use elman::layers::*;
use elman::{Backend, Key, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// A feature that is one number throughout is normalised to 0, to the last bit, however many of it there are; padding or not.
fn has_no_deviation<B: Backend>(b: &B) {
    let values = [1e5, 0.1, -12_345.678, 3e7];
    for rows in [1, 3, 7, 11, 49, 300] {
        let data: Vec<f64> = (0..rows).flat_map(|_| values).collect();
        let model = Sequential::new().add(BatchNorm::new()).build(b, Spec::dense(&[4]), 0).unwrap();
        let y = value_of(&model, tensor(b, &data, &[rows, 4]), Mode::Training(Key::new(0))).unwrap();
        assert!(numbers(&y).iter().all(|&y| y == 0.0), "{rows} rows on {}: {:?}", b.name(), &numbers(&y)[..4]);

        // With steps between that do not count, the first of them among them.
        let model = Sequential::new().add(BatchNorm::new()).build(b, Spec::Dense(vec![None, Some(4)]), 0).unwrap();
        let flags: Vec<bool> = (0..2 * rows).map(|i| i % 2 == 1).collect();
        let data: Vec<f64> = flags.iter().flat_map(|&there| values.map(|x| if there { x } else { f64::NAN })).collect();
        let input = Value::from(tensor(b, &data, &[1, 2 * rows, 4])).with_mask(Mask::new(b, &flags, 2 * rows).unwrap());
        let y = numbers(&value_of(&model, input, Mode::Training(Key::new(0))).unwrap());
        let counted = y.chunks(4).zip(flags).filter(|(_, there)| *there).flat_map(|(y, _)| y);
        assert!(counted.into_iter().all(|&y| y == 0.0), "{rows} steps on {}: {y:?}", b.name());
    }
}

#[test]
fn features_of_one_number_are_normalised_to_nothing() {
    has_no_deviation(&Reference::<f64>::new());
    has_no_deviation(&Reference::<f32>::new());
    has_no_deviation(&Candle::cpu());
    has_no_deviation(&Candle::portable(elman_candle::candle_core::Device::Cpu));
}

/// The running averages of such a feature: its mean is itself (seven times 1e5 is a number of an `f32`), its variance 0.
fn is_remembered<B: Backend>(b: &B) {
    let network = Sequential::new().add(BatchNorm::new().momentum(0.0));
    let mut model = network.build(b, Spec::dense(&[1]), 0).unwrap();
    for n in [7, 49] {
        let mut pass = model.pass(Mode::Training(Key::new(0)));
        model.run(tensor(b, &vec![1e5; n], &[n, 1]), &mut pass).unwrap();
        let states = pass.into_states();
        model.keep(states).unwrap();
        let state: Vec<f64> = model.params()[2..].iter().flat_map(|param| numbers(param.tensor())).collect();
        assert_eq!(state, [1e5, 0.0], "{n} on {}", b.name());
    }
}

#[test]
fn a_mean_is_remembered_to_the_last_bit() {
    is_remembered(&Reference::<f64>::new());
    is_remembered(&Reference::<f32>::new());
    is_remembered(&Candle::cpu());
}

/// The mean of equal steps is the step, with a mask and without.
fn averages<B: Backend>(b: &B) {
    for n in [3, 7, 11, 49] {
        let model = Sequential::new().add(GlobalAveragePooling).build(b, Spec::Dense(vec![None, Some(2)]), 0).unwrap();
        let (mean, shape) = ([1e5, -1e5], [1, 2 * n, 2]);
        let all = tensor(b, &[1e5, -1e5].repeat(2 * n), &shape);
        assert_eq!(numbers(&model.forward(all.clone(), Mode::Evaluation).unwrap()), mean, "{n} on {}", b.name());
        let mask = Mask::from_lengths(b, &[n], 2 * n).unwrap();
        let y = model.forward(Value::from(all).with_mask(mask), Mode::Evaluation).unwrap();
        assert_eq!(numbers(&y), mean, "{n} of {} on {}", 2 * n, b.name());
    }
}

#[test]
fn the_average_of_equal_steps_is_the_step() {
    averages(&Reference::<f32>::new());
    averages(&Candle::cpu());
}
