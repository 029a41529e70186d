//! [`Trellis`]: the paths of tags through one sequence, on the host.

mod best;
mod n_best;
mod of_model;

use crate::error::{Error, Result};
use std::sync::Arc;

/// The scores of all paths of tags through one sequence, as a [`Crf`](crate::layers::Crf) gives them: the best path, the `n` best
/// ones, how probable each is, and how sure the field is of each tag. In `f64`; steps that a mask leaves out are not among those here.
///
/// ```
/// use elman::decode::Trellis;
/// // Two steps, two tags; tag 1 does not follow tag 0.
/// let transitions = vec![0.0, f64::NEG_INFINITY, 0.0, 0.0];
/// let trellis = Trellis::new(vec![1.0, 0.0, 0.0, 2.0], vec![0.0; 2], transitions, vec![0.0; 2])?;
/// let best = trellis.best().unwrap();
/// assert_eq!((best.tags, best.score), (vec![1, 1], 2.0));
/// let sum = 2f64.exp() + 1f64.exp() + 1.0; // of the paths 1 1, 0 0, 1 0
/// assert!((best.log_probability - (2.0 - sum.ln())).abs() < 1e-12);
/// assert!((trellis.marginals()[0][0] - 1f64.exp() / sum).abs() < 1e-12);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trellis {
    tags: usize,
    /// A row a step.
    scores: Vec<f64>,
    edges: Arc<Edges>,
}

/// What does not depend on the step.
#[derive(Clone, Debug)]
struct Edges {
    start: Vec<f64>,
    /// From row to column.
    transitions: Vec<f64>,
    end: Vec<f64>,
}

/// A path of tags through a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct TagPath {
    /// The tag of each step.
    pub tags: Vec<usize>,
    /// What it scores.
    pub score: f64,
    /// The logarithm of its probability among all paths.
    pub log_probability: f64,
}

impl Trellis {
    /// From the scores `[steps, tags]` of tags at steps, of a tag at the first step `[tags]`, of a tag (column) behind another (row)
    /// `[tags, tags]`, and of a tag at the last step `[tags]`; -∞ is forbidden. Errors: no tag, sizes that do not go together, NaN and
    /// ∞.
    pub fn new(scores: Vec<f64>, start: Vec<f64>, transitions: Vec<f64>, end: Vec<f64>) -> Result<Self> {
        Trellis::with_edges(scores, Arc::new(Edges { start, transitions, end }))
    }

    fn with_edges(scores: Vec<f64>, edges: Arc<Edges>) -> Result<Self> {
        let (tags, Edges { start, transitions, end }) = (edges.start.len(), &*edges);
        if tags == 0 || end.len() != tags || transitions.len() != tags * tags || !scores.len().is_multiple_of(tags) {
            let found = format!("{}, {tags}, {} and {} numbers", scores.len(), transitions.len(), end.len());
            let expected =
                "scores [steps, tags], start [tags], transitions [tags, tags] and end [tags] of at least one tag";
            return Err(Error::invalid("trellis", expected, found));
        }
        let all = [&scores, start, transitions, end];
        if let Some(wrong) = all.into_iter().flatten().find(|x| x.is_nan() || **x == f64::INFINITY) {
            return Err(Error::invalid("trellis", "scores that are numbers, or -∞ for what is forbidden", wrong));
        }
        Ok(Trellis { tags, scores, edges })
    }

    /// The number of steps.
    pub fn steps(&self) -> usize {
        self.scores.len() / self.tags
    }

    /// The number of tags.
    pub fn tags(&self) -> usize {
        self.tags
    }

    fn at(&self, step: usize) -> &[f64] {
        &self.scores[step * self.tags..][..self.tags]
    }

    fn between(&self, from: usize, to: usize) -> f64 {
        self.edges.transitions[from * self.tags + to]
    }

    /// `ln Σ e^score` over all paths that end at each tag at each step.
    fn forward(&self) -> Vec<Vec<f64>> {
        let mut all: Vec<Vec<f64>> = Vec::with_capacity(self.steps());
        for step in 0..self.steps() {
            let came = |to: usize| match all.last() {
                None => self.edges.start[to],
                Some(before) => log_sum_exp(before.iter().enumerate().map(|(from, x)| x + self.between(from, to))),
            };
            let row = (0..self.tags).map(|to| came(to) + self.at(step)[to]).collect();
            all.push(row);
        }
        all
    }

    /// The same over what is behind each tag at each step.
    fn backward(&self) -> Vec<Vec<f64>> {
        let mut all = vec![self.edges.end.clone()];
        for step in (1..self.steps()).rev() {
            let behind: Vec<f64> = all[all.len() - 1].iter().zip(self.at(step)).map(|(x, score)| x + score).collect();
            let onward = |from: usize| log_sum_exp((0..self.tags).map(|to| behind[to] + self.between(from, to)));
            all.push((0..self.tags).map(onward).collect());
        }
        all.reverse();
        all
    }

    /// `ln Σ e^score` over all paths: by what their probabilities are divided. -∞ where no path is possible, 0 of no steps.
    pub fn log_partition(&self) -> f64 {
        self.total(&self.forward())
    }

    fn total(&self, forward: &[Vec<f64>]) -> f64 {
        forward.last().map_or(0.0, |last| log_sum_exp(last.iter().zip(&self.edges.end).map(|(x, end)| x + end)))
    }

    /// What a path scores. Errors unless it is one of a tag for each step.
    pub fn score(&self, tags: &[usize]) -> Result<f64> {
        if tags.len() != self.steps() || tags.iter().any(|&tag| tag >= self.tags) {
            let expected = format!("a tag below {} for each of {} steps", self.tags, self.steps());
            return Err(Error::invalid("trellis", expected, format!("{tags:?}")));
        }
        let (Some(&first), Some(&last)) = (tags.first(), tags.last()) else { return Ok(0.0) };
        let scores: f64 = tags.iter().enumerate().map(|(step, &tag)| self.at(step)[tag]).sum();
        let between: f64 = tags.windows(2).map(|pair| self.between(pair[0], pair[1])).sum();
        Ok(self.edges.start[first] + scores + between + self.edges.end[last])
    }

    /// The logarithm of the probability of a path; -∞ where it is forbidden. Errors as [`Trellis::score`].
    pub fn log_probability(&self, tags: &[usize]) -> Result<f64> {
        let score = self.score(tags)?;
        Ok(if score == f64::NEG_INFINITY { score } else { score - self.log_partition() })
    }

    /// The probability of each tag at each step, a row a step (forward-backward). All 0 where no path is possible.
    pub fn marginals(&self) -> Vec<Vec<f64>> {
        let (forward, backward) = (self.forward(), self.backward());
        let total = self.total(&forward);
        let probability = |(x, y): (&f64, &f64)| if total == f64::NEG_INFINITY { 0.0 } else { (x + y - total).exp() };
        forward.iter().zip(&backward).map(|(x, y)| x.iter().zip(y).map(probability).collect()).collect()
    }
}

fn log_sum_exp(x: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = x.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY { most } else { most + x.map(|x| (x - most).exp()).sum::<f64>().ln() }
}
