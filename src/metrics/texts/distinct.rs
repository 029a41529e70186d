//! [`Distinct`]: how varied texts are.

use crate::metrics::ratio;
use std::collections::HashSet;

/// distinct-n of texts, such as the replies of a chat-bot (Li and others, "A Diversity-Promoting Objective Function for Neural Conversation
/// Models", NAACL 2016): how many different pieces of `n` tokens there are in all texts, divided by the number of tokens. A bot that
/// says the same to everything has next to 0. It falls as texts become more, so that it is compared between as many of them.
///
/// ```
/// use elman::metrics::Distinct;
/// let mut distinct = Distinct::new(2);
/// distinct.add(&["i", "do", "not", "know"]);
/// distinct.add(&["i", "do"]);
/// assert_eq!(distinct.score(), 3.0 / 6.0); // "i do", "do not", "not know"
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distinct {
    order: usize,
    pieces: HashSet<Vec<String>>,
    tokens: u64,
}

impl Distinct {
    /// Of pieces of `n` tokens, of which there are none where `n` is 0.
    pub fn new(n: usize) -> Self {
        Distinct { order: n, ..Distinct::default() }
    }

    /// Takes in the tokens of a text.
    pub fn add<T: AsRef<str>>(&mut self, text: &[T]) {
        self.tokens += text.len() as u64;
        if self.order > 0 {
            let owned = |piece: &[T]| piece.iter().map(|token| token.as_ref().to_string()).collect();
            self.pieces.extend(text.windows(self.order).map(owned));
        }
    }

    /// Different pieces a token; 0 without a token.
    pub fn score(&self) -> f64 {
        ratio(self.pieces.len() as f64, self.tokens as f64)
    }
}
