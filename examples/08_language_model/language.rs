//! A trained model with its tokens, out of one file, and what a text costs it.

use super::common::run::load;
use super::settings::Settings;
use super::tokens::Tokens;
use anyhow::{Context, ensure};
use elman::checkpoint::Extras;
use elman::layers::{Carry, Value};
use elman::{Backend, Element, Model, Shape};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of a [`Description`] among the extras of a file.
const EXTRA: &str = "language_model";
/// Numbers of scores that are no burden to keep.
const SCORES: usize = 1 << 22;

/// What a file holds besides the network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Description {
    pub settings: Settings,
    pub tokens: Tokens,
}

impl Description {
    pub fn extras(&self) -> anyhow::Result<Extras> {
        Ok(Extras::new().with(EXTRA, self)?)
    }
}

/// A trained model that takes texts.
pub struct Language<B: Backend> {
    pub tokens: Tokens,
    pub model: Model<B>,
}

/// What one token of a text costs behind all before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Minus the logarithm of its probability.
    pub nats: f64,
    /// The token that would have cost least.
    pub likeliest: u32,
}

impl<B: Backend> Language<B> {
    /// Out of a file alone.
    pub fn load(backend: &B, path: &Path) -> anyhow::Result<Self> {
        let extras = Extras::read(path)?;
        let description: Description =
            extras.get(EXTRA).with_context(|| format!("{}: not written by this program", path.display()))?;
        Ok(Language { tokens: description.tokens, model: load(backend, path)? })
    }

    /// What each token but the first costs, all of the text before it being known.
    pub fn costs(&self, tokens: &[u32]) -> anyhow::Result<Vec<Cost>> {
        let (mut carry, mut costs) = (Carry::stepping(), Vec::with_capacity(tokens.len()));
        let steps = (SCORES / self.tokens.width()).clamp(1, 256);
        for from in (0..tokens.len().saturating_sub(1)).step_by(steps) {
            let to = (from + steps).min(tokens.len() - 1);
            let scores = self.scores(&tokens[from..to], 1, &mut carry)?;
            costs.extend(self.each(&scores, &tokens[from + 1..=to]));
        }
        self.check(costs)
    }

    /// The same where the text is cut into windows and nothing before its own is known.
    pub fn costs_by_window(&self, tokens: &[u32], window: usize) -> anyhow::Result<Vec<Cost>> {
        let ahead = tokens.get(1..).unwrap_or_default();
        let behind = &tokens[..ahead.len()];
        let rows = (SCORES / self.tokens.width() / window).clamp(1, 32);
        let whole = ahead.len() - ahead.len() % window;
        let mut costs = Vec::with_capacity(tokens.len());
        let chunks = behind[..whole].chunks(rows * window).zip(ahead[..whole].chunks(rows * window));
        let rest = std::iter::once((&behind[whole..], &ahead[whole..])).filter(|(rest, _)| !rest.is_empty());
        for (behind, ahead) in chunks.chain(rest) {
            let rows = behind.len().div_ceil(window);
            let scores = self.scores(behind, rows, &mut Carry::stepping())?;
            costs.extend(self.each(&scores, ahead));
        }
        self.check(costs)
    }

    fn scores(&self, tokens: &[u32], rows: usize, carry: &mut Carry<B>) -> anyhow::Result<Vec<B::Elem>> {
        let shape = Shape::new(&[rows, tokens.len() / rows])?;
        let indices = Value::Indices(self.model.backend().upload_indices(tokens.to_vec(), shape)?);
        Ok(self.model.forward_carried(indices, carry)?.to_vec()?)
    }

    fn each<'s>(&self, scores: &'s [B::Elem], tokens: &'s [u32]) -> impl Iterator<Item = Cost> + 's {
        scores.chunks(self.tokens.width()).zip(tokens).map(|(row, &token)| {
            let row = || row.iter().map(|score| score.to_f64());
            let greatest =
                row().enumerate().fold((0, f64::NEG_INFINITY), |most, (i, x)| if x > most.1 { (i, x) } else { most });
            let sum: f64 = row().map(|x| (x - greatest.1).exp()).sum();
            let nats = greatest.1 + sum.ln() - row().nth(token as usize).unwrap_or(f64::NEG_INFINITY);
            Cost { nats, likeliest: greatest.0 as u32 }
        })
    }

    fn check(&self, costs: Vec<Cost>) -> anyhow::Result<Vec<Cost>> {
        ensure!(costs.iter().all(|cost| cost.nats.is_finite()), "expected scores, found NaN: the training diverged");
        Ok(costs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elman::Spec;
    use elman::layers::{Dense, Embedding, Gru, Sequential};
    use elman_reference::Reference;

    fn language() -> Language<Reference<f64>> {
        let tokens = Tokens::new("char", "abcd", 10, 1).unwrap();
        let network = Sequential::new()
            .add(Embedding::new(tokens.width(), 3))
            .add(Gru::new(4).return_sequences().stateful())
            .add(Dense::new(tokens.width()));
        let model = network.build(&Reference::new(), Spec::Indices(None), 3).unwrap();
        Language { tokens, model }
    }

    #[test]
    fn costs_are_minus_the_logarithms_of_what_the_model_foretells() {
        let language = language();
        let text: Vec<u32> = (0..600).map(|i| 1 + (i * i) % 4).collect();
        let costs = language.costs(&text).unwrap();
        assert_eq!(costs.len(), 599);
        // All of it in one call, its softmax taken without any care.
        let indices = language.model.backend().upload_indices(text.clone(), Shape::new(&[1, 600]).unwrap()).unwrap();
        let y = language.model.forward(Value::Indices(indices), elman::layers::Mode::Evaluation).unwrap();
        let y = y.to_vec().unwrap();
        for at in [0, 255, 256, 598] {
            let row = &y[at * 5..][..5];
            let p = row[text[at + 1] as usize].exp() / row.iter().map(|x| x.exp()).sum::<f64>();
            assert!((costs[at].nats + p.ln()).abs() < 1e-12, "{at}");
        }
    }

    #[test]
    fn a_window_knows_nothing_of_what_is_before_it() {
        let language = language();
        let text: Vec<u32> = (0..600).map(|i| 1 + (i * i + i / 7) % 4).collect();
        let (warm, cold) = (language.costs(&text).unwrap(), language.costs_by_window(&text, 50).unwrap());
        assert_eq!(cold.len(), warm.len());
        let alone = language.costs(&text[50..101]).unwrap();
        let off = |a: &[Cost], b: &[Cost]| a.iter().zip(b).map(|(a, b)| (a.nats - b.nats).abs()).fold(0.0, f64::max);
        assert!(off(&cold[50..100], &alone) < 1e-12);
        assert!(off(&cold[..50], &warm[..50]) < 1e-12 && off(&cold[50..100], &warm[50..100]) > 1e-4);
    }
}
