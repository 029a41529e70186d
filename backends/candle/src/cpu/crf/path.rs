//! The best path through one sequence (Viterbi).

use super::super::simd::vectorised;
use super::Chain;
use super::edges::{LANES, reduce_rows};
use super::logarithms::Raw;

/// Transitions as they are, padded with -∞.
pub(super) struct Padded<'a> {
    raw: Raw<'a>,
    wide: usize,
    transitions: Vec<f32>,
}

impl<'a> Padded<'a> {
    pub(super) fn new(raw: Raw<'a>) -> Self {
        let (tags, wide) = (raw.start.len(), raw.start.len().next_multiple_of(LANES));
        let mut transitions = vec![f32::NEG_INFINITY; tags * wide];
        for (out, row) in transitions.chunks_exact_mut(wide).zip(raw.transitions.chunks_exact(tags)) {
            out[..tags].copy_from_slice(row);
        }
        Padded { raw, wide, transitions }
    }
}

vectorised! {
    /// A 1 at the tag of each step that counts, into `out [time, tags]` of zeros; `room` is `[time, wide]`.
    pub(super) fn best(field: &Padded<'_>, chain: Chain<'_>, room: &mut [f32], out: &mut [f32]) {
        let (tags, wide) = (field.raw.start.len(), field.wide);
        let greatest = |x: f32, between: f32, most: f32| if x + between > most { x + between } else { most };
        // The greatest score of all paths that end at each tag at each step, of the steps that count one after another.
        let mut steps = 0;
        for (t, scores) in chain.scores.chunks_exact(tags).enumerate() {
            if !chain.counts(t) {
                continue;
            }
            let (before, here) = room.split_at_mut(steps * wide);
            let here = &mut here[..wide];
            match steps {
                0 => here[..tags].copy_from_slice(field.raw.start),
                _ => {
                    let before = &before[(steps - 1) * wide..][..tags];
                    reduce_rows(before, &field.transitions, f32::NEG_INFINITY, here, greatest);
                }
            }
            here.iter_mut().zip(scores).for_each(|(here, &score)| *here += score);
            steps += 1;
        }
        // Back from the last of them.
        let mut tag: Option<usize> = None;
        for t in (0..chain.scores.len() / tags).rev() {
            if !chain.counts(t) {
                continue;
            }
            steps -= 1;
            let (mut best, mut most) = (0, f32::NEG_INFINITY);
            for (from, &x) in room[steps * wide..][..tags].iter().enumerate() {
                let x = x + tag.map_or(field.raw.end[from], |to| field.transitions[from * wide + to]);
                if x > most {
                    (best, most) = (from, x);
                }
            }
            out[t * tags + best] = 1.0;
            tag = Some(best);
        }
    }
}
