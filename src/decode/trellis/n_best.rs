//! The `n` best paths: Viterbi's algorithm with the `n` best ways to each tag (Seshadri, Sundberg, "List Viterbi decoding algorithms
//! with applications", IEEE Transactions on Communications, 1994).

use super::{TagPath, Trellis};

/// One of the best ways to a tag.
#[derive(Clone, Copy)]
struct Way {
    score: f64,
    /// The tag before, and which of its ways.
    from: (usize, usize),
}

/// The best of them, the first of equals first, without those that are forbidden.
fn best(mut ways: Vec<Way>, n: usize) -> Vec<Way> {
    ways.retain(|way| way.score > f64::NEG_INFINITY);
    ways.sort_by(|one, other| other.score.total_cmp(&one.score));
    ways.truncate(n);
    ways
}

impl Trellis {
    /// The `n` paths of the greatest scores, the best first; fewer where there are fewer that are possible. Of equal ones those with
    /// the first tags, seen from the last step on, come first.
    pub fn n_best(&self, n: usize) -> Vec<TagPath> {
        if self.steps() == 0 {
            let nothing = TagPath { tags: Vec::new(), score: 0.0, log_probability: 0.0 };
            return vec![nothing; n.min(1)];
        }
        // The ways to each tag at each step.
        let mut to: Vec<Vec<Vec<Way>>> = Vec::with_capacity(self.steps());
        for step in 0..self.steps() {
            let ways = |tag: usize| {
                let own = self.at(step)[tag];
                let Some(before) = to.last() else {
                    return best(vec![Way { score: self.edges.start[tag] + own, from: (0, 0) }], n);
                };
                let ways = before.iter().enumerate().flat_map(|(from, ways)| {
                    let score = move |way: &Way| way.score + self.between(from, tag) + own;
                    ways.iter().enumerate().map(move |(rank, way)| Way { score: score(way), from: (from, rank) })
                });
                best(ways.collect(), n)
            };
            let ways = (0..self.tags()).map(ways).collect();
            to.push(ways);
        }
        let ends = to[self.steps() - 1].iter().enumerate().flat_map(|(tag, ways)| {
            let score = move |way: &Way| way.score + self.edges.end[tag];
            ways.iter().enumerate().map(move |(rank, way)| Way { score: score(way), from: (tag, rank) })
        });
        let total = self.log_partition();
        let path = |end: Way| {
            let mut tags = vec![0; self.steps()];
            let (mut tag, mut rank) = end.from;
            for step in (0..self.steps()).rev() {
                tags[step] = tag;
                (tag, rank) = to[step][tag][rank].from;
            }
            TagPath { tags, score: end.score, log_probability: end.score - total }
        };
        best(ends.collect(), n).into_iter().map(path).collect()
    }
}
