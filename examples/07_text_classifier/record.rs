//! What a run was begun with, and whether a training that goes on is the same.

use super::common::{Options, Which, files::STANDARD};
use super::run::Fingerprint;
use super::settings::{Settings, flags};
use anyhow::{Context, bail, ensure};
use elman::checkpoint::Extras;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of a run's id among the extras of its checkpoints.
pub const EXTRA: &str = "run";

/// What a run was begun with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Of all that decides what is trained: two runs of the same id go through the same, and a checkpoint of one is as good
    /// as the other's.
    pub id: String,
    pub settings: Settings,
    pub seed: u64,
    pub data: Fingerprints,
    pub computed: Computed,
}

/// Hashes of what the network sees of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprints {
    /// Labels, words and the tokenizer.
    pub words: String,
    pub train: String,
    pub valid: String,
    /// The table of word vectors, if they came from a file.
    pub vectors: String,
}

/// What computes a run; sums on something else may differ in their last bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Computed {
    pub backend: Which,
    pub device: String,
    pub precision: String,
    pub threads: usize,
    /// The backend's own name, with threads and what else it says.
    pub name: String,
    /// Between two checkpoints.
    pub steps: Option<u64>,
}

impl Computed {
    /// What the options say.
    pub fn new(options: &Options, name: String, steps: Option<u64>) -> Self {
        let (device, precision) = (options.device.clone(), options.precision.to_string());
        Computed { backend: options.backend, device, precision, threads: options.threads(), name, steps }
    }
}

impl Record {
    pub fn new(settings: Settings, seed: u64, data: Fingerprints, computed: Computed) -> Self {
        let mut print = Fingerprint::new();
        // What `differences` lets differ is not part of it.
        let begun = &settings;
        for (name, value) in flags(begun).into_iter().filter(|(name, _)| !begun.is_free(begun, name)) {
            print.add(name.as_bytes());
            print.add(value.as_bytes());
        }
        for part in [&seed.to_string(), &data.words, &data.train, &data.valid, &data.vectors] {
            print.add(part.as_bytes());
        }
        Record { id: print.text(), settings, seed, data, computed }
    }

    /// Errors where the data are not those that this run was begun with.
    pub fn check_data(&self, now: &Record) -> anyhow::Result<()> {
        let (then, data, of) = (&self.data, &now.data, &now.settings);
        let path =
            |path: &Option<std::path::PathBuf>| path.as_ref().map_or("none".into(), |path| path.display().to_string());
        let parts = [
            ("texts to train on", &then.train, &data.train, "--train", path(&of.train)),
            (
                "texts to choose by",
                &then.valid,
                &data.valid,
                "--valid",
                path(of.valid.as_ref().map_or(&of.train, |_| &of.valid)),
            ),
            ("word vectors", &then.vectors, &data.vectors, "--vectors", path(&of.vectors)),
            ("labels and words", &then.words, &data.words, "--train or --tokenizer", path(&of.train)),
        ];
        let Some((what, _, _, option, path)) = parts.into_iter().find(|(_, then, now, ..)| then != now) else {
            return Ok(());
        };
        bail!(
            "the {what} are not those that this training was begun with ({option} {path} has changed); begin anew in another --run"
        )
    }

    /// Errors where a checkpoint is of another training, though its arrays may fit.
    pub fn check_checkpoint(&self, path: &Path) -> anyhow::Result<()> {
        let id: Option<String> = Extras::read(path)?.get(EXTRA).ok();
        let other = "this checkpoint is of another training than the run.json beside it";
        ensure!(id.as_ref() == Some(&self.id), "{}: {other}", path.display());
        Ok(())
    }

    /// The settings of a run, with those that the user has `given` anew: more epochs, or files, which are compared by what is
    /// in them. Others are errors, unless they say the same.
    pub fn resumed(&self, now: &Settings, given: impl Fn(&str) -> bool) -> anyhow::Result<Settings> {
        let mut settings = self.settings.clone();
        let files = [
            ("train", &mut settings.train, &now.train),
            ("valid", &mut settings.valid, &now.valid),
            ("vectors", &mut settings.vectors, &now.vectors),
        ];
        for (name, then, now) in files {
            if given(name) {
                then.clone_from(now);
            } else if then.as_ref().is_some_and(|path| path.as_os_str() == STANDARD) {
                bail!("--{name}: it came from standard input; give it again, as `--{name} -` or in a file");
            }
        }
        if given("tokenizer") {
            settings.tokenizer.clone_from(&now.tokenizer);
        }
        if given("epochs") {
            settings.epochs = now.epochs;
        }
        let other =
            flags(&settings).into_iter().zip(flags(now)).filter(|((name, then), (_, now))| given(name) && then != now);
        let other: Vec<_> = other.map(|((name, ..), _)| format!("--{}", name.replace('_', "-"))).collect();
        ensure!(other.is_empty(), "{}: with --resume the run has its own; leave it out", other.join(", "));
        Ok(settings)
    }

    /// As the flags of one who does not say otherwise.
    pub fn restore(&self, options: &mut Options, given: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let computed = &self.computed;
        if !given("backend") {
            options.backend = computed.backend;
        }
        if !given("device") {
            options.device = computed.device.clone();
        }
        if !given("precision") {
            let wrong = |error| anyhow::anyhow!("{error}");
            options.precision = computed.precision.parse().map_err(wrong).context("run.json: precision")?;
        }
        if !given("threads") {
            options.threads = Some(computed.threads);
        }
        options.seed = self.seed;
        Ok(())
    }
}
