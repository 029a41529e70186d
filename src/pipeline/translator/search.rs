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
use crate::pipeline::batches::batches;

/// Tokens of the sources of a batch, padding included and times the width of the beam, at most, unless one text has more.
const TOKENS: usize = 16_384;

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
    if options.batch == 0 {
        return Err(Error::invalid("translator: batch", "at least 1 text", 0));
    }
    let mut sources = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let text = text.as_ref();
        let (numbers, tokens) = (languages.source.encode(text)?, languages.source.tokens(text)?);
        sources.push(Source { at, numbers, tokens });
    }
    let search = Search { model, languages, options, beam: beam(languages, options) };
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
}

impl<B: Backend> Search<'_, B> {
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
        if attention.is_empty() && (covers || replaces) {
            let option = if covers { "coverage_penalty" } else { "replace_unknown" };
            let expected = "a network with attention, which says what was looked at";
            return Err(Error::invalid(format!("translator: {option}"), expected, "one without"));
        }
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
        let inputs = Inputs::record([(SOURCE, Inputs::indices(&read)?), (TARGET, Inputs::indices(&written)?)])?;
        let mut pass = self.model.pass(Mode::Evaluation).observing(["attention"]);
        self.model.run(Value::new(self.model.backend(), inputs)?, &mut pass)?;
        let Some(weights) = pass.observed("attention").next() else { return Ok(Vec::new()) };
        let (shape, numbers) = (weights.shape(), weights.to_vec()?);
        let (queries, steps) = (shape[1], shape[2]);
        let of = |row: usize, query: usize| {
            let weights = &numbers[(row * queries + query) * steps..][..read[row].len()];
            weights.iter().map(|weight| weight.to_f64() as f32).collect()
        };
        let rows = written.iter().enumerate();
        Ok(rows.map(|(row, written)| (0..written.len() - 1).map(|query| of(row, query)).collect()).collect())
    }
}
