//! From sentences to what the network says of them, in batches.

use super::vocabulary::Row;
use super::{TaggedArc, Tagger, TaggerTask, tree};
use crate::backend::Backend;
use crate::data::{Inputs, Labels};
use crate::decode::Trellis;
use crate::error::{Error, Result};
use crate::model::Predictions;
use crate::pipeline::batches::batches;

/// Words of a batch, and scores of heads with labels.
const WORDS: usize = 2048;
const SCORES: usize = 4 << 20;
/// The same of a sentence by itself, at most: a gigabyte of each number that there is of a score.
const MOST: usize = 1 << 28;

/// What was found for a sentence.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Number and probability of each word's tag; none by a tagger of trees alone.
    pub(super) tags: Vec<(usize, f64)>,
    /// None by a tagger without trees.
    pub(super) arcs: Vec<TaggedArc>,
}

impl<B: Backend> Tagger<B> {
    /// What is found for each sentence; nothing for those without words.
    pub(super) fn found(&self, rows: &[Row<'_>]) -> Result<Vec<Found>> {
        let there: Vec<usize> = (0..rows.len()).filter(|&at| !rows[at].words.is_empty()).collect();
        let lengths: Vec<usize> = there.iter().map(|&at| rows[at].words.len()).collect();
        let labels = self.vocabulary().labels().map_or(1, Labels::len);
        // Every word has scores for all words of the longest sentence.
        let scores = |words: usize| words.saturating_mul(words + 1).saturating_mul(labels);
        if let Some(at) = lengths.iter().position(|&words| self.task().has_trees() && scores(words) > MOST) {
            let (place, words) = (format!("tagger, sentence {}", there[at]), lengths[at]);
            let expected = format!("at most {MOST} scores of heads with labels (words · (words + 1) · {labels})");
            return Err(Error::invalid(place, expected, format!("{} of {words} words", scores(words))));
        }
        let batches = match self.task().has_trees() {
            true => batches(&lengths, scores, SCORES),
            false => batches(&lengths, |words| words, WORDS),
        };
        let mut found = vec![Found::default(); rows.len()];
        for batch in batches {
            let of_batch = || batch.iter().map(|&at| there[at]);
            let rows: Vec<Row<'_>> =
                of_batch().map(|at| Row { words: rows[at].words.clone(), columns: rows[at].columns }).collect();
            let inputs = self.vocabulary().inputs(&rows)?;
            let lengths: Vec<usize> = rows.iter().map(|row| row.words.len()).collect();
            of_batch().zip(self.found_in(&inputs, &lengths)?).for_each(|(at, of_row)| found[at] = of_row);
        }
        Ok(found)
    }

    /// The same of one batch.
    fn found_in(&self, inputs: &Inputs, lengths: &[usize]) -> Result<Vec<Found>> {
        let (model, size) = (self.model(), lengths.len());
        if !self.task().has_trees() {
            let tags = match self.settings().crf {
                true => Trellis::of(model, inputs, size)?.iter().map(of_trellis).collect::<Result<Vec<_>>>()?,
                false => of_scores(&model.predict(inputs, size)?, lengths, self.tags()?.len())?,
            };
            return Ok(tags.into_iter().map(|tags| Found { tags, arcs: Vec::new() }).collect());
        }
        let labels = self.vocabulary().labels().ok_or_else(|| incomplete("labels"))?;
        let outputs = model.predict_outputs(inputs, size)?;
        let trees = outputs.part("trees")?;
        let width = trees.shape().last().copied().unwrap_or(0);
        let arcs = trees.rows().zip(lengths).map(|(row, &words)| tree::tree(row, width, words, labels));
        let arcs = arcs.collect::<Result<Vec<_>>>()?;
        let tags = match self.task() {
            TaggerTask::All => of_scores(outputs.part("tags")?, lengths, self.tags()?.len())?,
            _ => vec![Vec::new(); size],
        };
        Ok(tags.into_iter().zip(arcs).map(|(tags, arcs)| Found { tags, arcs }).collect())
    }

    pub(super) fn tags(&self) -> Result<&Labels> {
        self.vocabulary().tags().ok_or_else(|| incomplete("tags"))
    }
}

/// What a file that was written by hand may lack.
pub(super) fn incomplete(what: &str) -> Error {
    Error::invalid("tagger", format!("the names of its {what}"), "none")
}

/// Number and probability of each word's tag by its scores: the greatest, the first one of equals.
fn of_scores(predictions: &Predictions, lengths: &[usize], tags: usize) -> Result<Vec<Vec<(usize, f64)>>> {
    let of_word = |scores: &[f32]| {
        if !scores.iter().all(|score| score.is_finite()) {
            return Err(Error::invalid("tagger", "scores", "NaN or infinity: weights too large to compute with"));
        }
        let best = (0..scores.len()).fold(0, |best, at| if scores[at] > scores[best] { at } else { best });
        let sum: f64 = scores.iter().map(|score| f64::from(score - scores[best]).exp()).sum();
        Ok((best, sum.recip()))
    };
    let of_sentence = |(row, &words): (&[f32], &usize)| row.chunks(tags).take(words).map(of_word).collect();
    predictions.rows().zip(lengths).map(of_sentence).collect()
}

/// The same by a field: the best path, and the marginals of its tags.
fn of_trellis(trellis: &Trellis) -> Result<Vec<(usize, f64)>> {
    let best = trellis.best_with_marginals();
    best.ok_or_else(|| Error::invalid("tagger", "a path of tags that is not forbidden", "none"))
}
