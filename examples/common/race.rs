//! Networks that learn one task side by side, and a table of how they do.

use super::plot::Line;
use super::say;
use elman::data::Dataset;
use elman::model::Batch;
use elman::{Backend, Model};
use serde_json::{Value, json};
use std::time::Instant;

/// What a network's loss did in training, and how long that took.
pub struct Course<B: Backend> {
    pub name: &'static str,
    pub model: Model<B>,
    /// Updates and the loss on the test set after them.
    pub losses: Vec<(f64, f64)>,
    pub seconds: f64,
}

impl<B: Backend> Course<B> {
    pub fn last(&self) -> f64 {
        self.losses.last().map_or(f64::NAN, |&(_, loss)| loss)
    }
}

/// Trains networks side by side on the same batches, each drawn anew.
pub fn race<B: Backend>(
    mut courses: Vec<Course<B>>,
    updates: u64,
    test: &Dataset,
    draw: impl Fn(u64) -> elman::Result<Dataset>,
) -> anyhow::Result<Vec<Course<B>>> {
    say!("{:>8}{}", "updates", courses.iter().map(|course| format!("{:>12}", course.name)).collect::<String>())?;
    let every = updates.div_ceil(12);
    for update in 0..=updates {
        if update % every == 0 || update == updates {
            let mut line = format!("{update:>8}");
            for course in &mut courses {
                let loss = course.model.evaluate(test, 100)?.get("loss").unwrap_or(f64::NAN);
                line += &format!("{loss:>12.4}");
                course.losses.push((update as f64, loss));
            }
            say!("{line}")?;
        }
        if update < updates {
            let batch = Batch::new(courses[0].model.backend(), draw(update)?)?;
            for course in &mut courses {
                let start = Instant::now();
                // Reading the loss waits for the device.
                course.model.train_step(&batch)?.0.to_scalar()?;
                course.seconds += start.elapsed().as_secs_f64();
            }
        }
    }
    let seconds = courses.iter().map(|course| format!("{:>12.1}", course.seconds));
    say!("{:>8}{}\n", "seconds", seconds.collect::<String>())?;
    Ok(courses)
}

/// The curves of the losses, beside the level of one who has learned nothing.
pub fn lines<B: Backend>(courses: &[Course<B>], baseline: f64) -> Vec<Line> {
    let ends = [0.0, courses.first().and_then(|course| course.losses.last()).map_or(0.0, |&(update, _)| update)];
    let line = |(colour, course): (usize, &Course<B>)| Line {
        name: course.name.to_string(),
        points: course.losses.clone(),
        colour: colour + 1,
        dashed: false,
    };
    let level = ends.map(|update| (update, baseline)).to_vec();
    let level = Line { name: "baseline".to_string(), points: level, colour: 6, dashed: true };
    std::iter::once(level).chain(courses.iter().enumerate().map(line)).collect()
}

/// What becomes of the courses in the JSON file.
pub fn results<B: Backend>(courses: &[Course<B>], baseline: f64) -> Value {
    let mut results = json!({ "baseline": baseline });
    for course in courses {
        results[course.name] = json!({ "loss": course.last(), "seconds": course.seconds });
    }
    results
}
