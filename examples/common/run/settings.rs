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

#[cfg(test)]
mod tests {
    use super::super::record::{Computed, Record};
    use super::super::{Learning, Part};
    use super::*;
    use clap::Parser;
    use serde::Deserialize;

    /// Flags of a program that has a list of files, a file that need not be given, and flags in a struct of their own.
    #[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Flags {
        #[arg(long)]
        texts: Vec<PathBuf>,
        #[arg(long)]
        word_list: Option<PathBuf>,
        #[arg(long, default_value_t = 8)]
        units: usize,
        #[command(flatten)]
        #[serde(flatten)]
        learning: Learning,
        #[command(flatten)]
        beam: Beam,
    }

    #[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Beam {
        #[arg(long)]
        beam_width: Option<u64>,
    }

    impl RunSettings for Flags {
        const NAME: &'static str = "flags";

        fn files(&self) -> Files {
            let texts = self.texts.iter().map(|path| ("--texts".to_string(), path.clone()));
            texts.chain(self.word_list.iter().map(|path| ("--word-list".to_string(), path.clone()))).collect()
        }

        fn problems(&self) -> Vec<String> {
            self.learning.problems()
        }

        fn epochs(&self) -> u64 {
            self.learning.epochs
        }

        fn epochs_matter(&self) -> bool {
            self.learning.is_laid_out()
        }
    }

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: Flags,
    }

    fn given(line: &str) -> Flags {
        Cli::parse_from(["train"].into_iter().chain(line.split_whitespace())).flags
    }

    /// What goes on when a line of flags is given behind `--resume`.
    fn resumed(begun: &str, line: &str) -> Result<Flags, String> {
        let was_given = |name: &str| line.split_whitespace().any(|word| word == option(name));
        given(begun).resumed(&given(line), was_given).map_err(|error| error.to_string())
    }

    fn record(settings: Flags) -> Record<Flags> {
        let options = options();
        let part = Part::new("texts", "texts", "--texts", None, "hash".into());
        Record::new(settings, 3, &[part], Computed::new(&options, "cpu".into(), None))
    }

    fn options() -> super::super::super::Options {
        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            options: super::super::super::Options,
        }
        Cli::parse_from(["train"]).options
    }

    #[test]
    fn only_files_and_epochs_are_given_anew() {
        let begun = "--texts a --texts b --units 9 --epochs 3 --rate 0.1";
        assert_eq!(resumed(begun, "").unwrap(), given(begun));
        assert_eq!(resumed(begun, "--units 9 --rate 0.1").unwrap(), given(begun));
        let expected = given("--texts c --units 9 --epochs 5 --rate 0.1");
        assert_eq!(resumed(begun, "--epochs 5 --texts c").unwrap(), expected);
        let refused = |line| resumed(begun, line).unwrap_err();
        assert_eq!(refused("--rate 0.2 --units 8"), "--rate, --units: with --resume the run has its own; leave it out");
        assert!(refused("--beam-width 2").starts_with("--beam-width: with"));
        // What was on standard input is not there any more.
        assert!(resumed("--word-list -", "").unwrap_err().starts_with("--word-list: it came from standard input"));
        assert_eq!(resumed("--word-list -", "--word-list a").unwrap(), given("--word-list a"));
    }

    #[test]
    fn another_place_is_no_difference_but_another_file_more_or_less_is() {
        let differences = |now: &str, begun: &str| given(now).differences(&given(begun));
        assert_eq!(differences("--texts b --word-list c --epochs 7", "--texts a --word-list b"), [""; 0]);
        assert_eq!(differences("--texts a", "--word-list b --texts a"), ["--word-list: b then, not given now"]);
        assert_eq!(differences("--beam-width 2", ""), ["--beam-width: not given then, 2 now"]);
        let laid_out = differences("--schedule linear --epochs 7", "--schedule linear --epochs 6");
        assert_eq!(laid_out, ["--epochs: 6 then, 7 now"]);
    }

    #[test]
    fn paths_in_lists_and_by_themselves_are_made_absolute_or_bare() {
        let flags = given("--texts a/b.tsv --texts - --word-list c.txt --rate 0.3");
        let whole = flags.with_absolute_paths().unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(whole.texts, [here.join("a/b.tsv"), PathBuf::from("-")]);
        assert_eq!(whole.word_list, Some(here.join("c.txt")));
        let bare = whole.with_bare_names().unwrap();
        assert_eq!(bare, given("--texts b.tsv --texts - --word-list c.txt --rate 0.3"));
    }

    #[test]
    fn a_record_is_read_as_it_was_written_or_not_at_all() {
        let begun = record(given("--texts a --rate 0.1 --beam-width 4"));
        let text = serde_json::to_string(&begun).unwrap();
        assert_eq!(Record::read(&text).unwrap(), begun);
        let error = |text: &str| format!("{:#}", Record::<Flags>::read(text).unwrap_err());
        let other = text.replace("\"flags\"", "\"08_other\"");
        assert_eq!(error(&other), "a run of 08_other, not of flags; give another --run");
        // Of a later version, whose setting would not be followed.
        let later = text.replace("\"units\"", "\"wings\":2,\"units\"");
        assert!(error(&later).starts_with("not what `train` writes there: unknown field `wings`"), "{}", error(&later));
        assert!(error("{").starts_with("not what `train` writes there"));
    }

    #[test]
    fn the_id_is_that_of_what_is_trained() {
        let id = |line: &str| record(given(line)).id;
        assert_eq!(id("--texts a --epochs 3"), id("--texts b --epochs 4"));
        for other in ["--units 9", "--rate 0.1", "--beam-width 2", "--schedule cosine"] {
            assert_ne!(id(other), id(""), "{other}");
        }
    }
}
