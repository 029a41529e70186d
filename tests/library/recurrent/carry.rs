//! State that is carried: sequences in pieces give what they give whole, whatever cell, option, stack and mask.

use crate::common::near::{assert_near, numbers, scattered, tensor};
use elman::layers::rnn::{CellKind, Rnn, RnnModule};
use elman::layers::{
    AdditiveAttention, Bidirectional, Built, Carry, Dense, Elman, GlobalAveragePooling, GlobalMaxPooling, Gru,
    LastStep, Layer, LayerNorm, Lstm, Mask, Mode, Module, MultiHeadAttention, Pass, Scope, Sequential, TimeDistributed,
    Value,
};
use elman::{Activation, Backend, Model, Result, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

type R = Reference<f64>;

const STEPS: usize = 11;
pub(crate) const FEATURES: usize = 3;
const CUTS: [usize; 3] = [3, 1, 7];

/// A network, and whether it gives an output for every step.
pub(crate) struct Network<B: Backend> {
    pub(crate) name: String,
    pub(crate) layers: Sequential<B>,
    every_step: bool,
}

/// A layer of this cell with each of its options, in stacks and nested.
fn networks<B: Backend, C: CellKind>(name: &str, layer: impl Fn(usize) -> Rnn<C>) -> Vec<Network<B>> {
    let each = |units: usize| layer(units).return_sequences();
    let one = |layer: Rnn<C>| Sequential::new().add(layer);
    let nested = Sequential::new().add(Sequential::new().add(each(2)).add(LayerNorm::new())).add(each(3));
    let networks = [
        ("every step", one(each(4)), true),
        ("last output", one(layer(4)), false),
        ("last state", one(layer(2).return_state()), false),
        ("learned state", one(each(3).learned_state()), true),
        ("without bias", one(each(2).without_bias()), true),
        ("drawn by gate", one(each(2).init_by_gate()), true),
        // Dropout is off outside training.
        ("dropout", one(each(2).dropout(0.5).recurrent_dropout(0.5)), true),
        ("stacked", one(each(3)).add(each(2)).add(layer(2)), false),
        ("nested", Sequential::new().add(nested).add(each(2)).add(Dense::new(2)), true),
        ("step by step", one(each(3)).add(TimeDistributed::new(Dense::new(2).activation(Activation::Tanh))), true),
    ];
    let named =
        |(option, layers, every_step): (&str, _, _)| Network { name: format!("{name}, {option}"), layers, every_step };
    networks.into_iter().map(named).collect()
}

/// Of all cells. `stateful` goes on from batch to batch, other layers where all is taken in pieces.
pub(crate) fn all<B: Backend>(stateful: bool) -> Vec<Network<B>> {
    fn with<C: CellKind>(layer: Rnn<C>, stateful: bool) -> Rnn<C> {
        if stateful { layer.stateful() } else { layer }
    }
    let mut all = networks("Elman", |units| with(Elman::new(units), stateful));
    all.extend(networks("GRU", |units| with(Gru::new(units), stateful)));
    all.extend(networks("GRU, reset before", |units| with(Gru::new(units).reset_before(), stateful)));
    all.extend(networks("LSTM", |units| with(Lstm::new(units), stateful)));
    all.extend(networks("LSTM, normed", |units| with(Lstm::new(units).layer_norm(), stateful)));
    all
}

/// Which steps of four sequences count: padding on the right and on the left, a hole over a cut, all; nothing; or no mask.
fn masks() -> [(&'static str, Option<Vec<bool>>); 2] {
    let steps = |counts: fn(usize) -> bool| (0..STEPS).map(counts);
    let rows = steps(|i| i < 2).chain(steps(|i| i > 4)).chain(steps(|i| !(2..6).contains(&i))).chain(steps(|_| false));
    [("no mask", None), ("masked", Some(rows.collect()))]
}

/// Steps of four sequences, and their flags.
fn piece<B: Backend>(b: &B, from: usize, steps: usize, mask: Option<&[bool]>) -> Value<B> {
    let all = scattered(4 * STEPS * FEATURES, 3);
    let rows = all.chunks(STEPS * FEATURES).flat_map(|row| row[from * FEATURES..][..steps * FEATURES].to_vec());
    let x = tensor(b, &rows.collect::<Vec<_>>(), &[4, steps, FEATURES]);
    let flags = mask.map(|mask| mask.chunks(STEPS).flat_map(|row| row[from..][..steps].to_vec()).collect::<Vec<_>>());
    Value::from(x).with_mask(flags.map(|flags| Mask::new(b, &flags, steps).unwrap()))
}

/// A model whose biases and learned states are not 0.
fn build<B: Backend>(b: &B, layers: &Sequential<B>) -> Model<B> {
    let mut model = layers.build(b, Spec::Dense(vec![None, Some(FEATURES)]), 7).unwrap();
    for (i, param) in model.params_mut().iter_mut().enumerate() {
        let numbers: Vec<f64> = scattered(param.shape().elements(), 20 + i as u64).iter().map(|x| 0.7 * x).collect();
        param.set_value(tensor(b, &numbers, &param.shape()).value().clone()).unwrap();
    }
    model
}

/// The steps after one another of what comes out of pieces, `[4, steps, features]` each.
fn joined<B: Backend>(pieces: &[Tensor<B>]) -> Vec<f64> {
    numbers(&Tensor::concat(&pieces.iter().collect::<Vec<_>>(), 1).unwrap())
}

fn cuts_are_the_whole<B: Backend>(b: &B, stateful: bool, tolerance: f64) {
    for (Network { name, layers, every_step }, (mask_name, mask)) in
        all(stateful).iter().flat_map(|network| masks().map(|mask| (network, mask)))
    {
        let (model, what) = (build(b, layers), format!("{name}, {mask_name}, on {}", b.name()));
        let whole = model.forward(piece(b, 0, STEPS, mask.as_deref()), Mode::Evaluation).unwrap();
        let mut carry = if stateful { Carry::new() } else { Carry::stepping() };
        let (mut pieces, mut from) = (Vec::new(), 0);
        for steps in CUTS {
            pieces.push(model.forward_carried(piece(b, from, steps, mask.as_deref()), &mut carry).unwrap());
            from += steps;
        }
        let found = if *every_step { joined(&pieces) } else { numbers(&pieces[2]) };
        match tolerance {
            0.0 => assert_eq!(found, numbers(&whole), "{what}"),
            _ => assert_near(&what, &found, &numbers(&whole), tolerance),
        }
        assert_eq!(carry.rows(), Some(4), "{what}");
    }
}

#[test]
fn pieces_of_stepped_sequences_are_the_whole() {
    cuts_are_the_whole(&R::with_threads(1), false, 0.0);
    cuts_are_the_whole(&Reference::<f32>::with_threads(1), false, 0.0);
    cuts_are_the_whole(&Candle::cpu(), false, 1e-6);
}

#[test]
fn batches_of_a_stateful_layer_are_the_whole() {
    cuts_are_the_whole(&R::with_threads(1), true, 0.0);
    cuts_are_the_whole(&Candle::cpu(), true, 1e-6);
}

/// Without a carry, or in one for stateful layers alone, a plain layer begins anew.
#[test]
fn only_what_is_asked_for_goes_on() {
    let b = R::with_threads(1);
    let run = |layer: Lstm, mut carry: Carry<R>| {
        let model = build(&b, &Sequential::new().add(layer));
        [(); 2].map(|()| numbers(&model.forward_carried(piece(&b, 0, 3, None), &mut carry).unwrap()))
    };
    let [first, second] = run(Lstm::new(2), Carry::new());
    assert_eq!(first, second);
    for (layer, carry) in [(Lstm::new(2).stateful(), Carry::new()), (Lstm::new(2), Carry::stepping())] {
        let [begun, went_on] = run(layer, carry);
        assert_eq!(begun, first);
        assert_ne!(went_on, first);
    }
}

/// Reads its sequence with one recurrent layer twice: forward, and what comes of that with the order of its features turned.
#[derive(Debug)]
struct Twice;

#[derive(Debug)]
struct TwiceModule(RnnModule);

impl<B: Backend> Layer<B> for Twice {
    fn kind(&self) -> &'static str {
        "twice"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let module = Lstm::new(FEATURES).stateful().module(input.features()?, scope)?;
        Ok(Built::new(TwiceModule(module), Spec::Dense(vec![None, Some(FEATURES)])))
    }
}

impl<B: Backend> Module<B> for TwiceModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        let first = self.0.states(&x, mask.as_ref(), &[], true, pass)?.outputs.expect("outputs were asked for");
        let again = self.0.states(&first, mask.as_ref(), &[], true, pass)?.outputs.expect("outputs were asked for");
        Ok(Value::from(again).with_mask(mask))
    }
}

/// One state for both uses would carry the second's into the first's.
#[test]
fn a_layer_that_is_used_twice_keeps_two_states() {
    let b = R::with_threads(1);
    let model = build(&b, &Sequential::new().add(Twice));
    let mask = masks()[1].1.clone();
    for mask in [None, mask.as_deref()] {
        let whole = model.forward(piece(&b, 0, STEPS, mask), Mode::Evaluation).unwrap();
        let mut carry = Carry::new();
        let pieces = [(0, 3), (3, 1), (4, 7)]
            .map(|(from, steps)| model.forward_carried(piece(&b, from, steps, mask), &mut carry).unwrap());
        assert_eq!(joined(&pieces), numbers(&whole));
    }
}

/// Rows of `[4, steps, features]` in another order, some left out, one of them twice.
fn picked<B: Backend>(b: &B, x: Value<B>, rows: &[usize], pass: &Pass<'_, B>) -> Tensor<B> {
    let x = x.tensor(pass).unwrap();
    let (numbers, shape) = (numbers(&x), x.shape());
    let row = shape[1] * shape[2];
    let data: Vec<f64> = rows.iter().flat_map(|&i| numbers[i * row..][..row].to_vec()).collect();
    tensor(b, &data, &[rows.len(), shape[1], shape[2]])
}

fn selects<B: Backend>(b: &B) {
    for Network { name, layers, .. } in all(false) {
        let model = build(b, &layers);
        let pass = model.pass(Mode::Evaluation);
        let rows = [2, 0, 0, 3, 1];
        let mut carry = Carry::stepping();
        model.forward_carried(piece(b, 0, 3, None), &mut carry).unwrap();
        let before = carry.clone();
        let error = carry.select(b, &[0, 4]).unwrap_err().to_string();
        assert!(error.contains("row 4"), "{error}");
        carry.select(b, &rows).unwrap();
        assert_eq!((before.rows(), carry.rows()), (Some(4), Some(5)));
        let found = model.forward_carried(picked(b, piece(b, 3, 8, None), &rows, &pass), &mut carry).unwrap();

        let mut alone = Carry::stepping();
        model.forward_carried(picked(b, piece(b, 0, 3, None), &rows, &pass), &mut alone).unwrap();
        let expected = model.forward_carried(picked(b, piece(b, 3, 8, None), &rows, &pass), &mut alone).unwrap();
        assert_near(&name, &numbers(&found), &numbers(&expected), 1e-6);
        carry.clear();
        assert!(carry.is_empty() && carry.rows().is_none());
    }
}

#[test]
fn rows_are_chosen_in_all_of_the_state() {
    selects(&R::with_threads(1));
    selects(&Candle::cpu());
}

/// Refuses single steps.
#[derive(Clone, Debug)]
struct Fragile;

impl<B: Backend> Layer<B> for Fragile {
    fn kind(&self) -> &'static str {
        "fragile"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(Fragile, input.clone()))
    }
}

impl<B: Backend> Module<B> for Fragile {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        match input.clone().split().0.tensor(pass)?.shape()[1] {
            1 => Err(elman::Error::invalid("fragile", "several steps", 1)),
            _ => Ok(input),
        }
    }
}

/// The first of two layers has had its turn when the second fails.
#[test]
fn what_fails_leaves_the_carry_as_it_was() {
    let b = R::with_threads(1);
    let model = build(&b, &Sequential::new().add(Gru::new(2).return_sequences()).add(Fragile));
    let whole = model.forward(piece(&b, 0, STEPS, None), Mode::Evaluation).unwrap();
    let mut carry = Carry::stepping();
    let first = model.forward_carried(piece(&b, 0, 3, None), &mut carry).unwrap();
    model.forward_carried(piece(&b, 3, 1, None), &mut carry).unwrap_err();
    model.forward_carried(tensor(&b, &[0.0; 3 * 2 * FEATURES], &[3, 2, FEATURES]), &mut carry).unwrap_err();
    let rest = model.forward_carried(piece(&b, 3, 8, None), &mut carry).unwrap();
    assert_eq!(joined(&[first, rest]), numbers(&whole));
}

/// What a model of other sizes has left is not taken for this one's.
#[test]
fn the_carry_of_another_model_is_refused() {
    let b = R::with_threads(1);
    let [two, three] = [2, 3].map(|units| build(&b, &Sequential::new().add(Lstm::new(units))));
    let gru = build(&b, &Sequential::new().add(Gru::new(3)));
    for other in [two, gru] {
        let mut carry = Carry::stepping();
        other.forward_carried(piece(&b, 0, 3, None), &mut carry).unwrap();
        let error = three.forward_carried(piece(&b, 3, 1, None), &mut carry).unwrap_err().to_string();
        assert_eq!(error, "layer `lstm`: carried state: expected 2 of [4, 3], found that of another layer");
    }
}

#[test]
fn whole_sequences_are_not_taken_in_pieces() {
    let b = R::with_threads(1);
    let networks: [Sequential<R>; 7] = [
        Sequential::new().add(Lstm::new(2).reverse()),
        Sequential::new().add(Bidirectional::new(Gru::new(2))),
        Sequential::new().add(GlobalAveragePooling),
        Sequential::new().add(GlobalMaxPooling),
        Sequential::new().add(LastStep),
        Sequential::new().add(AdditiveAttention::new(2)),
        Sequential::new().add(MultiHeadAttention::new(1, 2)),
    ];
    for network in networks {
        let model = build(&b, &network);
        let error = model.forward_carried(piece(&b, 0, 3, None), &mut Carry::stepping()).unwrap_err().to_string();
        assert!(error.contains("whole sequences, which it looks at, found pieces of them"), "{error}");
        model.forward_carried(piece(&b, 0, 3, None), &mut Carry::new()).unwrap();
        model.forward(piece(&b, 0, 3, None), Mode::Evaluation).unwrap();
    }
}

#[test]
fn a_stateful_layer_that_cannot_go_on_is_not_built() {
    let b = R::with_threads(1);
    let refused = |layer: Sequential<R>, spec: Spec, words: [&str; 2]| {
        let error = layer.build(&b, spec, 0).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    let sequences = || Spec::Dense(vec![None, Some(FEATURES)]);
    refused(
        Sequential::new().add(Lstm::new(2).stateful().reverse()),
        sequences(),
        ["`lstm`: stateful layer", "`reverse`"],
    );
    refused(
        Sequential::new().add(Gru::new(2).reverse().stateful()),
        sequences(),
        ["`gru`: stateful layer", "`reverse`"],
    );
    let both = Sequential::new().add(Bidirectional::new(Elman::new(2).stateful()));
    refused(both, sequences(), ["`bidirectional`", "a layer that is not stateful"]);
    let within = Sequential::new().add(Dense::new(2)).add(Lstm::new(2).stateful());
    let words = Sequential::new().add(TimeDistributed::new(within));
    refused(words, Spec::Dense(vec![None, Some(4), Some(FEATURES)]), ["lstm", "single steps"]);
    // Beside it nothing is refused.
    let beside = Sequential::new().add(TimeDistributed::new(Lstm::new(2))).add(Lstm::new(2).stateful());
    beside.build(&b, Spec::Dense(vec![None, Some(4), Some(FEATURES)]), 0).unwrap();
}

/// The letters of a word are a sequence of their own, which begins and ends with the word, in both directions too.
#[test]
fn sequences_within_a_step_begin_anew() {
    let b = R::with_threads(1);
    let letters = TimeDistributed::new(Bidirectional::new(Lstm::new(2)));
    let network = Sequential::new().add(letters).add(Gru::new(3).return_sequences());
    let model = network.build(&b, Spec::Dense(vec![None, Some(4), Some(2)]), 3).unwrap();
    let data = scattered(2 * STEPS * 8, 5);
    let words = |from: usize, steps: usize| {
        let rows = data.chunks(STEPS * 8).flat_map(|row| row[from * 8..][..steps * 8].to_vec());
        tensor(&b, &rows.collect::<Vec<_>>(), &[2, steps, 4, 2])
    };
    let whole = model.forward(words(0, STEPS), Mode::Evaluation).unwrap();
    let mut carry = Carry::stepping();
    let pieces =
        [(0, 3), (3, 1), (4, 7)].map(|(from, steps)| model.forward_carried(words(from, steps), &mut carry).unwrap());
    assert_eq!(joined(&pieces), numbers(&whole));
}

/// A first state that is handed in counts where none is carried.
#[test]
fn a_state_that_is_handed_in_is_where_sequences_begin() {
    #[derive(Debug)]
    struct From(f64);
    #[derive(Debug)]
    struct FromModule(RnnModule, f64);

    impl<B: Backend> Layer<B> for From {
        fn kind(&self) -> &'static str {
            "from"
        }
        fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
            let module = Gru::new(2).module(input.features()?, scope)?;
            Ok(Built::new(FromModule(module, self.0), Spec::Dense(vec![None, Some(2)])))
        }
    }

    impl<B: Backend> Module<B> for FromModule {
        fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
            let (x, mask) = input.sequence(pass)?;
            let first = Tensor::full(pass.backend(), &[x.shape()[0], 2], self.1)?;
            let states = self.0.states(&x, mask.as_ref(), &[first], true, pass)?;
            Ok(states.outputs.expect("outputs were asked for").into())
        }
    }

    let b = R::with_threads(1);
    let [zero, half] = [0.0, 0.5].map(|first| build(&b, &Sequential::new().add(From(first))));
    let whole = half.forward(piece(&b, 0, STEPS, None), Mode::Evaluation).unwrap();
    assert_ne!(numbers(&whole), numbers(&zero.forward(piece(&b, 0, STEPS, None), Mode::Evaluation).unwrap()));
    let mut carry = Carry::stepping();
    let pieces = [(0, 3), (3, 1), (4, 7)]
        .map(|(from, steps)| half.forward_carried(piece(&b, from, steps, None), &mut carry).unwrap());
    assert_eq!(joined(&pieces), numbers(&whole));
}
