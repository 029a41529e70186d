//! How a network learns: the flags that every training by Adam has, and the optimiser that they say.

use super::super::limits::{range_problem, zero_problems};
use clap::{Args, ValueEnum};
use elman::Backend;
use elman::optim::{Adam, Optimizer, Reach, Schedule};
use serde::{Deserialize, Serialize};

/// Flags of the training: among a program's settings, whose JSON has them as its own.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// Epochs at most
    #[arg(long, default_value_t = 10, help_heading = "Training")]
    pub epochs: u64,
    /// Samples a mini-batch
    #[arg(long, default_value_t = 32, help_heading = "Training")]
    pub batch_size: usize,
    /// Learning rate (of Adam), above 0 to 1
    #[arg(long, default_value_t = 1e-3, help_heading = "Training")]
    pub rate: f64,
    /// Course of the learning rate over all epochs
    #[arg(long, value_enum, default_value = "constant", help_heading = "Training")]
    pub schedule: Course,
    /// Steps in which the rate rises from 0 before that
    #[arg(long, value_name = "STEPS", default_value_t = 0, help_heading = "Training")]
    pub warm_up: u64,
    /// Norm that all gradients together are shortened to; 0: they are not
    #[arg(long, value_name = "NORM", default_value_t = 1.0, help_heading = "Training")]
    pub clip_norm: f64,
    /// Decay of the weights (AdamW)
    #[arg(long, default_value_t = 0.0, help_heading = "Training")]
    pub weight_decay: f64,
    /// Move only the vectors of words that occur (lazy Adam): faster where many words are known
    #[arg(long, help_heading = "Training")]
    pub lazy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Course {
    /// The same throughout
    Constant,
    /// In a straight line down to 0
    Linear,
    /// Along a cosine down to 0
    Cosine,
}

impl Learning {
    /// Numbers out of range.
    pub fn problems(&self) -> Vec<String> {
        let epochs = usize::try_from(self.epochs).unwrap_or(usize::MAX);
        let numbers = [
            ("--rate", self.rate, f64::MIN_POSITIVE, 1.0),
            ("--clip-norm", self.clip_norm, 0.0, f64::MAX),
            ("--weight-decay", self.weight_decay, 0.0, 1.0),
        ];
        let numbers = numbers.into_iter().filter_map(|(option, x, least, most)| range_problem(option, x, least, most));
        zero_problems(&[("--epochs", epochs), ("--batch-size", self.batch_size)]).chain(numbers).collect()
    }

    /// Whether the rate is laid out over all epochs.
    pub fn is_laid_out(&self) -> bool {
        self.schedule != Course::Constant
    }

    /// Adam with what the flags put around it, for a training on so many samples.
    pub fn optimizer<B: Backend>(&self, samples: usize) -> Optimizer<B> {
        self.optimizer_of(Adam::new(self.rate), samples)
    }

    /// The same around an Adam with this rate and options of its own.
    pub fn optimizer_of<B: Backend>(&self, adam: Adam, samples: usize) -> Optimizer<B> {
        let steps = (samples.div_ceil(self.batch_size.max(1)) as u64).saturating_mul(self.epochs);
        let adam = if self.weight_decay == 0.0 { adam } else { adam.weight_decay(self.weight_decay) };
        let after = steps.saturating_sub(self.warm_up).max(1);
        let course = match self.schedule {
            Course::Constant => Schedule::Constant,
            Course::Linear => Schedule::linear(after, 0.0),
            Course::Cosine => Schedule::cosine(after, 0.0),
        };
        let course = if self.warm_up == 0 { course } else { course.warm_up(self.warm_up, 0.0) };
        let optimizer = Optimizer::new(adam).schedule(course);
        let optimizer = if self.clip_norm == 0.0 { optimizer } else { optimizer.clip_global_norm(self.clip_norm) };
        optimizer.reach(if self.lazy { Reach::Lazy } else { Reach::Exact })
    }
}

/// What is wrong with the name that `--choose-by` has, if it is none of the measures that can choose the best epoch.
pub fn measure_problem(name: &str, measures: &[&str]) -> Option<String> {
    let of_training = measures.contains(&format!("val_{name}").as_str());
    let why = if of_training { "; that is of the texts trained on, which always looks better" } else { "" };
    (!measures.contains(&name)).then(|| format!("--choose-by {name}: expected one of {}{why}", measures.join(", ")))
}
