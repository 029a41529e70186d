//! A chain taken apart by its steps: the recurrences of the default bodies.

use super::{ChainSizes, Potentials};
use crate::backend::{Backend, Zip};
use crate::error::Result;
use crate::shape::Shape;

/// What [`Steps::forward`] has found after a step.
pub(super) struct Reached<B: Backend> {
    /// Of each tag, `[batch, tags]`.
    pub(super) scores: B::Array,
    /// What was taken out, `[batch, 1]`.
    pub(super) taken: Option<B::Array>,
}

/// A chain taken apart by its steps.
pub(super) struct Steps<'a, B: Backend> {
    b: &'a B,
    x: &'a Potentials<'a, B>,
    sizes: ChainSizes,
    /// The scores of each step, `[batch, tags]`: 0 where it does not count.
    pub(super) scores: Vec<B::Array>,
    /// Whether each step counts, `[batch, 1]`.
    pub(super) counts: Vec<B::Array>,
    /// Whether one before it does, and last whether any does, `[batch, 1]`.
    pub(super) begun: Vec<B::Array>,
}

impl<'a, B: Backend> Steps<'a, B> {
    pub(super) fn of(b: &'a B, x: &'a Potentials<'a, B>, sizes: ChainSizes) -> Result<Self> {
        let ChainSizes { batch, time, tags } = sizes;
        let one = Shape::new(&[batch, 1])?;
        let all = b.fill(one, 1.0)?;
        let (mut scores, mut counts, mut begun) = (Vec::new(), Vec::new(), vec![b.fill(one, 0.0)?]);
        for t in 0..time {
            let step = b.reshape(&b.slice(x.scores, 1, t, 1)?, Shape::new(&[batch, tags])?)?;
            let there = x.mask.map_or(Ok(all.clone()), |mask| b.slice(mask, 1, t, 1))?;
            scores.push(b.select(&there, &step, &b.fill(Shape::SCALAR, 0.0)?)?);
            begun.push(b.zip(Zip::Max, &begun[t], &there)?);
            counts.push(there);
        }
        Ok(Steps { b, x, sizes, scores, counts, begun })
    }

    /// Where a step counts and one before it does.
    pub(super) fn goes_on(&self, t: usize) -> Result<B::Array> {
        self.b.zip(Zip::Mul, &self.counts[t], &self.begun[t])
    }

    /// Where a step is the first that counts.
    pub(super) fn begins(&self, t: usize) -> Result<B::Array> {
        self.b.zip(Zip::Sub, &self.counts[t], &self.goes_on(t)?)
    }

    /// `[batch, tags]` as `[batch, tags, 1]`, for what is at the step before.
    pub(super) fn column(&self, a: &B::Array) -> Result<B::Array> {
        self.b.reshape(a, Shape::new(&[self.sizes.batch, self.sizes.tags, 1])?)
    }

    /// `[batch, tags]` as `[batch, 1, tags]`, for what is at the step behind.
    pub(super) fn row(&self, a: &B::Array) -> Result<B::Array> {
        self.b.reshape(a, Shape::new(&[self.sizes.batch, 1, self.sizes.tags])?)
    }

    /// `[batch, 1]` as `[batch, 1, 1]`.
    pub(super) fn deeper(&self, a: &B::Array) -> Result<B::Array> {
        self.b.reshape(a, Shape::new(&[self.sizes.batch, 1, 1])?)
    }

    /// Of all paths that end at a tag at a step what `reduce` makes of their scores, after each step, `[batch, tags]`: their
    /// greatest, or the logarithm of the sum of their exponentials. What `level` takes out of a step, `[batch, 1]`, comes with it, so
    /// that numbers do not grow from step to step and lose their digits.
    pub(super) fn forward(
        &self,
        reduce: impl Fn(&B::Array) -> Result<B::Array>,
        level: impl Fn(&B::Array) -> Result<Option<B::Array>>,
    ) -> Result<Vec<Reached<B>>> {
        let (b, x, wide) = (self.b, self.x, Shape::new(&[self.sizes.batch, self.sizes.tags])?);
        let mut all: Vec<Reached<B>> = Vec::with_capacity(self.sizes.time);
        for t in 0..self.sizes.time {
            let before = all.last().map_or_else(|| b.fill(wide, 0.0), |before| Ok(before.scores.clone()))?;
            let came = match t {
                0 => b.zip(Zip::Add, &before, x.start)?,
                _ => {
                    let from = b.zip(Zip::Add, &self.column(&before)?, x.transitions)?;
                    b.select(&self.begun[t], &b.reshape(&reduce(&from)?, wide)?, x.start)?
                }
            };
            let here = b.zip(Zip::Add, &came, &self.scores[t])?;
            let taken = level(&here)?;
            let here = taken.as_ref().map_or(Ok(here.clone()), |taken| b.zip(Zip::Sub, &here, taken))?;
            all.push(Reached { scores: b.select(&self.counts[t], &here, &before)?, taken });
        }
        Ok(all)
    }

    /// The given tags one-hot, `[batch, tags]` a step.
    pub(super) fn given(&self, labels: &B::Indices) -> Result<Vec<B::Array>> {
        let (b, wide) = (self.b, Shape::new(&[self.sizes.batch, self.sizes.tags])?);
        let hot = b.one_hot(labels, self.sizes.tags)?;
        (0..self.sizes.time).map(|t| b.reshape(&b.slice(&hot, 1, t, 1)?, wide)).collect()
    }

    /// The given tag of the last step that counts before each, and last of all: zeros where there is none.
    pub(super) fn before(&self, given: &[B::Array]) -> Result<Vec<B::Array>> {
        let mut before = vec![self.b.fill(Shape::new(&[self.sizes.batch, self.sizes.tags])?, 0.0)?];
        for (t, hot) in given.iter().enumerate() {
            before.push(self.b.select(&self.counts[t], hot, &before[t])?);
        }
        Ok(before)
    }

    /// What each step adds to the score of the given path, and last its end, `[batch, 1]`: 0 where the step does not count.
    pub(super) fn scores_of(&self, labels: &B::Indices) -> Result<Vec<B::Array>> {
        let (b, x, zero) = (self.b, self.x, self.b.fill(Shape::SCALAR, 0.0)?);
        let one = Shape::new(&[self.sizes.batch, 1])?;
        let hot = self.given(labels)?;
        let before = self.before(&hot)?;
        // Chosen and not multiplied: 0 times -∞ is no number.
        let chosen = |which: &B::Array, of: &B::Array| b.sum_to(&b.select(which, of, &zero)?, one);
        let step = |(t, hot): (usize, &B::Array)| {
            let of_step = chosen(&b.zip(Zip::Mul, hot, &self.counts[t])?, &self.scores[t])?;
            let first = chosen(&b.zip(Zip::Mul, hot, &self.begins(t)?)?, x.start)?;
            let sum = b.zip(Zip::Add, &of_step, &first)?;
            if t == 0 {
                return Ok(sum);
            }
            let here = self.row(&b.zip(Zip::Mul, hot, &self.goes_on(t)?)?)?;
            let both = b.zip(Zip::Mul, &self.column(&before[t])?, &here)?;
            let between = b.sum_to(&b.select(&both, x.transitions, &zero)?, Shape::new(&[self.sizes.batch, 1, 1])?)?;
            b.zip(Zip::Add, &sum, &b.reshape(&between, one)?)
        };
        let steps = hot.iter().enumerate().map(step);
        steps.chain([chosen(&before[self.sizes.time], x.end)]).collect()
    }
}
