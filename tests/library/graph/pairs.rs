//! Attention of several heads with a mask and a bias for each pair of a query and a step. Their numbers stand beside PyTorch's and
//! Keras' in `tests/golden`.

use super::{Double, record};
use crate::common::near::{assert_near, numbers, scattered, tensor};
use elman::layers::*;
use elman::{Backend, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

const QUERIES: usize = 5;
const STEPS: usize = 4;

fn sequence(features: usize) -> Spec {
    Spec::Dense(vec![None, Some(features)])
}

fn pairs() -> Spec {
    Spec::Dense(vec![None, None])
}

/// To a memory a decoder goes step by step, each with its part of mask and bias.
#[test]
fn queries_to_a_memory_can_be_stepped() {
    fn check<B: Backend>(b: &B, exact: bool) {
        let spec = [("query", sequence(3)), ("memory", sequence(2)), ("mask", pairs()), ("bias", pairs())];
        let model = Model::new(b, &MultiHeadAttention::new(2, 3), Spec::record(spec).unwrap(), 1).unwrap();
        let flags: Vec<f64> = (0..2 * QUERIES * STEPS).map(|i| f64::from(u8::from(i % 3 > 0 && i > 3))).collect();
        let query = tensor(b, &scattered(2 * QUERIES * 3, 1), &[2, QUERIES, 3]);
        let [mask, bias] =
            [flags, scattered(2 * QUERIES * STEPS, 3)].map(|pairs| tensor(b, &pairs, &[2, QUERIES, STEPS]));
        let memory = tensor(b, &scattered(2 * STEPS * 2, 2), &[2, STEPS, 2]);
        let input = |from: usize, length: usize| {
            let part = |x: &elman::Tensor<B>| Value::from(x.slice(1, from, length).unwrap());
            let of = [("query", part(&query)), ("memory", memory.clone().into())];
            record([of[0].clone(), of[1].clone(), ("mask", part(&mask)), ("bias", part(&bias))])
        };
        let whole = numbers(&model.forward(input(0, QUERIES), Mode::Evaluation).unwrap());
        let mut carry = Carry::stepping();
        let pieces =
            [(0, 2), (2, 1), (3, 2)].map(|(from, n)| model.forward_carried(input(from, n), &mut carry).unwrap());
        let pieces = numbers(&elman::Tensor::concat(&pieces.each_ref(), 1).unwrap());
        match exact {
            true => assert_eq!(pieces, whole),
            false => assert_near("pieces", &pieces, &whole, 1e-6),
        }
        // A query that sees nothing gets the last bias alone, which is 0.
        assert_eq!(whole[..3], [0.0; 3]);
        assert!(whole[3..].iter().all(|x| x.is_finite()) && whole[3..6] != [0.0; 3]);
    }
    check(&Double::with_threads(1), true);
    check(&Reference::<f32>::with_threads(1), true);
    check(&Candle::cpu(), false);
}

#[test]
fn what_does_not_go_together_is_an_error() {
    let b = Double::new();
    let layer = || MultiHeadAttention::new(2, 3);
    let build = |parts: &[(&'static str, Spec)]| {
        Model::new(&b, &layer().causal(), Spec::record(parts.to_vec()).unwrap(), 1).map_err(|e| e.to_string())
    };
    let heads = |heads: usize| Spec::Dense(vec![Some(heads), None, None]);
    assert!(build(&[("query", sequence(3)), ("bias", heads(2))]).is_ok());
    assert!(build(&[("query", sequence(3)), ("mask", heads(1))]).is_ok());
    for part in [heads(3), Spec::dense(&[4]), Spec::Indices(None)] {
        let error = build(&[("query", sequence(3)), ("bias", part.clone())]).unwrap_err();
        assert_eq!(
            error,
            format!("bias: expected [batch, queries, steps] or [batch, 2, queries, steps], found {part}")
        );
    }
    let error = build(&[("query", sequence(3)), ("keys", sequence(3))]).unwrap_err();
    assert_eq!(
        error,
        "input: expected a record of `query` and, where they are, memory, mask, bias, found a part `keys`"
    );
    assert!(build(&[("memory", sequence(3)), ("mask", pairs())]).unwrap_err().contains("a part `query`"));

    // The steps that come later are not in the mask.
    let own = build(&[("query", sequence(3)), ("mask", pairs())]).unwrap();
    let x = tensor(&b, &scattered(2 * 3 * 3, 1), &[2, 3, 3]);
    let input = |mask: &[usize]| {
        let ones = elman::Tensor::ones(&b, mask).unwrap();
        record([("query", x.clone().into()), ("mask", ones.into())])
    };
    assert!(own.forward(input(&[2, 3, 3]), Mode::Evaluation).is_ok());
    let error = own.forward_carried(input(&[2, 3, 3]), &mut Carry::stepping()).unwrap_err().to_string();
    assert!(error.contains("attention with a mask or a bias of pairs"), "{error}");
    assert!(own.forward(input(&[2, 3, 2]), Mode::Evaluation).is_err());
    assert!(own.forward(input(&[3, 3, 3]), Mode::Evaluation).is_err());
}
