//! Forward and backward through one sequence by products of exponentials, scaled by powers of two at each step.
//!
//! All that is computed is a number of the normal range, or 0 where no path leads, as long as scores and edges lie within [`RANGE`]
//! of each other at each step and what is at a step within [`LEAST`] of its greatest. Where they do not, `None` says so, and the
//! sequence is gone through by logarithms.

use super::super::math::exp;
use super::super::simd::vectorised;
use super::Chain;
use super::edges::{Edges, reduce_rows};

/// How far scores and edges of a step may be apart: `e^-50` is some `2^-72`.
const RANGE: f32 = 50.0;
/// The exponent of the greatest number of a step.
const TOP: i32 = 80;
/// The least, `2^-53`: with a factor from [`RANGE`] it is above `2^-126`.
const LEAST: f32 = 1.0 / (1u64 << 53) as f32;
/// What products of forward and backward are scaled by, `2^-70`, so that they do not overflow.
const HALF: f32 = 1.0 / (1u128 << 70) as f32;
/// The least sum of such products, `2^-40`, beside which what may have been lost below `2^-126` is nothing.
const SUM: f32 = 1.0 / (1u64 << 40) as f32;

/// Room for a step's numbers.
pub(super) struct Room {
    e: Vec<f32>,
    here: Vec<f32>,
    there: Vec<f32>,
    behind: Vec<f32>,
    /// Sums of products of what comes from a tag and what goes to another, `[tags, wide]`.
    pairs: Vec<f32>,
}

impl Room {
    pub(super) fn new(edges: &Edges) -> Self {
        let row = || vec![0.0; edges.wide];
        Room { e: row(), here: row(), there: row(), behind: row(), pairs: vec![0.0; edges.tags * edges.wide] }
    }
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// `e^(x - max)` of a step's scores, padded with zeros, and the maximum; `None` where they are too far apart.
#[inline(always)]
fn of_scores(scores: &[f32], range: f32, out: &mut [f32]) -> Option<f32> {
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    for &x in scores {
        least = if x < least { x } else { least };
        most = if x > most { x } else { most };
    }
    out.iter_mut().zip(scores).for_each(|(out, &x)| *out = exp(x - most));
    (most - least + range <= RANGE).then_some(most)
}

/// Multiplies by the power of two that brings the greatest number to [`TOP`], and gives its exponent: `None` where there is none
/// above 0, and where another would be below [`LEAST`].
#[inline(always)]
fn normalise(x: &mut [f32]) -> Option<i32> {
    let (mut least, mut most) = (f32::INFINITY, 0.0f32);
    for &x in &*x {
        most = if x > most { x } else { most };
        let above = if x > 0.0 { x } else { f32::INFINITY };
        least = if above < least { above } else { least };
    }
    let n = TOP - ((most.to_bits() >> 23) as i32 - 127);
    // In two factors: the power itself may be beyond the exponents that there are.
    let (one, other) = (power_of_two(n >> 1), power_of_two(n - (n >> 1)));
    x.iter_mut().for_each(|x| *x = *x * one * other);
    (most > 0.0 && most < f32::INFINITY && least * one * other >= LEAST).then_some(n)
}

vectorised! {
    /// The logarithm of the sum over all paths, of the steps that count, at least one; `alphas [time, tags]` gets the sums over those that
    /// end at each tag, each step's scaled.
    pub(super) fn forward(
        edges: &Edges,
        chain: Chain<'_>,
        room: &mut Room,
        alphas: &mut [f32],
    ) -> Option<f64> {
        let (tags, Room { e, here, there, .. }) = (edges.tags, room);
        let (mut exponents, mut log, mut begun) = (0i64, 0.0f64, false);
        for (t, (scores, alphas)) in chain.scores.chunks_exact(tags).zip(alphas.chunks_exact_mut(tags)).enumerate() {
            if !chain.counts(t) {
                alphas.fill(0.0);
                continue;
            }
            log += f64::from(of_scores(scores, edges.range, e)?);
            if begun {
                reduce_rows(&here[..tags], &edges.transitions, 0.0, there, f32::mul_add);
                log += f64::from(edges.most[1]);
            } else {
                there.copy_from_slice(&edges.start);
                log += f64::from(edges.most[0]);
                begun = true;
            }
            here.iter_mut().zip(&*there).zip(&*e).for_each(|((here, &there), &e)| *here = there * e);
            exponents -= i64::from(normalise(here)?);
            alphas.copy_from_slice(&here[..tags]);
        }
        let total: f32 = here.iter().zip(&edges.end).map(|(&x, &end)| x * end).sum();
        let scale = exponents as f64 * std::f64::consts::LN_2;
        (total > 0.0 && total < f32::INFINITY).then(|| f64::from(total).ln() + scale + log + f64::from(edges.most[2]))
    }

    /// The probability of each tag at each step, times `d`, into `out [time, tags]`, where it is 0 at steps that do not count; and if it is
    /// asked for the sum over neighbouring steps of that of each pair of tags, added to `pairs [tags, tags]`.
    pub(super) fn backward(
        edges: &Edges,
        chain: Chain<'_>,
        alphas: &[f32],
        d: f32,
        room: &mut Room,
        out: &mut [f32],
        pairs: Option<&mut [f64]>,
    ) -> Option<()> {
        let (tags, wide) = (edges.tags, edges.wide);
        let Room { e, here, there, behind, pairs: products } = room;
        products.fill(0.0);
        here.copy_from_slice(&edges.end);
        normalise(here)?;
        let mut after: Option<usize> = None;
        for t in (0..chain.scores.len() / tags).rev() {
            if !chain.counts(t) {
                out[t * tags..][..tags].fill(0.0);
                continue;
            }
            let alphas = &alphas[t * tags..][..tags];
            if let Some(after) = after {
                of_scores(&chain.scores[after * tags..][..tags], edges.range, e)?;
                behind.iter_mut().zip(&*here).zip(&*e).for_each(|((behind, &here), &e)| *behind = here * e);
                reduce_rows(&behind[..tags], &edges.turned, 0.0, there, f32::mul_add);
                std::mem::swap(here, there);
                if pairs.is_some() {
                    let sum: f32 = alphas.iter().zip(&*here).map(|(&x, &y)| x * (y * HALF)).sum();
                    if !(SUM..f32::INFINITY).contains(&sum) {
                        return None;
                    }
                    behind.iter_mut().for_each(|behind| *behind *= HALF);
                    for (&alpha, products) in alphas.iter().zip(products.chunks_exact_mut(wide)) {
                        let x = alpha / sum * d;
                        products.iter_mut().zip(&*behind).for_each(|(out, &y)| *out = x.mul_add(y, *out));
                    }
                }
                normalise(here)?;
            }
            let out = &mut out[t * tags..][..tags];
            out.iter_mut().zip(alphas).zip(&*here).for_each(|((out, &x), &y)| *out = x * (y * HALF));
            let sum: f32 = out.iter().sum();
            if !(SUM..f32::INFINITY).contains(&sum) {
                return None;
            }
            out.iter_mut().for_each(|out| *out *= d / sum);
            after = Some(t);
        }
        if let Some(pairs) = pairs {
            let rows = products.chunks_exact(wide).zip(edges.transitions.chunks_exact(wide));
            for (pairs, (products, edges)) in pairs.chunks_exact_mut(tags).zip(rows) {
                for ((pair, &product), &edge) in pairs.iter_mut().zip(products).zip(edges) {
                    // What is forbidden may be infinite here.
                    *pair += if edge == 0.0 { 0.0 } else { f64::from(product * edge) };
                }
            }
        }
        Some(())
    }
}
