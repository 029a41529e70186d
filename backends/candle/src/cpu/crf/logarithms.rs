//! Forward and backward through one sequence by logarithms in `f64`: for scores so far apart that products would be lost.

use super::Chain;

/// Below the logarithm of anything that is possible.
const LEAST: f64 = -1e30;

/// Starts, transitions and ends as they are.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) start: &'a [f32],
    pub(super) transitions: &'a [f32],
    pub(super) end: &'a [f32],
}

fn log_sum_exp(x: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = x.clone().fold(LEAST, f64::max);
    most + x.map(|x| (x - most).exp()).sum::<f64>().ln()
}

/// A sequence's scores of the steps that count.
fn steps(chain: Chain<'_>, tags: usize) -> Vec<(usize, &[f32])> {
    chain.scores.chunks_exact(tags).enumerate().filter(|(t, _)| chain.counts(*t)).collect()
}

fn alphas(raw: Raw<'_>, steps: &[(usize, &[f32])]) -> Vec<Vec<f64>> {
    let tags = raw.start.len();
    let mut all: Vec<Vec<f64>> = Vec::with_capacity(steps.len());
    for (_, scores) in steps {
        let came = |to: usize| match all.last() {
            None => f64::from(raw.start[to]),
            Some(before) => {
                let between = |from: usize| f64::from(raw.transitions[from * tags + to]);
                log_sum_exp(before.iter().enumerate().map(|(from, x)| x + between(from)))
            }
        };
        let row = scores.iter().enumerate().map(|(to, &score)| came(to) + f64::from(score)).collect();
        all.push(row);
    }
    all
}

fn total(raw: Raw<'_>, alphas: &[Vec<f64>]) -> f64 {
    let ended = |last: &Vec<f64>| log_sum_exp(last.iter().zip(raw.end).map(|(x, &end)| x + f64::from(end)));
    alphas.last().map_or(0.0, ended).max(LEAST)
}

/// The logarithm of the sum over all paths, of the steps that count, at least one.
pub(super) fn forward(raw: Raw<'_>, chain: Chain<'_>) -> f64 {
    total(raw, &alphas(raw, &steps(chain, raw.start.len())))
}

/// What [`scaled::backward`](super::scaled::backward) gives.
pub(super) fn backward(raw: Raw<'_>, chain: Chain<'_>, d: f32, out: &mut [f32], mut pairs: Option<&mut [f64]>) {
    let (tags, d) = (raw.start.len(), f64::from(d));
    let steps = steps(chain, tags);
    let alphas = alphas(raw, &steps);
    let total = total(raw, &alphas);
    out.fill(0.0);
    let mut beta: Vec<f64> = raw.end.iter().copied().map(f64::from).collect();
    for (number, &(t, scores)) in steps.iter().enumerate().rev() {
        for ((out, x), y) in out[t * tags..].iter_mut().zip(&alphas[number]).zip(&beta) {
            *out = ((x + y - total).exp() * d) as f32;
        }
        if number == 0 {
            break;
        }
        let behind: Vec<f64> = beta.iter().zip(scores).map(|(x, &score)| x + f64::from(score)).collect();
        for from in 0..tags {
            let row = &raw.transitions[from * tags..][..tags];
            let onward = row.iter().zip(&behind).map(|(&between, x)| f64::from(between) + x);
            if let Some(pairs) = &mut pairs {
                let before = alphas[number - 1][from] - total;
                let own = pairs[from * tags..].iter_mut().zip(onward.clone());
                own.for_each(|(pair, x)| *pair += (before + x).exp() * d);
            }
            beta[from] = log_sum_exp(onward);
        }
    }
}
