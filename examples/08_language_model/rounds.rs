//! The text as training goes through it: round after round, from another place each time, until so many steps are done.

use elman::data::{Epoch, HostBatch, Order, Source, Stream};

/// Rounds of a text in [`Stream`]s. A round begins some tokens into the text, fewer than a batch has steps, so that the state and the
/// gradient are not cut at the same places every time; the last is cut short where all steps are done.
pub struct Rounds {
    text: Vec<u32>,
    rows: usize,
    steps: usize,
    /// Batches in all.
    total: u64,
}

impl Rounds {
    /// Errors: too short a text.
    pub fn new(text: Vec<u32>, rows: usize, steps: usize) -> elman::Result<Self> {
        Stream::new(text.clone(), rows, steps)?;
        Ok(Rounds { text, rows, steps, total: u64::MAX })
    }

    /// With so many batches in all rounds together.
    pub fn total(self, total: u64) -> Self {
        Rounds { total, ..self }
    }

    /// Batches of a round, wherever it begins.
    pub fn batches(&self) -> u64 {
        (self.text.len() - self.beginnings()).div_ceil(self.rows).div_ceil(self.steps) as u64
    }

    /// The places where a round can begin: of a text in which there is no room for others, its beginning alone.
    fn beginnings(&self) -> usize {
        self.steps.min(self.text.len().saturating_sub(self.tokens())).max(1)
    }

    /// Rounds until so many batches are done.
    pub fn rounds(&self) -> u64 {
        self.total.div_ceil(self.batches())
    }

    /// Tokens of a whole batch.
    pub fn tokens(&self) -> usize {
        self.rows * self.steps
    }
}

impl Source for Rounds {
    fn epoch(&self, order: &Order) -> elman::Result<Box<dyn Epoch + '_>> {
        let beginning = order.draws().named("beginning").below(0, self.beginnings());
        let stream = Stream::new(self.text[beginning..].to_vec(), self.rows, self.steps)?;
        stream.epoch(order)?;
        let left = self.total.saturating_sub(order.epoch.saturating_mul(self.batches()));
        let batches = left.min(self.batches()) as usize;
        Ok(Box::new(Round { stream, order: order.clone(), batches }))
    }

    fn describe(&self) -> String {
        let Rounds { text, rows, steps, .. } = self;
        format!("rounds of a text of {} tokens in {rows} rows, {steps} steps a batch", text.len())
    }

    fn is_quick(&self) -> bool {
        true
    }
}

struct Round {
    stream: Stream,
    order: Order,
    batches: usize,
}

impl Epoch for Round {
    fn batches(&self) -> usize {
        self.batches
    }

    fn samples(&self) -> Option<usize> {
        Some(self.batches * self.stream.rows())
    }

    fn batch(&self, number: usize) -> elman::Result<HostBatch> {
        self.stream.epoch(&self.order)?.batch(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elman::Key;

    #[test]
    fn rounds_end_where_all_steps_are_done() {
        let rounds = Rounds::new((0..1000).collect(), 4, 10).unwrap().total(60);
        assert_eq!((rounds.batches(), rounds.rounds()), (25, 3));
        let batches = |epoch| rounds.epoch(&Order::new(Key::new(3), epoch)).unwrap().batches();
        assert_eq!([0, 1, 2, 3].map(batches), [25, 25, 10, 0]);
    }

    #[test]
    fn a_round_begins_elsewhere_and_at_the_same_place_when_it_is_taken_up_again() {
        let rounds = Rounds::new((0..1000).collect(), 4, 10).unwrap();
        let first = |epoch| {
            let order = Order::new(Key::new(3), epoch);
            rounds.epoch(&order).unwrap().batch(1).unwrap()
        };
        assert_eq!(first(0), first(0));
        let beginnings: std::collections::BTreeSet<String> = (0..20).map(|e| format!("{:?}", first(e).data)).collect();
        assert!(beginnings.len() > 5);
        assert!(first(0).continues);
    }
}
