//! An optimiser's settings as JSON, and an optimiser of them.

use super::group::Exempt;
use super::{Clip, Group, Optimizer, Reach, Rule, Schedule};
use crate::backend::Backend;
use crate::description::{Description, describe, read};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// All that is set and not counted or summed up.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    rule: Description,
    learning_rate: f64,
    #[serde(default)]
    schedule: Schedule,
    #[serde(default)]
    clips: Vec<Clip>,
    #[serde(default = "each")]
    accumulate: usize,
    #[serde(default)]
    reach: Reach,
    #[serde(default)]
    skip_not_finite: bool,
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(default)]
    exclude_from_weight_decay: Vec<String>,
    #[serde(default)]
    decay_only_kernels: bool,
}

fn each() -> usize {
    1
}

impl<B: Backend> Optimizer<B> {
    /// The optimiser as JSON: its rule, schedule, clips, groups and the rest of its settings, with the base learning rate as it is now.
    /// What it has counted and summed up is not in it: that is in checkpoints. Errors for a rule that does not describe itself
    /// ([`Rule::describe`]) and for a schedule that is a function.
    pub fn describe(&self) -> Result<Description> {
        let settings = Settings {
            rule: self.rule.describe()?,
            learning_rate: self.learning_rate,
            schedule: self.schedule.clone(),
            clips: self.clips.clone(),
            accumulate: self.every,
            reach: self.reach,
            skip_not_finite: self.watch.skip,
            groups: self.groups.clone(),
            exclude_from_weight_decay: self.exempt.names.clone(),
            decay_only_kernels: self.exempt.all_but_kernels,
        };
        describe("optimizer", &settings)
    }

    /// One of a description, given what reads its rule's.
    pub(crate) fn described(
        description: &Description,
        rule: impl FnOnce(&Description) -> Result<Box<dyn Rule<B>>>,
    ) -> Result<Self> {
        let settings: Settings = read(description)?;
        let mut optimizer = Optimizer::of_rule(rule(&settings.rule)?)
            .schedule(settings.schedule)
            .accumulate(settings.accumulate)
            .reach(settings.reach);
        optimizer.clips = settings.clips;
        optimizer.groups = settings.groups;
        let (names, all_but_kernels) = (settings.exclude_from_weight_decay, settings.decay_only_kernels);
        optimizer.exempt = Exempt { names, all_but_kernels };
        optimizer.watch.skip = settings.skip_not_finite;
        optimizer.set_learning_rate(settings.learning_rate)?;
        Ok(optimizer)
    }
}
