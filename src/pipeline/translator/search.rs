//! The search for translations: batches of texts, beams, what was looked at.

use super::languages::{SOURCE, TARGET};
use super::options::Unknown;
use super::{Languages, Translation, TranslationOptions};
use crate::backend::Backend;
use crate::data::Inputs;
use crate::decode::{Beam, Decoder, Hypothesis, Stepper};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layers::{Mode, Value};
use crate::model::Model;
use crate::pipeline::Codec;
use crate::pipeline::batches::batches;
use crate::tensor::Tensor;

/// Tokens of the sources of a batch, padding included and times the width of the beam, at most, unless one text has more.
const TOKENS: usize = 16_384;

/// Weights of what is looked at once more at a time, at most, unless one translation has more.
const WEIGHTS: usize = 1 << 16;

/// A text as it is translated.
struct Source {
    /// Where among the texts it stands.
    at: usize,
    numbers: Vec<u32>,
    tokens: Vec<String>,
}

/// The best translations of each text.
pub(super) fn n_best<B: Backend, T: AsRef<str>>(
    model: &Model<B>,
    languages: &Languages,
    options: &TranslationOptions,
    texts: &[T],
) -> Result<Vec<Vec<Translation>>> {
    let search = Search { model, languages, options, beam: beam(languages, options), weights: WEIGHTS };
    search.check()?;
    let mut sources = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let (numbers, tokens) = languages.source.cut(text.as_ref())?;
        sources.push(Source { at, numbers, tokens });
    }
    let empty = || Translation { text: String::new(), tokens: vec![], source: vec![], score: 0.0, attention: vec![] };
    let mut found: Vec<Vec<Translation>> = (0..texts.len()).map(|_| vec![empty()]).collect();
    let there: Vec<&Source> = sources.iter().filter(|source| !source.numbers.is_empty()).collect();
    let lengths: Vec<usize> = there.iter().map(|source| source.numbers.len()).collect();
    // As much as fills a batch of as many texts as there may be, at least.
    let least = TOKENS.div_ceil(options.batch);
    let cost = |length: usize| length.saturating_mul(options.width).max(least);
    for batch in batches(&lengths, cost, TOKENS) {
        let batch: Vec<&Source> = batch.into_iter().map(|at| there[at]).collect();
        for (source, translations) in batch.iter().zip(search.batch(&batch)?) {
            found[source.at] = translations;
        }
    }
    Ok(found)
}

/// What is searched by.
fn beam(languages: &Languages, options: &TranslationOptions) -> Beam {
    let longest = options.longest.unwrap_or(languages.longest);
    // All that were found are looked at once more.
    let n_best = if options.coverage > 0.0 { options.width.max(options.n_best) } else { options.n_best };
    let beam = Beam::new(options.width).length_penalty(options.alpha).longest(longest).n_best(n_best);
    let never = languages.target.unknown().filter(|_| options.unknown == Unknown::Never);
    beam.until(languages.target.end()).ban(languages.target.unwritten().into_iter().chain(never))
}

struct Search<'t, B: Backend> {
    model: &'t Model<B>,
    languages: &'t Languages,
    options: &'t TranslationOptions,
    beam: Beam,
    /// [`WEIGHTS`].
    weights: usize,
}

impl<B: Backend> Search<'_, B> {
    /// Errors for options out of range, and for what needs attention by a network without, whatever the texts are.
    fn check(&self) -> Result<()> {
        let options = self.options;
        if options.batch == 0 {
            return Err(Error::invalid("translator: batch", "at least 1 text", 0));
        }
        if !(options.coverage.is_finite() && options.coverage >= 0.0) {
            let expected = "a finite number of at least 0";
            return Err(Error::invalid("translator: coverage_penalty", expected, options.coverage));
        }
        self.beam.clone().n_best(options.n_best).check()?;
        let needs_attention = match (options.coverage > 0.0, options.unknown == Unknown::Replaced) {
            (true, _) => "coverage_penalty",
            (_, true) => "replace_unknown",
            _ => return Ok(()),
        };
        // A source and a target of one token each.
        let begins = |codec: &Codec| Inputs::indices(&[[codec.begin()]]);
        let (source, target) = (begins(&self.languages.source)?, begins(&self.languages.target)?);
        if self.weights(Inputs::record([(SOURCE, source), (TARGET, target)])?)?.is_none() {
            let expected = "a network with attention, which says what was looked at";
            return Err(Error::invalid(format!("translator: {needs_attention}"), expected, "one without"));
        }
        Ok(())
    }

    /// The best translations of some texts, none of them empty.
    fn batch(&self, sources: &[&Source]) -> Result<Vec<Vec<Translation>>> {
        let numbers: Vec<&[u32]> = sources.iter().map(|source| &source.numbers[..]).collect();
        let context = Inputs::record([(SOURCE, Inputs::indices(&numbers)?)])?;
        let mut decoder = Decoder::with_context(self.model, TARGET, &context)?;
        let scores = decoder.step(&vec![self.languages.target.begin(); sources.len()])?;
        let found = self.beam.search_rows(decoder, scores)?;
        let covers = self.options.coverage > 0.0;
        let replaces =
            self.options.unknown == Unknown::Replaced && found.iter().flatten().any(|best| self.has_unknown(best));
        let attention = match covers || replaces || self.options.attention {
            true => self.attention(sources, &found)?,
            false => Vec::new(),
        };
        let (mut attention, mut translations) = (attention.into_iter(), Vec::with_capacity(sources.len()));
        for (source, found) in sources.iter().zip(found) {
            let looked = found.into_iter().map(|best| (best, attention.next().unwrap_or_default()));
            let mut looked: Vec<(Hypothesis, Vec<Vec<f32>>)> = looked.collect();
            if covers {
                let of_source = source.numbers.len();
                looked.iter_mut().for_each(|(best, weights)| best.score += self.coverage(of_source, weights));
                looked.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
                looked.truncate(self.options.n_best);
            }
            if looked.is_empty() {
                return Err(Error::invalid("translator", "a token that may be written", "none"));
            }
            let each = looked.into_iter().map(|(best, weights)| self.translation(source, best, weights));
            translations.push(each.collect::<Result<_>>()?);
        }
        Ok(translations)
    }

    fn has_unknown(&self, best: &Hypothesis) -> bool {
        best.tokens.iter().any(|&number| Some(number) == self.languages.target.unknown())
    }

    /// `β Σ ln min(1, what was looked at)` over the steps of the source.
    fn coverage(&self, steps: usize, weights: &[Vec<f32>]) -> f64 {
        let seen = |step: usize| weights.iter().map(|weights| f64::from(weights[step])).sum::<f64>();
        // Of what was not looked at by a number that is not infinite.
        let each = (0..steps).map(|step| seen(step).clamp(1e-6, 1.0).ln());
        self.options.coverage * each.sum::<f64>()
    }

    fn translation(&self, source: &Source, best: Hypothesis, attention: Vec<Vec<f32>>) -> Result<Translation> {
        let target = &self.languages.target;
        let mut tokens = target.pieces(&best.tokens)?;
        let mut text = target.decode(&best.tokens)?;
        if self.options.unknown == Unknown::Replaced && target.has_pieces() {
            for ((token, number), weights) in tokens.iter_mut().zip(&best.tokens).zip(&attention) {
                if Some(*number) == target.unknown() {
                    let greatest = (0..weights.len()).reduce(|a, b| if weights[b] > weights[a] { b } else { a });
                    greatest.into_iter().for_each(|at| token.clone_from(&source.tokens[at]));
                }
            }
            text = target.join(&tokens);
        }
        let attention = if self.options.attention { attention } else { Vec::new() };
        Ok(Translation { text, tokens, source: source.tokens.clone(), score: best.score, attention })
    }

    /// What each translation looked at when it was written, one after another: `[tokens][steps of the source]`. Nothing of a network without
    /// attention.
    fn attention(&self, sources: &[&Source], found: &[Vec<Hypothesis>]) -> Result<Vec<Vec<Vec<f32>>>> {
        let begin = self.languages.target.begin();
        let (mut read, mut written) = (Vec::new(), Vec::new());
        for (source, best) in sources.iter().zip(found) {
            for best in best {
                read.push(&source.numbers[..]);
                written.push([&[begin], &best.tokens[..]].concat());
            }
        }
        let lengths: Vec<[usize; 2]> = read.iter().zip(&written).map(|(r, w)| [r.len(), w.len()]).collect();
        let mut looked = vec![Vec::new(); written.len()];
        for rows in parts(&lengths, self.weights) {
            let sources: Vec<&[u32]> = rows.iter().map(|&row| read[row]).collect();
            let targets: Vec<&[u32]> = rows.iter().map(|&row| &written[row][..]).collect();
            let inputs = Inputs::record([(SOURCE, Inputs::indices(&sources)?), (TARGET, Inputs::indices(&targets)?)])?;
            let Some(weights) = self.weights(inputs)? else { return Ok(Vec::new()) };
            let (shape, numbers) = (weights.shape(), weights.to_vec()?);
            let (queries, steps) = (shape[1], shape[2]);
            for (at, row) in rows.into_iter().enumerate() {
                let of = |query: usize| {
                    let weights = &numbers[(at * queries + query) * steps..][..read[row].len()];
                    weights.iter().map(|weight| weight.to_f64() as f32).collect()
                };
                looked[row] = (0..written[row].len() - 1).map(of).collect();
            }
        }
        Ok(looked)
    }

    /// What is looked at while a target is read, `[rows, queries, steps of the source]`; `None` without attention.
    fn weights(&self, inputs: Inputs) -> Result<Option<Tensor<B>>> {
        let mut pass = self.model.pass(Mode::Evaluation).observing(["attention"]);
        self.model.run(Value::new(self.model.backend(), inputs)?, &mut pass)?;
        Ok(pass.observed("attention").next().cloned())
    }
}

/// Numbers of rows of these lengths, of source and target, in parts whose weights, each row as long as the longest of its part, are `most`
/// at most. A row that has more is a part by itself.
fn parts(lengths: &[[usize; 2]], most: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&row| lengths[row]);
    let (mut parts, mut longest): (Vec<Vec<usize>>, _) = (Vec::new(), [0, 0]);
    for row in order {
        let both = [0, 1].map(|side| lengths[row][side].max(longest[side]));
        match parts.last_mut() {
            Some(part) if (part.len() + 1).saturating_mul(both[0]).saturating_mul(both[1]) <= most => {
                part.push(row);
                longest = both;
            }
            _ => {
                parts.push(vec![row]);
                longest = lengths[row];
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_every_row_once_and_are_bounded() {
        let lengths = [[3, 4], [1, 9], [3, 5], [2, 2], [9, 9], [3, 3]];
        assert_eq!(parts(&lengths, 30), [vec![1], vec![3, 5], vec![0, 2], vec![4]]);
        assert_eq!(parts(&lengths, 1 << 16).len(), 1);
        assert_eq!(parts(&lengths, 1).len(), lengths.len());
        assert!(parts(&[], 30).is_empty());
    }
}
