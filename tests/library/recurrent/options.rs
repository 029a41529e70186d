//! Each option of a recurrent layer does what it says.

use crate::common::near::{numbers, scattered, tensor};
use elman::layers::{Bidirectional, Carry, Elman, Gru, Layer, Lstm, Mask, Merge, Mode, Sequential, Value};
use elman::{Activation, Backend, Init, Key, Model, Result, Spec, Tensor};
use elman_reference::Reference;

type R = Reference<f64>;

fn b() -> R {
    R::with_threads(1)
}

fn model(layer: impl Layer<R> + 'static) -> Model<R> {
    Sequential::new().add(layer).build(&b(), Spec::Dense(vec![None, Some(3)]), 5).unwrap()
}

/// Sequences `[n, t, 3]`.
fn sequences(n: usize, t: usize, seed: u64) -> Tensor<R> {
    tensor(&b(), &scattered(n * t * 3, seed), &[n, t, 3])
}

fn run(model: &Model<R>, x: impl Into<Value<R>>) -> Vec<f64> {
    numbers(&model.forward(x, Mode::Evaluation).unwrap())
}

fn masked(x: Tensor<R>, mask: &[bool]) -> Value<R> {
    let steps = x.shape()[1];
    Value::from(x).with_mask(Mask::new(&b(), mask, steps).unwrap())
}

#[track_caller]
fn close(a: &[f64], b: &[f64]) {
    assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-13), "{a:?}\n{b:?}");
}

/// All layers in all the shapes that matter here.
fn layers() -> Vec<Sequential<R>> {
    let of = |layer: Sequential<R>| layer;
    vec![
        of(Sequential::new().add(Elman::new(4))),
        of(Sequential::new().add(Lstm::new(4))),
        of(Sequential::new().add(Lstm::new(4).layer_norm())),
        of(Sequential::new().add(Gru::new(4))),
        of(Sequential::new().add(Gru::new(4).reset_before())),
        of(Sequential::new().add(Bidirectional::new(Lstm::new(4)))),
        of(Sequential::new().add(Lstm::new(4).return_sequences()).add(Gru::new(2).reverse())),
    ]
}

fn built(layers: &Sequential<R>) -> Model<R> {
    layers.build(&b(), Spec::Dense(vec![None, Some(3)]), 5).unwrap()
}

/// L19: what stands in masked steps, and how many there are, has no influence, wherever they stand.
#[test]
fn padding_does_not_count() {
    let rows = sequences(1, 3, 1).to_vec().unwrap();
    let step = |i: usize| &rows[3 * i..3 * i + 3];
    let junk = [f64::NAN, 1e30, -7.0];
    for layers in layers() {
        let model = built(&layers);
        let plain = run(&model, sequences(1, 3, 1));
        for pattern in [[0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [0, 1, 1, 1, 0]] {
            let (mut at, mut padded) = (0, Vec::new());
            for there in pattern {
                padded.extend(if there == 1 { step(at) } else { &junk });
                at += there;
            }
            let x = tensor(&b(), &padded, &[1, 5, 3]);
            close(&run(&model, masked(x, &pattern.map(|there| there == 1))), &plain);
        }
    }
}

#[test]
fn a_sequence_of_nothing_but_padding_stays_at_its_first_state() {
    for layers in layers() {
        let y = run(&built(&layers), masked(sequences(2, 4, 2), &[false; 8]));
        assert!(y.iter().all(|&y| y == 0.0), "{layers:?}");
    }
    // Beside sequences that count, too.
    let lstm = model(Lstm::new(4));
    let y = run(&lstm, masked(sequences(2, 2, 2), &[false, false, true, true]));
    close(&y[4..], &run(&lstm, sequences(2, 2, 2))[4..]);
    assert_eq!(y[..4], [0.0; 4]);
}

#[test]
fn masked_steps_give_the_output_before_them() {
    let y = run(&model(Gru::new(2).return_sequences()), masked(sequences(1, 4, 3), &[false, true, false, true]));
    assert_eq!(y[0..2], [0.0; 2]);
    assert!(y[2..4] != y[0..2] && y[4..6] == y[2..4] && y[6..8] != y[4..6]);
}

#[test]
fn outputs_of_all_steps_end_in_the_last_output() {
    let (every, last) = (model(Lstm::new(4).return_sequences()), model(Lstm::new(4)));
    let y = run(&every, sequences(1, 5, 4));
    assert_eq!(y[16..], run(&last, sequences(1, 5, 4)));
    // The first step alone gives the first output.
    close(&y[..4], &run(&last, tensor(&b(), &sequences(1, 5, 4).to_vec().unwrap()[..3], &[1, 1, 3])));
}

#[test]
fn reversed_is_the_sequence_turned_around() {
    let x = sequences(1, 5, 5).to_vec().unwrap();
    let turned: Vec<f64> = x.chunks(3).rev().flatten().copied().collect();
    let turned = tensor(&b(), &turned, &[1, 5, 3]);
    close(&run(&model(Gru::new(4).reverse()), sequences(1, 5, 5)), &run(&model(Gru::new(4)), turned.clone()));
    let outputs = run(&model(Elman::new(2).return_sequences()), turned);
    let outputs: Vec<f64> = outputs.chunks(2).rev().flatten().copied().collect();
    close(&run(&model(Elman::new(2).return_sequences().reverse()), sequences(1, 5, 5)), &outputs);
}

#[test]
fn both_directions_are_merged_as_asked_for() {
    let parts = |merge| run(&model(Bidirectional::new(Elman::new(2)).merge(merge)), sequences(1, 4, 6));
    let both = parts(Merge::Concat);
    let (f, b) = both.split_at(2);
    let zip = |op: fn(f64, f64) -> f64| f.iter().zip(b).map(|(&f, &b)| op(f, b)).collect::<Vec<_>>();
    assert!(f != b);
    close(&parts(Merge::Sum), &zip(|f, b| f + b));
    close(&parts(Merge::Mul), &zip(|f, b| f * b));
    close(&parts(Merge::Average), &zip(|f, b| (f + b) / 2.0));
    let model = model(Bidirectional::new(Lstm::new(2)));
    let names: Vec<&str> = model.params().iter().map(|param| param.name()).collect();
    assert_eq!(names[..2], ["bidirectional.forward.kernel", "bidirectional.forward.recurrent_kernel"]);
    assert_eq!(names[5], "bidirectional.backward.bias");
}

#[test]
fn the_state_of_an_lstm_has_its_cell_behind_its_output() {
    let state = run(&model(Lstm::new(2).return_state()), sequences(1, 4, 7));
    assert_eq!((state.len(), &state[..2]), (4, &run(&model(Lstm::new(2)), sequences(1, 4, 7))[..]));
    assert_eq!(run(&model(Gru::new(2).return_state()), sequences(1, 4, 7)).len(), 2);
}

/// A long sequence cut in two gives what the whole gives.
#[test]
fn a_stateful_layer_goes_on_where_the_last_batch_ended() {
    let whole = sequences(2, 6, 8);
    let part = |from: usize| {
        let x = whole.to_vec().unwrap();
        let rows = (0..2).flat_map(|n| x[n * 18 + from * 3..n * 18 + from * 3 + 9].to_vec());
        tensor(&b(), &rows.collect::<Vec<_>>(), &[2, 3, 3])
    };
    let expected = run(&model(Lstm::new(4)), whole.clone());
    let stateful = model(Lstm::new(4).stateful());
    let mut carry = Carry::new();
    let mut go_on = |x| numbers(&stateful.forward_carried(x, &mut carry).unwrap());
    let first = go_on(part(0));
    close(&go_on(part(3)), &expected);
    close(&run(&stateful, part(0)), &first);
    let error = stateful.forward_carried(sequences(3, 2, 1), &mut carry).unwrap_err().to_string();
    let expected = "batches of 2 sequences, whose state is carried on (or a carry that is cleared), found a batch of 3";
    assert_eq!(error, format!("layer `lstm`: carried state: expected {expected}"));
    carry.clear();
    close(&numbers(&stateful.forward_carried(part(0), &mut carry).unwrap()), &first);
}

#[test]
fn a_learned_first_state_is_where_sequences_begin() {
    let mut lstm = model(Lstm::new(2).learned_state());
    let names: Vec<_> = lstm.params().iter().map(|param| param.name().to_string()).collect();
    assert_eq!(names[3..], ["lstm.initial_h", "lstm.initial_c"]);
    lstm.params_mut()[3].set_value(tensor(&b(), &[0.25, -0.5], &[2]).value().clone()).unwrap();
    assert_eq!(run(&lstm, masked(sequences(2, 1, 1), &[false; 2])), [0.25, -0.5, 0.25, -0.5]);
}

/// One draw for all steps: with the same input at every step, the same features are left out at every step.
#[test]
fn dropout_is_one_draw_for_all_steps() {
    let training = |layer: Elman, n, key| {
        let model = model(layer);
        let x = tensor(&b(), &vec![1.0; n * 4 * 3], &[n, 4, 3]);
        numbers(&model.forward(x, Mode::Training(Key::new(key))).unwrap())
    };
    // No recurrence and no bias: the outputs of all steps are equal exactly if the draws are.
    let alone = || Elman::new(5).return_sequences().recurrent_kernel(elman::layers::Weight::zeros());
    let y = training(alone().dropout(0.5), 3, 1);
    for sequence in y.chunks(20) {
        assert!(sequence.chunks(5).all(|step| step == &sequence[..5]));
    }
    assert!(y[..5] != y[20..25] || y[..5] != y[40..45], "each sequence has its own draw");
    assert_ne!(y, training(alone().dropout(0.5), 3, 2));
    assert_eq!(training(alone().recurrent_dropout(0.5), 3, 1), training(alone(), 3, 1), "there is no state to drop");
    let recurrent = |rate| training(Elman::new(5).recurrent_dropout(rate), 3, 1);
    assert_ne!(recurrent(0.5), recurrent(0.0));
}

#[test]
fn first_values_are_those_of_the_lecture_and_of_keras_1() {
    let weights = |layer: Lstm| {
        let model = model(layer);
        model.params().iter().map(|param| param.tensor().to_vec().unwrap()).collect::<Vec<_>>()
    };
    let [kernel, recurrent, bias] = &weights(Lstm::new(4))[..] else { panic!("three weights") };
    let limit = (6.0 / (3.0 + 16.0f64)).sqrt();
    assert!(kernel.iter().all(|w| w.abs() <= limit) && kernel.iter().any(|w| w.abs() > 0.8 * limit));
    assert_eq!(bias[..], [[0.0; 4], [1.0; 4], [0.0; 4], [0.0; 4]].concat());
    // Rows of the whole matrix are orthonormal.
    let product = |rows: &[f64], width: usize, gate: std::ops::Range<usize>, i: usize, j: usize| -> f64 {
        gate.map(|k| rows[i * width + k] * rows[j * width + k]).sum()
    };
    for (i, j) in [(0, 0), (0, 1), (2, 3)] {
        assert!((product(recurrent, 16, 0..16, i, j) - f64::from(u8::from(i == j))).abs() < 1e-12);
    }
    // Gate by gate they are 1.1 times orthonormal, and kernels have the limit of a gate by itself.
    let [kernel, recurrent, _] = &weights(Lstm::new(4).keras1())[..] else { panic!("three weights") };
    for gate in 0..4 {
        for (i, j) in [(0, 0), (0, 1), (2, 3)] {
            let expected = 1.21 * f64::from(u8::from(i == j));
            assert!((product(recurrent, 16, 4 * gate..4 * gate + 4, i, j) - expected).abs() < 1e-12);
        }
    }
    assert!(kernel.iter().any(|w| w.abs() > limit) && kernel.iter().all(|w| w.abs() <= (6.0 / 7.0f64).sqrt()));
    assert_eq!(weights(Lstm::new(2).forget_bias(None))[2], [0.0; 8]);
}

#[test]
fn what_a_recurrent_layer_cannot_be_is_refused() {
    let message = |layer: &dyn Layer<R>, spec: Spec| Model::new(&b(), layer, spec, 0).unwrap_err().to_string();
    let spec = || Spec::dense(&[4, 3]);
    let sequences = "sequences [batch, time, features] of at least one step, features known";
    for bad in [Spec::dense(&[3]), Spec::dense(&[0, 3]), Spec::Dense(vec![Some(4), None]), Spec::indices(4)] {
        assert_eq!(message(&Lstm::new(2), bad.clone()), format!("input: expected {sequences}, found {bad}"));
    }
    assert_eq!(message(&Gru::new(0), spec()), "units: expected at least 1, found 0");
    assert_eq!(message(&Elman::new(2).dropout(1.0), spec()), "dropout: expected a rate in [0, 1), found 1");
    assert_eq!(
        message(&Elman::new(2).recurrent_dropout(-0.5), spec()),
        "recurrent dropout: expected a rate in [0, 1), found -0.5"
    );
    assert_eq!(
        message(&Lstm::new(2).gate_activation(Activation::Softmax), spec()),
        "recurrent: expected an elementwise activation, found softmax"
    );
    let both = message(&Lstm::new(2).return_sequences().return_state(), spec());
    assert!(both.ends_with("found both `return_sequences` and `return_state`"), "{both}");
    assert!(
        message(&Lstm::new(2).kernel(elman::layers::Weight::new(Init::Constant(f64::NAN))), spec()).contains("NaN")
    );
}

#[test]
fn sequences_without_a_step_are_refused() {
    let error = model(Lstm::new(2)).forward(tensor(&b(), &[], &[2, 0, 3]), Mode::Evaluation).unwrap_err().to_string();
    let expected = "sequences [batch, time, features] of at least one step, found shape [2, 0, 3]";
    assert_eq!(error, format!("layer `lstm`: input: expected {expected}"));
}

#[test]
fn a_mask_is_not_lost_without_a_word() -> Result<()> {
    let network = Sequential::new().add(Lstm::new(2).return_sequences()).add(elman::layers::Flatten);
    let model = network.build(&b(), Spec::dense(&[4, 3]), 0)?;
    let error = model.forward(masked(sequences(1, 4, 1), &[true; 4]), Mode::Evaluation).unwrap_err().to_string();
    let expected = "numbers without a mask, which this layer would drop (pool the sequence first)";
    assert_eq!(error, format!("layer `flatten`: input: expected {expected}, found a masked sequence"));
    assert!(model.forward(sequences(1, 4, 1), Mode::Evaluation).is_ok());
    Ok(())
}

/// The states given by a caller, and outputs and states at once.
#[test]
fn a_layer_of_ones_own_starts_where_it_likes() {
    use elman::layers::{Built, Module, Pass, Scope, rnn::RnnModule};

    /// Reads a sequence twice, the second time from where the first ended.
    #[derive(Debug)]
    struct Twice;
    #[derive(Debug)]
    struct TwiceModule(RnnModule);

    impl<B: Backend> Layer<B> for Twice {
        fn kind(&self) -> &'static str {
            "twice"
        }
        fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
            Ok(Built::new(TwiceModule(Lstm::new(4).module(input.features()?, scope)?), Spec::dense(&[4])))
        }
    }

    impl<B: Backend> Module<B> for TwiceModule {
        fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
            let (x, mask) = input.sequence(pass)?;
            let first = self.0.states(&x, mask.as_ref(), &[], true, pass)?;
            let (h, c) = (first.h, first.c.expect("an LSTM has a cell"));
            Ok(self.0.states(&x, mask.as_ref(), &[h, c], false, pass)?.h.into())
        }
    }

    let x = sequences(2, 3, 9);
    let rows = x.to_vec().unwrap();
    let double: Vec<f64> = rows.chunks(9).flat_map(|row| [row, row].concat()).collect();
    let mut twice = model(Twice);
    let lstm = model(Lstm::new(4));
    let weights: Vec<_> = lstm.weights().map(|(name, array)| (name.replace("lstm", "twice"), array.clone())).collect();
    twice.set_weights(weights).unwrap();
    close(&run(&twice, x), &run(&lstm, tensor(&b(), &double, &[2, 6, 3])));
}
