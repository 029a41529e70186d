//! What a sampler leaves of a distribution: the most probable tokens.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A token that may be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: u32,
    /// Above 0; in proportion to its probability.
    pub(super) weight: f64,
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The more probable is greater; of equals that of the lower number.
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.weight.total_cmp(&other.weight).then(other.token.cmp(&self.token))
    }
}

/// The `k` most probable.
pub(super) fn top_k(candidates: &mut Vec<Candidate>, k: usize) {
    if k < candidates.len() {
        candidates.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
        candidates.truncate(k);
    }
}

/// The fewest of the most probable whose probabilities add up to at least `p`: the nucleus.
pub(super) fn top_p(candidates: &mut Vec<Candidate>, p: f64) {
    let enough = p * candidates.iter().map(|candidate| candidate.weight).sum::<f64>();
    // A heap, as of many tokens few are taken.
    let mut heap = BinaryHeap::from(std::mem::take(candidates));
    let mut sum = 0.0;
    while let Some(candidate) = heap.pop() {
        sum += candidate.weight;
        candidates.push(candidate);
        if sum >= enough {
            break;
        }
    }
}

/// Those at least `p` times as probable as the most probable.
pub(super) fn min_p(candidates: &mut Vec<Candidate>, p: f64) {
    let greatest = candidates.iter().map(|candidate| candidate.weight).fold(0.0, f64::max);
    candidates.retain(|candidate| candidate.weight >= p * greatest);
}

/// The first of them, by their numbers, at which the sum of probabilities passes `uniform`, from `[0, 1)`: a draw. By their numbers
/// and not by their probabilities, so that two that are nearly alike do not change places by rounding.
pub(super) fn draw(candidates: &mut [Candidate], uniform: f64) -> Option<u32> {
    candidates.sort_unstable_by_key(|candidate| candidate.token);
    let aim = uniform * candidates.iter().map(|candidate| candidate.weight).sum::<f64>();
    let mut sum = 0.0;
    let passes = |candidate: &&Candidate| {
        sum += candidate.weight;
        sum > aim
    };
    candidates.iter().find(passes).or(candidates.last()).map(|candidate| candidate.token)
}
