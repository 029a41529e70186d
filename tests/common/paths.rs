//! A conditional random field over short chains, by all paths one after another, in `f64`.

use super::host::Host;

/// What paths are scored by; scores `[steps, tags]` of one sequence, of the steps that count alone.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) scores: Vec<Vec<f64>>,
    pub(crate) start: Vec<f64>,
    pub(crate) transitions: Vec<Vec<f64>>,
    pub(crate) end: Vec<f64>,
}

impl Field {
    /// Of one sequence of a batch `[batch, time, tags]`.
    pub(crate) fn of(
        row: usize,
        [scores, start, transitions, end]: [&Host; 4],
        counts: impl Fn(usize) -> bool,
    ) -> Self {
        let (time, tags) = (scores.shape[1], scores.shape[2]);
        let of_step = |t: usize| (0..tags).map(|tag| scores.at(&[row, t, tag])).collect();
        Field {
            scores: (0..time).filter(|&t| counts(t)).map(of_step).collect(),
            start: start.data.clone(),
            transitions: transitions.data.chunks(tags).map(<[f64]>::to_vec).collect(),
            end: end.data.clone(),
        }
    }

    pub(crate) fn score(&self, path: &[usize]) -> f64 {
        let (Some(&first), Some(&last)) = (path.first(), path.last()) else { return 0.0 };
        let scores: f64 = path.iter().zip(&self.scores).map(|(&tag, of_step)| of_step[tag]).sum();
        let between: f64 = path.windows(2).map(|pair| self.transitions[pair[0]][pair[1]]).sum();
        self.start[first] + scores + between + self.end[last]
    }

    /// All paths, as if numbers whose last digit is at the first step.
    pub(crate) fn paths(&self) -> Vec<Vec<usize>> {
        let mut all = vec![vec![]];
        for _ in &self.scores {
            all = (0..self.start.len())
                .flat_map(|tag| all.iter().map(move |path| [&path[..], &[tag]].concat()))
                .collect();
        }
        all
    }

    /// `ln Σ e^score`
    pub(crate) fn log_partition(&self) -> f64 {
        let scores: Vec<f64> = self.paths().iter().map(|path| self.score(path)).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        most + scores.iter().map(|score| (score - most).exp()).sum::<f64>().ln()
    }

    /// The possible paths and their scores, the best first, equal ones in the order of [`Field::paths`].
    pub(crate) fn ranked(&self) -> Vec<(Vec<usize>, f64)> {
        let mut all: Vec<(Vec<usize>, f64)> =
            self.paths().into_iter().map(|path| (path.clone(), self.score(&path))).collect();
        all.retain(|(_, score)| *score > f64::NEG_INFINITY);
        all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        all
    }

    /// The mean over all paths, by their probability, of what `f` adds to a vector of `n` numbers for each.
    pub(crate) fn expected(&self, n: usize, f: impl Fn(&[usize], &mut dyn FnMut(usize))) -> Vec<f64> {
        let (all, mut sums) = (self.log_partition(), vec![0.0; n]);
        for path in self.paths() {
            let p = (self.score(&path) - all).exp();
            f(&path, &mut |at| sums[at] += p);
        }
        sums
    }
}
