//! What a run has trained, for the commands that use it: which file it is, and what is to run it.

use super::super::{self as common, Options, Program, Which, note};
use super::folder::checkpoint;
use anyhow::{bail, ensure};
use clap::Args;
use elman_candle::Precision;
use std::path::PathBuf;

/// The trained model, and what is to run it.
#[derive(Args, Clone, Debug)]
pub struct Trained {
    /// Folder of the run, as given to `train`; needs nothing in it but model.safetensors
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// What runs the model
    #[arg(long, value_enum, default_value = "candle")]
    backend: Which,
    /// Where it runs: cpu, or, with candle and built with that feature, cuda:N or metal:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Threads on the CPU [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
}

impl Trained {
    /// Runs a command of a program with this model.
    pub fn launch(&self, name: &str, json: Option<PathBuf>, program: &impl Program) -> anyhow::Result<()> {
        let (device, precision, threads) = (self.device.clone(), Precision::default(), self.threads);
        common::launch(name, &Options { backend: self.backend, device, precision, threads, seed: 0, json }, program)
    }

    /// The file of the run that predicts best: the chosen weights of a training that has ended, otherwise the newest
    /// checkpoint.
    pub fn path(&self) -> anyhow::Result<PathBuf> {
        let (folder, place) = (&self.run, self.run.display());
        let is_file = folder.exists() && !folder.is_dir();
        ensure!(
            !is_file,
            "--run {place}: this is a file; give the folder that it is in, as `train --run` was given it"
        );
        ensure!(folder.is_dir(), "--run {place}: there is no such folder");
        let model = folder.join("model.safetensors");
        if model.is_file() {
            return Ok(model);
        }
        let Some(path) = checkpoint(folder).latest()? else {
            bail!("--run {place}: there is no checkpoint; `train --run {place}` writes one")
        };
        note!("the training in {place} has not ended; using {}", path.display());
        Ok(path)
    }
}
