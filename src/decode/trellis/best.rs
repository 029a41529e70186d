//! The best path, and how sure the field is of its tags.

use super::{TagPath, Trellis};

impl Trellis {
    /// The path of the greatest score (Viterbi); `None` where every path is forbidden. Of equal ones the one with the first tag at the
    /// last step, then at the one before it, and so on.
    pub fn best(&self) -> Option<TagPath> {
        let (tags, score) = self.viterbi()?;
        Some(TagPath { tags, score, log_probability: score - self.log_partition() })
    }

    /// The tags of that path with their [marginals](Self::marginals).
    pub(crate) fn best_with_marginals(&self) -> Option<Vec<(usize, f64)>> {
        let (tags, _) = self.viterbi()?;
        Some(tags.into_iter().zip(self.marginals()).map(|(tag, of_step)| (tag, of_step[tag])).collect())
    }

    fn viterbi(&self) -> Option<(Vec<usize>, f64)> {
        let (steps, tags) = (self.steps(), self.tags());
        if steps == 0 {
            return Some((Vec::new(), 0.0));
        }
        // The best score up to each tag of a step, and the tag before it there.
        let mut scores: Vec<f64> = self.edges.start.iter().zip(self.at(0)).map(|(start, own)| start + own).collect();
        let mut before = vec![0; steps * tags];
        for step in 1..steps {
            let own = self.at(step);
            let best = |to: usize| greatest((0..tags).map(|from| scores[from] + self.between(from, to)));
            let ways: Vec<(usize, f64)> = (0..tags).map(best).collect();
            scores = ways.iter().zip(own).map(|((_, score), own)| score + own).collect();
            before[step * tags..][..tags].iter_mut().zip(ways).for_each(|(before, (from, _))| *before = from);
        }
        let (last, score) = greatest(scores.iter().zip(&self.edges.end).map(|(score, end)| score + end));
        if score == f64::NEG_INFINITY {
            return None;
        }
        let mut path = vec![last; steps];
        for step in (1..steps).rev() {
            path[step - 1] = before[step * tags + path[step]];
        }
        Some((path, score))
    }
}

/// The greatest number and its place, the first of equals.
fn greatest(numbers: impl Iterator<Item = f64>) -> (usize, f64) {
    let greater = |best: (usize, f64), (at, x): (usize, f64)| if x > best.1 { (at, x) } else { best };
    numbers.enumerate().fold((0, f64::NEG_INFINITY), greater)
}
