//! Conditional random fields, a sequence at a time: by products where nothing can be lost, else by logarithms.

mod edges;
mod logarithms;
mod path;
mod scaled;

use super::Cpu;
use super::threads::ranges;
use crate::Candle;
use crate::array::{Array, Indices};
use edges::{Edges, LANES};
use elman::backend::crf::ChainSizes;
use elman::backend::{CrfWanted, PathLoss, Potentials, check};
use elman::{Error, Result, Shape};
use logarithms::Raw;
use path::Padded;
use scaled::Room;
use std::ops::Range;

/// Runs of sequences whose gradients for what they share are added up by themselves, so that the sums do not depend on the number of
/// threads.
const RUNS: usize = 16;

/// Nanoseconds or so a step.
fn cost(sizes: ChainSizes) -> usize {
    sizes.tags * (sizes.tags.next_multiple_of(LANES) / 8 + 2)
}

/// A sequence: its scores `[time, tags]` and which of its steps count.
#[derive(Clone, Copy)]
struct Chain<'a> {
    scores: &'a [f32],
    mask: Option<&'a [f32]>,
}

impl Chain<'_> {
    #[inline(always)]
    fn counts(self, t: usize) -> bool {
        self.mask.is_none_or(|mask| mask[t] != 0.0)
    }
}

/// A field and its sequences.
struct Field<'a> {
    sizes: ChainSizes,
    raw: Raw<'a>,
    scores: &'a [f32],
    mask: Option<&'a [f32]>,
}

impl<'a> Field<'a> {
    fn chain(&self, row: usize) -> Chain<'a> {
        let ChainSizes { time, tags, .. } = self.sizes;
        let mask = self.mask.map(|mask| &mask[row * time..][..time]);
        Chain { scores: &self.scores[row * time * tags..][..time * tags], mask }
    }

    /// The steps of a sequence that count.
    fn steps(&self, row: usize) -> impl Iterator<Item = usize> {
        let chain = self.chain(row);
        (0..self.sizes.time).filter(move |&t| chain.counts(t))
    }

    /// What the given path scores.
    fn score(&self, row: usize, labels: &[u32]) -> f64 {
        let (tags, scores) = (self.sizes.tags, self.chain(row).scores);
        let (mut sum, mut before) = (0.0, None);
        for t in self.steps(row) {
            let tag = labels[t] as usize;
            let came = match before {
                None => self.raw.start[tag],
                Some(from) => self.raw.transitions[from * tags + tag],
            };
            sum += f64::from(came) + f64::from(scores[t * tags + tag]);
            before = Some(tag);
        }
        before.map_or(0.0, |last| sum + f64::from(self.raw.end[last]))
    }

    /// Takes the given path, times `d`, off the gradient for a sequence's scores and for what sequences share, to which those for its
    /// start and its end are added first: they are those of the scores there.
    fn less_given(&self, row: usize, labels: &[u32], d: f32, out: &mut [f32], shared: &mut Shared) {
        let (tags, mut before) = (self.sizes.tags, None);
        for t in self.steps(row) {
            let tag = labels[t] as usize;
            out[t * tags + tag] -= d;
            let of_step = &out[t * tags..][..tags];
            match before {
                None => shared.start.iter_mut().zip(of_step).for_each(|(sum, &x)| *sum += f64::from(x)),
                Some((_, from)) if !shared.transitions.is_empty() => {
                    shared.transitions[from * tags + tag] -= f64::from(d)
                }
                Some(_) => {}
            }
            before = Some((t, tag));
        }
        let last = before.map_or(0, |(t, _)| t);
        shared.end.iter_mut().zip(&out[last * tags..]).for_each(|(sum, &x)| *sum += f64::from(x));
    }
}

/// The gradients of a run of sequences for what they share.
struct Shared {
    start: Vec<f64>,
    transitions: Vec<f64>,
    end: Vec<f64>,
}

impl Shared {
    fn new(tags: usize, wanted: CrfWanted) -> Self {
        let pairs = if wanted.transitions { tags * tags } else { 0 };
        Shared { start: vec![0.0; tags], transitions: vec![0.0; pairs], end: vec![0.0; tags] }
    }
}

impl Cpu {
    pub(crate) fn crf(&self, b: &Candle, x: &Potentials<'_, Candle>, labels: &Indices) -> Result<PathLoss<Candle>> {
        let sizes = check_labels(b, x, labels)?;
        let ChainSizes { batch, time, tags } = sizes;
        let [start, transitions, end] = [x.start.numbers()?, x.transitions.numbers()?, x.end.numbers()?];
        let (scores, labels) = (x.scores.numbers()?, labels.numbers()?);
        let mask = x.mask.map(Array::numbers).transpose()?;
        let raw = Raw { start: &start, transitions: &transitions, end: &end };
        let field = Field { sizes, raw, scores: &scores, mask: mask.as_deref() };
        let (edges, labels) = (Edges::new(&start, &transitions, &end), &*labels);
        let mut alphas = self.memory.take(batch * time * tags);
        let mut each = self.memory.take(batch);
        let mut by_logarithms = self.memory.take(batch);
        let rows = batch.div_ceil(self.threads.parts(batch * time * cost(sizes))).max(1);
        let parts =
            alphas.chunks_mut(rows * time * tags).zip(each.chunks_mut(rows)).zip(by_logarithms.chunks_mut(rows));
        self.threads.run(parts.enumerate(), |(part, ((alphas, each), by_logarithms))| {
            let mut room = Room::new(&edges);
            let out = alphas.chunks_exact_mut(time * tags).zip(each).zip(by_logarithms);
            for (row, ((alphas, each), by_logarithms)) in (part * rows..).zip(out) {
                (*each, *by_logarithms) = (0.0, 0.0);
                if field.steps(row).next().is_none() {
                    alphas.fill(0.0);
                    continue;
                }
                let chain = field.chain(row);
                let all = scaled::forward(&edges, chain, &mut room, alphas).unwrap_or_else(|| {
                    alphas.fill(0.0);
                    *by_logarithms = 1.0;
                    logarithms::forward(field.raw, chain)
                });
                *each = (all - field.score(row, &labels[row * time..][..time])) as f32;
            }
        });
        let one = Shape::new(&[batch])?;
        let saved = vec![self.array(alphas, x.scores.shape())?, self.array(by_logarithms, one)?];
        Ok(PathLoss { each: self.array(each, one)?, saved })
    }

    pub(crate) fn crf_grad(
        &self,
        b: &Candle,
        x: &Potentials<'_, Candle>,
        labels: &Indices,
        y: &PathLoss<Candle>,
        d: &Array,
        wanted: CrfWanted,
    ) -> Result<[Option<Array>; 4]> {
        let sizes = check_labels(b, x, labels)?;
        let ChainSizes { batch, time, tags } = sizes;
        check::same_shape("crf_grad", Shape::new(&[batch])?, d.shape())?;
        let [alphas, by_logarithms] = &y.saved[..] else {
            return Err(Error::invalid("crf_grad", "what `crf` saved", format!("{} arrays", y.saved.len())));
        };
        check::same_shape("crf_grad", x.scores.shape(), alphas.shape())?;
        check::same_shape("crf_grad", d.shape(), by_logarithms.shape())?;
        let [start, transitions, end] = [x.start.numbers()?, x.transitions.numbers()?, x.end.numbers()?];
        let (scores, labels, d) = (x.scores.numbers()?, labels.numbers()?, d.numbers()?);
        let (alphas, by_logarithms) = (alphas.numbers()?, by_logarithms.numbers()?);
        let mask = x.mask.map(Array::numbers).transpose()?;
        let raw = Raw { start: &start, transitions: &transitions, end: &end };
        let field = Field { sizes, raw, scores: &scores, mask: mask.as_deref() };
        let edges = Edges::new(&start, &transitions, &end);
        let (labels, d, alphas, by_logarithms) = (&*labels, &*d, &*alphas, &*by_logarithms);

        let width = time * tags;
        let mut out = self.memory.take(batch * width);
        let runs: Vec<Range<usize>> = ranges(batch, batch.min(RUNS)).collect();
        let mut shared: Vec<Shared> = runs.iter().map(|_| Shared::new(tags, wanted)).collect();
        // Each part of the work is some whole runs.
        let each = runs.len().div_ceil(self.threads.parts(2 * batch * time * cost(sizes))).max(1);
        let mut parts = Vec::new();
        let mut rest = &mut out[..];
        for (runs, shared) in runs.chunks(each).zip(shared.chunks_mut(each)) {
            let own;
            (own, rest) = rest.split_at_mut(runs.iter().map(|run| run.len() * width).sum());
            parts.push((runs, shared, own));
        }
        self.threads.run(parts, |(runs, shared, mut out)| {
            let mut room = Room::new(&edges);
            for (run, shared) in runs.iter().zip(shared) {
                for row in run.clone() {
                    let (own, rest) = std::mem::take(&mut out).split_at_mut(width);
                    out = rest;
                    if d[row] == 0.0 || field.steps(row).next().is_none() {
                        own.fill(0.0);
                        continue;
                    }
                    let chain = field.chain(row);
                    let mut pairs = wanted.transitions.then_some(&mut shared.transitions[..]);
                    let scaled = by_logarithms[row] == 0.0 && {
                        let alphas = &alphas[row * width..][..width];
                        scaled::backward(&edges, chain, alphas, d[row], &mut room, own, pairs.as_deref_mut()).is_some()
                    };
                    if !scaled {
                        logarithms::backward(field.raw, chain, d[row], own, pairs);
                    }
                    field.less_given(row, &labels[row * time..][..time], d[row], own, shared);
                }
            }
        });
        let total = |of: fn(&Shared) -> &[f64], shape: Shape| {
            let mut sums = vec![0.0f64; shape.elements()];
            for shared in &shared {
                sums.iter_mut().zip(of(shared)).for_each(|(sum, x)| *sum += x);
            }
            self.array(sums.into_iter().map(|x| x as f32).collect::<Vec<f32>>(), shape)
        };
        let (edge, square) = (Shape::new(&[tags])?, Shape::new(&[tags, tags])?);
        Ok([
            wanted.scores.then(|| self.array(out, x.scores.shape())).transpose()?,
            wanted.start.then(|| total(|shared| &shared.start, edge)).transpose()?,
            wanted.transitions.then(|| total(|shared| &shared.transitions, square)).transpose()?,
            wanted.end.then(|| total(|shared| &shared.end, edge)).transpose()?,
        ])
    }

    pub(crate) fn crf_path(&self, b: &Candle, x: &Potentials<'_, Candle>) -> Result<Array> {
        let sizes = ChainSizes::of(b, x)?;
        let ChainSizes { batch, time, tags } = sizes;
        let [start, transitions, end] = [x.start.numbers()?, x.transitions.numbers()?, x.end.numbers()?];
        let (scores, mask) = (x.scores.numbers()?, x.mask.map(Array::numbers).transpose()?);
        let raw = Raw { start: &start, transitions: &transitions, end: &end };
        let field = Field { sizes, raw, scores: &scores, mask: mask.as_deref() };
        let (padded, width) = (Padded::new(raw), time * tags);
        let mut out = self.filled(batch * width, 0.0);
        self.threads.rows(&mut out, width, time * cost(sizes), |rows, out| {
            let mut room = vec![0.0; time * tags.next_multiple_of(LANES)];
            for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                path::best(&padded, field.chain(row), &mut room, out);
            }
        });
        self.array(out, x.scores.shape())
    }
}

fn check_labels(b: &Candle, x: &Potentials<'_, Candle>, labels: &Indices) -> Result<ChainSizes> {
    let sizes = ChainSizes::with_labels(b, x, labels)?;
    labels.check("crf", sizes.tags)?;
    Ok(sizes)
}
