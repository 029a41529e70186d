//! What tells two descriptions of networks apart, as far as weights mean something else in the one than in the other.

use crate::description::{Description, kind_of};
use crate::layers::free_name;
use serde_json::Value;
use std::collections::HashSet;

/// Options that say how a network is trained, how its weights start and what is carried from batch to batch: weights mean the
/// same with others.
const OF_TRAINING: [&str; 9] = [
    "dropout",
    "recurrent_dropout",
    "word_dropout",
    "momentum",
    "frozen_statistics",
    "init_by_gate",
    "forget_bias",
    "stateful",
    "rate",
];

/// Layers that do nothing but in training.
const LAYERS_OF_TRAINING: [&str; 2] = ["dropout", "spatial_dropout"];

/// How the network of a file differs from a model's, layer by layer: `` `lstm`: return_sequences true (false in the file) ``.
/// What one of them does not say is not compared: it is an option that an older library did not have.
pub(super) fn differences(model: &Description, file: &Description) -> Vec<String> {
    let mut found = Vec::new();
    layers("", model, file, &mut found);
    found
}

fn layers(path: &str, model: &Description, file: &Description, found: &mut Vec<String>) {
    let (Ok(kind), Ok(in_file)) = (kind_of(model), kind_of(file)) else { return };
    if kind != in_file {
        let path = if path.is_empty() { "network" } else { path };
        found.push(format!("`{path}`: {kind} ({in_file} in the file)"));
    } else if let (Some(ours), Some(theirs)) = (sequence(model), sequence(file)) {
        let below = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        for ((name, layer), (_, in_file)) in ours.iter().zip(&theirs) {
            layers(&below(name), layer, in_file, found);
            if kind_of(layer).ok() != kind_of(in_file).ok() {
                // What follows is shifted.
                return;
            }
        }
        found.extend(ours.iter().skip(theirs.len()).map(|(name, _)| format!("`{}` (not in the file)", below(name))));
        found.extend(theirs.iter().skip(ours.len()).map(|(name, _)| format!("`{}` (in the file alone)", below(name))));
    } else {
        options(if path.is_empty() { kind } else { path }, model, file, found);
    }
}

/// The layers of a sequence by name, without those that do nothing but in training.
fn sequence(description: &Description) -> Option<Vec<(String, &Value)>> {
    let mut taken = HashSet::new();
    let layers = description.get("layers")?.as_array()?.iter().map(|entry| {
        let layer = entry.get("layer").filter(|_| entry.get("kind").is_none()).unwrap_or(entry);
        let kind = kind_of(layer).unwrap_or_default();
        let given = entry.get("name").filter(|_| entry.get("kind").is_none()).and_then(Value::as_str);
        let name = given.map_or_else(|| free_name(kind, &taken), str::to_string);
        taken.insert(name.clone());
        (name, layer)
    });
    let layers: Vec<_> = layers.collect();
    let counts = |(_, layer): &(String, &Value)| !LAYERS_OF_TRAINING.contains(&kind_of(layer).unwrap_or_default());
    Some(layers.into_iter().filter(counts).collect())
}

/// The options of a layer, or of what it is made of.
fn options(path: &str, model: &Value, file: &Value, found: &mut Vec<String>) {
    let (Some(model), Some(file)) = (model.as_object(), file.as_object()) else { return };
    for (name, value) in model.iter().filter(|(name, _)| !OF_TRAINING.contains(&name.as_str())) {
        match file.get(name) {
            Some(in_file) if value.get("kind").is_some() && in_file.get("kind").is_some() => {
                layers(&format!("{path}.{name}"), value, in_file, found);
            }
            // How a weight starts and what is asked of it; whether it is there is told by the arrays.
            Some(in_file) if value.get("init").is_some() || in_file.get("init").is_some() => {}
            Some(in_file) if name == "cell" => options(path, value, in_file, found),
            Some(in_file) if value != in_file => {
                found.push(format!("`{path}`: {name} {value} ({in_file} in the file)"));
            }
            _ => {}
        }
    }
}
