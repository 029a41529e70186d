//! Attention of several heads: the library's layer for a sequence to itself, and its parts for one to another.

use super::{TRAINING, compare_gradient, compare_output, if_there, mask, near, set, variable};
use crate::common::golden::Reading;
use crate::common::near::numbers;
use elman::backend::Attention;
use elman::layers::{Mask, Mode, MultiHeadAttention, Sequential, Value};
use elman::{Backend, Model, Result, Spec, Tensor};
use std::collections::BTreeMap;

/// Kernels and biases under their names in the file: `query/kernel`.
pub(super) type Weights<B> = BTreeMap<String, Tensor<B>>;

pub(crate) fn check<B: Backend>(b: &B, case: &Reading<'_>) {
    let query = variable(b, case, "query");
    let value = if_there(b, case, "value");
    assert_eq!(value.is_none(), case.is("self_attention"), "{}", case.name());
    let mask = mask(b, case, "value_mask");
    let weights = weights(b, case);
    let of = value.as_ref().unwrap_or(&query);

    let y = by_parts(b, case, &weights, [&query, of], mask.as_ref(), case.is("causal")).unwrap();
    let gradients = compare_output(b, case, &y);
    compare_gradient(case, "grad_query", &gradients, &query);
    if let Some(value) = &value {
        compare_gradient(case, "grad_value", &gradients, value);
    }
    weights.iter().for_each(|(name, weight)| compare_gradient(case, &grad(name), &gradients, weight));
    if value.is_some() {
        return;
    }

    let input = Value::from(query.clone()).with_mask(mask.clone());
    let model = by_layer(b, case, &weights, case.is("causal"), &query);
    let gradients = compare_output(b, case, &model.forward(input.clone(), TRAINING()).unwrap());
    compare_gradient(case, "grad_query", &gradients, &query);
    for param in model.params() {
        compare_gradient(case, &grad(&in_file(param.name())), &gradients, param.tensor());
    }
    // The file has causal attention nearly always to another sequence: the parts, which are right there, stand in for it.
    for causal in [false, true] {
        let found = by_layer(b, case, &weights, causal, &query).forward(input.clone(), Mode::Evaluation).unwrap();
        let expected = by_parts(b, case, &weights, [&query, of], mask.as_ref(), causal).unwrap();
        near::<B>(case, "layer and parts", &numbers(&found), &numbers(&expected));
    }
}

pub(super) fn weights<B: Backend>(b: &B, case: &Reading<'_>) -> Weights<B> {
    let mut weights = Weights::new();
    for part in ["query", "key", "value", "attention_output"] {
        let (kernel, bias) = (format!("{part}/kernel"), format!("{part}/bias"));
        weights.insert(kernel.clone(), variable(b, case, &kernel));
        let given = if_there(b, case, &bias);
        assert_eq!(given.is_some(), case.is("use_bias"), "{}: {bias}", case.name());
        weights.extend(given.map(|given| (bias, given)));
    }
    let [heads, key_dim, value_dim] = ["heads", "key_dim", "value_dim"].map(|size| case.number(size) as usize);
    assert_eq!(weights["key/kernel"].shape()[1..], [heads, key_dim], "{}", case.name());
    assert_eq!(weights["value/kernel"].shape()[1..], [heads, value_dim], "{}", case.name());
    weights
}

/// `query/kernel` has the gradient `query/grad_kernel`.
pub(super) fn grad(name: &str) -> String {
    name.replace('/', "/grad_")
}

/// `heads.query.kernel` is `query/kernel` in the file.
pub(super) fn in_file(name: &str) -> String {
    name.replace("heads.", "").replace('.', "/")
}

/// The layer, with these weights.
fn by_layer<B: Backend>(b: &B, case: &Reading<'_>, weights: &Weights<B>, causal: bool, x: &Tensor<B>) -> Model<B> {
    let [heads, key_dim, value_dim] = ["heads", "key_dim", "value_dim"].map(|size| case.number(size) as usize);
    let layer = MultiHeadAttention::new(heads, key_dim).value_dim(value_dim);
    let layer = if case.is("use_bias") { layer } else { layer.without_bias() };
    let layer = if causal { layer.causal() } else { layer };
    let mut model = Sequential::new().add_named("heads", layer).build(b, Spec::dense(&x.shape()[1..]), 0).unwrap();
    assert_eq!(model.params().len(), weights.len(), "{}", case.name());
    let names: Vec<String> = model.params().iter().map(|param| param.name().to_string()).collect();
    for name in names {
        let weight = &weights[&in_file(&name)];
        assert_eq!(model.params().iter().find(|param| param.name() == name).unwrap().shape(), weight.shape());
        set(b, &mut model, &name, &numbers(weight));
    }
    model
}

/// The same from the library's operations, of queries to the keys and values of any sequence.
fn by_parts<B: Backend>(
    b: &B,
    case: &Reading<'_>,
    weights: &Weights<B>,
    [query, value]: [&Tensor<B>; 2],
    mask: Option<&Mask<B>>,
    causal: bool,
) -> Result<Tensor<B>> {
    let heads = case.number("heads") as usize;
    // [batch, time, features] to [batch, heads, time, what each head has]
    let of_heads = |x: &Tensor<B>, part: &str| {
        let kernel = &weights[&format!("{part}/kernel")];
        let (features, width) = (kernel.shape()[0], kernel.shape()[2]);
        let bias = weights.get(&format!("{part}/bias")).map(|bias| bias.reshape(&[heads * width])).transpose()?;
        let y = x.linear(&kernel.reshape(&[features, heads * width])?, bias.as_ref())?;
        y.reshape(&[x.shape()[0], x.shape()[1], heads, width])?.permute(&[0, 2, 1, 3])
    };
    let scale = 1.0 / case.number("key_dim").sqrt();
    let how = Attention { mask: mask.map(|mask| mask.array().clone()), causal, ..Attention::new(scale) };
    let y = of_heads(query, "query")?.attention(&of_heads(value, "key")?, &of_heads(value, "value")?, how)?;
    let kernel = &weights["attention_output/kernel"];
    let (of_all, outputs) = (heads * kernel.shape()[1], kernel.shape()[2]);
    let y = y.permute(&[0, 2, 1, 3])?.reshape(&[query.shape()[0], query.shape()[1], of_all])?;
    assert_eq!(b.shape(y.value()).last(), of_all, "{}", case.name());
    y.linear(&kernel.reshape(&[of_all, outputs])?, weights.get("attention_output/bias"))
}
