//! ONNX's single operations: maps, pairs, reductions, products, and what moves numbers about. Values only.

use crate::compare::{near, numbers, tensor};
use crate::suite::{Case, Numbers};
use anyhow::{Context, Result, bail, ensure};
use elman::backend::{Map, Zip};
use elman::tensor::Axis;
use elman::{Activation, Backend, Shape, Tensor};
use serde_json::Value;

pub(crate) fn attribute<'a>(case: &Case<'a>, key: &str) -> &'a Value {
    &case.option("attributes")[key]
}

pub(crate) fn number(case: &Case<'_>, key: &str, default: f64) -> f64 {
    crate::suite::number(attribute(case, key)).unwrap_or(default)
}

fn integers(case: &Case<'_>, key: &str) -> Option<Vec<i64>> {
    attribute(case, key).as_array().map(|list| list.iter().filter_map(Value::as_i64).collect())
}

/// An axis counted from either end.
pub(crate) fn axis(at: i64, rank: usize) -> usize {
    at.rem_euclid(rank.max(1) as i64) as usize
}

fn input<B: Backend>(b: &B, case: &Case<'_>, i: usize) -> Result<Tensor<B>> {
    tensor(b, &case.tensor(&format!("in.{i}"))?)
}

fn finish<B: Backend>(case: &Case<'_>, found: &Tensor<B>) -> Result<()> {
    near::<B>("out.0", &numbers(found)?, &case.tensor("out.0")?)
}

pub(crate) fn map<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let x = input(b, case, 0)?;
    let of = |op: Map| Ok::<_, anyhow::Error>(Tensor::constant(b, b.map(op, x.value())?));
    let like = |f: Activation| Ok::<_, anyhow::Error>(x.activate(f)?);
    let y = match case.text("op")? {
        "Abs" => x.abs()?,
        "Celu" => like(Activation::Celu(number(case, "alpha", 1.0)))?,
        "Clip" => {
            let bound = |i: usize, default: f64| case.find(&format!("in.{i}")).map_or(default, |bound| bound.data[0]);
            x.clamp(bound(1, f64::NEG_INFINITY), bound(2, f64::INFINITY))?
        }
        "Elu" => like(Activation::Elu(number(case, "alpha", 1.0)))?,
        "Erf" => of(Map::Erf)?,
        "Exp" => x.exp()?,
        "Gelu" if attribute(case, "approximate") == "tanh" => like(Activation::GeluTanh)?,
        "Gelu" => like(Activation::Gelu)?,
        "HardSigmoid" => x.affine(number(case, "alpha", 0.2), number(case, "beta", 0.5))?.clamp(0.0, 1.0)?,
        "HardSwish" => like(Activation::HardSwish)?,
        "Identity" => x.clone(),
        "LeakyRelu" => like(Activation::LeakyRelu(number(case, "alpha", 0.01)))?,
        "Log" => x.ln()?,
        "Mish" => like(Activation::Mish)?,
        "Neg" => x.neg()?,
        "PRelu" => x
            .maximum(&tensor(b, &Numbers::new(vec![0.0], &[1]))?)?
            .add(&x.minimum(&tensor(b, &Numbers::new(vec![0.0], &[1]))?)?.mul(&input(b, case, 1)?)?)?,
        "Reciprocal" => x.recip()?,
        "Relu" => x.relu()?,
        // Of any α and λ: an ELU, multiplied.
        "Selu" => {
            let (alpha, scale) = (number(case, "alpha", f64::NAN), number(case, "gamma", f64::NAN));
            match alpha.is_nan() && scale.is_nan() {
                true => like(Activation::Selu)?,
                false => like(Activation::Elu(alpha))?.affine(scale, 0.0)?,
            }
        }
        "Sigmoid" => x.sigmoid()?,
        "Sign" => of(Map::Sign)?,
        op @ ("Softmax" | "LogSoftmax") => {
            let rank = x.shape().rank();
            let at = axis(attribute(case, "axis").as_i64().unwrap_or(-1), rank);
            let x = tensor(b, &case.tensor("in.0")?.with_last(at))?;
            let y = if op == "Softmax" { x.softmax()? } else { x.log_softmax()? };
            return near::<B>("out.0", &numbers(&y)?.with_last_at(at), &case.tensor("out.0")?);
        }
        "Softplus" => like(Activation::Softplus)?,
        "Softsign" => like(Activation::Softsign)?,
        "Sqrt" => x.sqrt()?,
        "Swish" if number(case, "alpha", 1.0) == 1.0 => like(Activation::Silu)?,
        "Tanh" => x.tanh()?,
        other => bail!("no operation {other}"),
    };
    finish(case, &y)
}

pub(crate) fn zip<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let all: Vec<Tensor<B>> = case.tensors("in.").iter().map(|i| input(b, case, i.parse()?)).collect::<Result<_>>()?;
    let whole = ["int32", "int64", "uint8"].iter().any(|kind| case.option("types")["in.0"] == *kind);
    let fold = |f: fn(&Tensor<B>, &Tensor<B>) -> elman::Result<Tensor<B>>| {
        all[1..].iter().try_fold(all[0].clone(), |sum, x| f(&sum, x)).context("no pair")
    };
    let flag = |op: Zip| Ok::<_, anyhow::Error>(Tensor::constant(b, b.zip(op, all[0].value(), all[1].value())?));
    let y = match case.text("op")? {
        "Add" | "Sum" => fold(Tensor::add)?,
        "Mean" => fold(Tensor::add)?.affine(1.0 / all.len() as f64, 0.0)?,
        "Sub" => fold(Tensor::sub)?,
        "Mul" => fold(Tensor::mul)?,
        "Div" => {
            ensure!(!whole && case.tensor("out.0")?.single, "a division of whole numbers");
            fold(Tensor::div)?
        }
        "Max" => fold(Tensor::maximum)?,
        "Min" => fold(Tensor::minimum)?,
        "Pow" => {
            let exponent = case.tensor("in.1")?;
            ensure!(exponent.data.len() == 1, "an exponent for each number");
            all[0].powf(exponent.data[0])?
        }
        "Equal" => flag(Zip::Equal)?,
        "Greater" => flag(Zip::Greater)?,
        "Less" => flag(Zip::Less)?,
        "Where" => all[1].select(&all[0], &all[2])?,
        other => bail!("no operation {other}"),
    };
    finish(case, &y)
}

pub(crate) fn reduce<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let x = input(b, case, 0)?;
    let rank = x.shape().rank();
    let keep = number(case, "keepdims", 1.0) == 1.0;
    if case.text("op")? == "ArgMax" {
        ensure!(number(case, "select_last_index", 0.0) == 0.0, "the last of equals");
        let found = b.argmax(x.value(), axis(attribute(case, "axis").as_i64().unwrap_or(0), rank))?;
        let found = b.download_indices(&found)?.into_iter().map(f64::from).collect();
        let expected = case.tensor("out.0")?;
        return near::<B>("out.0", &Numbers::new(found, &expected.shape), &expected);
    }
    let given = case.find("in.1").map(|axes| axes.labels()).or_else(|| integers(case, "axes")).unwrap_or_default();
    let nothing = given.is_empty() && number(case, "noop_with_empty_axes", 0.0) == 1.0;
    let mut axes: Vec<usize> = match given.is_empty() {
        true if nothing => Vec::new(),
        true => (0..rank).collect(),
        false => given.iter().map(|&at| axis(at, rank)).collect(),
    };
    axes.sort_unstable();
    // From the last to the first, so that the others keep their numbers.
    let along = |x: Tensor<B>, f: fn(&Tensor<B>, Axis) -> elman::Result<Tensor<B>>| {
        let at = |i: usize| if keep { Axis::Keep(i) } else { Axis::Drop(i) };
        axes.iter().rev().try_fold(x, |x, &i| f(&x, at(i))).context("a reduction")
    };
    let sum = |x: Tensor<B>| along(x, Tensor::sum_along);
    let y = match case.text("op")? {
        "ReduceL1" => sum(x.abs()?)?,
        "ReduceL2" => sum(x.square()?)?.sqrt()?,
        "ReduceLogSumExp" => sum(x.exp()?)?.ln()?,
        "ReduceMax" => along(x, Tensor::max_along)?,
        "ReduceMean" => along(x, Tensor::mean_along)?,
        "ReduceMin" => along(x.neg()?, Tensor::max_along)?.neg()?,
        "ReduceSum" => sum(x)?,
        "ReduceSumSquare" => sum(x.square()?)?,
        other => bail!("no operation {other}"),
    };
    finish(case, &y)
}

pub(crate) fn product<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let turned = |i: usize, key: &str| {
        let numbers = case.tensor(&format!("in.{i}"))?;
        tensor(b, &if number(case, key, 0.0) == 1.0 { numbers.permuted(&[1, 0]) } else { numbers })
    };
    let y = match case.text("op")? {
        "Gemm" => {
            let y = turned(0, "transA")?.matmul(&turned(1, "transB")?)?.affine(number(case, "alpha", 1.0), 0.0)?;
            match case.find("in.2") {
                Some(c) => y.add(&tensor(b, &c)?.affine(number(case, "beta", 1.0), 0.0)?)?,
                None => y,
            }
        }
        _ => {
            // A vector is a row on the left, a column on the right.
            let (left, right) = (case.tensor("in.0")?, case.tensor("in.1")?);
            let left = if left.shape.len() == 1 { left.reshaped(&[1, left.data.len()]) } else { left };
            let right = if right.shape.len() == 1 { right.reshaped(&[right.data.len(), 1]) } else { right };
            tensor(b, &left)?.matmul(&tensor(b, &right)?)?
        }
    };
    finish(case, &y)
}

pub(crate) fn rearrange<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let x = input(b, case, 0)?;
    let (shape, rank) = (x.shape(), x.shape().rank());
    let expected = case.tensor("out.0")?;
    let y = match case.text("op")? {
        "Concat" => {
            let parts = case.tensors("in.").iter().map(|i| input(b, case, i.parse()?)).collect::<Result<Vec<_>>>()?;
            Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis(number(case, "axis", 0.0) as i64, rank))?
        }
        // Which shape comes out follows from what the library has no part in.
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => {
            case.pass_over("in.1", "the shape is that of the result");
            x.reshape(&expected.shape)?
        }
        "Gather" => {
            ensure!(number(case, "axis", 0.0) == 0.0, "columns");
            let rows = case.tensor("in.1")?;
            let size = shape[0] as i64;
            let indices = rows.labels().iter().map(|&i| i.rem_euclid(size) as u32).collect();
            let table = x.reshape(&[shape[0], shape[1..].iter().product()])?;
            let rows = b.upload_indices(indices, Shape::new(&rows.shape)?)?;
            table.gather(&rows)?.reshape(&expected.shape)?
        }
        "OneHot" => {
            let (labels, depth, values) = (case.tensor("in.0")?, case.tensor("in.1")?, case.tensor("in.2")?);
            let (depth, off, on) = (depth.data[0], values.data[0], values.data[1]);
            ensure!(labels.data.iter().all(|label| (0.0..depth).contains(label)), "labels beyond the classes");
            let indices = labels.data.iter().map(|&label| label as u32).collect();
            let hot = b.one_hot(&b.upload_indices(indices, Shape::new(&labels.shape)?)?, depth as usize)?;
            let hot = numbers(&Tensor::constant(b, hot).affine(on - off, off)?)?;
            let at = axis(number(case, "axis", -1.0) as i64, labels.shape.len() + 1);
            return near::<B>("out.0", &hot.with_last_at(at), &expected);
        }
        "Slice" => {
            let list = |i: usize| case.find(&format!("in.{i}")).map(|numbers| numbers.labels());
            let (starts, ends) = (list(1).context("starts")?, list(2).context("ends")?);
            let axes = list(3).unwrap_or((0..starts.len() as i64).collect());
            ensure!(list(4).is_none_or(|steps| steps.iter().all(|&step| step == 1)), "steps other than 1");
            let mut y = x;
            for ((&from, &to), &at) in starts.iter().zip(&ends).zip(&axes) {
                let (at, size) = (axis(at, rank), shape[axis(at, rank)] as i64);
                let bound = |i: i64| (if i < 0 { i + size } else { i }).clamp(0, size) as usize;
                y = y.slice(at, bound(from), bound(to) - bound(from))?;
            }
            y
        }
        "Split" => {
            case.pass_over("in.1", "the sizes are those of the parts");
            let at = axis(number(case, "axis", 0.0) as i64, rank);
            let mut from = 0;
            let mut parts = case.tensors("out.");
            parts.sort_by_key(|i| i.parse::<usize>().unwrap_or(0));
            for part in parts {
                let expected = case.tensor(&format!("out.{part}"))?;
                near::<B>(&part, &numbers(&x.slice(at, from, expected.shape[at])?)?, &expected)?;
                from += expected.shape[at];
            }
            ensure!(from == shape[at], "nothing is left over");
            return Ok(());
        }
        "Transpose" => {
            let axes = integers(case, "perm").map(|axes| axes.iter().map(|&at| at as usize).collect());
            x.permute(&axes.unwrap_or((0..rank).rev().collect::<Vec<_>>()))?
        }
        other => bail!("no operation {other}"),
    };
    finish(case, &y)
}
