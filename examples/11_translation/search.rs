//! How translations are searched for: the flags of `evaluate` and `translate`.

use super::common::limits::range_problem;
use clap::Args;
use elman::pipeline::TranslationOptions;

#[derive(Args, Clone, Debug)]
pub struct Search {
    /// Translations that are gone on with at a time; 1 takes the best token each time
    #[arg(long, value_name = "WIDTH", default_value_t = 5)]
    pub beam: usize,
    /// The power of its length that a translation's score is divided by; 0: none
    #[arg(long, value_name = "POWER", default_value_t = 1.0)]
    length_penalty: f64,
    /// How much those of a beam fall behind that leave out a part of the text; needs attention
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    coverage: f64,
    /// Tokens of a translation at most [default: half as many again as any to train on had]
    #[arg(long, value_name = "TOKENS")]
    longest: Option<usize>,
    /// Put the word that was looked at most in the place of an unknown one; needs attention
    #[arg(long)]
    replace_unknown: bool,
    /// Write no unknown word, but what comes next
    #[arg(long, conflicts_with = "replace_unknown")]
    never_unknown: bool,
    /// Texts that are translated side by side
    #[arg(long, value_name = "TEXTS", default_value_t = 32)]
    batch: usize,
}

/// A beam is wide enough.
const WIDEST: usize = 1000;

impl Search {
    /// What is wrong with them.
    pub fn problems(&self) -> Vec<String> {
        let numbers = [
            ("--beam", self.beam as f64, 1.0, WIDEST as f64),
            ("--length-penalty", self.length_penalty, 0.0, 10.0),
            ("--coverage", self.coverage, 0.0, 100.0),
            ("--longest", self.longest.unwrap_or(1) as f64, 1.0, 1e6),
            ("--batch", self.batch as f64, 1.0, 1e5),
        ];
        numbers.into_iter().filter_map(|(option, x, least, most)| range_problem(option, x, least, most)).collect()
    }

    pub fn options(&self) -> TranslationOptions {
        let options = TranslationOptions::new().beam(self.beam).length_penalty(self.length_penalty).batch(self.batch);
        let options = options.coverage_penalty(self.coverage);
        let options = self.longest.map_or(options.clone(), |longest| options.longest(longest));
        match (self.replace_unknown, self.never_unknown) {
            (true, _) => options.replace_unknown(),
            (_, true) => options.never_unknown(),
            _ => options,
        }
    }
}
