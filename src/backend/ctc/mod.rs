//! Connectionist temporal classification (Graves, Fernández, Gomez, Schmidhuber, ICML 2006): what the fused operations take and give,
//! and their default bodies.
//!
//! A sequence of `time` steps is read as fewer labels, at places that nobody says. An *alignment* names at each step a label or the blank; it
//! spells the labels that are left when steps that repeat the one before are taken together and blanks are dropped. The probability of labels
//! is that of all their alignments together, of which each is the product of its softmaxes. The sum is found by a recurrence over the
//! steps, through the states *blank, first label, blank, second label, …, blank*, in logarithms.
//!
//! Steps that the mask leaves out are passed over, wherever they are. Labels of a sequence may repeat, and there may be none: then every
//! step is blank. Labels that do not fit, as there are not so many steps, and one more for the blank between two equal ones, have a
//! probability of 0: the loss is ∞ and the gradient 0.

mod states;

use super::logarithms::{LEAST, log_sum_exp, most, probabilities};
use super::{Backend, Map, PathLoss, Zip, check};
use crate::error::{Error, Result};
use crate::shape::Shape;
pub use states::States;

/// What sequences are compared with.
#[derive(Debug)]
pub struct Transcripts<'a, B: Backend> {
    /// Scores of each class at each step before the softmax, `[batch, time, classes]`.
    pub logits: &'a B::Array,
    /// The labels of each sequence, none of them the blank.
    pub labels: &'a [Vec<u32>],
    /// The class that is no label.
    pub blank: u32,
    /// The steps that count, `[batch, time]` of 0 and 1; all of them without.
    pub mask: Option<&'a B::Array>,
}

impl<B: Backend> Clone for Transcripts<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Transcripts<'_, B> {}

/// Sizes of sequences and what they are compared with, after a check that all go together. Every implementation begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranscriptSizes {
    /// Sequences.
    pub batch: usize,
    /// Steps, at least 1.
    pub time: usize,
    /// Classes, at least 2: a label and the blank.
    pub classes: usize,
}

impl TranscriptSizes {
    /// The sizes. Errors name the sequence whose label is none.
    pub fn of<B: Backend>(b: &B, x: &Transcripts<'_, B>) -> Result<Self> {
        let shape = b.shape(x.logits);
        let (batch, time, classes) = match shape[..] {
            [batch, time, classes] if time > 0 && classes > 1 => (batch, time, classes),
            _ => {
                let expected = "logits [batch, time, classes] of at least one step and two classes";
                return Err(Error::invalid("ctc", expected, format!("shape {shape}")));
            }
        };
        if x.blank as usize >= classes {
            return Err(Error::invalid("ctc", format!("a blank below {classes}, the number of classes"), x.blank));
        }
        if x.labels.len() != batch {
            let expected = format!("labels of {batch} sequences, as there are logits");
            return Err(Error::invalid("ctc", expected, x.labels.len()));
        }
        for (number, labels) in x.labels.iter().enumerate() {
            if let Some(at) = labels.iter().position(|&label| label as usize >= classes || label == x.blank) {
                let expected = format!("labels below {classes} that are not {}, the blank", x.blank);
                return Err(Error::invalid(format!("ctc, sequence {number}, label {at}"), expected, labels[at]));
            }
        }
        if let Some(mask) = x.mask {
            check::same_shape("ctc", Shape::new(&[batch, time])?, b.shape(mask))?;
        }
        Ok(TranscriptSizes { batch, time, classes })
    }

    /// The sizes where there is a gradient for the losses, `[batch]`.
    pub fn with_upstream<B: Backend>(b: &B, x: &Transcripts<'_, B>, d: &B::Array) -> Result<Self> {
        let sizes = Self::of(b, x)?;
        check::same_shape("ctc_grad", Shape::new(&[sizes.batch])?, b.shape(d))?;
        Ok(sizes)
    }
}

/// The negative log-likelihood of each sequence's labels, `[batch]`.
pub fn ctc<B: Backend>(b: &B, x: &Transcripts<'_, B>) -> Result<PathLoss<B>> {
    let sizes = TranscriptSizes::of(b, x)?;
    let walk = Walk::new(b, x, sizes)?;
    let one = Shape::new(&[sizes.batch, 1])?;
    let (mut alpha, mut alphas, mut taken) = (walk.start()?, Vec::new(), b.fill(one, 0.0)?);
    for t in 0..sizes.time {
        let here = b.zip(Zip::Add, &walk.onward(&alpha)?, &walk.scores(t)?)?;
        // What is taken out of a step keeps the numbers small, so that they do not lose their digits.
        let level = b.select(&walk.counts(t)?, &most(b, &here, 1)?, &b.fill(Shape::SCALAR, 0.0)?)?;
        alpha = b.zip(Zip::Sub, &b.select(&walk.counts(t)?, &here, &alpha)?, &level)?;
        taken = b.zip(Zip::Add, &taken, &level)?;
        alphas.push(walk.row(&alpha)?);
    }
    let all = b.zip(Zip::Add, &taken, &log_sum_exp(b, &b.zip(Zip::Add, &alpha, &walk.end)?, 1)?)?;
    let each = b.reshape(&b.map(Map::Neg, &all)?, Shape::new(&[sizes.batch])?)?;
    Ok(PathLoss { each, saved: vec![b.concat(&alphas.iter().collect::<Vec<_>>(), 1)?] })
}

/// The gradient for the logits, `[batch, time, classes]`: at steps that count the softmax less the probability that each class is named
/// there given the labels, times `d [batch]`; 0 elsewhere.
pub fn ctc_grad<B: Backend>(b: &B, x: &Transcripts<'_, B>, y: &PathLoss<B>, d: &B::Array) -> Result<B::Array> {
    let sizes = TranscriptSizes::with_upstream(b, x, d)?;
    let TranscriptSizes { batch, time, .. } = sizes;
    let [alphas] = &y.saved[..] else {
        return Err(Error::invalid("ctc_grad", "what `ctc` saved", format!("{} arrays", y.saved.len())));
    };
    let walk = Walk::new(b, x, sizes)?;
    let (mut beta, mut named) = (walk.end.clone(), Vec::new());
    for t in (0..time).rev() {
        let alpha = b.reshape(&b.slice(alphas, 1, t, 1)?, walk.shape)?;
        named.push(walk.row(&probabilities(b, &b.zip(Zip::Add, &alpha, &beta)?)?)?);
        let before = walk.backward(&b.zip(Zip::Add, &beta, &walk.scores(t)?)?)?;
        let before = b.zip(Zip::Sub, &before, &most(b, &before, 1)?)?;
        beta = b.select(&walk.counts(t)?, &before, &beta)?;
    }
    named.reverse();
    let named = b.concat(&named.iter().collect::<Vec<_>>(), 1)?;
    let is_possible = b.sum_to(&named, Shape::new(&[batch, time, 1])?)?;
    let given = b.matmul(&named, false, &walk.hot, false)?;
    let softmax = b.zip(Zip::Mul, &b.softmax(x.logits)?, &is_possible)?;
    let d = b.reshape(d, Shape::new(&[batch, 1, 1])?)?;
    let dx = b.zip(Zip::Mul, &b.zip(Zip::Sub, &softmax, &given)?, &d)?;
    let Some(mask) = x.mask else { return Ok(dx) };
    b.select(&b.reshape(mask, Shape::new(&[batch, time, 1])?)?, &dx, &b.fill(Shape::SCALAR, 0.0)?)
}

/// The recurrence over the steps, in logarithms, `[batch, states]` a step.
struct Walk<'a, B: Backend> {
    b: &'a B,
    mask: Option<&'a B::Array>,
    shape: Shape,
    /// The class of each state, one-hot `[batch, states, classes]`.
    hot: B::Array,
    /// The logarithm of the probability of each state's class at each step, `[batch, time, states]`.
    scores: B::Array,
    /// 0 where a state may be entered from the one two before it, else -∞.
    skip: B::Array,
    /// 0 for the states in which the labels are spelled to the end, else -∞.
    end: B::Array,
}

impl<'a, B: Backend> Walk<'a, B> {
    fn new(b: &'a B, x: &Transcripts<'a, B>, sizes: TranscriptSizes) -> Result<Self> {
        let states = States::of(x.labels, x.blank);
        let shape = Shape::new(&[sizes.batch, states.count()])?;
        let hot = b.one_hot(&b.upload_indices(states.classes(), shape)?, sizes.classes)?;
        // What is impossible is a number in the product, which 0 times is 0.
        let logarithms = b.map(Map::Clamp(LEAST, f64::INFINITY), &b.log_softmax(x.logits)?)?;
        let scores = b.matmul(&logarithms, false, &hot, true)?;
        let is_none = b.zip(Zip::Less, &scores, &b.fill(Shape::SCALAR, LEAST / 2.0)?)?;
        let scores = b.select(&is_none, &b.fill(Shape::SCALAR, f64::NEG_INFINITY)?, &scores)?;
        let [skip, end] = [states.skips(), states.ends()].map(|may| b.upload(states::logarithms(&may), shape));
        Ok(Walk { b, mask: x.mask, shape, hot, scores, skip: skip?, end: end? })
    }

    /// Before the first step: at the first blank, from which the first label may be entered as well.
    fn start(&self) -> Result<B::Array> {
        let first = |i: usize| i.is_multiple_of(self.shape[1]);
        self.b.upload(states::logarithms(&(0..self.shape.elements()).map(first).collect::<Vec<_>>()), self.shape)
    }

    fn scores(&self, t: usize) -> Result<B::Array> {
        self.b.reshape(&self.b.slice(&self.scores, 1, t, 1)?, self.shape)
    }

    /// Whether a step counts, `[batch, 1]`.
    fn counts(&self, t: usize) -> Result<B::Array> {
        let one = Shape::new(&[self.shape[0], 1])?;
        self.mask.map_or_else(|| self.b.fill(one, 1.0), |mask| self.b.slice(mask, 1, t, 1))
    }

    fn row(&self, x: &B::Array) -> Result<B::Array> {
        self.b.reshape(x, Shape::new(&[self.shape[0], 1, self.shape[1]])?)
    }

    /// What comes to each state from itself, from the one before it, and from that before this where it may be left out.
    fn onward(&self, x: &B::Array) -> Result<B::Array> {
        self.sum([x.clone(), self.moved(x, 1)?, self.b.zip(Zip::Add, &self.moved(x, 2)?, &self.skip)?])
    }

    /// What goes on from each state to itself, to the one behind it, and to that behind this where it may be left out.
    fn backward(&self, x: &B::Array) -> Result<B::Array> {
        self.sum([x.clone(), self.moved(x, -1)?, self.moved(&self.b.zip(Zip::Add, x, &self.skip)?, -2)?])
    }

    fn sum(&self, of: [B::Array; 3]) -> Result<B::Array> {
        let [x, y, z] = of.map(|x| self.row(&x));
        let all = self.b.concat(&[&x?, &y?, &z?], 1)?;
        self.b.reshape(&log_sum_exp(self.b, &all, 1)?, self.shape)
    }

    /// Each state's number at the state so many places behind it, -∞ where none comes.
    fn moved(&self, x: &B::Array, by: isize) -> Result<B::Array> {
        let (states, places) = (self.shape[1], by.unsigned_abs().min(self.shape[1]));
        let none = self.b.fill(Shape::new(&[self.shape[0], places])?, f64::NEG_INFINITY)?;
        let kept = self.b.slice(x, 1, if by > 0 { 0 } else { places }, states - places)?;
        self.b.concat(&if by > 0 { [&none, &kept] } else { [&kept, &none] }, 1)
    }
}
