//! Pairs that the project makes up: dates in words, and sums.

mod dates;

use super::corpus::Pair;
use clap::ValueEnum;
use elman::Key;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum MadeUp {
    /// Dates in English and Russian words, as 2026-11-29
    Dates,
    /// Sums of two numbers of up to three digits, as in Keras' addition_rnn
    Sums,
}

/// Numbers below this are added.
const NUMBERS: u64 = 1000;

impl MadeUp {
    pub fn what(self) -> &'static str {
        match self {
            MadeUp::Dates => "dates in English and Russian words",
            MadeUp::Sums => "sums of numbers of up to three digits",
        }
    }

    /// What suits texts and translations.
    pub fn levels(self) -> [&'static str; 2] {
        match self {
            MadeUp::Dates => ["word", "char"],
            MadeUp::Sums => ["char", "char"],
        }
    }

    /// How many different ones there are.
    fn all(self) -> usize {
        match self {
            MadeUp::Dates => dates::all(),
            // Of pairs of numbers without their order.
            MadeUp::Sums => (NUMBERS * (NUMBERS + 1) / 2) as usize,
        }
    }

    /// What is wrong with so many pairs, if there are not as many and some to test on.
    pub fn problem(self, count: usize) -> Option<String> {
        let most = self.all() - self.all() / 20;
        (count > most).then(|| format!("--made-up-pairs {count}: expected at most {most} of {}", self.what()))
    }

    /// So many to train on, and at most so many others to test on: dates, or pairs of numbers, that are not among the first. Always the
    /// same.
    pub fn pairs(self, train: usize, test: usize) -> (Vec<Pair>, Vec<Pair>) {
        let key = Key::new(11);
        let mut numbers: Vec<usize> = (0..self.all()).collect();
        key.named("which").shuffle(&mut numbers);
        let pair = |&number: &usize| match self {
            MadeUp::Dates => dates::pair(number, key.named("words").fold(number as u64)),
            MadeUp::Sums => sum(number as u64, key.named("order").fold(number as u64)),
        };
        // From the end, so that those to test on are the same however many are trained on.
        let test = numbers.iter().rev().take(test.min(self.all() / 20)).map(pair).collect();
        (numbers.iter().take(train).map(pair).collect(), test)
    }
}

/// The sum of the numbers of a pair, in either order.
fn sum(number: u64, key: Key) -> Pair {
    // The pairs (0, 0), (1, 0), (1, 1), (2, 0), ...
    let mut greater = ((2.0 * number as f64 + 0.25).sqrt() - 0.5) as u64;
    while greater * (greater + 1) / 2 > number {
        greater -= 1;
    }
    while (greater + 1) * (greater + 2) / 2 <= number {
        greater += 1;
    }
    let other = number - greater * (greater + 1) / 2;
    let (a, b) = if key.below(0, 2) == 0 { (greater, other) } else { (other, greater) };
    (format!("{a}+{b}"), (a + b).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_tested_is_not_trained_on() {
        for made_up in [MadeUp::Dates, MadeUp::Sums] {
            let (train, test) = made_up.pairs(3000, 500);
            assert_eq!((train.len(), test.len()), (3000, 500));
            let of = |pairs: &[Pair]| -> BTreeSet<BTreeSet<String>> {
                let parts = |(source, target): &Pair| match made_up {
                    MadeUp::Dates => BTreeSet::from([target.clone()]),
                    MadeUp::Sums => source.split('+').map(String::from).collect(),
                };
                pairs.iter().map(parts).collect()
            };
            assert!(of(&train).is_disjoint(&of(&test)), "{made_up:?}");
            assert_eq!(of(&train).len(), 3000);
            assert!(made_up.problem(made_up.all()).is_some() && made_up.problem(3000).is_none());
        }
    }

    #[test]
    fn sums_are_right() {
        let (sums, _) = MadeUp::Sums.pairs(2000, 0);
        for (source, target) in sums {
            let added: u64 = source.split('+').map(|number| number.parse::<u64>().unwrap()).sum();
            assert!(added == target.parse::<u64>().unwrap() && added < 2 * NUMBERS, "{source} = {target}");
        }
        assert_eq!(sum(0, Key::new(0)).0, "0+0");
        assert_eq!(sum(MadeUp::Sums.all() as u64 - 1, Key::new(0)).1, "1998");
    }
}
