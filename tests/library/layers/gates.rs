//! PReLU, GLU, RMS normalisation, frozen statistics: by hand, what they refuse, and NaN in steps that are left out.

use crate::common::near::{assert_near, numbers, scattered, tensor, tolerance, variable};
use elman::gradcheck::{Tolerance, gradcheck};
use elman::layers::*;
use elman::loss::{MeanSquaredError, Target};
use elman::model::Batch;
use elman::optim::Sgd;
use elman::{Activation, Backend, Init, Key, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

const TRAINING: fn() -> Mode = || Mode::Training(Key::new(1));

fn by_hand<B: Backend>(b: &B) {
    let near = |what: &str, found: &[f64], expected: &[f64]| assert_near(what, found, expected, tolerance::<B>());

    let quarter = PRelu::new().slope(Weight::new(Init::Constant(0.25)));
    let model = Sequential::new().add(quarter).build(b, Spec::dense(&[2]), 0).unwrap();
    let x = variable(b, &[-4.0, 3.0, 0.0, f64::INFINITY], &[2, 2]);
    let y = model.forward(x.clone(), TRAINING()).unwrap();
    assert_eq!(numbers(&y), [-1.0, 3.0, 0.0, f64::INFINITY]);
    let gradients = y.sum().unwrap().backward().unwrap();
    // At 0 that from the left; to the slopes what is below 0, and nothing of an infinite number above.
    near("prelu, x", &numbers(&gradients.of(&x).unwrap()), &[0.25, 1.0, 0.25, 1.0]);
    near("prelu, alpha", &numbers(&gradients.of(model.params()[0].tensor()).unwrap()), &[-4.0, 0.0]);

    let model = Sequential::new().add(Glu).build(b, Spec::dense(&[4]), 0).unwrap();
    let x = variable(b, &[3.0, -8.0, 0.0, 1e4], &[1, 4]);
    let y = model.forward(x.clone(), TRAINING()).unwrap();
    near("glu", &numbers(&y), &[1.5, -8.0]);
    let gradients = y.sum().unwrap().backward().unwrap();
    near("glu, x", &numbers(&gradients.of(&x).unwrap()), &[0.5, 1.0, 0.75, 0.0]);

    // (9 + 25) / 2 + 8 is 5², and a row of zeros stays one.
    let layer = RmsNorm::new().epsilon(8.0).gamma(Weight::new(Init::Constant(2.0)));
    let model = Sequential::new().add(layer).build(b, Spec::dense(&[2]), 0).unwrap();
    let y = model.forward(tensor(b, &[3.0, -5.0, 0.0, 0.0], &[2, 2]), Mode::Evaluation).unwrap();
    near("rms norm", &numbers(&y), &[1.2, -2.0, 0.0, 0.0]);
}

#[test]
fn gates_are_what_a_hand_calculates() {
    by_hand(&Reference::<f64>::new());
    by_hand(&Reference::<f32>::new());
    by_hand(&Candle::cpu());
}

fn numbers_of<B: Backend>(model: &Model<B>, name: &str) -> Vec<f64> {
    numbers(model.params().iter().find(|param| param.name().ends_with(name)).unwrap().tensor())
}

/// In training as in evaluation, and training leaves them as they are; scale and shift learn.
fn frozen<B: Backend>(b: &B) {
    let network = Sequential::new().add(BatchNorm::new().epsilon(5.0).frozen_statistics());
    let mut model = network.build(b, Spec::dense(&[1]), 0).unwrap();
    let given = [("moving_mean", 3.0), ("moving_variance", 4.0)];
    let array = |x: f64| tensor(b, &[x], &[1]).value().clone();
    model
        .set_weights(
            given
                .map(|(name, x)| (format!("batch_norm.{name}"), array(x)))
                .into_iter()
                .chain([("batch_norm.gamma".to_string(), array(1.0)), ("batch_norm.beta".to_string(), array(0.0))]),
        )
        .unwrap();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    let x = tensor(b, &[6.0, 12.0], &[2, 1]);
    let trained = numbers(&model.forward(x.clone(), TRAINING()).unwrap());
    assert_near("training", &trained, &[1.0, 3.0], tolerance::<B>());
    assert_eq!(numbers(&model.forward(x.clone(), Mode::Evaluation).unwrap()), trained);
    let target = Target::Values(tensor(b, &[0.0, 0.0], &[2, 1]));
    model.train_step(&Batch { input: x.into(), target, weights: None, len: 2 }).unwrap();
    for (name, x) in given {
        assert_eq!(numbers_of(&model, name), [x], "{name}");
    }
    // The mean of 2 y n and of 2 y, times the rate.
    assert_near("gamma", &[numbers_of(&model, "gamma")[0] - 1.0], &[-1.0], tolerance::<B>());
    assert_near("beta", &numbers_of(&model, "beta"), &[-0.4], tolerance::<B>());
}

/// The harness holds all gradients against finite differences, the statistics' too, which have none.
#[test]
fn frozen_statistics_let_the_gradient_through() {
    let b = Reference::<f64>::new();
    let network = Sequential::new().add(BatchNorm::new().gamma(Weight::new(Init::Constant(3.0))).frozen_statistics());
    let model = network.build(&b, Spec::dense(&[2]), 0).unwrap();
    let x = (scattered(6, 2), vec![3, 2]);
    gradcheck(&b, &[x], Tolerance::default(), |x| model.forward(x[0].clone(), TRAINING())).unwrap();
}

#[test]
fn frozen_statistics_stay_and_are_used() {
    frozen(&Reference::<f64>::new());
    frozen(&Reference::<f32>::new());
    frozen(&Candle::cpu());
}

/// What stands in steps that are left out reaches no weight, not even as NaN.
#[test]
fn nan_in_masked_steps_reaches_no_weight() {
    let b = Reference::<f64>::new();
    let networks = [Sequential::new().add(PRelu::new().shared_axes([1])), Sequential::new().add(RmsNorm::new())];
    for network in networks.map(|network| network.add(GlobalAveragePooling)) {
        let model = network.build(&b, Spec::Dense(vec![None, Some(2)]), 0).unwrap();
        let weights = |padding: f64| {
            let x = tensor(&b, &[1.0, -2.0, padding, padding], &[1, 2, 2]);
            let masked = Value::from(x).with_mask(Mask::new(&b, &[true, false], 2).unwrap());
            let gradients = model.forward(masked, TRAINING()).unwrap().sum().unwrap().backward().unwrap();
            let of = |param: &elman::Param<Reference<f64>>| gradients.of(param.tensor()).map(|g| numbers(&g));
            model.params().iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(weights(f64::NAN), weights(0.0), "{}", model.params()[0].name());
    }
}

#[test]
fn what_has_no_halves_and_axes_that_are_not_there_are_errors() {
    let b = Reference::<f64>::new();
    let refused = |network: Sequential<Reference<f64>>, spec: Spec| network.build(&b, spec, 0).unwrap_err().to_string();
    let steps = || Spec::Dense(vec![None, Some(3)]);
    let odd = "layer `glu`: input: expected an even number of features, of which half are gates, found 3";
    assert_eq!(refused(Sequential::new().add(Glu), steps()), odd);
    let unknown = "layer `prelu`: input: expected an axis 1 of known size above 0, or a slope for all of it: \
        shared_axes([1]), found [batch, any, 3]";
    assert_eq!(refused(Sequential::new().add(PRelu::new()), steps()), unknown);
    for axis in [0, 3] {
        let message = refused(Sequential::new().add(PRelu::new().shared_axes([axis])), steps());
        assert_eq!(message, format!("layer `prelu`: shared axes: expected axes from 1 to 2, found {axis}"));
    }
    for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let message = refused(Sequential::new().add(RmsNorm::new().epsilon(epsilon)), steps());
        assert_eq!(message, format!("layer `rms_norm`: epsilon: expected a finite number above 0, found {epsilon}"));
    }
    for f in [
        Activation::Celu(0.0),
        Activation::Celu(f64::INFINITY),
        Activation::Elu(f64::NAN),
        Activation::LeakyRelu(f64::NAN),
    ] {
        let name = f.to_string();
        let name = name.split('(').next().unwrap();
        for network in [Sequential::new().add(f), Sequential::new().add(Dense::new(2).activation(f))] {
            assert!(refused(network, steps()).contains(&format!("activation: expected {name} with a finite number")));
        }
        let cell = Sequential::new().add(Elman::new(2).activation(f));
        let model = cell.build(&b, steps(), 0);
        let refused = model.and_then(|model| model.forward(tensor(&b, &[0.0; 6], &[1, 2, 3]), Mode::Evaluation));
        assert!(refused.unwrap_err().to_string().contains(&format!("{name} with a finite number")));
    }
    let indices = "layer `prelu`: input: expected numbers, found indices [batch, 3]";
    assert_eq!(refused(Sequential::new().add(PRelu::new()), Spec::indices(3)), indices);
}
