//! A tagger of words for one's own data: parts of speech, names, chunks, and trees of dependencies.
//!
//! `train` reads sentences in CoNLL-U or in columns (or makes some up), trains a recurrent network that reads words and their letters in
//! both directions (with `--crf` all tags of a sentence are chosen together), and keeps all that belongs to it in a run folder: checkpoints
//! to go on from, the history, and in the end `model.safetensors`, which holds network, weights, vocabularies and tags: any program can use
//! it ([`elman::pipeline::Tagger`], on which this one stands). A training that was interrupted, however rudely, goes on when the same command
//! is given again. `evaluate` and `predict` use the run; `predict` writes what it was given, with the tags in it.

mod arcs;
mod builder;
#[path = "../common/mod.rs"]
mod common;
mod confusion;
mod corpus;
mod evaluate;
mod grammar;
mod predict;
mod report;
mod settings;
mod size;
mod task;
mod train;
mod trained;
mod trees;

use clap::{Parser, Subcommand};
use common::{say, tell};
use std::process::ExitCode;

const NAME: &str = "09_tagger";

/// A tagger of words for your own data
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train on tagged sentences, or go on with a training that was interrupted
    Train(Box<common::run::Train<settings::Settings>>),
    /// How many tags, whole spans or heads of words are right
    Evaluate(evaluate::Evaluate),
    /// Tag or parse sentences, or plain text
    Predict(predict::Predict),
}

fn run() -> anyhow::Result<()> {
    let (line, given) = common::run::command_line::<Cli>()?;
    match line.command {
        Command::Train(train) => train.launch(&given),
        Command::Evaluate(evaluate) => evaluate.trained.launch(NAME, evaluate.json.clone(), &evaluate),
        Command::Predict(predict) => predict.trained.launch(NAME, None, &predict),
    }
}

fn main() -> ExitCode {
    common::outcome::exit(run())
}
