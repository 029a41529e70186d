//! Attention to another sequence, by its formulas.

use super::{Double, check_gradients, record};
use crate::common::near::{assert_near, numbers, scattered, tensor, tolerance};
use elman::layers::*;
use elman::{Activation, Backend, Model, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

const QUERIES: usize = 3;
const STEPS: usize = 4;

fn spec(features: usize, width: usize) -> Spec {
    let part = |features| Spec::Dense(vec![None, Some(features)]);
    Spec::record([("query", part(features)), ("memory", part(width))]).unwrap()
}

/// The memory's steps that count, of two sequences: all, and two of them.
const THERE: [[bool; STEPS]; 2] = [[true; STEPS], [true, false, true, false]];

fn value<B: Backend>(b: &B, query: &Tensor<B>, memory: &Tensor<B>) -> Value<B> {
    let mask = Mask::new(b, &THERE.concat(), STEPS).unwrap();
    record([("query", query.clone().into()), ("memory", Value::from(memory.clone()).with_mask(mask))])
}

/// `softmax(score) memory` of each query, one number after another.
fn by_hand(query: &[f64], memory: &[f64], sizes: [usize; 2], score: impl Fn(&[f64], &[f64]) -> f64) -> [Vec<f64>; 2] {
    let [features, width] = sizes;
    let (mut contexts, mut all) = (Vec::new(), Vec::new());
    for n in 0..2 {
        for q in 0..QUERIES {
            let q = &query[(n * QUERIES + q) * features..][..features];
            let step = |t: usize| &memory[(n * STEPS + t) * width..][..width];
            let weight = |t: usize| if THERE[n][t] { score(q, step(t)).exp() } else { 0.0 };
            let sum: f64 = (0..STEPS).map(weight).sum();
            let weights: Vec<f64> = (0..STEPS).map(|t| weight(t) / sum).collect();
            contexts.extend((0..width).map(|i| (0..STEPS).map(|t| weights[t] * step(t)[i]).sum::<f64>()));
            all.extend(weights);
        }
    }
    [contexts, all]
}

fn check<B: Backend>(b: &B) {
    let forms: [(&str, CrossAttention, usize); 3] = [
        ("dot", CrossAttention::new(), 3),
        ("general", CrossAttention::new().general(), 2),
        ("additive", CrossAttention::new().additive(5), 2),
    ];
    for (name, layer, features) in forms {
        let model = Model::new(b, &layer, spec(features, 3), 1).unwrap();
        let (query, memory) = (scattered(2 * QUERIES * features, 1), scattered(2 * STEPS * 3, 2));
        let params: Vec<Vec<f64>> = model.params().iter().map(|param| numbers(param.tensor())).collect();
        let times = |x: &[f64], kernel: &[f64]| -> Vec<f64> {
            let columns = kernel.len() / x.len();
            (0..columns).map(|j| x.iter().enumerate().map(|(i, x)| x * kernel[i * columns + j]).sum()).collect()
        };
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let score = |q: &[f64], m: &[f64]| match name {
            "dot" => dot(q, m),
            "general" => dot(&times(q, &params[0]), m),
            _ => {
                let (q, m) = (times(q, &params[0]), times(m, &params[1]));
                let tanh = |i: usize| (q[i] + m[i] + params[2][i]).tanh();
                (0..5).map(|i| params[3][i] * tanh(i)).sum()
            }
        };
        let [contexts, weights] = by_hand(&query, &memory, [features, 3], score);
        let input = value(b, &tensor(b, &query, &[2, QUERIES, features]), &tensor(b, &memory, &[2, STEPS, 3]));
        let mut pass = model.pass(Mode::Evaluation).observing(["attention"]);
        let y = model.run(input, &mut pass).unwrap().tensor(&pass).unwrap();
        assert_eq!(y.shape()[..], [2, QUERIES, 3]);
        assert_near(name, &numbers(&y), &contexts, tolerance::<B>());
        let seen: Vec<&Tensor<B>> = pass.observed("attention").collect();
        assert_eq!((seen.len(), &seen[0].shape()[..]), (1, &[2, QUERIES, STEPS][..]));
        assert_near("weights", &numbers(seen[0]), &weights, tolerance::<B>());
    }
}

#[test]
fn every_form_is_its_formula() {
    check(&Double::new());
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let b = Double::new();
    for layer in [
        CrossAttention::new().general().combined(2),
        CrossAttention::new().additive(3),
        CrossAttention::new().additive(3).combined(4).dropout(0.3),
        CrossAttention::new().general().dropout(0.3),
    ] {
        let model = Model::new(&b, &layer, spec(2, 3), 1).unwrap();
        let inputs =
            [(scattered(2 * QUERIES * 2, 1), vec![2, QUERIES, 2]), (scattered(2 * STEPS * 3, 2), vec![2, STEPS, 3])];
        check_gradients(&model, &inputs, |model, inputs, pass| {
            model.run(value(&b, &inputs[0], &inputs[1]), pass)?.tensor(pass)
        });
    }
    let model = Model::new(&b, &MultiHeadAttention::new(2, 3).outputs(4), spec(2, 3), 1).unwrap();
    let inputs =
        [(scattered(2 * QUERIES * 2, 1), vec![2, QUERIES, 2]), (scattered(2 * STEPS * 3, 2), vec![2, STEPS, 3])];
    check_gradients(&model, &inputs, |model, inputs, pass| {
        model.run(value(&b, &inputs[0], &inputs[1]), pass)?.tensor(pass)
    });
}

/// Heads over a memory: with one head of unit kernels it is attention by products; over its own sequence it is self-attention.
#[test]
fn heads_over_a_memory() {
    let b = Double::new();
    let heads = MultiHeadAttention::new(1, 3).without_bias();
    let mut model = Model::new(&b, &heads, spec(3, 3), 1).unwrap();
    let identity = |name: &str, shape: &[usize]| {
        let data = (0..9).map(|i| f64::from(u8::from(i / 3 == i % 3))).collect::<Vec<_>>();
        (name.to_string(), tensor(&b, &data, shape).value().clone())
    };
    let inputs = ["query", "key", "value"].map(|name| identity(&format!("{name}.kernel"), &[3, 1, 3]));
    model.set_weights(inputs.into_iter().chain([identity("attention_output.kernel", &[1, 3, 3])])).unwrap();
    let (query, memory) = (scattered(2 * QUERIES * 3, 1), scattered(2 * STEPS * 3, 2));
    let [expected, _] =
        by_hand(&query, &memory, [3, 3], |q, m| q.iter().zip(m).map(|(q, m)| q * m).sum::<f64>() / 3.0f64.sqrt());
    let input = value(&b, &tensor(&b, &query, &[2, QUERIES, 3]), &tensor(&b, &memory, &[2, STEPS, 3]));
    assert_near("one head", &numbers(&model.forward(input, Mode::Evaluation).unwrap()), &expected, 1e-13);

    let layer = || MultiHeadAttention::new(2, 3);
    let own = Model::new(&b, &layer(), Spec::Dense(vec![None, Some(3)]), 4).unwrap();
    let other = Model::new(&b, &layer(), spec(3, 3), 4).unwrap();
    let x = tensor(&b, &memory, &[2, STEPS, 3]);
    let both = record([("query", x.clone().into()), ("memory", x.clone().into())]);
    let whole = |model: &Model<Double>, input: Value<Double>| numbers(&model.forward(input, Mode::Evaluation).unwrap());
    assert_eq!(whole(&own, x.into()), whole(&other, both));
}

/// A decoder with attention goes step by step to the numbers of the whole call, to the bit.
#[test]
fn attention_to_what_was_read_once_can_be_stepped() {
    let b = Double::new();
    for attention in [CrossAttention::new().general().combined(5), CrossAttention::new().additive(4)] {
        let network = Graph::new()
            .node("table", Embedding::new(9, 4).padding(0), "source")
            .node("encoder", Bidirectional::new(Gru::new(3).return_sequences().record()), "table")
            .node("words", Embedding::new(7, 4), "target")
            .node("decoder", Gru::new(6).return_sequences(), [("input", "words"), ("h", "encoder.h")])
            .node("attention", attention, [("query", "decoder"), ("memory", "encoder.output")])
            .node("next", Dense::new(7).activation(Activation::Softmax), "attention")
            .output("next")
            .once(["encoder"]);
        let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))]).unwrap();
        let model = network.build(&b, input, 1).unwrap();
        let indices =
            |rows: [&[u32]; 2]| Value::Indices(b.upload_indices(rows.concat(), [2, rows[0].len()].into()).unwrap());
        let (source, target) = (indices([&[3, 8, 5], &[2, 0, 0]]), [[1, 4, 2, 0, 3], [5, 5, 6, 1, 2]]);
        let whole = record([("source", source.clone()), ("target", indices([&target[0], &target[1]]))]);
        let whole = numbers(&model.forward(whole, Mode::Evaluation).unwrap());
        let (mut carry, mut steps) = (Carry::stepping(), Vec::new());
        for t in 0..5 {
            let word = indices([&target[0][t..=t], &target[1][t..=t]]);
            let input = if t == 0 {
                record([("source", source.clone()), ("target", word)])
            } else {
                record([("target", word)])
            };
            steps.push(model.forward_carried(input, &mut carry).unwrap());
            // Rows change their places, and change back: what was read goes with them.
            carry.select(&b, &[1, 0]).unwrap();
            carry.select(&b, &[1, 0]).unwrap();
        }
        let steps = Tensor::concat(&steps.iter().collect::<Vec<_>>(), 1).unwrap();
        assert_eq!(numbers(&steps), whole);
    }
}

/// Of a memory that is another one later, which no decoder has, what it is compared by stays that of the first.
#[test]
fn what_queries_are_compared_with_is_computed_once() {
    let b = Double::new();
    let model = Graph::new()
        .node("attention", CrossAttention::new().additive(3), ["query", "memory"])
        .output("attention")
        .build(&b, spec(2, 5), 7)
        .unwrap();
    let (query, memory) = (scattered(4, 1), scattered(2 * STEPS * 5, 2));
    let second = |factor: f64| {
        let mut carry = Carry::stepping();
        let step = |memory: &[f64], carry: &mut Carry<Double>| {
            let [query, memory] = [tensor(&b, &query, &[2, 1, 2]), tensor(&b, memory, &[2, STEPS, 5])];
            numbers(&model.forward_carried(value(&b, &query, &memory), carry).unwrap())
        };
        step(&memory, &mut carry);
        step(&memory.iter().map(|x| factor * x).collect::<Vec<_>>(), &mut carry)
    };
    let twice: Vec<f64> = second(1.0).iter().map(|x| 2.0 * x).collect();
    assert_near("the same weights", &second(2.0), &twice, tolerance::<Double>());
}

#[test]
fn sizes_that_do_not_go_together_are_errors() {
    let b = Double::new();
    let error = |layer: CrossAttention, input: Spec| Model::new(&b, &layer, input, 0).unwrap_err().to_string();
    assert_eq!(
        error(CrossAttention::new(), spec(2, 3)),
        "query: expected queries of 3 features, as the memory has (or the form `general`), found 2"
    );
    assert!(error(CrossAttention::new(), Spec::Dense(vec![None, Some(3)])).contains("a record of named parts"));
    let other = Spec::record([("query", Spec::Dense(vec![None, Some(3)])), ("keys", Spec::dense(&[3]))]).unwrap();
    assert!(error(CrossAttention::new(), other).contains("a part `memory`"));
    assert!(error(CrossAttention::new().additive(0), spec(2, 3)).contains("units: expected at least 1"));
    assert!(error(CrossAttention::new().dropout(1.0), spec(3, 3)).contains("a rate in [0, 1)"));
}

/// Causal attention keeps keys and values: cut anywhere, also under a mask, it is the whole, and rows may change their places.
#[test]
fn causal_attention_can_be_stepped() {
    fn check<B: Backend>(b: &B, exact: bool) {
        let network = Sequential::new()
            .add(MultiHeadAttention::new(2, 3).causal())
            .add(Gru::new(4).return_sequences())
            .add(MultiHeadAttention::new(1, 2).causal().outputs(3));
        let model = network.build(b, Spec::Dense(vec![None, Some(3)]), 1).unwrap();
        let x = tensor(b, &scattered(2 * 11 * 3, 1), &[2, 11, 3]);
        let there: Vec<bool> = (0..22).map(|i| i % 11 != 5 && i != 13).collect();
        for masked in [false, true] {
            let mask = |from: usize, length: usize| {
                let part: Vec<bool> = (0..2).flat_map(|row| there[row * 11 + from..][..length].to_vec()).collect();
                masked.then(|| Mask::new(b, &part, length).unwrap())
            };
            let input = |from, length| Value::from(x.slice(1, from, length).unwrap()).with_mask(mask(from, length));
            let whole = model.run(input(0, 11), &mut model.pass(Mode::Evaluation)).unwrap().split().0;
            let whole = numbers(whole.as_tensor().unwrap());
            let (mut carry, mut start, mut pieces) = (Carry::stepping(), 0, Vec::new());
            for length in [3, 1, 7] {
                pieces.push(model.forward_carried(input(start, length), &mut carry).unwrap());
                carry.select(b, &[1, 0]).unwrap();
                carry.select(b, &[1, 0]).unwrap();
                start += length;
            }
            let pieces = numbers(&Tensor::concat(&pieces.iter().collect::<Vec<_>>(), 1).unwrap());
            match exact {
                true => assert_eq!(pieces, whole),
                false => assert_near("pieces", &pieces, &whole, 1e-6),
            }
        }
    }
    check(&Double::new(), true);
    check(&Reference::<f32>::new(), true);
    check(&Candle::cpu(), false);
}
