//! [`Sampler`]: which token comes next.

use super::filter::{Candidate, draw, min_p, top_k, top_p};
use crate::error::{Error, Result};
use crate::random::Key;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Changes scores before anything else is done with them.
type Adjust = Arc<dyn Fn(&mut [f32], &[u32]) + Send + Sync>;

/// How the next token is drawn from scores. In this order: a function of one's own, tokens that are banned, the penalty on those that
/// were there, the temperature; then of what may be drawn the `k` most probable, the nucleus of the rest, and of that what is
/// probable enough beside the most probable. As `new` makes it, it draws from the model's own distribution.
///
/// Draws are a function of a [`Key`] and a position: the same on every backend, up to what rounding does to the scores.
///
/// ```
/// use elman::Key;
/// use elman::decode::Sampler;
///
/// let scores = [0.0, 2.0, 1.0, f32::NEG_INFINITY];
/// let sampler = Sampler::new().temperature(0.8).top_k(2).repetition_penalty(1.3);
/// let token = sampler.sample(&scores, &[0, 1], Key::new(0), 17)?;
/// assert!(token == 1 || token == 2);
/// assert_eq!(Sampler::greedy().sample(&scores, &[], Key::new(0), 0)?, 1);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Sampler {
    temperature: f64,
    top_k: Option<usize>,
    top_p: f64,
    min_p: f64,
    penalty: f64,
    window: Option<usize>,
    banned: BTreeSet<u32>,
    adjust: Option<Adjust>,
}

impl Default for Sampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Sampler {
    /// Draws from the model's distribution as it is.
    pub fn new() -> Self {
        let (banned, adjust) = (BTreeSet::new(), None);
        Sampler { temperature: 1.0, top_k: None, top_p: 1.0, min_p: 0.0, penalty: 1.0, window: None, banned, adjust }
    }

    /// Takes the most probable token, of equals that of the lowest number: temperature 0.
    pub fn greedy() -> Self {
        Sampler::new().temperature(0.0)
    }

    /// Divides the scores by a number: below 1 what is probable becomes more so, above 1 all tokens become more alike; 0 takes the
    /// most probable.
    pub fn temperature(self, temperature: f64) -> Self {
        Sampler { temperature, ..self }
    }

    /// Draws from the `k` most probable tokens: Fan, Lewis, Dauphin, "Hierarchical Neural Story Generation", ACL 2018.
    pub fn top_k(self, k: usize) -> Self {
        Sampler { top_k: Some(k), ..self }
    }

    /// Draws from the nucleus, the fewest tokens whose probabilities add up to at least `p`, in `(0, 1]`: Holtzman and others, "The
    /// Curious Case of Neural Text Degeneration", ICLR 2020.
    pub fn top_p(self, p: f64) -> Self {
        Sampler { top_p: p, ..self }
    }

    /// Draws from the tokens that are at least `p` times, in `[0, 1]`, as probable as the most probable: Nguyen and others, "Turning Up
    /// the Heat: Min-p Sampling for Creative and Coherent LLM Outputs", ICLR 2025.
    pub fn min_p(self, p: f64) -> Self {
        Sampler { min_p: p, ..self }
    }

    /// Makes tokens that are in the sequence already less probable: scores above 0 are divided by the penalty, others multiplied, so 1
    /// changes nothing and 1.2 is usual: Keskar and others, "CTRL: A Conditional Transformer Language Model for Controllable
    /// Generation", 2019, as the field has it since (in the paper all are divided). It depends on where the 0 of the scores is: it is
    /// meant for logits, not for logarithms of probabilities.
    pub fn repetition_penalty(self, penalty: f64) -> Self {
        Sampler { penalty, ..self }
    }

    /// Lets the penalty look at the last `tokens` tokens of a sequence only; otherwise it looks at all of them.
    pub fn repetition_window(self, tokens: usize) -> Self {
        Sampler { window: Some(tokens), ..self }
    }

    /// Never draws these tokens. Those of several calls add up.
    pub fn ban(mut self, tokens: impl IntoIterator<Item = u32>) -> Self {
        self.banned.extend(tokens);
        self
    }

    /// Calls a function on the scores, a number for each token, and the tokens of the sequence so far, before all else: what a grammar
    /// forbids becomes `f32::NEG_INFINITY`, say.
    pub fn adjust(self, function: impl Fn(&mut [f32], &[u32]) + Send + Sync + 'static) -> Self {
        Sampler { adjust: Some(Arc::new(function)), ..self }
    }

    /// Errors for an option out of range: a temperature below 0, `k` of 0, `p` outside its interval, a penalty that is not above 0, or
    /// numbers that are not finite.
    pub fn check(&self) -> Result<()> {
        let check = |right: bool, name: &str, expected: &str, found: f64| match right {
            true => Ok(()),
            false => Err(Error::invalid(format!("sampler, {name}"), expected, found)),
        };
        let Sampler { temperature, top_p, min_p, penalty, .. } = *self;
        let finite = temperature >= 0.0 && temperature.is_finite();
        check(finite, "temperature", "a finite number of at least 0", temperature)?;
        check(self.top_k != Some(0), "top_k", "at least 1", 0.0)?;
        check(top_p > 0.0 && top_p <= 1.0, "top_p", "a number above 0 and at most 1", top_p)?;
        check((0.0..=1.0).contains(&min_p), "min_p", "a number from 0 to 1", min_p)?;
        check(penalty > 0.0 && penalty.is_finite(), "repetition penalty", "a finite number above 0", penalty)
    }

    /// Draws a token from the scores of a row, for a sequence that holds `tokens` so far, at a position of the key's stream. Errors when
    /// no token is left that may be drawn, for a score that is NaN or infinite, for a banned token that there is not, and those of
    /// [`Sampler::check`].
    pub fn sample(&self, scores: &[f32], tokens: &[u32], key: Key, position: u64) -> Result<u32> {
        self.check()?;
        let changed = self.changed(scores, tokens)?;
        let scores = changed.as_deref().unwrap_or(scores);
        let mut greatest = 0;
        for (token, &score) in scores.iter().enumerate() {
            if score.is_nan() || score == f32::INFINITY {
                let place = format!("sampler, score of token {token}");
                return Err(Error::invalid(place, "a number or minus infinity", score));
            }
            greatest = if score > scores[greatest] { token } else { greatest };
        }
        if scores.get(greatest).is_none_or(|&score| score == f32::NEG_INFINITY) {
            let found = "scores that are all minus infinity";
            return Err(Error::invalid("sampler", "a token that may be drawn", found));
        }
        if self.temperature == 0.0 {
            return Ok(greatest as u32);
        }
        let most = f64::from(scores[greatest]);
        let candidate = |(token, &score): (usize, &f32)| {
            let weight = ((f64::from(score) - most) / self.temperature).exp();
            Candidate { token: token as u32, weight }
        };
        let mut candidates: Vec<Candidate> =
            scores.iter().enumerate().map(candidate).filter(|candidate| candidate.weight > 0.0).collect();
        if let Some(k) = self.top_k {
            top_k(&mut candidates, k);
        }
        if self.top_p < 1.0 {
            top_p(&mut candidates, self.top_p);
        }
        if self.min_p > 0.0 {
            min_p(&mut candidates, self.min_p);
        }
        draw(&mut candidates, key.uniform(position))
            .ok_or_else(|| Error::invalid("sampler", "a token that may be drawn", "none"))
    }

    /// The scores with all that is done to them before they become probabilities, if anything is.
    fn changed(&self, scores: &[f32], tokens: &[u32]) -> Result<Option<Vec<f32>>> {
        if self.adjust.is_none() && self.banned.is_empty() && self.penalty == 1.0 {
            return Ok(None);
        }
        let mut scores = scores.to_vec();
        if let Some(adjust) = &self.adjust {
            adjust(&mut scores, tokens);
        }
        let count = scores.len();
        for &token in &self.banned {
            match scores.get_mut(token as usize) {
                Some(score) => *score = f32::NEG_INFINITY,
                None => {
                    let expected = format!("tokens below {count} to ban");
                    return Err(Error::invalid("sampler", expected, format!("token {token}")));
                }
            }
        }
        if self.penalty != 1.0 {
            let from = tokens.len() - self.window.unwrap_or(tokens.len()).min(tokens.len());
            for token in tokens[from..].iter().collect::<BTreeSet<_>>() {
                // What is in a prompt may be no token that can follow.
                if let Some(score) = scores.get_mut(*token as usize) {
                    let (x, penalty) = (f64::from(*score), self.penalty);
                    *score = (if x > 0.0 { x / penalty } else { x * penalty }) as f32;
                }
            }
        }
        Ok(Some(scores))
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("temperature", &self.temperature)
            .field("top_k", &self.top_k)
            .field("top_p", &self.top_p)
            .field("min_p", &self.min_p)
            .field("repetition_penalty", &self.penalty)
            .field("repetition_window", &self.window)
            .field("banned", &self.banned)
            .field("adjust", &self.adjust.is_some())
            .finish()
    }
}
