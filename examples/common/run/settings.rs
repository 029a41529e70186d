//! What a program's training is told: flags, kept with the run as JSON, compared when it goes on, and given anew.

use super::super::files::{Files, STANDARD};
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Everything that decides what comes out of a program's training, besides the seed and the content of the files: flags of
/// clap's whose names are those of the fields. Where files lie is no difference: what is in them is compared by itself.
pub trait RunSettings: Args + Clone + PartialEq + Serialize + DeserializeOwned {
    /// Of the program.
    const NAME: &'static str;

    /// Names of the files that it puts into a run's folder besides those that every run has.
    const OWN: &'static [&'static str] = &[];

    /// The files that the training reads, by their flags (`--train`).
    fn files(&self) -> Files;

    /// All that is wrong and can be said before they are read.
    fn problems(&self) -> Vec<String>;

    /// Epochs at most, of the flag `--epochs`.
    fn epochs(&self) -> u64;

    /// Whether what happens in an epoch depends on how many there are to be, as with a rate that is laid out over all.
    fn epochs_matter(&self) -> bool;

    /// Whether a setting may differ from that of a run that was begun.
    fn is_free(&self, begun: &Self, name: &str) -> bool {
        match name {
            "epochs" => !self.epochs_matter() && !begun.epochs_matter(),
            name => has_file(&self.files(), name) && has_file(&begun.files(), name),
        }
    }

    /// What differs from the settings that a run was begun with, as flags.
    fn differences(&self, begun: &Self) -> Vec<String> {
        let (now, then) = (flags(self), flags(begun));
        let changed =
            then.iter().zip(&now).filter(|((name, then), (_, now))| then != now && !self.is_free(begun, name));
        changed.map(|((name, then), (_, now))| format!("{}: {then} then, {now} now", option(name))).collect()
    }

    /// The settings of a run, with those that the user has `given` anew: more epochs, or files, which are compared by what
    /// is in them. Others are errors, unless they say the same.
    fn resumed(&self, now: &Self, given: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        for (option, _) in self.files().iter().filter(|(_, path)| path.as_os_str() == STANDARD) {
            let back = "it came from standard input; give it again, as";
            ensure!(given(&name(option)), "{option}: {back} `{option} -` or in a file");
        }
        let (mut then, mut now_json, mut other) = (serde_json::to_value(self)?, serde_json::to_value(now)?, Vec::new());
        let mut wanted = slots(&mut now_json);
        for (name, value) in slots(&mut then).into_iter().filter(|(name, _)| given(name)) {
            let Some((_, now_value)) = wanted.iter_mut().find(|(now, _)| *now == name) else { continue };
            if name == "epochs" || has_file(&now.files(), &name) {
                *value = now_value.take();
            } else if *value != **now_value {
                other.push(option(&name));
            }
        }
        ensure!(other.is_empty(), "{}: with --resume the run has its own; leave it out", other.join(", "));
        Ok(serde_json::from_value(then)?)
    }

    /// With paths that are good from any working directory.
    fn with_absolute_paths(&self) -> anyhow::Result<Self> {
        self.with_paths(|path| if path.as_os_str() == STANDARD { Ok(path.into()) } else { std::path::absolute(path) })
    }

    /// With the names of files in the place of their paths: where they lie is nobody's business who gets the model, and the
    /// same training in another folder gives the same bytes.
    fn with_bare_names(&self) -> anyhow::Result<Self> {
        self.with_paths(|path| Ok(path.file_name().map_or_else(|| path.into(), PathBuf::from)))
    }

    fn with_paths(&self, change: impl Fn(&Path) -> std::io::Result<PathBuf>) -> anyhow::Result<Self> {
        let (mut json, files) = (serde_json::to_value(self)?, self.files());
        for (name, value) in slots(&mut json).into_iter().filter(|(name, _)| has_file(&files, name)) {
            // A flag that may be given several times has a list.
            let paths = if let Value::Array(paths) = value { &mut paths[..] } else { std::slice::from_mut(value) };
            for path in paths {
                let Value::String(text) = path else { bail!("{}: expected a path, found {path}", option(&name)) };
                let changed = change(Path::new(text)).with_context(|| format!("{} {text}", option(&name)))?;
                *path = serde_json::to_value(changed).with_context(|| option(&name))?;
            }
        }
        Ok(serde_json::from_value(json)?)
    }
}

/// Settings by name, as a user gives them.
pub fn flags(settings: &impl Serialize) -> Vec<(String, String)> {
    let mut json = serde_json::to_value(settings).unwrap_or_default();
    slots(&mut json).into_iter().map(|(name, value)| (name, shown(value))).collect()
}

/// The values of settings by name, those of structs within among them.
fn slots(json: &mut Value) -> Vec<(String, &mut Value)> {
    let mut slots = Vec::new();
    for (name, value) in json.as_object_mut().into_iter().flatten() {
        match value {
            Value::Object(within) => slots.extend(within.iter_mut().map(|(name, value)| (name.clone(), value))),
            value => slots.push((name.clone(), value)),
        }
    }
    slots
}

/// A value as a user gives it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => "not given".into(),
        Value::Bool(true) => "given".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// The flag of a field.
fn option(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// The field of a flag.
fn name(option: &str) -> String {
    option.trim_start_matches('-').replace('-', "_")
}

/// Whether the setting names a file.
fn has_file(files: &Files, field: &str) -> bool {
    files.iter().any(|(option, _)| name(option) == field)
}
