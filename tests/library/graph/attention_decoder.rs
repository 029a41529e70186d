//! Recurrent decoders with attention in their loop: by their formulas, with gradients, step by step.

use super::{Double, check_gradients, record};
use crate::common::near::{assert_near, numbers, scattered, tensor, tolerance};
use elman::data::Inputs;
use elman::decode::{Beam, Decoder, Stepper};
use elman::layers::*;
use elman::{Backend, Key, Model, Spec, Tensor};
use elman_candle::{Candle, candle_core::Device};
use elman_reference::Reference;

const TIME: usize = 4;
const STEPS: usize = 3;
/// Features of the input, units of the cell, width of the memory.
const SIZES: [usize; 3] = [2, 3, 3];

/// The memory's steps that count, of two sequences.
const THERE: [[bool; STEPS]; 2] = [[true, true, false], [false, true, true]];

fn spec(states: &[&'static str]) -> Spec {
    let sequence = |features| Spec::Dense(vec![None, Some(features)]);
    let states = states.iter().map(|&name| (name, Spec::dense(&[SIZES[1]])));
    Spec::record([("input", sequence(SIZES[0])), ("memory", sequence(SIZES[2]))].into_iter().chain(states)).unwrap()
}

fn memory<B: Backend>(b: &B, memory: &Tensor<B>) -> Value<B> {
    Value::from(memory.clone()).with_mask(Mask::new(b, &THERE.concat(), STEPS).unwrap())
}

/// Its numbers: `[batch, time, features]`, `[batch, steps, width]` and `[batch, units]`.
fn given() -> [Vec<f64>; 3] {
    [scattered(2 * TIME * SIZES[0], 1), scattered(2 * STEPS * SIZES[2], 2), scattered(2 * SIZES[1], 3)]
}

/// A row times a matrix `[rows, columns]`.
fn times(x: &[f64], kernel: &[f64]) -> Vec<f64> {
    let columns = kernel.len() / x.len();
    (0..columns).map(|j| x.iter().enumerate().map(|(i, x)| x * kernel[i * columns + j]).sum()).collect()
}

/// Both loops by hand, of an Elman network and products of query and memory: outputs and weights.
fn by_hand<B: Backend>(model: &Model<B>, combined: bool, first: bool) -> [Vec<f64>; 2] {
    let weight = |name: &str| {
        let param = model.params().iter().find(|param| param.name().ends_with(name)).unwrap();
        numbers(param.tensor())
    };
    let (kernel, recurrent, bias) = (weight("cell.kernel"), weight("cell.recurrent_kernel"), weight("cell.bias"));
    let [x, m, h] = given();
    let [features, units, width] = SIZES;
    let (mut outputs, mut all) = (Vec::new(), Vec::new());
    for n in 0..2 {
        let step = |s: usize| &m[(n * STEPS + s) * width..][..width];
        let mut look = |query: &[f64]| -> Vec<f64> {
            let dot = |s: usize| query.iter().zip(step(s)).map(|(q, m)| q * m).sum::<f64>();
            let weights: Vec<f64> = (0..STEPS).map(|s| if THERE[n][s] { dot(s).exp() } else { 0.0 }).collect();
            let weights: Vec<f64> = weights.iter().map(|w| w / weights.iter().sum::<f64>()).collect();
            all.extend(&weights);
            (0..width).map(|i| (0..STEPS).map(|s| weights[s] * step(s)[i]).sum()).collect()
        };
        let cell = |x: &[f64], told: &[f64], h: &[f64]| -> Vec<f64> {
            let (z, r) = (times(&[x, told].concat(), &kernel), times(h, &recurrent));
            (0..units).map(|i| (z[i] + r[i] + bias[i]).tanh()).collect()
        };
        let mut h = h[n * units..][..units].to_vec();
        let mut fed = vec![0.0; kernel.len() / units - features];
        for t in 0..TIME {
            let x = &x[(n * TIME + t) * features..][..features];
            let context = if first { look(&h) } else { Vec::new() };
            h = cell(x, if first { &context } else { &fed }, &h);
            let context = if first { context } else { look(&h) };
            let both = [&context[..], &h].concat();
            let y = match combined {
                true => times(&both, &weight("attention.combined.kernel")).into_iter().map(f64::tanh).collect(),
                false => both,
            };
            fed = if combined { y.clone() } else { context };
            outputs.extend(y);
        }
    }
    [outputs, all]
}

fn formulas<B: Backend>(b: &B) {
    for (combined, first) in [(true, false), (false, false), (true, true), (false, true)] {
        let attention = if combined { CrossAttention::new().combined(5) } else { CrossAttention::new() };
        let layer = AttentionDecoder::new(Elman::new(SIZES[1]), attention);
        let layer = if first { layer.attention_first() } else { layer };
        let model = Model::new(b, &layer, spec(&["h"]), 1).unwrap();
        let outputs = if combined { 5 } else { SIZES[1] + SIZES[2] };
        assert_eq!(model.output(), &Spec::Dense(vec![None, Some(outputs)]));
        let [x, m, h] = given();
        let input = record([
            ("input", tensor(b, &x, &[2, TIME, SIZES[0]]).into()),
            ("memory", memory(b, &tensor(b, &m, &[2, STEPS, SIZES[2]]))),
            ("h", tensor(b, &h, &[2, SIZES[1]]).into()),
        ]);
        let mut pass = model.pass(Mode::Evaluation).observing(["attention"]);
        let y = model.run(input, &mut pass).unwrap().tensor(&pass).unwrap();
        let [expected, weights] = by_hand(&model, combined, first);
        let what = format!("combined {combined}, attention first {first}");
        assert_near(&what, &numbers(&y), &expected, tolerance::<B>());
        let seen: Vec<&Tensor<B>> = pass.observed("attention").collect();
        assert_eq!((seen.len(), &seen[0].shape()[..]), (1, &[2, TIME, STEPS][..]));
        assert_near(&what, &numbers(seen[0]), &weights, tolerance::<B>());
    }
}

#[test]
fn both_loops_are_their_formulas() {
    formulas(&Double::new());
    formulas(&Reference::<f32>::new());
    formulas(&Candle::cpu());
}

#[test]
fn gradients_are_those_of_finite_differences() {
    fn check<C: rnn::CellKind>(layer: AttentionDecoder<C>, states: &[&'static str], masked: bool) {
        let b = Double::new();
        let model = Model::new(&b, &layer, spec(states), 1).unwrap();
        let [x, m, h] = given();
        let mut inputs = vec![(x, vec![2, TIME, SIZES[0]]), (m, vec![2, STEPS, SIZES[2]])];
        inputs.extend(states.iter().map(|_| (h.clone(), vec![2, SIZES[1]])));
        let mask = Mask::new(&b, &[true, true, false, true, false, true, true, true], TIME).unwrap();
        check_gradients(&model, &inputs, |model, inputs, pass| {
            let input = Value::from(inputs[0].clone()).with_mask(masked.then(|| mask.clone()));
            let parts = vec![("input", input), ("memory", memory(&b, &inputs[1]))];
            let states = states.iter().zip(&inputs[2..]).map(|(&name, state)| (name, state.clone().into()));
            let input = elman::Record::new(parts.into_iter().chain(states)).unwrap();
            // The last step alone, too: what goes to the first inputs comes through the loop.
            let y = model.run(Value::Record(input), pass)?.split().0.tensor(pass)?;
            y.slice(1, TIME - 1, 1)?.sum()?.square()?.add(&y.mul(&y)?.sum()?)
        });
    }
    let [general, additive] = [CrossAttention::new().general(), CrossAttention::new().additive(2)];
    check(AttentionDecoder::new(Lstm::new(3), general.clone().combined(2)), &["h", "c"], true);
    check(AttentionDecoder::new(Gru::new(3), additive.clone()), &[], false);
    check(AttentionDecoder::new(Gru::new(3), additive.combined(4)).attention_first(), &["h"], true);
    let dropped = Lstm::new(3).dropout(0.3).recurrent_dropout(0.3).learned_state();
    check(AttentionDecoder::new(dropped, general.dropout(0.3)).attention_first(), &[], false);
}

/// What a masked step of the input leaves is what was before: the sequence without it, and a state that stands still.
#[test]
fn a_step_that_is_left_out_changes_nothing() {
    let b = Double::new();
    for first in [false, true] {
        let layer = AttentionDecoder::new(Lstm::new(3).record(), CrossAttention::new().general().combined(2));
        let layer = if first { layer.attention_first() } else { layer };
        let model = Model::new(&b, &layer, spec(&[]), 1).unwrap();
        let [x, m, _] = given();
        let (x, m) = (tensor(&b, &x, &[2, TIME, SIZES[0]]), tensor(&b, &m, &[2, STEPS, SIZES[2]]));
        let run = |x: Tensor<Double>, mask: Option<Mask<Double>>| {
            let input = record([("input", Value::from(x).with_mask(mask)), ("memory", memory(&b, &m))]);
            let mut pass = model.pass(Mode::Evaluation);
            let [output, h, c] = model.run(input, &mut pass).unwrap().parts(["output", "h", "c"]).unwrap();
            [output, h, c].map(|part| part.split().0.tensor(&pass).unwrap())
        };
        // At the beginning there is nothing yet that the decoder looked at.
        for hole in [1, 0] {
            let there: Vec<bool> = (0..2 * TIME).map(|i| i % TIME != hole).collect();
            let [whole, h, c] = run(x.clone(), Some(Mask::new(&b, &there, TIME).unwrap()));
            let without = |x: &Tensor<Double>| {
                let rest = x.slice(1, hole + 1, TIME - hole - 1).unwrap();
                if hole == 0 { rest } else { Tensor::concat(&[&x.slice(1, 0, hole).unwrap(), &rest], 1).unwrap() }
            };
            let [some, h_of_some, c_of_some] = run(without(&x), None);
            assert_eq!(numbers(&without(&whole)), numbers(&some), "attention first: {first}, without step {hole}");
            assert_eq!([numbers(&h), numbers(&c)], [numbers(&h_of_some), numbers(&c_of_some)]);
        }
    }
}

/// An encoder in both directions and a decoder that looks at it in its loop.
fn translator<B: Backend, C: rnn::CellKind>(b: &B, decoder: AttentionDecoder<C>, states: &[&str]) -> Model<B> {
    let edges = [("input", "target_words"), ("memory", "encoder.output")].map(|(to, of)| (to.into(), of.into()));
    let states = states.iter().map(|name| (name.to_string(), format!("encoder.{name}")));
    let edges: Vec<(String, String)> = edges.into_iter().chain(states).collect();
    let network = Graph::new()
        .node("source_words", Embedding::new(9, 4).padding(0), "source")
        .node("encoder", Bidirectional::new(Lstm::new(3).return_sequences().record()), "source_words")
        .node("target_words", Embedding::new(7, 4), "target")
        .node("decoder", decoder, edges)
        .node("words", Dense::new(7), "decoder")
        .output("words")
        .once(["encoder"]);
    let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))]).unwrap();
    network.build(b, input, 11).unwrap()
}

fn translators<B: Backend>(b: &B) -> Vec<Model<B>> {
    let [general, additive] = [CrossAttention::new().general().combined(5), CrossAttention::new().additive(4)];
    vec![
        translator(b, AttentionDecoder::new(Lstm::new(6), general.clone()), &["h", "c"]),
        translator(b, AttentionDecoder::new(Lstm::new(6), additive.clone()).attention_first(), &["h", "c"]),
        translator(b, AttentionDecoder::new(Gru::new(5), additive.combined(3)), &[]),
        translator(b, AttentionDecoder::new(Gru::new(6).learned_state(), general).attention_first(), &["h"]),
    ]
}

const SOURCES: [&[u32]; 3] = [&[3, 8, 5, 2], &[2, 1, 0, 0], &[7, 0, 0, 0]];
const TARGET: [[u32; 11]; 3] =
    [[1, 4, 2, 0, 3, 6, 5, 2, 2, 1, 0], [1, 1, 5, 6, 0, 2, 3, 4, 5, 6, 0], [1, 0, 0, 3, 2, 5, 1, 4, 6, 2, 3]];

/// Cut anywhere it is the whole, also where rows change their places on the way, and where steps are left out: the same bits on
/// `Reference`, 1e-6 on candle.
#[test]
fn a_decoder_can_be_stepped() {
    fn check<B: Backend>(b: &B, exact: bool) {
        let indices = |rows: &[Vec<u32>]| {
            Value::Indices(b.upload_indices(rows.concat(), [rows.len(), rows[0].len()].into()).unwrap())
        };
        let source = indices(&SOURCES.map(<[u32]>::to_vec));
        for (model, masked) in translators(b).iter().flat_map(|model| [(model, false), (model, true)]) {
            // The rows in an order, and a part of the steps.
            let piece = |order: &[usize], from: usize, length: usize| {
                let rows: Vec<Vec<u32>> = order.iter().map(|&row| TARGET[row][from..][..length].to_vec()).collect();
                let there = order.iter().flat_map(|&row| (from..from + length).map(move |t| (t + row) % 4 != 2));
                let there: Vec<bool> = there.collect();
                indices(&rows).with_mask(masked.then(|| Mask::new(b, &there, length).unwrap()))
            };
            let of = |value: Value<B>| numbers(value.split().0.as_tensor().unwrap());
            let input = record([("source", source.clone()), ("target", piece(&[0, 1, 2], 0, 11))]);
            let whole = of(model.run(input, &mut model.pass(Mode::Evaluation)).unwrap());

            let (mut carry, mut order, mut found) = (Carry::stepping(), vec![0, 1, 2], vec![0.0; whole.len()]);
            for (from, length) in [(0, 3), (3, 1), (4, 7)] {
                let target = piece(&order, from, length);
                let input = match from {
                    0 => record([("source", source.clone()), ("target", target)]),
                    _ => record([("target", target)]),
                };
                let y = numbers(&model.forward_carried(input, &mut carry).unwrap());
                for (row, numbers) in order.iter().zip(y.chunks(length * 7)) {
                    found[(row * 11 + from) * 7..][..length * 7].copy_from_slice(numbers);
                }
                carry.select(b, &[2, 0, 1]).unwrap();
                order = [2, 0, 1].map(|row| order[row]).to_vec();
            }
            match exact {
                true => assert_eq!(found, whole),
                false => assert_near("pieces", &found, &whole, 1e-6),
            }
        }
    }
    check(&Double::with_threads(1), true);
    check(&Reference::<f32>::with_threads(1), true);
    check(&Candle::cpu(), false);
    check(&Candle::portable(Device::Cpu), false);
}

#[test]
fn a_decoder_of_the_whole_network_takes_it_word_by_word() {
    let b = Double::with_threads(1);
    let sources = [vec![3, 8, 5, 2], vec![2, 1], vec![7]];
    let sources = Inputs::record([("source", Inputs::indices(&sources).unwrap())]).unwrap();
    for model in translators(&b) {
        let mut decoder = Decoder::with_context(&model, "target", &sources).unwrap();
        let mut steps = Vec::new();
        for t in 0..11 {
            let scores = decoder.step(&TARGET.map(|row| row[t])).unwrap();
            steps.push((0..3).map(|row| scores.row(row).to_vec()).collect::<Vec<_>>());
        }
        let Inputs::Record(parts) = sources.clone() else { panic!("no record") };
        let target = Inputs::indices(&TARGET).unwrap();
        let inputs = Inputs::record([("source", parts.get("source").unwrap().clone()), ("target", target)]).unwrap();
        let whole = model.predict(&inputs, 3).unwrap();
        let found: Vec<f32> = (0..3).flat_map(|row| steps.iter().flat_map(move |step| step[row].clone())).collect();
        assert_eq!(found, whole.data());
        // A beam of one is greedy: its words are the best of each step.
        let mut greedy = Decoder::with_context(&model, "target", &sources).unwrap();
        let (mut words, mut texts) = (vec![1; 3], vec![Vec::new(); 3]);
        for _ in 0..5 {
            words = greedy.step(&words).unwrap().best();
            texts.iter_mut().zip(&words).for_each(|(text, word)| text.push(*word));
        }
        let mut beam = Decoder::with_context(&model, "target", &sources).unwrap();
        let first = beam.step(&[1; 3]).unwrap();
        let found = Beam::new(1).longest(5).search_rows(beam, first).unwrap();
        let found: Vec<Vec<u32>> = found.iter().map(|best| best[0].tokens.clone()).collect();
        assert_eq!(found, texts);
    }
}

/// Dropout's draws are the same in all steps of a sequence, as elsewhere.
#[test]
fn a_sequence_has_one_draw_for_all_steps() {
    let b = Double::new();
    let layer = AttentionDecoder::new(Elman::new(3).dropout(0.5).recurrent_dropout(0.5), CrossAttention::new());
    let mut model = Model::new(&b, &layer, spec(&[]), 1).unwrap();
    // A state that leaves no trace.
    let zeros = tensor(&b, &[0.0; 9], &[3, 3]).value().clone();
    let weights = model.params().iter().map(|param| match param.name() {
        "cell.recurrent_kernel" => (param.name().to_string(), zeros.clone()),
        name => (name.to_string(), param.tensor().value().clone()),
    });
    let weights: Vec<_> = weights.collect();
    model.set_weights(weights).unwrap();
    // The same in every step, and nothing to be seen in the memory.
    let input = record([
        ("input", tensor(&b, &[0.7; 2 * TIME * 2], &[2, TIME, 2]).into()),
        ("memory", tensor(&b, &[0.0; 2 * STEPS * 3], &[2, STEPS, 3]).into()),
    ]);
    let numbers_of = |key: u64| {
        let mut pass = model.pass(Mode::Training(Key::new(key)));
        numbers(&model.run(input.clone(), &mut pass).unwrap().tensor(&pass).unwrap())
    };
    let mut differ = false;
    for key in 0..8 {
        let y = numbers_of(key);
        for row in y.chunks(TIME * 6) {
            assert!(row.chunks(6).all(|step| step == &row[..6]), "{row:?}");
        }
        differ |= y != numbers_of(key + 1);
    }
    assert!(differ, "nothing was dropped");
}

#[test]
fn what_does_not_go_together_is_an_error() {
    let b = Double::new();
    fn error<C: rnn::CellKind>(b: &Double, layer: AttentionDecoder<C>, input: Spec) -> String {
        Model::new(b, &layer, input, 0).unwrap_err().to_string()
    }
    let of = |layer: Lstm| AttentionDecoder::new(layer, CrossAttention::new());
    for (layer, option) in [
        (Lstm::new(3).reverse(), "reverse"),
        (Lstm::new(3).stateful(), "stateful"),
        (Lstm::new(3).return_state(), "return_state"),
    ] {
        assert!(error(&b, of(layer), spec(&[])).ends_with(&format!("found `{option}`")));
    }
    let message = error(&b, of(Lstm::new(3)), spec(&["h"]));
    let parts = "a record of `input`, `memory` and, where they are, the first states h, c [batch, 3]";
    assert_eq!(message, format!("input: expected {parts}, found none `c`"));
    assert!(error(&b, of(Lstm::new(3)), Spec::Dense(vec![None, Some(2)])).contains(parts));
    assert!(error(&b, of(Lstm::new(4)), spec(&["h", "c"])).ends_with("found h: [batch, 3]"));
    assert!(
        error(&b, AttentionDecoder::new(Gru::new(3), CrossAttention::new()), spec(&["h", "c"])).ends_with("a part `c`")
    );
    assert!(error(&b, of(Lstm::new(4)), spec(&[])).contains("queries of 3 features"));
    let no_steps = Spec::record([("input", Spec::dense(&[2])), ("memory", Spec::Dense(vec![None, Some(3)]))]).unwrap();
    assert!(error(&b, of(Lstm::new(3)), no_steps).contains("input"));
}
