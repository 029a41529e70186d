//! What all examples share: the options, the choice of a backend, the results as JSON.

// Each example uses its part of this module.
#![allow(dead_code)]

pub mod cell;
pub mod corpus;
pub mod files;
pub mod gradient_flow;
pub mod limits;
pub mod memory;
pub mod newswire;
pub mod outcome;
pub mod plot;
pub mod race;
pub mod reviews;
pub mod run;

#[allow(unused_imports)]
pub(crate) use outcome::{note, say, tell};

use anyhow::{Context, bail, ensure};
use clap::{Args, Command, Parser, ValueEnum};
use elman::Backend;
use elman::model::Evaluation;
use elman::training::History;
use elman_candle::{Candle, Precision};
use elman_reference::Reference;
use files::{Files, output_problem};
use limits::MOST_THREADS;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Options that every example takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What runs the model
    #[arg(long, value_enum, default_value = "candle")]
    pub backend: Which,
    /// Where it runs: cpu, or, with candle and built with that feature, cuda:N or metal:N
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// What matrix products of a CUDA device multiply: f32, or faster and with fewer bits tf32 and bf16
    #[arg(long, default_value_t)]
    pub precision: Precision,
    /// Threads on the CPU [default: all cores]
    #[arg(long)]
    pub threads: Option<usize>,
    /// Seed of initial weights, shuffling and dropout
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Write the results to this file as one JSON object; -: to standard output, behind what is printed
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The backends that come with the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// Candle's devices: CPU, CUDA, Metal
    Candle,
    /// Plain Rust from scratch: CPU
    Reference,
}

/// A program that runs on any backend.
pub trait Program {
    /// Runs and gives its results for the JSON file: an object.
    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value>;

    /// Files that it reads or writes itself, by what they are: the results must not take their place.
    fn files(&self) -> Files {
        Files::new()
    }

    /// What is wrong with its own options, as far as that can be said before the work.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Options {
    /// What is wrong with them, as far as that can be said before the work.
    pub fn problems(&self, files: &Files) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(threads) = self.threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
            problems.push(format!("--threads {threads}: expected from 1 to {MOST_THREADS}"));
        }
        if self.precision != Precision::F32 && !self.device.starts_with("cuda") {
            let (precision, device) = (self.precision, &self.device);
            problems.push(format!("--precision {precision}: only CUDA devices have it, not {device}"));
        }
        if self.backend == Which::Reference && self.device != "cpu" {
            problems.push(format!("--device {}: the reference backend runs on the CPU only", self.device));
        }
        problems.extend(self.json.iter().filter_map(|path| output_problem("--json", path, files)));
        problems
    }

    /// Threads on the CPU.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
}

/// The whole of an example: reads the command line, runs, and ends as a program should.
pub fn main<P: Program + Parser>(name: &str, options: impl Fn(&P) -> &Options) -> ExitCode {
    let matches = negative_numbers(P::command()).get_matches();
    let program = P::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    outcome::exit(launch(name, options(&program), &program))
}

/// `--rate -1` is a number out of range and no unknown flag.
pub fn negative_numbers(command: Command) -> Command {
    command.mut_args(|arg| if arg.get_action().takes_values() { arg.allow_negative_numbers(true) } else { arg })
}

/// Runs a program on the backend that the options name, and writes its results if they name a file.
pub fn launch(name: &str, options: &Options, program: &impl Program) -> anyhow::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).format_timestamp(None).init();
    let mut problems = program.problems();
    problems.extend(options.problems(&program.files()));
    outcome::refuse(problems)?;
    let (threads, cpu) = (options.threads(), options.device == "cpu");
    let (backend, results) = match options.backend {
        Which::Reference => run(&Reference::<f32>::with_threads(threads), options, program)?,
        Which::Candle if cpu => run(&Candle::cpu_with_threads(threads)?, options, program)?,
        Which::Candle => run(&device(&options.device)?.with_precision(options.precision), options, program)?,
    };
    let Some(path) = &options.json else { return Ok(()) };
    let mut object = Map::from_iter([
        ("example".to_string(), json!(name)),
        ("backend".to_string(), json!(options.backend)),
        ("backend_name".to_string(), json!(backend)),
        ("device".to_string(), json!(options.device)),
        ("precision".to_string(), json!(options.precision.to_string())),
        ("threads".to_string(), json!(threads)),
        ("seed".to_string(), json!(options.seed)),
    ]);
    if let Value::Object(results) = results {
        object.extend(results);
    }
    files::write(path, &(serde_json::to_string_pretty(&object)? + "\n")).context("--json")
}

fn run<B: Backend>(backend: &B, options: &Options, program: &impl Program) -> anyhow::Result<(String, Value)> {
    Ok((backend.name(), program.run(backend, options)?))
}

fn device(name: &str) -> anyhow::Result<Candle> {
    let (kind, number) = name.split_once(':').unwrap_or((name, "0"));
    let Ok(ordinal) = number.parse() else { bail!("--device {name}: `{number}` is not a device's number") };
    let device = match kind {
        "cuda" => Candle::cuda(ordinal),
        "metal" => Candle::metal(ordinal),
        _ => bail!("--device {name}: expected cpu, cuda:N or metal:N"),
    };
    device.with_context(|| format!("--device {name}"))
}

/// Errors where a training came to nothing: what is measured of such a model says nothing.
pub fn converged(history: &History) -> anyhow::Result<()> {
    let loss = history.last().and_then(|epoch| epoch.get("loss")).unwrap_or(0.0);
    ensure!(loss.is_finite(), "the training diverged: the loss is {loss}; try a smaller --rate");
    Ok(())
}

/// Seconds an epoch and samples a second over a history, for the JSON file.
pub fn speed(history: &History) -> Value {
    let epochs = history.epochs.len().max(1) as f64;
    let seconds: f64 = history.epochs.iter().map(|epoch| epoch.training_time.as_secs_f64()).sum();
    let samples: usize = history.epochs.iter().map(|epoch| epoch.samples).sum();
    json!({
        "epochs": history.epochs.len(),
        "seconds_per_epoch": seconds / epochs,
        "samples_per_second": samples as f64 / seconds.max(1e-9),
    })
}

/// Loss and metrics by name, for the JSON file.
pub fn metrics(scores: &Evaluation) -> Value {
    scores.iter().map(|(name, value)| (name.to_string(), json!(value))).collect::<Map<_, _>>().into()
}

/// One object of two.
pub fn merged(mut into: Value, from: Value) -> Value {
    if let (Value::Object(into), Value::Object(from)) = (&mut into, from) {
        into.extend(from);
    }
    into
}
