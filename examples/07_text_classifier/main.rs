//! A classifier of texts for one's own data: train, evaluate, predict, serve.
//!
//! `train` reads labelled texts (TSV, CSV or JSON lines), trains a recurrent network and keeps all that belongs to it in a
//! run folder: checkpoints to go on from, the history, and in the end `model.safetensors`, a file that holds weights,
//! vocabulary, tokenizer and labels and predicts from raw text alone. A training that was interrupted, however rudely, goes on
//! when the same command is given again, and ends in the same bytes. `evaluate`, `predict` and `serve-stdin` use the run.
//!
//! Without `--train` it trains on reviews that the project makes up, in which the order of the words matters.

mod classifier;
#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod evaluate;
mod network;
mod predict;
mod prepare;
mod report;
mod serve;
mod settings;
mod train;

use clap::{Parser, Subcommand};
use common::{say, tell};
use std::process::ExitCode;

const NAME: &str = "07_text_classifier";

/// A classifier of texts for your own data
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train on labelled texts, or go on with a training that was interrupted
    Train(Box<common::run::Train<settings::Settings>>),
    /// Metrics, confusion matrix and a report by class on labelled texts
    Evaluate(evaluate::Evaluate),
    /// Label and probabilities of texts
    Predict(predict::Predict),
    /// Read a text a line from standard input, write a JSON object a line, until the input ends
    ServeStdin(serve::Serve),
}

fn run() -> anyhow::Result<()> {
    let (line, given) = common::run::command_line::<Cli>()?;
    match line.command {
        Command::Train(train) => train.launch(&given),
        Command::Evaluate(evaluate) => evaluate.trained.launch(NAME, evaluate.json.clone(), &evaluate),
        Command::Predict(predict) => predict.trained.launch(NAME, None, &predict),
        Command::ServeStdin(serve) => serve.trained.launch(NAME, None, &serve),
    }
}

fn main() -> ExitCode {
    common::outcome::exit(run())
}
