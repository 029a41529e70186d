//! PyTorch's layers that are not recurrent.

use crate::compare::{compare, compare_gradient, gradient, near, near_beside, numbers, param, set, tensor, variable};
use crate::suite::{Case, Numbers};
use anyhow::{Result, bail, ensure};
use elman::layers::{BatchNorm, Dense, Embedding, LayerNorm, Mode, RmsNorm, Sequential, Value, Weight};
use elman::random::Key;
use elman::{Backend, Shape, Spec};

const TRAINING: fn() -> Mode = || Mode::Training(Key::new(1));

pub(crate) fn check<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    match case.text("module")?.trim_start_matches("nn.") {
        "Linear" => linear(b, case),
        "Embedding" => embedding(b, case),
        "LayerNorm" => layer_norm(b, case),
        "BatchNorm1d" => batch_norm(b, case),
        "MultiheadAttention" => crate::heads::torch(b, case),
        "RMSNorm" => rms_norm(b, case),
        other => bail!("no layer {other}"),
    }
}

fn linear<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let input = case.tensor("in.input")?;
    let features = input.shape[input.shape.len() - 1];
    let x = variable(b, &input.reshaped(&[input.data.len() / features, features]))?;
    let layer = Dense::new(case.count("out_features")?);
    let layer = if case.is("bias") { layer } else { layer.without_bias() };
    let mut model = Sequential::new().add_named("dense", layer).build(b, Spec::dense(&[features]), 0)?;
    set(b, &mut model, "dense.kernel", &case.tensor("param.weight")?.permuted(&[1, 0]))?;
    if let Some(bias) = case.find("param.bias") {
        set(b, &mut model, "dense.bias", &bias)?;
    }
    let y = model.forward(x.clone(), TRAINING())?;
    compare(case, "out", &y)?;
    let gradients = y.backward_from(tensor(b, &case.tensor("above.out")?.reshaped(&y.shape()))?.value().clone())?;
    compare_gradient(case, "grad.in.input", &gradients, &x)?;
    let kernel = gradient(&gradients, param(&model, "dense.kernel")?)?;
    near_beside::<B>("grad.param.weight", &kernel, &case.tensor("grad.param.weight")?.permuted(&[1, 0]), 0.0)?;
    match case.is("bias") {
        true => compare_gradient(case, "grad.param.bias", &gradients, param(&model, "dense.bias")?),
        false => Ok(()),
    }
}

fn embedding<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let (rows, width) = (case.count("num_embeddings")?, case.count("embedding_dim")?);
    let indices = case.tensor("in.input")?;
    ensure!(case.option("padding_idx").is_null() && case.option("max_norm").is_null(), "padding, or norms");
    let layer = Sequential::new().add_named("table", Embedding::new(rows, width));
    let batch = indices.shape[0];
    let steps = indices.data.len() / batch;
    let mut model = layer.build(b, Spec::indices(steps), 0)?;
    set(b, &mut model, "table.embeddings", &case.tensor("param.weight")?)?;
    let labels = indices.data.iter().map(|&i| i as u32).collect();
    let input = Value::Indices(b.upload_indices(labels, Shape::new(&[batch, steps])?)?);
    let y = model.forward(input, TRAINING())?;
    near::<B>("out", &numbers(&y)?, &case.tensor("out")?.reshaped(&y.shape()))?;
    let gradients = y.backward_from(tensor(b, &case.tensor("above.out")?.reshaped(&y.shape()))?.value().clone())?;
    compare_gradient(case, "grad.param.weight", &gradients, param(&model, "table.embeddings")?)
}

/// A weight that the layer has, or one that stays as it starts.
fn weight(there: bool, weight: Weight) -> Weight {
    if there { weight } else { weight.frozen() }
}

/// Over the last axes, which are made one.
fn layer_norm<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let input = case.tensor("in.input")?;
    let over = case.option("normalized_shape").as_array().map_or(0, Vec::len);
    let width: usize = input.shape[input.shape.len() - over..].iter().product();
    let rows = [input.data.len() / width, width];
    let x = variable(b, &input.reshaped(&rows))?;
    let (scale, shift) = (case.find("param.weight"), case.find("param.bias"));
    let layer = LayerNorm::new().epsilon(case.number("eps")?);
    let layer = layer.gamma(weight(scale.is_some(), Weight::ones())).beta(weight(shift.is_some(), Weight::zeros()));
    let mut model = Sequential::new().add_named("norm", layer).build(b, Spec::dense(&[width]), 0)?;
    for (name, given) in [("norm.gamma", scale), ("norm.beta", shift)] {
        given.map_or(Ok(()), |given| set(b, &mut model, name, &given))?;
    }
    let y = model.forward(x.clone(), TRAINING())?;
    near::<B>("out", &numbers(&y)?, &case.tensor("out")?.reshaped(&rows))?;
    let above = case.tensor("above.out")?.reshaped(&rows);
    let gradients = y.backward_from(tensor(b, &above)?.value().clone())?;
    let found = gradient(&gradients, &x)?;
    near_beside::<B>(
        "grad.in.input",
        &found,
        &case.tensor("grad.in.input")?.reshaped(&rows),
        case.greatest_gradient(),
    )?;
    for (name, what) in [("norm.gamma", "grad.param.weight"), ("norm.beta", "grad.param.bias")] {
        if let Some(expected) = case.find(what) {
            let found = gradient(&gradients, param(&model, name)?)?;
            near_beside::<B>(what, &found, &expected.reshaped(&[width]), case.greatest_gradient())?;
        }
    }
    Ok(())
}

/// Over the last axes, which are made one; the least that PyTorch adds is the epsilon of the number's type.
fn rms_norm<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let input = case.tensor("in.x")?;
    let over = case.option("normalized_shape").as_array().map_or(0, Vec::len);
    let width: usize = input.shape[input.shape.len() - over..].iter().product();
    let rows = [input.data.len() / width, width];
    let x = variable(b, &input.reshaped(&rows))?;
    let scale = case.find("param.weight");
    let layer = RmsNorm::new().epsilon(case.number("eps").unwrap_or(f64::EPSILON));
    let layer = Sequential::new().add_named("norm", layer.gamma(weight(scale.is_some(), Weight::ones())));
    let mut model = layer.build(b, Spec::dense(&[width]), 0)?;
    scale.map_or(Ok(()), |scale| set(b, &mut model, "norm.gamma", &scale))?;
    let y = model.forward(x.clone(), TRAINING())?;
    near::<B>("out", &numbers(&y)?, &case.tensor("out")?.reshaped(&rows))?;
    let gradients = y.backward_from(tensor(b, &case.tensor("above.out")?.reshaped(&rows))?.value().clone())?;
    let greatest = case.greatest_gradient();
    let found = gradient(&gradients, &x)?;
    near_beside::<B>("grad.in.x", &found, &case.tensor("grad.in.x")?.reshaped(&rows), greatest)?;
    let Some(expected) = case.find("grad.param.weight") else { return Ok(()) };
    let found = gradient(&gradients, param(&model, "norm.gamma")?)?;
    near_beside::<B>("grad.param.weight", &found, &expected.reshaped(&[width]), greatest)
}

/// Features along axis 1 go to the end. PyTorch's momentum is the library's taken from 1.
fn batch_norm<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let axis =
        |numbers: &Numbers| if numbers.shape.len() == 3 { numbers.permuted(&[0, 2, 1]) } else { numbers.clone() };
    let input = axis(&case.tensor("in.input")?);
    let features = input.shape[input.shape.len() - 1];
    let x = variable(b, &input)?;
    let moving = case.is("track_running_stats");
    // Without statistics of its own it takes those of the batch, not only in training.
    let training = case.is("training") || !moving;
    let momentum = match case.option("momentum").as_f64() {
        Some(momentum) => momentum,
        None if moving && training => bail!("a moving average of all batches alike"),
        None => 0.1,
    };
    let (scale, shift) = (case.find("param.weight"), case.find("param.bias"));
    let layer = BatchNorm::new().epsilon(case.number("eps")?).momentum(1.0 - momentum);
    let layer = layer.gamma(weight(scale.is_some(), Weight::ones())).beta(weight(shift.is_some(), Weight::zeros()));
    let mut model = Sequential::new().add_named("norm", layer).build(b, Spec::dense(&input.shape[1..]), 0)?;
    for (name, given) in [("norm.gamma", scale), ("norm.beta", shift)] {
        given.map_or(Ok(()), |given| set(b, &mut model, name, &given))?;
    }
    let statistics = [("moving_mean", "running_mean"), ("moving_variance", "running_var")];
    if moving {
        for (name, theirs) in statistics {
            set(b, &mut model, &format!("norm.{name}"), &case.tensor(&format!("buffer.{theirs}"))?)?;
        }
        for what in ["buffer.num_batches_tracked", "after.num_batches_tracked"] {
            case.pass_over(what, "the library counts no batches");
        }
    }
    let mut pass = model.pass(if training { TRAINING() } else { Mode::Evaluation });
    let y = model.run(x.clone(), &mut pass)?.split().0.tensor(&pass)?;
    let states = pass.into_states();
    near::<B>("out", &numbers(&y)?, &axis(&case.tensor("out")?))?;
    let gradients = y.backward_from(tensor(b, &axis(&case.tensor("above.out")?))?.value().clone())?;
    let greatest = case.greatest_gradient();
    near_beside::<B>("grad.in.input", &gradient(&gradients, &x)?, &axis(&case.tensor("grad.in.input")?), greatest)?;
    for (name, what) in [("norm.gamma", "grad.param.weight"), ("norm.beta", "grad.param.bias")] {
        if !training {
            case.pass_over(what, "the library's evaluation records nothing for parameters");
        } else if let Some(expected) = case.find(what) {
            near_beside::<B>(what, &gradient(&gradients, param(&model, name)?)?, &expected, greatest)?;
        }
    }
    if !moving || !case.is("training") {
        return Ok(());
    }
    model.keep(states)?;
    for (name, theirs) in statistics {
        let (old, new) = (case.tensor(&format!("buffer.{theirs}"))?, case.tensor(&format!("after.{theirs}"))?);
        // PyTorch moves towards a variance by n - 1, the library, as Keras, towards that by n, which normalises.
        let n = (input.data.len() / features) as f64;
        let share = if name == "moving_variance" { (n - 1.0) / n } else { 1.0 };
        let pairs = old.data.iter().zip(&new.data);
        let expected =
            pairs.map(|(old, new)| (1.0 - momentum) * old + share * (new - (1.0 - momentum) * old)).collect();
        let found = numbers(param(&model, &format!("norm.{name}"))?)?;
        near::<B>(name, &found, &Numbers { data: expected, ..new })?;
    }
    Ok(())
}
