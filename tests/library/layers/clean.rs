//! What stands in masked steps of one's own tensors reaches no parameter and no gradient, not even as NaN.

use super::Network;
use crate::common::near::{assert_near, numbers, scattered, tensor, tolerance};
use crate::layers::harness::value_of;
use elman::layers::*;
use elman::loss::{BinaryCrossEntropy, MeanSquaredError, Target};
use elman::model::Batch;
use elman::optim::Sgd;
use elman::{Activation, Backend, Key, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

const FEATURES: usize = 4;
const STEPS: usize = 6;

/// All that take a masked sequence.
fn networks() -> Vec<Network> {
    let attention = MultiHeadAttention::new(2, 3);
    let within = |network| Network::TimeDistributed(Box::new(network));
    vec![
        Network::Dense(Dense::new(3).activation(Activation::Tanh)),
        Network::Dense(Dense::new(3).activation(Activation::Softmax)),
        Network::Activation(Activation::Gelu),
        Network::Dropout(Dropout::new(0.3)),
        Network::SpatialDropout(SpatialDropout::new(0.3)),
        Network::Masking(Masking::new(7.0)),
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
        Network::MultiHeadAttention(attention.causal().dropout(0.3)),
        within(Network::Dense(Dense::new(3).activation(Activation::Tanh))),
        Network::Elman(Elman::new(5)),
        Network::Lstm(Lstm::new(5).return_sequences()),
        Network::Lstm(Lstm::new(5).dropout(0.3).recurrent_dropout(0.3).reverse()),
        Network::Lstm(Lstm::new(5).layer_norm().return_sequences()),
        Network::Gru(Gru::new(5)),
        Network::Gru(Gru::new(5).reset_before().return_sequences()),
        Network::BothLstm(Bidirectional::new(Lstm::new(3).return_sequences())),
        Network::BothGru(Bidirectional::new(Gru::new(3))),
    ]
}

/// The sequences' steps that count: padding on the left, on the right, holes, nothing.
fn flags(batch: usize) -> Vec<bool> {
    let counts = |row: usize, t: usize| match row % 4 {
        0 => t >= 2,
        1 => t < 3,
        2 => t.is_multiple_of(2),
        _ => false,
    };
    (0..batch * STEPS).map(|i| counts(i / STEPS, i % STEPS)).collect()
}

/// Numbers with `padding` in the steps that do not count.
fn data(batch: usize, flags: &[bool], padding: f64) -> Vec<f64> {
    let mut data = scattered(batch * STEPS * FEATURES, 5);
    data.chunks_mut(FEATURES).zip(flags).filter(|(_, there)| !**there).for_each(|(step, _)| step.fill(padding));
    data
}

/// What comes out of the steps that count, and the gradients for the inputs and the parameters.
fn outcome<B: Backend>(b: &B, network: &Network, batch: usize, padding: f64) -> Vec<(String, Vec<f64>)> {
    let flags = flags(batch);
    let x = tensor(b, &data(batch, &flags, padding), &[batch, STEPS, FEATURES]).into_variable();
    let mask = Mask::new(b, &flags, STEPS).unwrap();
    let model = network.layers().build(b, Spec::Dense(vec![None, Some(FEATURES)]), 3).unwrap();
    let y = value_of(&model, Value::from(x.clone()).with_mask(mask.clone()), Mode::Training(Key::new(1))).unwrap();
    let y = if y.shape().rank() == 3 { mask.clear(&y).unwrap() } else { y };
    let gradients = y.square().unwrap().sum().unwrap().backward().unwrap();
    let mut all = vec![("value".to_string(), numbers(&y))];
    let params = model.params().iter().filter(|param| param.is_trainable());
    for (name, of) in params.map(|param| (param.name(), param.tensor())).chain([("x", &x)]) {
        all.push((name.to_string(), numbers(&gradients.of(of).unwrap())));
    }
    all
}

fn nothing_leaks<B: Backend>(b: &B) {
    // Few sequences and many take ways of their own.
    for (network, batch) in networks().iter().flat_map(|network| [3, 12].map(|batch| (network, batch))) {
        let expected = outcome(b, network, batch, 0.25);
        for padding in [f64::NAN, f64::INFINITY, 1e30] {
            for ((name, found), (_, expected)) in outcome(b, network, batch, padding).iter().zip(&expected) {
                let what = format!("{network:?} on {} with {padding}: {name}", b.name());
                assert_near(&what, found, expected, tolerance::<B>());
            }
        }
    }
}

#[test]
fn what_stands_in_masked_steps_reaches_no_gradient() {
    nothing_leaks(&Reference::<f64>::new());
    nothing_leaks(&Reference::<f32>::new());
    nothing_leaks(&Candle::cpu());
    nothing_leaks(&Candle::portable(elman_candle::candle_core::Device::Cpu));
}

/// A layer of one's own that leaves NaN where nothing counts.
#[derive(Debug)]
struct Spoils;

impl<B: Backend> Layer<B> for Spoils {
    fn kind(&self) -> &'static str {
        "spoils"
    }
    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> elman::Result<Built<B>> {
        Ok(Built::new(Spoils, input.clone()))
    }
}

impl<B: Backend> Module<B> for Spoils {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> elman::Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        let there = mask.as_ref().expect("masked").tensor(pass.backend());
        let there = there.reshape(&[&there.shape()[..], &[1]].concat())?;
        let spoilt = x.select(&there, &Tensor::full(pass.backend(), &[], f64::NAN)?)?;
        Ok(Value::from(spoilt).with_mask(mask))
    }
}

/// Neither does what a layer in the middle, or the last one, leaves there; whatever the loss.
fn nothing_leaks_from_within<B: Backend>(b: &B) {
    let cases = [[true, false], [false, true]].into_iter().flat_map(|spoils| [true, false].map(|loss| (spoils, loss)));
    for (spoils, squared) in cases {
        let trained = |spoils: [bool; 2]| {
            let mut network = Sequential::new().add(Dense::new(4));
            for (spoils, units) in spoils.into_iter().zip([Some(1), None]) {
                network = if spoils { network.add(Spoils) } else { network };
                network =
                    units.map_or(network.clone(), |units| network.clone().add(Lstm::new(units).return_sequences()));
            }
            let mut model = network.build(b, Spec::Dense(vec![None, Some(FEATURES)]), 3).unwrap();
            match squared {
                true => model.compile(Sgd::new(0.1), MeanSquaredError),
                false => model.compile(Sgd::new(0.1), BinaryCrossEntropy::from_logits()),
            };
            let flags = flags(4);
            let input = tensor(b, &data(4, &flags, 0.0), &[4, STEPS, FEATURES]);
            let input = Value::from(input).with_mask(Mask::new(b, &flags, STEPS).unwrap());
            let target = Target::Values(Tensor::full(b, &[4, STEPS, 1], 1.0).unwrap());
            let (loss, _) = model.train_step(&Batch { input, target, weights: None, len: 4 }).unwrap();
            let weights: Vec<f64> = model.params().iter().flat_map(|param| numbers(param.tensor())).collect();
            [numbers(&loss), weights].concat()
        };
        assert_near(&format!("{spoils:?}"), &trained(spoils), &trained([false; 2]), tolerance::<B>());
    }
}

#[test]
fn what_a_layer_leaves_in_masked_steps_reaches_no_weight() {
    nothing_leaks_from_within(&Reference::<f64>::new());
    nothing_leaks_from_within(&Candle::cpu());
}
