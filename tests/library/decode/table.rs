//! [`Table`]: a stepper that knows what follows which two tokens, and how much it was asked for.

use elman::decode::{Scores, Stepper};
use elman::{Key, Result};
use std::cell::Cell;
use std::rc::Rc;

/// Scores by the two last tokens of each row. It counts the rows of all steps.
#[derive(Clone, Debug)]
pub(super) struct Table {
    scores: Rc<Vec<Vec<f32>>>,
    tokens: usize,
    last: Vec<[u32; 2]>,
    pub(super) steps: Rc<Cell<usize>>,
    pub(super) rows_stepped: Rc<Cell<usize>>,
}

impl Table {
    /// Scores that look drawn.
    pub(super) fn drawn(tokens: usize, rows: usize, seed: u64) -> Self {
        let key = Key::new(seed);
        let score = |i: usize| (2.0 * key.normal(i as u64)) as f32;
        Self::new((0..tokens * tokens).map(|i| (0..tokens).map(|j| score(i * tokens + j)).collect()).collect(), rows)
    }

    /// The same scores whatever came before.
    pub(super) fn same(scores: &[f32], rows: usize) -> Self {
        Self::new(vec![scores.to_vec(); scores.len() * scores.len()], rows)
    }

    fn new(scores: Vec<Vec<f32>>, rows: usize) -> Self {
        let tokens = scores[0].len();
        let (steps, rows_stepped) = Default::default();
        Table { scores: Rc::new(scores), tokens, last: vec![[0; 2]; rows], steps, rows_stepped }
    }

    /// What may follow two tokens.
    pub(super) fn after(&self, [first, second]: [u32; 2]) -> &[f32] {
        &self.scores[first as usize * self.tokens + second as usize]
    }
}

impl Stepper for Table {
    fn rows(&self) -> usize {
        self.last.len()
    }

    fn step(&mut self, tokens: &[u32]) -> Result<Scores> {
        assert_eq!(tokens.len(), self.last.len(), "a token for each row");
        self.steps.set(self.steps.get() + 1);
        self.rows_stepped.set(self.rows_stepped.get() + tokens.len());
        for (last, &token) in self.last.iter_mut().zip(tokens) {
            *last = [last[1], token];
        }
        Scores::new(self.last.iter().flat_map(|&last| self.after(last).to_vec()).collect(), tokens.len())
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.last = rows.iter().map(|&row| self.last[row]).collect();
        Ok(())
    }
}
