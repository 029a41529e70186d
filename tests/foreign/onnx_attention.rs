//! ONNX's attention: masks of pairs, numbers added to scores, windows, padded keys. Values only.

use crate::compare::{near, numbers, tensor};
use crate::onnx_ops::number;
use crate::suite::{Case, Numbers};
use anyhow::{Result, ensure};
use elman::Backend;
use elman::backend::Attention;

/// Queries, keys and values of heads, without a cache of those before.
pub(crate) fn attention<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let inputs = case.tensors("in.");
    ensure!(!inputs.iter().any(|i| i == "4" || i == "5"), "a cache");
    ensure!(case.tensors("out.").len() == 1, "scores");
    let known = ["is_causal", "scale", "q_num_heads", "kv_num_heads", "left_window_size", "right_window_size"];
    let options = case.option("attributes").as_object().cloned().unwrap_or_default();
    let strange: Vec<&String> = options.keys().filter(|key| !known.contains(&key.as_str())).collect();
    ensure!(strange.is_empty(), "{strange:?}");

    let heads = |i: usize, key: &str| -> Result<Numbers> {
        let numbers = case.tensor(&format!("in.{i}"))?;
        match numbers.shape[..] {
            // Heads side by side.
            [batch, time, width] => {
                let heads = number(case, key, 1.0) as usize;
                Ok(numbers.reshaped(&[batch, time, heads, width / heads]).permuted(&[0, 2, 1, 3]))
            }
            _ => Ok(numbers),
        }
    };
    let (query, key, value) = (heads(0, "q_num_heads")?, heads(1, "kv_num_heads")?, heads(2, "kv_num_heads")?);
    ensure!(query.shape[1] == key.shape[1], "heads that share keys");
    let causal = number(case, "is_causal", 0.0) == 1.0;
    let (width, steps) = (query.shape[3] as f64, key.shape[2]);

    let of_pairs = case.find("in.3").map(|pairs| filled_up(pairs, steps, case));
    let flags = case.option("types")["in.3"] == "bool";
    let mut masks = Vec::new();
    let window = [number(case, "left_window_size", -1.0), number(case, "right_window_size", -1.0)];
    if window.iter().any(|&size| size >= 0.0) {
        masks.push(in_window(query.shape[2], steps, window));
    }
    if let Some(lengths) = case.find("in.6") {
        ensure!(!causal, "queries that stand at the end of what is there");
        let there = lengths.data.iter().flat_map(|&length| (0..steps).map(move |key| f64::from((key as f64) < length)));
        masks.push(Numbers::new(there.collect(), &[lengths.data.len(), 1, 1, steps]));
    }
    masks.extend(of_pairs.clone().filter(|_| flags));
    let mut mask: Option<elman::Tensor<B>> = None;
    for each in &masks {
        let shape = [&vec![1; 4 - each.shape.len()], &each.shape[..]].concat();
        let each = tensor(b, &each.reshaped(&shape))?;
        mask = Some(mask.map_or(Ok(each.clone()), |mask| mask.mul(&each))?);
    }
    let bias = of_pairs.filter(|_| !flags).map(|bias| tensor(b, &bias)).transpose()?;
    let how = Attention {
        mask: mask.map(|mask| mask.value().clone()),
        bias: bias.map(|bias| bias.value().clone()),
        causal,
        ..Attention::new(number(case, "scale", 1.0 / width.sqrt()))
    };
    let y = numbers(&tensor(b, &query)?.attention(&tensor(b, &key)?, &tensor(b, &value)?, how)?)?;
    let expected = case.tensor("out.0")?;
    let y = if expected.shape.len() == 3 { y.permuted(&[0, 2, 1, 3]).reshaped(&expected.shape) } else { y };
    near::<B>("out.0", &y, &expected)
}

/// Pairs of all keys, of which those that lack are hidden.
fn filled_up(pairs: Numbers, steps: usize, case: &Case<'_>) -> Numbers {
    let hidden = if case.option("types")["in.3"] == "bool" { 0.0 } else { f64::NEG_INFINITY };
    let last = pairs.shape.len() - 1;
    let there = pairs.shape[last];
    let rest = vec![hidden; steps - there];
    let data = pairs.data.chunks(there).flat_map(|row| [row, &rest].concat()).collect();
    let mut shape = pairs.shape.clone();
    shape[last] = steps;
    Numbers { single: pairs.single, ..Numbers::new(data, &shape) }
}

/// Which keys stand at most so far to the left and to the right of a query; a size below 0 is no limit.
fn in_window(queries: usize, keys: usize, [left, right]: [f64; 2]) -> Numbers {
    let sees = |query: usize, key: usize| {
        let by = key as f64 - query as f64;
        f64::from((left < 0.0 || -by <= left) && (right < 0.0 || by <= right))
    };
    let pairs = (0..queries).flat_map(|query| (0..keys).map(move |key| sees(query, key)));
    Numbers::new(pairs.collect(), &[queries, keys])
}
