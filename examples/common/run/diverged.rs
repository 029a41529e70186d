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

/// Takes the weights of a checkpoint. Errors where they are no numbers.
pub fn load_weights<B: Backend>(model: &mut Model<B>, path: &Path) -> anyhow::Result<()> {
    model.load_weights(path)?;
    let Some(name) = not_finite(model)? else { return Ok(()) };
    let (place, found) = (path.display(), "found NaN or infinity: the training diverged");
    bail!("{place}: expected numbers in the weights `{name}`, {found}; {CURE}")
}
