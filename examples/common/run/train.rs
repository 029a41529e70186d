//! The command `train`: a training that begins, or goes on where it was begun and as what it was begun.

use super::super::{self as common, Options, outcome::refuse};
use super::folder::{Run, epochs_begun};
use super::record::Record;
use super::training::{Training, Trains};
use anyhow::{bail, ensure};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use std::path::{Path, PathBuf};

/// The flags of every `train`, and the program's own.
#[derive(Args)]
pub struct Train<S: Args> {
    /// Folder of the run: checkpoints, history and the trained model. If a training was begun there, this one goes on with
    /// it and must be told the same
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Go on with the training in --run as it was begun, without its flags
    #[arg(long)]
    resume: bool,
    /// Steps between two checkpoints within an epoch [default: one after each epoch alone]
    #[arg(long, value_name = "STEPS")]
    checkpoint_every_steps: Option<u64>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    settings: S,
}

impl<S: Trains> Train<S> {
    /// Trains, with what the command line has `given`.
    pub fn launch(self, given: &ArgMatches) -> anyhow::Result<()> {
        let place = self.run.display();
        ensure!(!self.resume || self.run.exists(), "--run {place}: there is no such folder");
        if !self.resume {
            // Before the folder is made.
            refuse(self.problems(&self.settings))?;
        }
        let run = Run::open(&self.run, S::OWN)?;
        let latest = run.checkpoint().latest()?;
        // A start that led to no checkpoint has left nothing that another one would spoil.
        let begun = if self.resume || latest.is_some() { run.record::<S>()? } else { None };
        let given = |name: &str| given.value_source(name) == Some(ValueSource::CommandLine);
        let (mut settings, mut options) = (self.settings.clone(), self.options.clone());
        let mut every_steps = self.checkpoint_every_steps;
        match &begun {
            None if self.resume => bail!("--resume: no training was begun in {place}"),
            Some(begun) if self.resume => {
                settings = begun.settings.resumed(&settings, given)?;
                begun.restore(&mut options, given)?;
                every_steps = every_steps.or(begun.computed.steps);
                refuse(self.problems(&settings))?;
            }
            _ => {}
        }
        if let Some(begun) = &begun {
            self.agree(begun, &settings, options.seed)?;
            if let Some(latest) = &latest {
                begun.check_checkpoint(latest)?;
                let (epochs, wanted) = (epochs_begun(latest)?, settings.epochs());
                ensure!(
                    wanted >= epochs,
                    "--epochs {wanted}: the training in {place} is in epoch {epochs} already; give as many at least"
                );
            }
        }
        let training = Training { run, begun, settings, options, every_steps };
        common::launch(S::NAME, &training.options, &training)
    }

    /// Errors where a run was begun with other flags.
    fn agree(&self, begun: &Record<S>, settings: &S, seed: u64) -> anyhow::Result<()> {
        let mut differ = settings.differences(&begun.settings);
        if begun.seed != seed {
            differ.push(format!("--seed: {} then, {seed} now", begun.seed));
        }
        let (place, differ) = (self.run.display(), differ.join("\n  "));
        ensure!(
            differ.is_empty(),
            "the training in {place} was begun with other flags:\n  {differ}\nGive the same, or `train --resume --run {place}`, or another --run to begin anew"
        );
        Ok(())
    }

    /// What is wrong with settings and options.
    fn problems(&self, settings: &S) -> Vec<String> {
        let mut problems = settings.problems();
        if self.checkpoint_every_steps == Some(0) {
            problems.push("--checkpoint-every-steps 0: expected at least 1".into());
        }
        let mut options = self.options.clone();
        // In the folder of the run, which is yet to be made: looked at again then.
        let run: &Path = &self.run;
        options.json.take_if(|json| !run.exists() && json.parent() == Some(run));
        problems.extend(options.problems(&settings.files()));
        problems
    }
}
