//! A decoder that never gives what is no token.

use elman::decode::{Scores, Stepper};

/// Steps another, with the scores of some tokens at minus infinity.
pub struct Without<S> {
    pub stepper: S,
    pub banned: Vec<u32>,
}

impl<S: Stepper> Without<S> {
    fn cut(&self, scores: &Scores) -> elman::Result<Scores> {
        let (rows, width) = (scores.rows(), scores.vocabulary());
        let mut all: Vec<f32> = (0..rows).flat_map(|row| scores.row(row)).copied().collect();
        for row in all.chunks_mut(width) {
            self.banned.iter().for_each(|&token| row[token as usize] = f32::NEG_INFINITY);
        }
        Scores::new(all, rows)
    }
}

impl<S: Stepper> Stepper for Without<S> {
    fn rows(&self) -> usize {
        self.stepper.rows()
    }

    fn step(&mut self, tokens: &[u32]) -> elman::Result<Scores> {
        let scores = self.stepper.step(tokens)?;
        self.cut(&scores)
    }

    fn select(&mut self, rows: &[usize]) -> elman::Result<()> {
        self.stepper.select(rows)
    }

    fn prime(&mut self, prompt: &[u32]) -> elman::Result<Scores> {
        let scores = self.stepper.prime(prompt)?;
        self.cut(&scores)
    }
}
