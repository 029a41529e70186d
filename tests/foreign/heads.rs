//! Attention of several heads, as PyTorch's module has it, made of the library's parts: its own layer attends to its own input
//! only.

use crate::compare::{gradient, near, near_beside, numbers, tensor, variable};
use crate::suite::{Case, Numbers};
use anyhow::{Result, ensure};
use elman::backend::Attention;
use elman::{Backend, Tensor};

pub(crate) fn torch<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let (width, heads) = (case.count("embed_dim")?, case.count("num_heads")?);
    let inputs = ["in.query", "in.key", "in.value"];
    // Single sequences all of them: `[time, width]`.
    let single = |what: &str| -> Result<Numbers> {
        let numbers = case.tensor(what)?;
        ensure!(numbers.shape.len() == 2, "several sequences");
        Ok(numbers)
    };
    let x = inputs.iter().map(|what| variable(b, &single(what)?)).collect::<Result<Vec<_>>>()?;
    let w = variable(b, &case.tensor("param.in_proj_weight")?)?;
    let bias = case.find("param.in_proj_bias").map(|bias| variable(b, &bias)).transpose()?;
    let part = |i: usize| -> Result<Tensor<B>> {
        let w = w.slice(0, i * width, width)?.transpose()?;
        let bias = bias.as_ref().map(|bias| bias.slice(0, i * width, width)).transpose()?;
        Ok(x[i].linear(&w, bias.as_ref())?)
    };
    let (query, mut key, mut value) = (part(0)?, part(1)?, part(2)?);

    // Which keys are hidden: their own mask, and that of pairs, which is the same for all queries here.
    let keys = key.shape()[0];
    let mut shown = vec![1.0; keys];
    let mut hide = |mask: &[f64]| shown.iter_mut().zip(mask).for_each(|(shown, hidden)| *shown *= 1.0 - hidden);
    if let Some(mask) = case.find("in.key_padding_mask") {
        hide(&mask.data);
    }
    if let Some(mask) = case.find("in.attn_mask") {
        ensure!(mask.data.chunks(keys).all(|row| row == &mask.data[..keys]), "a mask of pairs");
        hide(&mask.data[..keys]);
    }
    // A key and a value that are learned, and a pair of zeros.
    let learned = ["param.bias_k", "param.bias_v"]
        .map(|what| case.find(what).map(|numbers| variable(b, &numbers.reshaped(&[1, width]))));
    let [bias_k, bias_v] = learned.map(Option::transpose);
    let (bias_k, bias_v) = (bias_k?, bias_v?);
    if let (Some(bias_k), Some(bias_v)) = (&bias_k, &bias_v) {
        (key, value) = (Tensor::concat(&[&key, bias_k], 0)?, Tensor::concat(&[&value, bias_v], 0)?);
    }
    if case.is("add_zero_attn") {
        let zero = Tensor::full(b, &[1, width], 0.0)?;
        (key, value) = (Tensor::concat(&[&key, &zero], 0)?, Tensor::concat(&[&value, &zero], 0)?);
    }
    shown.resize(key.shape()[0], 1.0);

    let split = |x: &Tensor<B>| x.reshape(&[1, x.shape()[0], heads, width / heads])?.permute(&[0, 2, 1, 3]);
    let mask = tensor(b, &Numbers::new(shown, &[1, key.shape()[0]]))?.value().clone();
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let how = Attention { mask: Some(mask), ..Attention::new(scale) };
    let y = split(&query)?.attention(&split(&key)?, &split(&value)?, how)?.permute(&[0, 2, 1, 3])?;
    let out = variable(b, &case.tensor("param.out_proj.weight")?)?;
    let out_bias = case.find("param.out_proj.bias").map(|bias| variable(b, &bias)).transpose()?;
    let y = y.reshape(&[query.shape()[0], width])?.linear(&out.transpose()?, out_bias.as_ref())?;

    near::<B>("out.0", &numbers(&y)?, &case.tensor("out.0")?)?;
    case.pass_over("out.1", "the library's attention gives no weights out");
    let gradients = y.backward_from(tensor(b, &case.tensor("above.out.0")?)?.value().clone())?;
    let greatest = case.greatest_gradient();
    let optional = [("in_proj_bias", &bias), ("bias_k", &bias_k), ("bias_v", &bias_v), ("out_proj.bias", &out_bias)];
    let optional = optional.iter().filter_map(|(name, of)| Some((format!("grad.param.{name}"), of.as_ref()?)));
    let inputs = inputs.iter().zip(&x).map(|(name, of)| (format!("grad.{name}"), of));
    let weights = [("grad.param.in_proj_weight".to_string(), &w), ("grad.param.out_proj.weight".to_string(), &out)];
    for (name, of) in inputs.chain(weights).chain(optional) {
        near_beside::<B>(&name, &gradient(&gradients, of)?, &case.tensor(&name)?, greatest)?;
    }
    Ok(())
}
