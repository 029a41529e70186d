//! The conditional random field over linear chains (Lafferty, McCallum, Pereira, ICML 2001; over a network: Lample and others,
//! NAACL 2016): what the fused operations take and give, and their default bodies.
//!
//! A path of tags `y` through the steps of a sequence that count has the score `start[y₁] + Σ scores[t, y_t] + Σ transitions[y_(t-1),
//! y_t] + end[y_n]`, and the probability that a softmax over all paths gives it. Steps that the mask leaves out are passed over: what
//! stands before and behind them are neighbours. Everything is found by a recurrence over the steps, whose sums are those of
//! exponentials with the greatest taken out.
//!
//! Scores are finite, of less than 1e30. A start, a transition or an end of -∞ is forbidden: paths with it have a probability of
//! exactly 0, and it has a gradient of 0 unless the given tags need it.

mod steps;

use super::logarithms::{LEAST, log_sum_exp, most, probabilities};
use super::{Backend, CrfWanted, Map, Zip, check};
use crate::error::{Error, Result};
use crate::shape::Shape;
use steps::Steps;

/// What paths are scored by.
#[derive(Debug)]
pub struct Potentials<'a, B: Backend> {
    /// Of each tag at each step, `[batch, time, tags]`.
    pub scores: &'a B::Array,
    /// Of a tag at the first step that counts, `[tags]`.
    pub start: &'a B::Array,
    /// Of a tag (column) behind another (row), `[tags, tags]`.
    pub transitions: &'a B::Array,
    /// Of a tag at the last step that counts, `[tags]`.
    pub end: &'a B::Array,
    /// The steps that count, `[batch, time]` of 0 and 1; all of them without.
    pub mask: Option<&'a B::Array>,
}

impl<B: Backend> Clone for Potentials<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Potentials<'_, B> {}

/// What came out, and what the gradient needs of it.
#[derive(Clone, Debug)]
pub struct PathLoss<B: Backend> {
    /// The negative log-likelihood of each sequence's tags, `[batch]`: 0 of a sequence in which no step counts, ∞ of tags that are
    /// forbidden.
    pub each: B::Array,
    /// Arrays of the backend's own choice.
    pub saved: Vec<B::Array>,
}

/// Sizes of chains, after a check that all arrays go together. Every implementation begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainSizes {
    /// Sequences.
    pub batch: usize,
    /// Steps, at least 1.
    pub time: usize,
    /// Tags, at least 1.
    pub tags: usize,
}

impl ChainSizes {
    /// The sizes.
    pub fn of<B: Backend>(b: &B, x: &Potentials<'_, B>) -> Result<Self> {
        let shape = b.shape(x.scores);
        let (batch, time, tags) = match shape[..] {
            [batch, time, tags] if time > 0 && tags > 0 => (batch, time, tags),
            _ => {
                let expected = "scores [batch, time, tags] of at least one step and one tag";
                return Err(Error::invalid("crf", expected, format!("shape {shape}")));
            }
        };
        if let Some(edge) = [x.start, x.end].map(|edge| b.shape(edge)).into_iter().find(|edge| edge[..] != [tags]) {
            return Err(Error::shapes("crf", shape, edge, "scores are [batch, time, tags], start and end [tags]"));
        }
        let transitions = b.shape(x.transitions);
        if transitions[..] != [tags, tags] {
            let why = "scores are [batch, time, tags] and transitions [tags, tags]";
            return Err(Error::shapes("crf", shape, transitions, why));
        }
        if let Some(mask) = x.mask {
            check::same_shape("crf", Shape::new(&[batch, time])?, b.shape(mask))?;
        }
        Ok(ChainSizes { batch, time, tags })
    }

    /// The sizes where there are tags to compare with, `[batch, time]`.
    pub fn with_labels<B: Backend>(b: &B, x: &Potentials<'_, B>, labels: &B::Indices) -> Result<Self> {
        let sizes = Self::of(b, x)?;
        check::same_shape("crf", Shape::new(&[sizes.batch, sizes.time])?, b.indices_shape(labels))?;
        Ok(sizes)
    }

    /// The sizes where there is a gradient for the losses, `[batch]`.
    pub fn with_upstream<B: Backend>(b: &B, x: &Potentials<'_, B>, labels: &B::Indices, d: &B::Array) -> Result<Self> {
        let sizes = Self::with_labels(b, x, labels)?;
        check::same_shape("crf_grad", Shape::new(&[sizes.batch])?, b.shape(d))?;
        Ok(sizes)
    }
}

/// The negative log-likelihood of tags `[batch, time]`, one a sequence: `ln Σ e^score` over all paths, less the score of this one.
pub fn crf<B: Backend>(b: &B, x: &Potentials<'_, B>, labels: &B::Indices) -> Result<PathLoss<B>> {
    let sizes = ChainSizes::with_labels(b, x, labels)?;
    let steps = Steps::of(b, x, sizes)?;
    let forward = steps.forward(|from| log_sum_exp(b, from, 1), |here| most(b, here, 1).map(Some))?;
    let all = log_sum_exp(b, &b.zip(Zip::Add, &forward[sizes.time - 1].scores, x.end)?, 1)?;
    // Where no path is possible at all.
    let all = b.map(Map::Clamp(LEAST, f64::INFINITY), &all)?;
    // Step by step, for both sums are large and their difference is not.
    let (given, zero) = (steps.scores_of(labels)?, b.fill(Shape::SCALAR, 0.0)?);
    let mut loss = b.zip(Zip::Sub, &all, &given[sizes.time])?;
    for ((taken, given), counts) in forward.iter().filter_map(|at| at.taken.as_ref()).zip(&given).zip(&steps.counts) {
        let of_step = b.select(counts, &b.zip(Zip::Sub, taken, given)?, &zero)?;
        loss = b.zip(Zip::Add, &loss, &of_step)?;
    }
    let loss = b.select(&steps.begun[sizes.time], &loss, &zero)?;
    let alphas: Vec<B::Array> = forward.iter().map(|at| steps.row(&at.scores)).collect::<Result<_>>()?;
    let saved = vec![b.concat(&alphas.iter().collect::<Vec<_>>(), 1)?];
    Ok(PathLoss { each: b.reshape(&loss, Shape::new(&[sizes.batch])?)?, saved })
}

/// The probabilities of tags and of pairs of tags (forward-backward), less the given ones, times `d [batch]`: gradients for the
/// scores, the start, the transitions and the end, those that are wanted.
pub fn crf_grad<B: Backend>(
    b: &B,
    x: &Potentials<'_, B>,
    labels: &B::Indices,
    y: &PathLoss<B>,
    d: &B::Array,
    wanted: CrfWanted,
) -> Result<[Option<B::Array>; 4]> {
    let sizes = ChainSizes::with_upstream(b, x, labels, d)?;
    let ChainSizes { batch, time, tags } = sizes;
    let [alphas] = &y.saved[..] else {
        return Err(Error::invalid("crf_grad", "what `crf` saved", format!("{} arrays", y.saved.len())));
    };
    let (steps, wide, zero) = (Steps::of(b, x, sizes)?, Shape::new(&[batch, tags])?, b.fill(Shape::SCALAR, 0.0)?);
    let alpha = |t: usize| b.reshape(&b.slice(alphas, 1, t, 1)?, wide);
    let hot = steps.given(labels)?;
    let before = steps.before(&hot)?;
    let d = b.reshape(d, Shape::new(&[batch, 1])?)?;
    // Where the step counts, the probability less what was given, times the gradient of the loss.
    let less = |there: &B::Array, scores: &B::Array, given: &B::Array, d: &B::Array| {
        let p = b.reshape(&probabilities(b, scores)?, b.shape(given))?;
        b.select(there, &b.zip(Zip::Mul, &b.zip(Zip::Sub, &p, given)?, d)?, &zero)
    };
    let (edge, square) = (Shape::new(&[tags])?, Shape::new(&[tags, tags])?);
    let (mut d_scores, mut d_start, mut d_transitions) = (Vec::new(), b.fill(edge, 0.0)?, b.fill(square, 0.0)?);
    let ended = b.zip(Zip::Add, &alpha(time - 1)?, x.end)?;
    let d_end = b.sum_to(&less(&steps.begun[time], &ended, &before[time], &d)?, edge)?;
    let mut beta = b.zip(Zip::Add, &b.fill(wide, 0.0)?, x.end)?;
    for t in (0..time).rev() {
        let of_step = less(&steps.counts[t], &b.zip(Zip::Add, &alpha(t)?, &beta)?, &hot[t], &d)?;
        b.add_assign(&mut d_start, &b.sum_to(&b.select(&steps.begins(t)?, &of_step, &zero)?, edge)?)?;
        d_scores.push(steps.row(&of_step)?);
        if t == 0 {
            break;
        }
        let (there, behind) = (steps.goes_on(t)?, b.zip(Zip::Add, &steps.scores[t], &beta)?);
        let onward = b.zip(Zip::Add, &steps.row(&behind)?, x.transitions)?;
        if wanted.transitions {
            let pair = b.zip(Zip::Add, &steps.column(&alpha(t - 1)?)?, &onward)?;
            let given = b.zip(Zip::Mul, &steps.column(&before[t])?, &steps.row(&hot[t])?)?;
            let pair = b.reshape(&pair, Shape::new(&[batch, tags * tags])?)?;
            let of_pair = less(&steps.deeper(&there)?, &pair, &given, &steps.deeper(&d)?)?;
            b.add_assign(&mut d_transitions, &b.sum_to(&of_pair, square)?)?;
        }
        let sum = b.reshape(&log_sum_exp(b, &onward, 2)?, wide)?;
        beta = b.select(&there, &b.zip(Zip::Sub, &sum, &most(b, &sum, 1)?)?, &beta)?;
    }
    d_scores.reverse();
    let d_scores = || b.concat(&d_scores.iter().collect::<Vec<_>>(), 1);
    Ok([
        wanted.scores.then(d_scores).transpose()?,
        wanted.start.then_some(d_start),
        wanted.transitions.then_some(d_transitions),
        wanted.end.then_some(d_end),
    ])
}

/// The path of the greatest score (Viterbi), one-hot, `[batch, time, tags]`; 0 throughout at steps that do not count. Of equal
/// ones that with the first tag at the last step, then at the one before it, and so on.
pub fn crf_path<B: Backend>(b: &B, x: &Potentials<'_, B>) -> Result<B::Array> {
    let sizes = ChainSizes::of(b, x)?;
    let steps = Steps::of(b, x, sizes)?;
    let best = steps.forward(|from| b.max(from, 1), |_| Ok(None))?;
    let hot_of = |scores: &B::Array| b.one_hot(&b.argmax(scores, 1)?, sizes.tags);
    let into = b.permute(x.transitions, &[1, 0])?;
    let mut tag = hot_of(&b.zip(Zip::Add, &best[sizes.time - 1].scores, x.end)?)?;
    let mut path = Vec::with_capacity(sizes.time);
    for t in (0..sizes.time).rev() {
        path.push(steps.row(&b.zip(Zip::Mul, &tag, &steps.counts[t])?)?);
        if t > 0 {
            let from = b.zip(Zip::Add, &best[t - 1].scores, &b.gather(&into, &b.argmax(&tag, 1)?)?)?;
            tag = b.select(&steps.goes_on(t)?, &hot_of(&from)?, &tag)?;
        }
    }
    path.reverse();
    b.concat(&path.iter().collect::<Vec<_>>(), 1)
}
