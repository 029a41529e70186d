//! A language model for one's own texts: train it, measure it, let it write, see what surprises it.
//!
//! `train` reads a text as one long stream of characters, words or the tokens of a Hugging Face tokenizer, and trains a recurrent
//! network to foretell each from all before it. It keeps all that belongs to it in a run folder: checkpoints to go on from, the
//! history, and in the end `model.safetensors`, which holds the network with its weights and its tokens and writes by itself. A
//! training that was interrupted, however rudely, goes on when the same command is given again. `evaluate`, `generate` and
//! `surprise` use the run.
//!
//! Without `--data` it trains on sentences that the project makes up, in which verbs agree with nouns that stand far before them.

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod evaluate;
mod generate;
mod grammar;
mod language;
mod measure;
mod network;
mod rounds;
mod settings;
mod shown;
mod surprise;
mod tokens;
mod train;
mod writer;

use clap::{Parser, Subcommand};
use common::{note, say, tell};
use std::process::ExitCode;

const NAME: &str = "08_language_model";

/// A language model for your own texts
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train on a text, or go on with a training that was interrupted
    Train(Box<common::run::Train<settings::Settings>>),
    /// Nats, bits and perplexity of a text
    Evaluate(evaluate::Evaluate),
    /// Write on behind a prompt
    Generate(generate::Generate),
    /// A text in colours: how much each character surprises the model
    Surprise(surprise::Surprise),
}

fn run() -> anyhow::Result<()> {
    let (line, given) = common::run::command_line::<Cli>()?;
    match line.command {
        Command::Train(train) => train.launch(&given),
        Command::Evaluate(evaluate) => evaluate.trained.launch(NAME, evaluate.json.clone(), &evaluate),
        Command::Generate(generate) => generate.trained.launch(NAME, generate.json.clone(), &generate),
        Command::Surprise(surprise) => surprise.trained.launch(NAME, None, &surprise),
    }
}

fn main() -> ExitCode {
    common::outcome::exit(run())
}
