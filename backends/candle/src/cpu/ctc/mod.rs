//! Connectionist temporal classification, a sequence at a time: by products where nothing can be lost, else by logarithms.

mod logarithms;
mod scaled;

use super::Cpu;
use super::softmax::shifted_exp;
use crate::Candle;
use crate::array::Array;
use elman::backend::ctc::TranscriptSizes;
use elman::backend::{PathLoss, Transcripts};
use elman::{Result, Shape};
use scaled::Room;

/// Sequences and what they are compared with.
#[derive(Clone, Copy)]
struct Given<'a> {
    sizes: TranscriptSizes,
    logits: &'a [f32],
    labels: &'a [Vec<u32>],
    blank: usize,
    mask: Option<&'a [f32]>,
}

/// One of them.
#[derive(Clone, Copy)]
struct Sequence<'a> {
    classes: usize,
    logits: &'a [f32],
    labels: &'a [u32],
    blank: usize,
    mask: Option<&'a [f32]>,
}

impl<'a> Given<'a> {
    fn sequence(&self, row: usize) -> Sequence<'a> {
        let TranscriptSizes { time, classes, .. } = self.sizes;
        Sequence {
            classes,
            logits: &self.logits[row * time * classes..][..time * classes],
            labels: &self.labels[row],
            blank: self.blank,
            mask: self.mask.map(|mask| &mask[row * time..][..time]),
        }
    }

    /// Nanoseconds or so a sequence.
    fn cost(&self) -> usize {
        let labels = self.labels.iter().map(Vec::len).max().unwrap_or(0);
        self.sizes.time * (self.sizes.classes + 2 * labels + 16)
    }
}

impl<'a> Sequence<'a> {
    /// The logits of the steps that count, with their numbers.
    fn steps(self) -> impl DoubleEndedIterator<Item = (usize, &'a [f32])> + Clone {
        let steps = self.logits.chunks_exact(self.classes).enumerate();
        steps.filter(move |&(t, _)| self.mask.is_none_or(|mask| mask[t] != 0.0))
    }

    /// Whether there are steps enough: one for each label, and one for the blank between two that are equal.
    fn fits(self) -> bool {
        let repeats = self.labels.windows(2).filter(|pair| pair[0] == pair[1]).count();
        self.labels.len() + repeats <= self.steps().count()
    }

    fn loss(self, room: &mut Room) -> f32 {
        if !self.fits() {
            return f32::INFINITY;
        }
        let loss = scaled::loss(self, room).unwrap_or_else(|| logarithms::loss(self));
        loss as f32
    }

    /// The softmax of each step less the probability that each class is named there, times `d`, into `[time, classes]`.
    fn gradient(self, d: f32, room: &mut Room, out: &mut [f32]) {
        out.fill(0.0);
        if d == 0.0 || !self.fits() {
            return;
        }
        if scaled::named(self, room, out).is_none() {
            out.fill(0.0);
            if !logarithms::named(self, out) {
                return out.fill(0.0);
            }
        }
        let e = &mut room.e;
        e.resize(self.classes, 0.0);
        for (t, logits) in self.steps() {
            let (_, total) = shifted_exp(logits, e);
            let out = &mut out[t * self.classes..][..self.classes];
            out.iter_mut().zip(&*e).for_each(|(out, e)| *out = (e / total - *out) * d);
        }
    }
}

impl Cpu {
    pub(crate) fn ctc(&self, b: &Candle, x: &Transcripts<'_, Candle>) -> Result<PathLoss<Candle>> {
        let sizes = TranscriptSizes::of(b, x)?;
        let (logits, mask) = (x.logits.numbers()?, x.mask.map(Array::numbers).transpose()?);
        let given = Given { sizes, logits: &logits, labels: x.labels, blank: x.blank as usize, mask: mask.as_deref() };
        let mut each = self.memory.take(sizes.batch);
        self.threads.rows(&mut each, 1, given.cost(), |rows, each| {
            let mut room = Room::default();
            for (row, each) in rows.zip(each) {
                *each = given.sequence(row).loss(&mut room);
            }
        });
        Ok(PathLoss { each: self.array(each, Shape::new(&[sizes.batch])?)?, saved: Vec::new() })
    }

    /// Goes through the steps forward once more, which costs less than to keep what was found there.
    pub(crate) fn ctc_grad(&self, b: &Candle, x: &Transcripts<'_, Candle>, d: &Array) -> Result<Array> {
        let sizes = TranscriptSizes::with_upstream(b, x, d)?;
        let (logits, d, mask) = (x.logits.numbers()?, d.numbers()?, x.mask.map(Array::numbers).transpose()?);
        let given = Given { sizes, logits: &logits, labels: x.labels, blank: x.blank as usize, mask: mask.as_deref() };
        let width = sizes.time * sizes.classes;
        let mut out = self.memory.take(sizes.batch * width);
        self.threads.rows(&mut out, width, 2 * given.cost(), |rows, out| {
            let mut room = Room::default();
            for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                given.sequence(row).gradient(d[row], &mut room, out);
            }
        });
        self.array(out, x.logits.shape())
    }
}
