//! How many steps there is time for: measured once, at the start, and kept with the run.

use super::common::run::{Part, Training};
use super::rounds::Rounds;
use super::settings::Settings;
use super::tell;
use anyhow::Context;
use elman::data::{Order, Source, Stream};
use elman::layers::Carry;
use elman::model::Batch;
use elman::{Backend, Key, Model};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Seconds that are measured at least, and steps at most.
const SECONDS: f64 = 3.0;
const STEPS: usize = 200;
/// In the run's folder.
const FILE: &str = "steps.json";

/// What `steps.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    minutes: f64,
    steps: u64,
    seconds_a_step: f64,
    seconds_a_validation: f64,
}

/// Steps of the whole training, and what tells another number of them from it: with `--minutes` measured on a `model` that is good
/// for nothing else, unless the run has its number already.
pub fn steps<B: Backend>(
    training: &Training<Settings>,
    rounds: &Rounds,
    valid: Option<&Stream>,
    model: impl FnOnce() -> elman::Result<Model<B>>,
) -> anyhow::Result<(u64, Option<Part>)> {
    let Some(minutes) = training.settings.minutes else {
        return Ok((rounds.batches().saturating_mul(training.settings.learning.epochs), None));
    };
    let path = training.run.file(FILE);
    // What a start that led to no checkpoint has measured is measured anew.
    let kept: Kept = if training.run.checkpoint().latest()?.is_some() {
        let read = || anyhow::Ok(serde_json::from_str(&std::fs::read_to_string(&path)?)?);
        read().with_context(|| format!("{}: the number of steps that this run was begun with", path.display()))?
    } else {
        let (seconds_a_step, seconds_a_validation) = measure(model()?, rounds, valid)?;
        let a_step = seconds_a_step + seconds_a_validation / rounds.batches() as f64;
        let kept =
            Kept { minutes, steps: ((minutes * 60.0 / a_step) as u64).max(1), seconds_a_step, seconds_a_validation };
        training.run.write(FILE, &(serde_json::to_string_pretty(&kept)? + "\n"))?;
        kept
    };
    let rounds = kept.steps as f64 / rounds.batches() as f64;
    tell!("{minutes} minutes: {} steps of {:.3} s, {rounds:.1} rounds of the text", kept.steps, kept.seconds_a_step);
    let print = kept.steps.to_string();
    Ok((kept.steps, Some(Part::new("steps", "steps", "--minutes", Some(&path), print))))
}

/// Seconds of a step of training, and of a validation.
fn measure<B: Backend>(mut model: Model<B>, rounds: &Rounds, valid: Option<&Stream>) -> anyhow::Result<(f64, f64)> {
    let order = Order::new(Key::new(0), 0);
    let (epoch, mut carry) = (rounds.epoch(&order)?, Carry::new());
    let mut step = |number: usize| {
        let batch = Batch::new(&model.backend().clone(), epoch.batch(number % epoch.batches())?.data)?;
        let (loss, _) = model.train_step_carried(&batch, &mut carry)?;
        // Waits for the device.
        loss.to_scalar()
    };
    // The first warm up.
    (0..2).try_for_each(|number| step(number).map(drop))?;
    let (start, mut steps) = (Instant::now(), 0);
    while steps < 3 || (start.elapsed().as_secs_f64() < SECONDS && steps < STEPS) {
        step(steps)?;
        steps += 1;
    }
    let seconds_a_step = start.elapsed().as_secs_f64() / steps as f64;
    let Some(valid) = valid else { return Ok((seconds_a_step, 0.0)) };
    // A part of it, as long as it may be.
    let part = valid.rows() * valid.steps() * 4 + 1;
    let part = &valid.indices()[..part.min(valid.indices().len())];
    let stream = Stream::new(part.to_vec(), valid.rows(), valid.steps())?;
    let start = Instant::now();
    model.evaluate(&stream, None)?;
    let parts = valid.indices().len() as f64 / part.len() as f64;
    Ok((seconds_a_step, start.elapsed().as_secs_f64() * parts))
}
