//! The sum over all alignments by logarithms in `f64`: for logits so far apart that products would be lost.

use super::Sequence;

/// Below the logarithm of anything that is possible.
const LEAST: f64 = -1e30;

fn log_sum_exp(x: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = x.clone().fold(LEAST, f64::max);
    most + x.map(|x| (x - most).exp()).sum::<f64>().ln()
}

/// The class of each state: blank, first label, blank, …
fn states(x: Sequence<'_>) -> Vec<usize> {
    let labels = x.labels.iter().flat_map(|&label| [label as usize, x.blank]);
    std::iter::once(x.blank).chain(labels).collect()
}

/// The logarithms of the probabilities of the states' classes at each step that counts.
fn scores(x: Sequence<'_>, states: &[usize]) -> Vec<Vec<f64>> {
    let step = |(_, logits): (usize, &[f32])| {
        let total = log_sum_exp(logits.iter().map(|&x| f64::from(x)));
        states.iter().map(|&class| f64::from(logits[class]) - total).collect()
    };
    x.steps().map(step).collect()
}

/// Whether a state may be entered from the one two before it.
fn skips(states: &[usize], state: usize) -> bool {
    state % 2 == 1 && state >= 2 && states[state] != states[state - 2]
}

/// Of alignments that end at each state at each step the logarithm of the sum.
fn alphas(states: &[usize], scores: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = Vec::with_capacity(scores.len());
    let start: Vec<f64> = (0..states.len()).map(|state| if state == 0 { 0.0 } else { f64::NEG_INFINITY }).collect();
    for scores in scores {
        let before = all.last().unwrap_or(&start);
        let came = |state: usize| {
            let from = [Some(0), (state > 0).then_some(1), skips(states, state).then_some(2)];
            log_sum_exp(from.into_iter().flatten().map(|back| before[state - back]))
        };
        let here = scores.iter().enumerate().map(|(state, score)| came(state) + score).collect();
        all.push(here);
    }
    if all.is_empty() { vec![start] } else { all }
}

/// That of those that spell the labels to the end.
fn total(alphas: &[Vec<f64>]) -> f64 {
    let last = alphas.last().map_or(&[][..], |last| last);
    log_sum_exp(last[last.len().saturating_sub(2)..].iter().copied())
}

/// The negative log-likelihood of the labels.
pub(super) fn loss(x: Sequence<'_>) -> f64 {
    let states = states(x);
    -total(&alphas(&states, &scores(x, &states)))
}

/// The probability that each class is named at each step that counts, into `[time, classes]` of zeros; `false` where the labels have
/// none.
pub(super) fn named(x: Sequence<'_>, out: &mut [f32]) -> bool {
    let states = states(x);
    let scores = scores(x, &states);
    let alphas = alphas(&states, &scores);
    let total = total(&alphas);
    if total == f64::NEG_INFINITY {
        return false;
    }
    let last = states.len() - 1;
    let mut beta: Vec<f64> = (0..=last).map(|state| if state + 1 >= last { 0.0 } else { f64::NEG_INFINITY }).collect();
    for ((t, _), (alpha, scores)) in x.steps().rev().zip(alphas.iter().zip(&scores).rev()) {
        let out = &mut out[t * x.classes..][..x.classes];
        for (&class, (alpha, beta)) in states.iter().zip(alpha.iter().zip(&beta)) {
            out[class] += (alpha + beta - total).exp() as f32;
        }
        let onward: Vec<f64> = beta.iter().zip(scores).map(|(beta, score)| beta + score).collect();
        let goes = |state: usize| {
            let skip = state + 2 <= last && skips(&states, state + 2);
            let to = [Some(0), (state < last).then_some(1), skip.then_some(2)];
            log_sum_exp(to.into_iter().flatten().map(|on| onward[state + on]))
        };
        beta = (0..=last).map(goes).collect();
    }
    true
}
