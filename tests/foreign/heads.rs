//! Attention of several heads, as PyTorch's module has it: self-attention by the library's layer.

use crate::compare::{gradient, near, near_beside, numbers, param, set, tensor, variable};
use crate::suite::{Case, Numbers};
use anyhow::{Result, ensure};
use elman::layers::{Mask, Mode, MultiHeadAttention, Sequential, Value};
use elman::random::Key;
use elman::{Backend, Spec};

/// The parts of a projection: from `in_proj_weight [3 e, e]` the rows of one, transposed.
const PARTS: [&str; 3] = ["query", "key", "value"];

pub(crate) fn torch<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let (width, heads) = (case.count("embed_dim")?, case.count("num_heads")?);
    ensure!(!case.is("add_bias_kv") && !case.is("add_zero_attn"), "keys and values that are added");
    ensure!(case.find("in.attn_mask").is_none(), "a mask of pairs");
    let first_batch = case.is("batch_first");
    let batched = |numbers: &Numbers| match numbers.shape.len() {
        2 => numbers.reshaped(&[1, numbers.shape[0], numbers.shape[1]]),
        _ if first_batch => numbers.clone(),
        _ => numbers.permuted(&[1, 0, 2]),
    };
    let [query, key, value] = ["query", "key", "value"].map(|what| case.tensor(&format!("in.{what}")));
    let (query, key, value) = (batched(&query?), batched(&key?), batched(&value?));
    ensure!(query == key && key == value, "attention to another sequence");
    let x = variable(b, &query)?;
    let layer = MultiHeadAttention::new(heads, width / heads);
    let layer = if case.is("bias") { layer } else { layer.without_bias() };
    let mut model = Sequential::new().add_named("heads", layer).build(b, Spec::dense(&query.shape[1..]), 0)?;
    let third = |numbers: &Numbers, part: usize| {
        let size = numbers.data.len() / 3;
        let shape: &[usize] = if numbers.shape.len() == 2 { &[width, width] } else { &[width] };
        let numbers = Numbers::new(numbers.data[part * size..][..size].to_vec(), shape);
        if shape.len() == 2 { numbers.permuted(&[1, 0]) } else { numbers }
    };
    let names = |front: &str| -> Result<Vec<(String, Numbers)>> {
        let mut all = Vec::new();
        for (i, part) in PARTS.iter().enumerate() {
            all.push((format!("heads.{part}.kernel"), third(&case.tensor(&format!("{front}in_proj_weight"))?, i)));
            if let Some(bias) = case.find(&format!("{front}in_proj_bias")) {
                all.push((format!("heads.{part}.bias"), third(&bias, i)));
            }
        }
        let out = case.tensor(&format!("{front}out_proj.weight"))?.permuted(&[1, 0]);
        all.push(("heads.attention_output.kernel".into(), out));
        all.extend(case.find(&format!("{front}out_proj.bias")).map(|bias| ("heads.attention_output.bias".into(), bias)));
        Ok(all)
    };
    for (name, numbers) in names("param.")? {
        set(b, &mut model, &name, &numbers)?;
    }
    let mask = case.find("in.key_padding_mask").map(|mask| {
        let flags: Vec<bool> = mask.data.iter().map(|&hidden| hidden == 0.0).collect();
        Mask::new(b, &flags, query.shape[1])
    });
    let y = model.forward(Value::from(x.clone()).with_mask(mask.transpose()?), Mode::Training(Key::new(1)))?;
    near::<B>("out.0", &numbers(&y)?, &batched(&case.tensor("out.0")?))?;
    ensure!(case.find("above.out.1").is_none(), "the weights of attention come out too");
    let gradients = y.backward_from(tensor(b, &batched(&case.tensor("above.out.0")?))?.value().clone())?;
    let greatest = case.greatest_gradient();
    for (name, expected) in names("grad.param.")? {
        near_beside::<B>(&name, &gradient(&gradients, param(&model, &name)?)?, &expected.reshaped(&expected.shape), greatest)?;
    }
    // The same sequence was given three times.
    let mut sum = batched(&case.tensor("grad.in.query")?);
    for what in ["grad.in.key", "grad.in.value"] {
        sum = crate::torch_recurrent::sum(&sum, &batched(&case.tensor(what)?));
    }
    near_beside::<B>("grad.in.query", &gradient(&gradients, &x)?, &sum, greatest)
}
