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
mod record;
mod report;
mod run;
mod serve;
mod settings;
mod train;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use common::{Options, Program, Which, note, say, tell};
use elman_candle::Precision;
use std::path::PathBuf;
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
    Train(Box<train::Train>),
    /// Metrics, confusion matrix and a report by class on labelled texts
    Evaluate(evaluate::Evaluate),
    /// Label and probabilities of texts
    Predict(predict::Predict),
    /// Read a text a line from standard input, write a JSON object a line, until the input ends
    ServeStdin(serve::Serve),
}

/// The trained model, and what is to run it.
#[derive(clap::Args, Clone, Debug)]
struct Trained {
    /// Folder of the run, as given to `train`; needs nothing in it but model.safetensors
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
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
    /// Runs a program with this model.
    fn launch(&self, json: Option<PathBuf>, program: &impl Program) -> anyhow::Result<()> {
        let (device, precision, threads) = (self.device.clone(), Precision::default(), self.threads);
        common::launch(NAME, &Options { backend: self.backend, device, precision, threads, seed: 0, json }, program)
    }
}

fn run() -> anyhow::Result<()> {
    let command = Cli::command().mut_subcommands(common::negative_numbers);
    let matches = command.get_matches();
    match Cli::from_arg_matches(&matches)?.command {
        Command::Train(train) => train.launch(matches.subcommand_matches("train")),
        Command::Evaluate(evaluate) => evaluate.trained.launch(evaluate.json.clone(), &evaluate),
        Command::Predict(predict) => predict.trained.launch(None, &predict),
        Command::ServeStdin(serve) => serve.trained.launch(None, &serve),
    }
}

fn main() -> ExitCode {
    common::outcome::exit(run())
}
