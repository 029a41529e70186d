//! Sentences as a model learns from them.

use super::predict::incomplete;
use super::vocabulary::Row;
use super::{Tagger, TaggerExample};
use crate::backend::Backend;
use crate::data::{Dataset, Labels, Targets};
use crate::error::{Error, Result};

impl<B: Backend> Tagger<B> {
    /// Sentences for [`Tagger::fit`], as training or validation data. Errors name the sentence, from 0: one without words, without the tags or
    /// the tree that the task needs, or with a tag or label that the tagger does not know.
    pub fn dataset(&self, examples: &[TaggerExample]) -> Result<Dataset> {
        let task = self.task();
        let (mut tags, mut trees) = (Vec::new(), Vec::new());
        for (number, example) in examples.iter().enumerate() {
            let at = |error: Error| error.at(format!("sentence {number}"));
            example.check(task).map_err(at)?;
            if task.has_tags() {
                let number = |tag: &String| number_of(self.tags()?, "tag", tag);
                tags.push(example.tags.iter().map(number).collect::<Result<Vec<u32>>>().map_err(at)?);
            }
            if task.has_trees() {
                let labels = self.vocabulary().labels().ok_or_else(|| incomplete("labels"))?;
                trees.push(classes(example, labels).map_err(at)?);
            }
        }
        let targets = match (task.has_tags(), task.has_trees()) {
            (_, false) => Targets::classes_per_step(&tags)?,
            (true, true) => {
                let parts =
                    [("tags", Targets::classes_per_step(&tags)?), ("trees", Targets::classes_per_step(&trees)?)];
                Targets::record(parts)?
            }
            (false, true) => Targets::record([("trees", Targets::classes_per_step(&trees)?)])?,
        };
        Dataset::new(self.vocabulary().inputs(&examples.iter().map(Row::from).collect::<Vec<_>>())?, targets)
    }
}

fn number_of(names: &Labels, what: &str, name: &str) -> Result<u32> {
    names.number(name).ok_or_else(|| {
        let expected =
            format!("one of those of the sentences that the tagger was built of: {}", names.names().join(", "));
        Error::invalid(what, expected, format!("{name:?}"))
    })
}

/// For each word the number that stands for its head with its label: see [`Biaffine`](crate::layers::Biaffine).
fn classes(example: &TaggerExample, labels: &Labels) -> Result<Vec<u32>> {
    let class = |(&head, label): (&usize, &String)| {
        let class = head as u64 * labels.len() as u64 + u64::from(number_of(labels, "label", label)?);
        u32::try_from(class).map_err(|_| Error::invalid("tree", "heads and labels that u32 can number", "more"))
    };
    example.heads.iter().zip(&example.labels).map(class).collect()
}
