//! Translation by an encoder and a decoder with attention, for one's own pairs of texts.
//!
//! `train` reads pairs, learns their words, characters or byte pairs, trains a recurrent network that reads the one side and writes the
//! other, and keeps all that belongs to it in a run folder: checkpoints to go on from, the history, and in the end `model.safetensors`, a
//! [`Translator`](elman::pipeline::Translator) that works by itself. A training that was interrupted, however rudely, goes on when the same
//! command is given again. `evaluate` measures BLEU and chrF, `translate` shows what was looked at. Without pairs it makes up dates in
//! English and Russian words, or sums.

mod attention;
#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod evaluate;
mod made_up;
mod search;
mod settings;
mod size;
mod train;
mod translate;

use clap::{Parser, Subcommand};
use common::{note, say, tell};
use std::process::ExitCode;

const NAME: &str = "11_translation";

/// Translation, learnt from your own pairs of texts
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train on pairs of texts, or go on with a training that was interrupted
    Train(Box<common::run::Train<settings::Settings>>),
    /// How near translations come to those of a file: BLEU, chrF, how many are the same
    Evaluate(evaluate::Evaluate),
    /// Translate texts, and see what was looked at
    Translate(translate::Translate),
}

fn run() -> anyhow::Result<()> {
    let (line, given) = common::run::command_line::<Cli>()?;
    match line.command {
        Command::Train(train) => train.launch(&given),
        Command::Evaluate(evaluate) => evaluate.trained.launch(NAME, evaluate.json.clone(), &evaluate),
        Command::Translate(translate) => translate.trained.launch(NAME, None, &translate),
    }
}

fn main() -> ExitCode {
    common::outcome::exit(run())
}
