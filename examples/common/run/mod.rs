//! What programs share that keep what they train: a folder for each run, in which a training that was interrupted, however
//! rudely, goes on as it was begun; and commands that use what was trained.
//!
//! | file of a run | what |
//! | --- | --- |
//! | `run.json` | what the run was begun with: settings, fingerprints of its data, what computes it |
//! | `checkpoint.step-N.safetensors` | where training goes on; predicts, too |
//! | `history.csv` | an epoch a line |
//! | `model.safetensors` | in the end: the chosen weights and all that predicting needs |
//! | `lock` | held by the process that trains |
//!
//! A program has flags of its own, a struct of clap's and serde's: it tells of them in [`RunSettings`] and trains in
//! [`Trains`]. [`Train`] is then its command `train`; [`Trained`] with [`Texts`] and [`serve()`] are most of `predict` and
//! `serve-stdin`.

mod apart;
mod diverged;
mod fingerprint;
mod folder;
mod learning;
mod record;
mod serve;
mod settings;
mod texts;
mod train;
mod trained;
mod training;

// Each program uses its part of them.
#[allow(unused_imports)]
pub use self::{
    apart::kept_apart,
    diverged::{CURE, load},
    fingerprint::{Fingerprint, Part},
    folder::{Run, own_files},
    learning::{Learning, measure_problem},
    serve::{Line, serve},
    settings::RunSettings,
    texts::{Texts, cell},
    train::Train,
    trained::Trained,
    training::{Training, Trains},
};

use clap::{ArgMatches, Parser};

/// The command line of a program with commands, and what was given to the command behind the defaults.
pub fn command_line<C: Parser>() -> anyhow::Result<(C, ArgMatches)> {
    let mut matches = C::command().mut_subcommands(super::negative_numbers).get_matches();
    let line = C::from_arg_matches(&matches)?;
    let (_, given) = matches.remove_subcommand().unwrap_or_default();
    Ok((line, given))
}
