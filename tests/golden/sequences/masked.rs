//! Attention under masks of pairs and with numbers added to its scores, as an operation and as the library's layer.

use super::heads::{grad, in_file, weights};
use super::{TRAINING, compare_gradient, compare_output, constant, if_there, mask, set, variable};
use crate::common::golden::Reading;
use crate::common::near::numbers;
use elman::backend::Attention;
use elman::layers::{MultiHeadAttention, Value};
use elman::{Backend, Model, Record, Spec, Tensor};

/// What is added to the scores: the variable of the file, and it with -∞ where the file says so.
struct Added<B: Backend> {
    finite: Tensor<B>,
    added: Tensor<B>,
}

fn added<B: Backend>(b: &B, case: &Reading<'_>) -> Option<Added<B>> {
    let finite = if_there(b, case, "bias")?;
    let added = match case.find("open") {
        Some(_) => {
            let shut = Tensor::full(b, &[], f64::NEG_INFINITY).unwrap();
            finite.select(&constant(b, case, "open"), &shut).unwrap()
        }
        None => finite.clone(),
    };
    Some(Added { finite, added })
}

/// Pairs of the file as `[1 or batch, 1 or heads, queries, steps]`.
fn pairs<B: Backend>(of: &Tensor<B>) -> Tensor<B> {
    let shape = of.shape();
    match shape[..] {
        [queries, steps] => of.reshape(&[1, 1, queries, steps]).unwrap(),
        [batch, queries, steps] => of.reshape(&[batch, 1, queries, steps]).unwrap(),
        _ => of.clone(),
    }
}

pub(crate) fn products<B: Backend>(b: &B, case: &Reading<'_>) {
    let [query, key, value] = ["query", "key", "value"].map(|what| variable(b, case, what));
    let scale = case.option("scale").as_f64().unwrap_or(1.0 / (query.shape().last() as f64).sqrt());
    let mask = case.find("mask").map(|_| pairs(&constant(b, case, "mask")).value().clone());
    let how = Attention { mask, causal: case.is("causal"), ..Attention::new(scale) };
    let added = added(b, case);
    let y = match &added {
        Some(Added { added, .. }) => query.biased_attention(&key, &value, added, how.clone()),
        None => query.attention(&key, &value, how.clone()),
    };
    let gradients = compare_output(b, case, &y.unwrap());
    for (what, of) in [("grad_query", &query), ("grad_key", &key), ("grad_value", &value)] {
        compare_gradient(case, what, &gradients, of);
    }
    let Some(Added { finite, added }) = added else { return };
    compare_gradient(case, "grad_bias", &gradients, &finite);
    // The same from a bias that is no variable.
    let how = Attention { bias: Some(added.value().clone()), ..how };
    let gradients = compare_output(b, case, &query.attention(&key, &value, how).unwrap());
    compare_gradient(case, "grad_key", &gradients, &key);
}

/// By the layer, which takes it all as parts of a record.
pub(crate) fn heads<B: Backend>(b: &B, case: &Reading<'_>) {
    let (query, value) = (variable(b, case, "query"), if_there(b, case, "value"));
    assert_eq!(value.is_none(), case.is("self_attention"), "{}", case.name());
    let memory = value.as_ref().unwrap_or(&query);
    let [heads, key_dim] = ["heads", "key_dim"].map(|size| case.number(size) as usize);
    let (batch, queries, steps) = (query.shape()[0], query.shape()[1], memory.shape()[1]);
    // A record has a row for each sequence.
    let each = |x: Tensor<B>| {
        let x = pairs(&x);
        x.add(&Tensor::zeros(b, &[batch, x.shape()[1], queries, steps]).unwrap()).unwrap()
    };

    let added = added(b, case);
    let of_steps = mask(b, case, "value_mask");
    let sequence = Value::from(query.clone());
    let mut parts = match &value {
        // With a mask of steps as its own memory: queries that stand there are compared, too.
        None if of_steps.is_some() => {
            vec![("query", sequence), ("memory", Value::from(query.clone()).with_mask(of_steps))]
        }
        None => vec![("query", sequence)],
        Some(value) => vec![("query", sequence), ("memory", Value::from(value.clone()).with_mask(of_steps))],
    };
    parts.extend(case.find("mask").map(|_| ("mask", each(constant(b, case, "mask")).into())));
    parts.extend(added.as_ref().map(|of| ("bias", each(of.added.clone()).into())));
    let spec = |value: &Value<B>| {
        let shape = value.clone().split().0.as_tensor().unwrap().shape();
        Spec::Dense(shape[1..].iter().map(|&size| Some(size)).collect())
    };
    let spec = Spec::record(parts.iter().map(|(name, value)| (*name, spec(value)))).unwrap();
    let layer = MultiHeadAttention::new(heads, key_dim);
    let layer = if case.is("causal") { layer.causal() } else { layer };
    let mut model = Model::new(b, &layer, spec, 0).unwrap();
    let weights = weights(b, case);
    assert_eq!(model.params().len(), weights.len());
    weights.iter().for_each(|(name, weight)| set(b, &mut model, &name.replace('/', "."), &numbers(weight)));

    let input = Value::Record(Record::new(parts).unwrap());
    let mut pass = model.pass(TRAINING());
    let y = model.run(input, &mut pass).unwrap().split().0;
    let gradients = compare_output(b, case, y.as_tensor().unwrap());
    compare_gradient(case, "grad_query", &gradients, &query);
    value.iter().for_each(|value| compare_gradient(case, "grad_value", &gradients, value));
    added.iter().for_each(|of| compare_gradient(case, "grad_bias", &gradients, &of.finite));
    for param in model.params() {
        compare_gradient(case, &grad(&in_file(param.name())), &gradients, param.tensor());
    }
}
