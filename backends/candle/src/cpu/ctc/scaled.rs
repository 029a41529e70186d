//! The sum over all alignments by products of exponentials in `f64`, scaled by powers of two at each step.
//!
//! What falls below the numbers that there are, `2^-1022` beside the greatest of its step, is as nothing where the alignments that spell the
//! labels to the end have not so little of that step's sum themselves. That is known when the steps have been gone through backward, too.
//! Where it is not so, or a label's logit lies far below the greatest, `None` says so, and the sequence is gone through by logarithms.

use super::super::simd::vectorised;
use super::super::softmax::shifted_exp;
use super::Sequence;

/// The least exponential of a label's logit beside the greatest of its step: it has all its digits in `f32` still.
const EXACT: f64 = 1e-35;
/// The least sum beside which what may have been lost is nothing.
const LEAST: f64 = 1e-250;

/// Room for a sequence, kept for the next one.
#[derive(Default)]
pub(super) struct Room {
    /// Exponentials of a step's logits.
    pub(super) e: Vec<f32>,
    /// 1 where a label may follow the one before it without a blank.
    skip: Vec<f64>,
    /// Of each step the exponentials of the blank and of each label, `[time, 1 + labels]`.
    scores: Vec<f64>,
    /// Of each step the sums over alignments that end at each blank and at each label, these with a 0 before them:
    /// `[time, 2 (labels + 1)]`.
    sums: Vec<f64>,
    here: Vec<f64>,
    there: Vec<f64>,
}

#[inline(always)]
fn power_of_two(n: i64) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

/// Sums and maxima go by so many lanes.
const LANES: usize = 8;

/// The greatest number, 0 if there is none above it.
#[inline(always)]
fn greatest(x: &[f64]) -> f64 {
    let above = |most: f64, x: f64| if x > most { x } else { most };
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in whole {
        lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane = above(*lane, x));
    }
    lanes.iter().chain(rest).fold(0.0, |most, &x| above(most, x))
}

/// `Σ x y`
#[inline(always)]
fn inner(x: &[f64], y: &[f64]) -> f64 {
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (y, y_rest) = y[..x.len() * LANES + x_rest.len()].as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (x, y) in x.iter().zip(y) {
        lanes.iter_mut().zip(x).zip(y).for_each(|((lane, x), y)| *lane += x * y);
    }
    lanes.iter().sum::<f64>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f64>()
}

/// Multiplies by the power of two that brings the greatest number to 1 or so, and gives the exponent that was taken out; `None` where there is
/// no number above 0.
#[inline(always)]
fn normalise(x: &mut [f64]) -> Option<i64> {
    let most = greatest(x);
    let n = ((most.to_bits() >> 52) as i64) - 1023;
    // Numbers that are not normal are too small already.
    (most > 0.0 && most < f64::INFINITY && (-1000..1000).contains(&n)).then(|| {
        let scale = power_of_two(-n);
        x.iter_mut().for_each(|x| *x *= scale);
        n
    })
}

/// The exponentials of a step's logits, the greatest of which is 1, for the blank and the labels; gives the sum of those of all classes.
#[inline(always)]
fn of_logits(x: Sequence<'_>, logits: &[f32], e: &mut [f32], scores: &mut [f64]) -> Option<f32> {
    let (_, total) = shifted_exp(logits, e);
    scores[0] = f64::from(e[x.blank]);
    for (score, &label) in scores[1..].iter_mut().zip(x.labels) {
        *score = f64::from(e[label as usize]);
    }
    scores.iter().fold(true, |exact, &score| exact & (score >= EXACT)).then_some(total)
}

/// Goes through the steps that count: the logarithm of the sum over all alignments. The room has all steps afterwards.
#[inline(always)]
fn forward(x: Sequence<'_>, room: &mut Room) -> Option<f64> {
    let labels = x.labels.len();
    let (wide, one) = (2 * (labels + 1), labels + 1);
    let steps = x.logits.len() / x.classes;
    room.e.resize(x.classes, 0.0);
    room.scores.resize(steps * one, 0.0);
    room.sums.resize(steps * wide, 0.0);
    room.skip.clear();
    room.skip.resize(one, 0.0);
    for (skip, pair) in room.skip[1..].iter_mut().zip(x.labels.windows(2)) {
        *skip = f64::from(u8::from(pair[0] != pair[1]));
    }
    room.there.clear();
    room.there.resize(wide, 0.0);
    room.here.resize(wide, 0.0);
    // Before the first step: at the first blank.
    room.there[0] = 1.0;
    let Room { e, skip, scores, sums, here, there } = room;
    // The product of the sums of exponentials, whose logarithm is taken before it overflows.
    let (mut exponent, mut logarithm, mut product) = (0, 0.0, 1.0f64);
    for (number, (_, logits)) in x.steps().enumerate() {
        let scores = &mut scores[number * one..][..one];
        let total = of_logits(x, logits, e, scores)?;
        product *= f64::from(total);
        if product > 1e250 {
            logarithm += product.ln();
            product = 1.0;
        }
        {
            // Each label's sum stands one place behind that of the blank before it.
            let ((blanks, spelled), (from_blank, from_label)) = (here.split_at_mut(one), there.split_at(one));
            for ((out, blank), label) in blanks.iter_mut().zip(from_blank).zip(from_label) {
                *out = scores[0] * (blank + label);
            }
            spelled[0] = 0.0;
            let before = from_blank.iter().zip(from_label).zip(&*skip);
            for (((out, same), ((blank, label), skip)), score) in
                spelled[1..].iter_mut().zip(&from_label[1..]).zip(before).zip(&scores[1..])
            {
                *out = score * (same + blank + skip * label);
            }
        }
        exponent += normalise(here)?;
        sums[number * wide..][..wide].copy_from_slice(here);
        std::mem::swap(here, there);
    }
    let all = there[labels] + if labels > 0 { there[wide - 1] } else { 0.0 };
    (all >= LEAST).then(|| all.ln() + exponent as f64 * std::f64::consts::LN_2 - logarithm - product.ln())
}

/// Goes back from the end, after [`forward`]: the probability that each class is named at each step that counts, into `[time, classes]` of
/// zeros, where it is asked for. `None` where what was lost at a step may be something.
#[inline(always)]
fn backward(x: Sequence<'_>, room: &mut Room, mut out: Option<&mut [f32]>) -> Option<()> {
    let labels = x.labels.len();
    let (wide, one) = (2 * (labels + 1), labels + 1);
    let Room { skip, scores, sums, here, there, .. } = room;
    // What comes behind each blank, and behind each label; one more of each, 0, closes the row.
    let row = 2 * (one + 1);
    here.clear();
    here.resize(row, 0.0);
    there.clear();
    there.resize(row, 0.0);
    there[labels] = 1.0;
    if labels > 0 {
        there[one + 1 + labels - 1] = 1.0;
    }
    let mut number = x.steps().count();
    for (t, _) in x.steps().rev() {
        number -= 1;
        let (scores, sums) = (&scores[number * one..][..one], &sums[number * wide..][..wide]);
        let ((blanks, spelled), (behind_blank, behind_label)) = (sums.split_at(one), there.split_at(one + 1));
        let (of_blanks, of_labels) = (inner(blanks, behind_blank), inner(&spelled[1..], behind_label));
        let all = of_blanks + of_labels;
        // NaN is no sum either.
        let scale = (all >= LEAST).then(|| 1.0 / all)?;
        if let Some(out) = out.as_deref_mut().map(|out| &mut out[t * x.classes..][..x.classes]) {
            out[x.blank] += (of_blanks * scale) as f32;
            for ((&label, x), y) in x.labels.iter().zip(&spelled[1..]).zip(behind_label) {
                out[label as usize] += (x * y * scale) as f32;
            }
        }
        // Onward by this step, in place, and back to the step before it.
        let (behind_blank, behind_label) = there.split_at_mut(one + 1);
        behind_blank.iter_mut().for_each(|x| *x *= scores[0]);
        behind_label.iter_mut().zip(&scores[1..]).for_each(|(x, score)| *x *= score);
        let (before_blank, before_label) = here.split_at_mut(one + 1);
        for ((out, blank), label) in before_blank[..one].iter_mut().zip(&*behind_blank).zip(&*behind_label) {
            *out = blank + label;
        }
        let onward = behind_blank[1..].iter().zip(&behind_label[1..]).zip(&skip[1..]);
        for ((out, same), ((blank, label), skip)) in before_label.iter_mut().zip(&*behind_label).zip(onward) {
            *out = same + blank + skip * label;
        }
        normalise(here)?;
        std::mem::swap(here, there);
    }
    Some(())
}

vectorised! {
    /// The negative log-likelihood of the labels.
    pub(super) fn loss(x: Sequence<'_>, room: &mut Room) -> Option<f64> {
        let logarithm = forward(x, room)?;
        backward(x, room, None)?;
        Some(-logarithm)
    }

    /// The probability that each class is named at each step that counts, into `[time, classes]` of zeros.
    pub(super) fn named(x: Sequence<'_>, room: &mut Room, out: &mut [f32]) -> Option<()> {
        forward(x, room)?;
        backward(x, room, Some(out))
    }
}
