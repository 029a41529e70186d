//! [`Beam`]: search for the most probable sequences.

use super::scores::log_sum_exp;
use super::{Scores, Stepper};
use crate::error::{Error, Result};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Wider no beam is: it would go on with more than memory holds.
const WIDEST: usize = 1 << 20;

/// Beam search: of all sequences read so far the `width` most probable are gone on with, and those that end are put aside. Their score
/// is the logarithm of their probability divided by `length^α`, where the length counts the end token (CTranslate2's
/// `length_penalty`): with α = 1, the default, minus the mean loss of a token; with 0 minus the sum.
///
/// A search is over when `width` sequences have ended, when those that go on can no longer be among the best, or at the longest
/// length, where they are taken as they stand. Width 1 is greedy search; one that is as wide as there are sequences is exhaustive.
/// Ended sequences cost nothing: their rows leave the stepper.
///
/// ```
/// use elman::Spec;
/// use elman::decode::{Beam, Decoder};
/// use elman::layers::{Dense, Embedding, Lstm, Sequential};
/// use elman_reference::Reference;
///
/// let network = Sequential::new().add(Embedding::new(5, 3)).add(Lstm::new(4).return_sequences()).add(Dense::new(5));
/// let model = network.build(&Reference::<f32>::new(), Spec::Indices(None), 0)?;
/// let best = Beam::new(4).until(0).longest(6).n_best(2).search(Decoder::new(&model)?, &[3])?;
/// assert!(best.len() == 2 && best[0].score >= best[1].score);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Beam {
    width: usize,
    alpha: f64,
    shortest: usize,
    longest: usize,
    n_best: usize,
    ends: BTreeSet<u32>,
    banned: BTreeSet<u32>,
}

/// A sequence that a [`Beam`] has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, without the prompt and without the end token.
    pub tokens: Vec<u32>,
    /// The logarithm of its probability, of the end token too, if it has ended: minus its loss.
    pub log_probability: f64,
    /// [`Hypothesis::log_probability`] divided by `length^α`.
    pub score: f64,
    /// Whether it ends with an end token, and not only because it is the longest that may be.
    pub ended: bool,
}

/// A sequence that is gone on with.
struct Alive {
    /// Which row of the stepper it began as.
    start: usize,
    tokens: Vec<u32>,
    log_probability: f64,
}

/// A token behind one that is gone on with.
#[derive(Clone, Copy)]
struct Candidate {
    row: usize,
    token: u32,
    log_probability: f64,
}

impl Candidate {
    /// The more probable first.
    fn order(&self, other: &Self) -> Ordering {
        let by_place = || (self.row, self.token).cmp(&(other.row, other.token));
        other.log_probability.total_cmp(&self.log_probability).then_with(by_place)
    }
}

impl Beam {
    /// Goes on with `width` sequences, at least 1, at most 2²⁰. As CTranslate2: α is 1, at least 1 token, the end token counted, at most 256; the best alone is
    /// given. Nothing ends a sequence but its length unless [`Beam::until`] says so.
    pub fn new(width: usize) -> Self {
        Beam { width, alpha: 1.0, shortest: 1, longest: 256, n_best: 1, ends: BTreeSet::new(), banned: BTreeSet::new() }
    }

    /// A token that ends a sequence. May be called with several tokens, one after another.
    pub fn until(mut self, token: u32) -> Self {
        self.ends.insert(token);
        self
    }

    /// Tokens that are never taken, as [`Sampler::ban`](super::Sampler::ban) has them: padding, what begins a text. The others keep their
    /// probabilities. May be called several times.
    pub fn ban(mut self, tokens: impl IntoIterator<Item = u32>) -> Self {
        self.banned.extend(tokens);
        self
    }

    /// The α of `length^α`: 0 compares sums, so that short sequences win; above 1 long ones are preferred.
    pub fn length_penalty(self, alpha: f64) -> Self {
        Beam { alpha, ..self }
    }

    /// The least number of tokens, the end token counted.
    pub fn shortest(self, tokens: usize) -> Self {
        Beam { shortest: tokens, ..self }
    }

    /// The greatest number of tokens, the end token counted.
    pub fn longest(self, tokens: usize) -> Self {
        Beam { longest: tokens, ..self }
    }

    /// Gives the `n` best, at most as many as the beam is wide.
    pub fn n_best(self, n: usize) -> Self {
        Beam { n_best: n, ..self }
    }

    /// Errors for an option out of range.
    pub(crate) fn check(&self) -> Result<()> {
        let (width, shortest) = (self.width, self.shortest);
        let check = |right: bool, name: &str, expected: String, found: f64| match right {
            true => Ok(()),
            false => Err(Error::invalid(format!("beam, {name}"), expected, found)),
        };
        check((1..=WIDEST).contains(&width), "width", format!("at least 1, at most {WIDEST}"), width as f64)?;
        check((1..=width).contains(&self.n_best), "n_best", format!("1 to {width}, the width"), self.n_best as f64)?;
        check(
            self.longest >= shortest.max(1),
            "longest",
            format!("at least {}", shortest.max(1)),
            self.longest as f64,
        )?;
        check(self.alpha.is_finite(), "length penalty", "a finite number".into(), self.alpha)
    }

    /// The best sequences behind a prompt of at least one token, the best first: as many as [`Beam::n_best`] says, or all where there
    /// are fewer. Errors when the stepper is not of one row, for an option out of range, and of the model.
    pub fn search<S: Stepper>(&self, mut stepper: S, prompt: &[u32]) -> Result<Vec<Hypothesis>> {
        if stepper.rows() != 1 {
            let expected = "a stepper of one row (see `search_rows`)";
            return Err(Error::invalid("beam", expected, format!("one of {}", stepper.rows())));
        }
        let scores = stepper.prime(prompt)?;
        Ok(self.search_rows(stepper, scores)?.pop().unwrap_or_default())
    }

    /// The best sequences for each row of a stepper, going on from the scores that it has given last
    /// ([`Decoder::prime_each`](super::Decoder::prime_each), say): each as by itself. Errors as [`Beam::search`].
    pub fn search_rows<S: Stepper>(&self, mut stepper: S, mut scores: Scores) -> Result<Vec<Vec<Hypothesis>>> {
        self.check()?;
        let rows = stepper.rows();
        if scores.rows() != rows {
            let found = format!("{} rows of scores", scores.rows());
            return Err(Error::invalid("beam", format!("scores of {rows} rows"), found));
        }
        let mut found = vec![Vec::new(); rows];
        let begin = |start| Alive { start, tokens: Vec::new(), log_probability: 0.0 };
        let mut alive: Vec<Alive> = (0..rows).map(begin).collect();
        for length in 1..=self.longest {
            let mut kept: Vec<Candidate> = Vec::with_capacity(alive.len());
            let mut first = 0;
            while first < alive.len() {
                let start = alive[first].start;
                let count = alive[first..].iter().take_while(|alive| alive.start == start).count();
                let candidates = self.candidates(&alive, first..first + count, &scores, length);
                let going_on = self.sort_out(&alive, candidates, length, &mut found[start]);
                if !self.is_over(&going_on, length, &found[start]) {
                    kept.extend(going_on);
                }
                first += count;
            }
            if kept.is_empty() {
                break;
            }
            let parents: Vec<usize> = kept.iter().map(|candidate| candidate.row).collect();
            if !parents.iter().copied().eq(0..alive.len()) {
                stepper.select(&parents)?;
            }
            alive = kept.iter().map(|candidate| candidate.behind(&alive[candidate.row])).collect();
            scores = stepper.step(&kept.iter().map(|candidate| candidate.token).collect::<Vec<_>>())?;
        }
        for best in &mut found {
            best.truncate(self.n_best);
        }
        Ok(found)
    }

    /// The most probable tokens behind some rows, enough of them that `width` are left when those that end are gone.
    fn candidates(
        &self,
        alive: &[Alive],
        rows: std::ops::Range<usize>,
        scores: &Scores,
        length: usize,
    ) -> Vec<Candidate> {
        let mut all = Vec::new();
        let enough = |most: &mut Vec<Candidate>, count: usize| {
            if count < most.len() {
                most.select_nth_unstable_by(count - 1, Candidate::order);
                most.truncate(count);
            }
        };
        let ends = self.ends.len() * rows.len();
        let may_end = length >= self.shortest;
        let may_follow = |token: &u32| (may_end || !self.ends.contains(token)) && !self.banned.contains(token);
        for row in rows {
            let of_row = scores.row(row);
            let before = alive[row].log_probability - log_sum_exp(of_row);
            let most = greatest(of_row, self.width + self.ends.len(), may_follow);
            all.extend(most.into_iter().map(|(token, score)| {
                let log_probability = before + f64::from(score);
                Candidate { row, token, log_probability }
            }));
        }
        enough(&mut all, self.width + ends);
        all.sort_unstable_by(Candidate::order);
        all
    }

    /// Puts aside those that end among the `width` most probable, and gives the `width` most probable of the others.
    fn sort_out(
        &self,
        alive: &[Alive],
        candidates: Vec<Candidate>,
        length: usize,
        found: &mut Vec<Hypothesis>,
    ) -> Vec<Candidate> {
        let mut going_on = Vec::with_capacity(self.width.min(candidates.len()));
        for (rank, candidate) in candidates.into_iter().enumerate() {
            let ended = self.ends.contains(&candidate.token);
            let complete = ended || length == self.longest;
            if complete && rank < self.width {
                let Alive { mut tokens, log_probability, .. } = candidate.behind(&alive[candidate.row]);
                tokens.truncate(tokens.len() - usize::from(ended));
                let score = self.score(log_probability, length);
                found.push(Hypothesis { tokens, log_probability, score, ended });
            }
            if !complete && going_on.len() < self.width {
                going_on.push(candidate);
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        going_on
    }

    /// Whether nothing that is gone on with can be among the best any more, or enough have ended.
    fn is_over(&self, going_on: &[Candidate], length: usize, found: &[Hypothesis]) -> bool {
        if found.len() >= self.width {
            return true;
        }
        // It only becomes less probable; divided by a greater number it is nearer to 0.
        let at = if self.alpha > 0.0 { self.longest } else { length + 1 };
        let worst = found.get(self.n_best - 1).map(|hypothesis| hypothesis.score);
        worst.is_some_and(|worst| going_on.iter().all(|one| self.score(one.log_probability, at) <= worst))
    }

    fn score(&self, log_probability: f64, length: usize) -> f64 {
        log_probability / (length as f64).powf(self.alpha)
    }
}

/// The `count` tokens of the greatest scores that may follow and are possible, the greatest first, of equals the first.
fn greatest(scores: &[f32], count: usize, may_follow: impl Fn(&u32) -> bool) -> Vec<(u32, f32)> {
    let mut most: Vec<(u32, f32)> = Vec::with_capacity(count.min(scores.len()) + 1);
    let mut least = f32::NEG_INFINITY;
    for (token, &score) in scores.iter().enumerate() {
        // Of most tokens it is known here that they are none of them.
        if score <= least || !may_follow(&(token as u32)) {
            continue;
        }
        let place = most.partition_point(|&(_, other)| other >= score);
        most.insert(place, (token as u32, score));
        if most.len() > count {
            most.pop();
        }
        if most.len() == count {
            least = most[count - 1].1;
        }
    }
    most
}

impl Candidate {
    /// The sequence with its token behind it.
    fn behind(&self, before: &Alive) -> Alive {
        let mut tokens = Vec::with_capacity(before.tokens.len() + 1);
        tokens.extend_from_slice(&before.tokens);
        tokens.push(self.token);
        Alive { start: before.start, tokens, log_probability: self.log_probability }
    }
}
