//! [`TranslationOptions`]: how translations are searched for.

/// How translations are searched for, and what becomes of words that are not known. By default a beam of 5 whose scores are divided by the
/// length (`length_penalty` 1, see [`Beam`](crate::decode::Beam)), and `<unk>` where the network would write an unknown word.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct TranslationOptions {
    pub(super) width: usize,
    pub(super) alpha: f64,
    pub(super) coverage: f64,
    pub(super) longest: Option<usize>,
    pub(super) n_best: usize,
    pub(super) unknown: Unknown,
    pub(super) attention: bool,
    pub(super) batch: usize,
}

/// What becomes of unknown words of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    Written,
    Never,
    Replaced,
}

impl Default for TranslationOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl TranslationOptions {
    /// The defaults.
    pub fn new() -> Self {
        TranslationOptions {
            width: 5,
            alpha: 1.0,
            coverage: 0.0,
            longest: None,
            n_best: 1,
            unknown: Unknown::Written,
            attention: false,
            batch: 32,
        }
    }

    /// Goes on with so many translations at a time; 1 takes the best token each time.
    pub fn beam(self, width: usize) -> Self {
        TranslationOptions { width, ..self }
    }

    /// The α of `length^α`, by which scores are divided.
    pub fn length_penalty(self, alpha: f64) -> Self {
        TranslationOptions { alpha, ..self }
    }

    /// Adds `β Σ ln min(1, Σ a)` to the scores of what a beam has found, over the source's tokens and what they were looked at in all (Wu and
    /// others, "Google's Neural Machine Translation System", 2016): what leaves out a part of the source falls behind. Needs a network with
    /// attention, and a beam of several. Default: 0, a finite number of at least that.
    #[doc(alias = "coverage")]
    pub fn coverage_penalty(self, beta: f64) -> Self {
        TranslationOptions { coverage: beta, ..self }
    }

    /// The most tokens of a translation [those of [`Languages::longest`](super::Languages::longest)].
    pub fn longest(self, tokens: usize) -> Self {
        TranslationOptions { longest: Some(tokens), ..self }
    }

    /// Gives the `n` best of each text, at most as many as the beam is wide. Default: 1.
    pub fn n_best(self, n: usize) -> Self {
        TranslationOptions { n_best: n, ..self }
    }

    /// Puts the word of the source that was looked at most in the place of an unknown one (Luong and others, 2015), which is often a name.
    /// Needs a network with attention.
    pub fn replace_unknown(self) -> Self {
        TranslationOptions { unknown: Unknown::Replaced, ..self }
    }

    /// Never writes an unknown word, but what is most probable besides.
    pub fn never_unknown(self) -> Self {
        TranslationOptions { unknown: Unknown::Never, ..self }
    }

    /// Tells what was looked at ([`Translation::attention`](super::Translation::attention)), where the network has attention.
    pub fn attention(self) -> Self {
        TranslationOptions { attention: true, ..self }
    }

    /// Texts that are translated side by side, at most; more than 128 never are. Default: 32.
    pub fn batch(self, texts: usize) -> Self {
        TranslationOptions { batch: texts, ..self }
    }
}
