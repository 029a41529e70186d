//! [`generate()`]: tokens one after another, each drawn and put behind the sequence.

use super::{Sampler, Scores, Stepper, check_tokens, no_prompt};
use crate::error::{Error, Result};
use crate::random::Key;
use std::collections::BTreeSet;

/// Goes on with a text: reads `prompt`, of at least one token, and gives token after token, without end unless
/// [`Generate::until`] or [`Iterator::take`] says so. A token is computed when it is asked for, so that it can be shown at once; after
/// an error nothing more comes. Errors when the stepper is not of one sequence, for an option out of range, and of the model.
///
/// The same key gives the same tokens: that at position `i` is drawn from `key.fold(0)` at `i`. See [`decode`](super) for an example.
pub fn generate<S: Stepper>(stepper: S, prompt: &[u32], sampler: &Sampler, key: Key) -> Result<Generate<S>> {
    if stepper.rows() != 1 {
        let expected = "a stepper of one row (see `generate_rows`)";
        return Err(Error::invalid("generate", expected, format!("one of {}", stepper.rows())));
    }
    Ok(Generate(generate_rows(stepper, prompt, sampler, key)?))
}

/// [`generate()`] with several sequences at once: gives a token for each at a time, `None` for those that have ended
/// ([`GenerateRows::until`]), which cost and change nothing any more. It ends when all have. All sequences begin with `prompt`, or
/// see [`GenerateRows::new`]; what each becomes does not depend on the others: that of row `r` draws from `key.fold(r)`.
pub fn generate_rows<S: Stepper>(
    mut stepper: S,
    prompt: &[u32],
    sampler: &Sampler,
    key: Key,
) -> Result<GenerateRows<S>> {
    let scores = stepper.prime(prompt)?;
    let prompts = vec![prompt.to_vec(); stepper.rows()];
    GenerateRows::new(stepper, scores, prompts, sampler, key)
}

/// An iterator over tokens, from [`generate()`].
#[derive(Debug)]
pub struct Generate<S>(GenerateRows<S>);

impl<S: Stepper> Generate<S> {
    /// Ends where this token is drawn, which is not given. May be called with several tokens, one after another.
    #[must_use]
    pub fn until(self, token: u32) -> Self {
        Generate(self.0.until(token))
    }
}

impl<S: Stepper> Iterator for Generate<S> {
    type Item = Result<u32>;

    fn next(&mut self) -> Option<Result<u32>> {
        self.0.next()?.map(|tokens| tokens[0]).transpose()
    }
}

/// An iterator over tokens of several sequences, from [`generate_rows`].
#[derive(Debug)]
pub struct GenerateRows<S> {
    stepper: S,
    sampler: Sampler,
    key: Key,
    ends: BTreeSet<u32>,
    /// The scores of what follows the rows of the stepper, unless tokens wait to be put behind them.
    scores: Option<Scores>,
    /// The sequences that the rows of the stepper are.
    alive: Vec<usize>,
    /// All tokens of each sequence, those of its prompt first.
    sequences: Vec<Vec<u32>>,
    position: u64,
}

impl<S: Stepper> GenerateRows<S> {
    /// Goes on from `scores` that a stepper has given last, for instance [`Decoder::prime_each`](super::Decoder::prime_each) with
    /// prompts of their own. `prompts` are what the sequences hold so far, which a repetition penalty and a function of one's own
    /// look at; they may be empty. Errors unless all three are of as many rows, and for an option out of range.
    pub fn new(stepper: S, scores: Scores, prompts: Vec<Vec<u32>>, sampler: &Sampler, key: Key) -> Result<Self> {
        sampler.check()?;
        let rows = stepper.rows();
        if (scores.rows(), prompts.len()) != (rows, rows) {
            let found = format!("{} rows of scores and {} prompts", scores.rows(), prompts.len());
            return Err(Error::invalid("generate", format!("scores and a prompt for each of {rows} rows"), found));
        }
        let (sampler, scores, alive) = (sampler.clone(), Some(scores), (0..rows).collect());
        Ok(GenerateRows {
            stepper,
            sampler,
            key,
            ends: BTreeSet::new(),
            scores,
            alive,
            sequences: prompts,
            position: 0,
        })
    }

    /// Ends a sequence where this token is drawn, which is not given. May be called with several tokens, one after another.
    #[must_use]
    pub fn until(mut self, token: u32) -> Self {
        self.ends.insert(token);
        self
    }

    /// All tokens of each sequence so far, its prompt first.
    pub fn sequences(&self) -> &[Vec<u32>] {
        &self.sequences
    }

    fn draw(&mut self) -> Result<Vec<Option<u32>>> {
        let scores = match self.scores.take() {
            Some(scores) => scores,
            None => {
                let last = |&row: &usize| self.sequences[row].last().copied().ok_or_else(no_prompt);
                let tokens: Vec<u32> = self.alive.iter().map(last).collect::<Result<_>>()?;
                check_tokens(self.stepper.rows(), &tokens)?;
                self.stepper.step(&tokens)?
            }
        };
        let mut given = vec![None; self.sequences.len()];
        let mut kept = Vec::with_capacity(self.alive.len());
        for (i, &row) in self.alive.iter().enumerate() {
            let key = self.key.fold(row as u64);
            let token = self.sampler.sample(scores.row(i), &self.sequences[row], key, self.position)?;
            if !self.ends.contains(&token) {
                given[row] = Some(token);
                self.sequences[row].push(token);
                kept.push(i);
            }
        }
        self.position += 1;
        if kept.len() < self.alive.len() {
            self.alive = kept.iter().map(|&i| self.alive[i]).collect();
            if !kept.is_empty() {
                self.stepper.select(&kept)?;
            }
        }
        Ok(given)
    }
}

impl<S: Stepper> Iterator for GenerateRows<S> {
    type Item = Result<Vec<Option<u32>>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.alive.is_empty() {
            return None;
        }
        let drawn = self.draw();
        if drawn.is_err() {
            self.alive.clear();
        }
        // The step in which the last of them has ended gives nothing.
        if self.alive.is_empty() && drawn.is_ok() { None } else { Some(drawn) }
    }
}
