//! What a run was begun with, and whether a training that goes on is the same.

use super::super::{Options, Which, note};
use super::fingerprint::{Fingerprint, Part};
use super::settings::{RunSettings, flags};
use anyhow::{Context, bail, ensure};
use elman::checkpoint::Extras;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Name of a run's id among the extras of its checkpoints.
pub const EXTRA: &str = "run";

/// What a run was begun with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<S> {
    /// The program that trains.
    #[serde(default)]
    pub program: String,
    /// Of all that decides what is trained: two runs of the same id go through the same, and a checkpoint of one is as good
    /// as the other's.
    pub id: String,
    pub settings: S,
    pub seed: u64,
    /// Fingerprints of what the network sees of the data.
    pub data: BTreeMap<String, String>,
    pub computed: Computed,
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
    /// With its version.
    #[serde(default)]
    pub library: String,
    /// Between two checkpoints.
    pub steps: Option<u64>,
}

impl Computed {
    /// What the options say.
    pub fn new(options: &Options, name: String, steps: Option<u64>) -> Self {
        let (device, precision) = (options.device.clone(), options.precision.to_string());
        let library = concat!("elman ", env!("CARGO_PKG_VERSION")).into();
        Computed { backend: options.backend, device, precision, threads: options.threads(), name, library, steps }
    }

    /// Tells where something else goes on than has begun.
    pub fn compare(&self, begun: &Computed) {
        for (then, now) in [(&begun.name, &self.name), (&begun.library, &self.library)] {
            // A run may be older than this.
            if then != now && !then.is_empty() {
                note!("begun on {then}, now on {now}: the last bits of the results may differ");
            }
        }
    }
}

impl<S: RunSettings> Record<S> {
    pub fn new(settings: S, seed: u64, data: &[Part], computed: Computed) -> Self {
        let mut print = Fingerprint::new();
        // What `differences` lets differ is not part of it.
        let begun = &settings;
        for (name, value) in flags(begun).into_iter().filter(|(name, _)| !begun.is_free(begun, name)) {
            print.add(name.as_bytes());
            print.add(value.as_bytes());
        }
        print.add(seed.to_string().as_bytes());
        data.iter().for_each(|part| print.add(part.print.as_bytes()));
        let data = data.iter().map(|part| (part.name.to_string(), part.print.clone())).collect();
        Record { program: S::NAME.into(), id: print.text(), settings, seed, data, computed }
    }

    /// What a run's file says. Errors where another program has written it.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        if let Some(program) = json["program"].as_str() {
            ensure!(program == S::NAME, "a run of {program}, not of {}; give another --run", S::NAME);
        }
        serde_json::from_str(text).context("not what `train` writes there")
    }

    /// Errors where the data are not those that this run was begun with.
    pub fn check_data(&self, now: &[Part]) -> anyhow::Result<()> {
        let Some(Part { what, from, .. }) = now.iter().find(|part| self.data.get(part.name) != Some(&part.print))
        else {
            return Ok(());
        };
        bail!(
            "the {what} are not those that this training was begun with ({from} has changed); begin anew in another --run"
        )
    }

    /// Errors where a checkpoint is of another training, though its arrays may fit.
    pub fn check_checkpoint(&self, path: &Path) -> anyhow::Result<()> {
        let id: Option<String> = Extras::read(path)?.get(EXTRA).ok();
        let other = "this checkpoint is of another training than the run.json beside it";
        ensure!(id.as_ref() == Some(&self.id), "{}: {other}", path.display());
        Ok(())
    }

    /// As the options of one who does not say otherwise.
    pub fn restore(&self, options: &mut Options, given: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let computed = &self.computed;
        ensure!(
            !given("seed") || options.seed == self.seed,
            "--seed: {} then, {} now; with --resume the run has its own, leave it out",
            self.seed,
            options.seed
        );
        if !given("backend") {
            options.backend = computed.backend;
        }
        if !given("device") {
            options.device.clone_from(&computed.device);
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
