//! Trainings that came to nothing: weights that are no numbers are neither kept nor used.

use anyhow::bail;
use elman::{Backend, Element, Model};
use std::path::Path;

/// What helps a training that diverged.
pub const CURE: &str = "train anew, in another --run, with a smaller --rate or --clip-norm";

/// The name of weights that are not all numbers, if there are any.
pub fn not_finite<B: Backend>(model: &Model<B>) -> elman::Result<Option<String>> {
    for (name, array) in model.weights() {
        if !model.backend().download(array)?.iter().all(|&weight| weight.to_f64().is_finite()) {
            return Ok(Some(name.to_string()));
        }
    }
    Ok(None)
}

/// The model of a file. Errors where its weights are no numbers.
pub fn load<B: Backend>(backend: &B, path: &Path) -> anyhow::Result<Model<B>> {
    let model = Model::load(backend, path)?;
    let Some(name) = not_finite(&model)? else { return Ok(model) };
    let (place, found) = (path.display(), "found NaN or infinity: the training diverged");
    bail!("{place}: expected numbers in the weights `{name}`, {found}; {CURE}")
}
