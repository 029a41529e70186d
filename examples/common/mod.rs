//! What all examples share: the options, the choice of a backend, the results as JSON.

// Each example uses its part of this module.
#![allow(dead_code)]

pub mod corpus;
pub mod gradient_flow;
pub mod memory;
pub mod newswire;
pub mod plot;
pub mod reviews;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use elman::Backend;
use elman::model::{Evaluation, History};
use elman_candle::{Candle, Precision};
use elman_reference::Reference;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

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
    /// Write the results to this file as one JSON object
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The backends that come with the library.
#[derive(Clone, Copy, Debug, ValueEnum)]
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
}

/// Runs a program on the backend that the options name, and writes its results if they name a file.
pub fn launch(name: &str, options: &Options, program: &impl Program) -> anyhow::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).format_timestamp(None).init();
    let threads = match options.threads {
        Some(0) => bail!("--threads 0: at least one thread is needed"),
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    if let Some(path) = &options.json {
        check_file("--json", path)?;
    }
    let (cpu, precision) = (options.device == "cpu", options.precision);
    if precision != Precision::F32 && !options.device.starts_with("cuda") {
        bail!("--precision {precision}: only CUDA devices have it, not {}", options.device);
    }
    let (backend, results) = match options.backend {
        Which::Reference if !cpu => bail!("--device {}: the reference backend runs on the CPU only", options.device),
        Which::Reference => run(&Reference::<f32>::with_threads(threads), options, program)?,
        Which::Candle if cpu => run(&Candle::cpu_with_threads(threads)?, options, program)?,
        Which::Candle => run(&device(&options.device)?.with_precision(precision), options, program)?,
    };
    let Some(path) = &options.json else { return Ok(()) };
    let mut object = Map::from_iter([
        ("example".to_string(), json!(name)),
        ("backend".to_string(), json!(options.backend.to_possible_value().map(|value| value.get_name().to_string()))),
        ("backend_name".to_string(), json!(backend)),
        ("device".to_string(), json!(options.device)),
        ("precision".to_string(), json!(precision.to_string())),
        ("threads".to_string(), json!(threads)),
        ("seed".to_string(), json!(options.seed)),
    ]);
    if let Value::Object(results) = results {
        object.extend(results);
    }
    write_file(path, &(serde_json::to_string_pretty(&object)? + "\n"))
}

/// Writes a file whole or not at all.
pub fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, text).with_context(|| format!("writing {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("writing {}", path.display()))
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

/// Finds out before the work whether its results will have a place.
pub fn check_file(option: &str, path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "{option} {}: there is no folder {}", path.display(), folder.display());
    ensure!(!path.is_dir(), "{option} {}: this is a folder, not a file", path.display());
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
