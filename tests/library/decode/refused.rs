//! What cannot be stepped, by name; what stepping gets wrong, found by `verify`.

use super::models::{TOKENS, build, text};
use crate::common::near::tensor;
use elman::decode::{Decoder, Stepper};
use elman::layers::{
    AdditiveAttention, Bidirectional, Built, Dense, Embedding, GlobalAveragePooling, GlobalMaxPooling, Gru, LastStep,
    Layer, Lstm, Module, MultiHeadAttention, Pass, Scope, Sequential, Value,
};
use elman::{Activation, Backend, Result, Spec, Tensor};
use elman_reference::Reference;

type R = Reference<f64>;

fn b() -> R {
    R::with_threads(1)
}

#[test]
fn layers_that_look_at_whole_sequences_are_named() {
    let networks: [(&str, Sequential<R>); 7] = [
        ("lstm", Sequential::new().add(Lstm::new(2).reverse())),
        ("bidirectional", Sequential::new().add(Bidirectional::new(Gru::new(2)))),
        ("global_average_pooling", Sequential::new().add(GlobalAveragePooling)),
        ("global_max_pooling", Sequential::new().add(GlobalMaxPooling)),
        ("last_step", Sequential::new().add(LastStep)),
        ("additive_attention", Sequential::new().add(AdditiveAttention::new(2))),
        ("multi_head_attention", Sequential::new().add(MultiHeadAttention::new(1, 2))),
    ];
    for (name, network) in networks {
        let model = build(&b(), network, Dense::new(TOKENS));
        let mut decoder = Decoder::new(&model).unwrap();
        let errors = [decoder.step(&[1]).unwrap_err(), decoder.verify(&[text(5, 0)]).unwrap_err()];
        for error in errors.map(|error| error.to_string()) {
            assert!(error.contains(name) && error.contains("whole sequences"), "{name}: {error}");
        }
    }
}

#[test]
fn models_that_give_no_distribution_over_tokens_are_refused() {
    let refused = |network: Sequential<R>, input: Spec, words: &str| {
        let model = network.build(&b(), input, 0).unwrap();
        let error = Decoder::new(&model).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let embedded = || Sequential::new().add(Embedding::new(5, 3)).add(Gru::new(4).return_sequences());
    let steps = || Spec::Indices(None);
    refused(embedded().add(Dense::new(5)), Spec::indices(8), "Spec::Indices(None)");
    refused(Sequential::new().add(Gru::new(3)), Spec::Dense(vec![None, Some(2)]), "indices of any number of steps");
    refused(embedded().add(Dense::new(1)), steps(), "a number for each of several tokens");
    for last in [Activation::Sigmoid, Activation::Tanh, Activation::Relu] {
        refused(embedded().add(Dense::new(5).activation(last)), steps(), &format!("found {last}"));
    }
    // What comes out of the state of a recurrent layer is no logit.
    refused(embedded(), steps(), "found tanh");
    let model = embedded().add(Dense::new(5)).build(&b(), steps(), 0).unwrap();
    assert!(Decoder::of_rows(&model, 0).is_err());
}

/// The difference of each step and that before, which it forgets between calls.
#[derive(Debug)]
struct Forgetful;

impl<B: Backend> Layer<B> for Forgetful {
    fn kind(&self) -> &'static str {
        "forgetful"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(Forgetful, input.clone()))
    }
}

impl<B: Backend> Module<B> for Forgetful {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        let [n, t, width] = x.shape()[..] else { panic!("sequences") };
        let none = tensor(pass.backend(), &vec![0.0; n * width], &[n, 1, width]);
        let before = Tensor::concat(&[&none, &x.slice(1, 0, t - 1)?], 1)?;
        Ok(Value::from(x.sub(&before)?).with_mask(mask))
    }
}

#[test]
fn a_layer_that_forgets_is_found_out() {
    let model = build(&b(), Forgetful, Dense::new(TOKENS));
    let error = Decoder::new(&model).unwrap().verify(&[text(9, 1), text(9, 2)]).unwrap_err().to_string();
    // The first step of the second piece.
    assert!(error.contains("verify, row 0, step 3: expected") && error.contains("in pieces"), "{error}");
}

/// One that forgets only where a mask leaves a step out.
#[derive(Debug)]
struct MasksAreLost;

impl<B: Backend> Layer<B> for MasksAreLost {
    fn kind(&self) -> &'static str {
        "masks_are_lost"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let module = Gru::new(3).module(input.features()?, scope)?;
        Ok(Built::new(MaskedModule(module), Spec::Dense(vec![None, Some(3)])))
    }
}

#[derive(Debug)]
struct MaskedModule(elman::layers::rnn::RnnModule);

impl<B: Backend> Module<B> for MaskedModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        // Only of single steps.
        let kept = mask.as_ref().filter(|_| x.shape()[1] > 1);
        let outputs = self.0.states(&x, kept, &[], true, pass)?.outputs.expect("outputs were asked for");
        Ok(Value::from(outputs).with_mask(mask))
    }
}

#[test]
fn a_layer_that_is_wrong_under_masks_is_found_out() {
    let model = build(&b(), MasksAreLost, Dense::new(TOKENS));
    let error = Decoder::new(&model).unwrap().verify(&[text(12, 1), text(12, 2), text(12, 3)]).unwrap_err().to_string();
    assert!(error.contains("under a mask"), "{error}");
}

#[test]
fn a_sample_must_be_whole_rows() {
    let model = build(&b(), Gru::new(3).return_sequences(), Dense::new(TOKENS));
    let decoder = Decoder::new(&model).unwrap();
    for sample in [vec![], vec![vec![1]], vec![vec![1, 2], vec![1, 2, 3]]] {
        assert!(decoder.verify(&sample).is_err(), "{sample:?}");
    }
}
