//! Vectors of words from texts of one's own: word2vec's skip-gram and continuous bag of words with negative sampling (Mikolov and
//! others, "Distributed Representations of Words and Phrases and their Compositionality", NIPS 2013).
//!
//! `train` reads texts of any size, a sentence a line, and writes vectors that `04_tweets --vectors`, `07_text_classifier --vectors`
//! and `09_tagger --vectors` start from, and every other program that reads word2vec's formats. `evaluate` measures vectors of any
//! origin: by people's judgements of similarity, by analogies, by the neighbours of words.
//!
//! Without `--data` it trains on sentences about cities and countries that the program makes up.

#[path = "../common/mod.rs"]
mod common;
mod evaluate;
pub mod made_up;
mod measures;
mod noise;
mod phrases;
mod sentences;
mod settings;
mod spearman;
mod train;
mod vocabulary;
mod windows;

use clap::{Parser, Subcommand};
use common::{say, tell};
use std::process::ExitCode;

const NAME: &str = "10_word2vec";

/// Word vectors from your own texts
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train vectors on texts
    Train(Box<train::Train>),
    /// Measure vectors: similarity, analogies, neighbours
    Evaluate(evaluate::Evaluate),
}

fn run() -> anyhow::Result<()> {
    let (line, _) = common::run::command_line::<Cli>()?;
    match line.command {
        Command::Train(train) => common::launch(NAME, &train.options, &*train),
        Command::Evaluate(evaluate) => common::launch(NAME, &evaluate.options, &evaluate),
    }
}

fn main() -> ExitCode {
    common::outcome::exit(run())
}
