//! Normalisation by hand: its values, and what batch normalisation remembers.

use crate::common::near::{assert_near, numbers, tensor, tolerance};
use crate::layers::harness::value_of;
use elman::layers::*;
use elman::loss::{MeanSquaredError, Target};
use elman::model::{Batch, BatchLoss};
use elman::optim::{Optimizer, Sgd};
use elman::{Backend, Key, Model, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

fn layer_norm_by_hand<B: Backend>(b: &B) {
    // Mean 3, variance 4 + 5: the square root of 9 is 3.
    let network = Sequential::new().add(LayerNorm::new().epsilon(5.0).gamma(Weight::new(elman::Init::Constant(2.0))));
    let model = network.build(b, Spec::dense(&[2]), 0).unwrap();
    let y = model.forward(tensor(b, &[1.0, 5.0, 7.0, 7.0], &[2, 2]), Mode::Evaluation).unwrap();
    assert_near("layer norm", &numbers(&y), &[-4.0 / 3.0, 4.0 / 3.0, 0.0, 0.0], tolerance::<B>());
    // Far from 0 the variance is still there: 1e4 ± 1 is exact in single precision, its square is not.
    let far = Sequential::new().add(LayerNorm::new()).build(b, Spec::dense(&[2]), 0).unwrap();
    let y = far.forward(tensor(b, &[9999.0, 10001.0], &[1, 2]), Mode::Evaluation).unwrap();
    let one = 1.0 / 1.001f64.sqrt();
    assert_near("far away", &numbers(&y), &[-one, one], tolerance::<B>());
}

#[test]
fn layer_norm_is_what_a_hand_calculates() {
    layer_norm_by_hand(&Reference::<f64>::new());
    layer_norm_by_hand(&Reference::<f32>::new());
    layer_norm_by_hand(&Candle::cpu());
}

fn state<B: Backend>(model: &Model<B>) -> Vec<f64> {
    let states = model.params().iter().filter(|param| param.name().contains("moving"));
    states.flat_map(|param| numbers(param.tensor())).collect()
}

/// One step of training with a rate of 0 on `[batch, time, 1]`.
fn step<B: Backend>(model: &mut Model<B>, data: &[f64], shape: [usize; 3], flags: Option<&[bool]>) {
    let b = model.backend().clone();
    let mask = flags.map(|flags| Mask::new(&b, flags, shape[1]).unwrap());
    let input = Value::from(tensor(&b, data, &shape)).with_mask(mask);
    let target = Target::Values(Tensor::full(&b, &shape, 0.0).unwrap());
    model.train_step(&Batch { input, target, weights: None, len: shape[0] }).unwrap();
}

fn remembers<B: Backend>(b: &B) {
    let network = Sequential::new().add(BatchNorm::new().momentum(0.75).epsilon(5.0));
    let mut model = network.build(b, Spec::Dense(vec![None, Some(1)]), 0).unwrap();
    model.compile(Sgd::new(1e-9), MeanSquaredError);
    let near = |what: &str, found: &[f64], expected: &[f64]| assert_near(what, found, expected, tolerance::<B>());
    near("at first", &state(&model), &[0.0, 1.0]);

    // In training the batch itself: mean 3, variance 4 (not 4 · 4 / 3), plus 5, is 3².
    let x = tensor(b, &[1.0, 5.0, 1.0, 5.0], &[2, 2, 1]);
    let y = value_of(&model, x.clone(), Mode::Training(Key::new(0))).unwrap();
    near("training", &numbers(&y), &[-2.0 / 3.0, 2.0 / 3.0, -2.0 / 3.0, 2.0 / 3.0]);
    near("a forward alone", &state(&model), &[0.0, 1.0]);

    // Two steps: means 3 and 8, variances 4 and 16; a quarter of each counts. The second has padding.
    step(&mut model, &[1.0, 5.0, 1.0, 5.0], [2, 2, 1], None);
    near("one step", &state(&model), &[0.75, 1.75]);
    let flags = [true, true, false, true, false, true];
    step(&mut model, &[4.0, 12.0, 1e6, 12.0, -1e6, 4.0], [2, 3, 1], Some(&flags));
    let expected = [0.75 * 0.75 + 0.25 * 8.0, 0.75 * 1.75 + 0.25 * 16.0];
    near("two steps", &state(&model), &expected);

    // Nothing but padding changes nothing, and neither does evaluation.
    let before = state(&model);
    step(&mut model, &[3.0, -1e6], [1, 2, 1], Some(&[false, false]));
    assert_eq!(state(&model), before);
    let [mean, variance] = expected;
    let y = model.forward(x, Mode::Evaluation).unwrap();
    let expected = [1.0, 5.0, 1.0, 5.0].map(|x| (x - mean) / (variance + 5.0f64).sqrt());
    // The rate of learning moved gamma and beta by some 1e-9.
    assert_near("evaluation", &numbers(&y), &expected, tolerance::<B>().max(1e-7));
    assert_eq!(state(&model), before);
}

#[test]
fn batch_norm_remembers_what_a_hand_calculates() {
    remembers(&Reference::<f64>::new());
    remembers(&Reference::<f32>::new());
    remembers(&Candle::cpu());
}

/// A step of one's own, by `loss` and `keep`, is that of `train_step`; what is dropped changes nothing, and where it would be dropped
/// in silence there is an error.
fn hands_out_its_statistics<B: Backend>(b: &B) {
    let model = || {
        let mut model = Sequential::new().add(BatchNorm::new()).build(b, Spec::dense(&[1]), 0).unwrap();
        model.compile(Sgd::new(0.1), MeanSquaredError);
        model
    };
    let (mut stepped, mut own) = (model(), model());
    let x = tensor(b, &[1.0, 5.0], &[2, 1]);
    let target = Target::Values(tensor(b, &[0.0, 1.0], &[2, 1]));
    let batch = Batch { input: x.clone().into(), target, weights: None, len: 2 };
    stepped.train_step(&batch).unwrap();
    let BatchLoss { loss, states, .. } = own.loss(&batch, Mode::Training(Key::new(0))).unwrap();
    Optimizer::new(Sgd::new(0.1)).step(own.params_mut(), loss.backward().unwrap()).unwrap();
    assert_eq!(state(&own), [0.0, 1.0]);
    own.keep(states).unwrap();
    assert_ne!(state(&own), [0.0, 1.0]);
    let all = |model: &Model<B>| model.params().iter().flat_map(|param| numbers(param.tensor())).collect::<Vec<_>>();
    assert_eq!(all(&own), all(&stepped));
    assert!(own.loss(&batch, Mode::Evaluation).unwrap().states.is_empty());

    let error = own.forward(x.clone(), Mode::Training(Key::new(0))).unwrap_err().to_string();
    assert!(error.contains("`Model::run`") && error.contains("`Model::keep`"), "{error}");
    own.forward(x.clone(), Mode::Evaluation).unwrap();

    let mut other = Sequential::new().add(Dense::new(3)).build(b, Spec::dense(&[1]), 0).unwrap();
    let states = own.loss(&batch, Mode::Training(Key::new(0))).unwrap().states;
    let error = other.keep(states).unwrap_err().to_string();
    assert!(error.contains("of this model"), "{error}");
}

#[test]
fn a_loop_of_ones_own_keeps_running_statistics() {
    hands_out_its_statistics(&Reference::<f64>::new());
    hands_out_its_statistics(&Candle::cpu());
}
