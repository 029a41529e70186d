//! Decoding: one step at a time over any model that can be stepped. [`Decoder`], [`generate()`], [`Sampler`], [`Beam`], [`Ensemble`];
//! paths of tags through whole sequences, a [`Trellis`]; labels without places, an [`AlignmentBeam`].
//!
//! All of it is written over [`Stepper`], a trait of three methods: a [`Decoder`] is a [`Model`](crate::Model) with the state of its
//! sequences in its hands, an [`Ensemble`] is several steppers as one, a table of n-grams is one of a user's own.
//!
//! A language model of letters that is trained and generates:
//!
//! ```
//! use elman::data::{Dataset, Inputs, Targets};
//! use elman::decode::{Decoder, Sampler, generate};
//! use elman::layers::{Dense, Embedding, Gru, Sequential};
//! use elman::loss::CategoricalCrossEntropy;
//! use elman::optim::Adam;
//! use elman::{Fit, Key, Spec};
//! use elman_reference::Reference;
//!
//! let text: Vec<u32> = "abcabdabcabd".repeat(4).bytes().map(|letter| u32::from(letter - b'a')).collect();
//! let windows = || text.windows(9).step_by(3);
//! let inputs = Inputs::indices(&windows().map(|window| &window[..8]).collect::<Vec<_>>())?;
//! let targets = Targets::classes_per_step(&windows().map(|window| &window[1..]).collect::<Vec<_>>())?;
//!
//! let mut model = Sequential::new()
//!     .add(Embedding::new(4, 4))
//!     .add(Gru::new(12).return_sequences())
//!     .add(Dense::new(4))
//!     .build(&Reference::<f32>::new(), Spec::Indices(None), 0)?;
//! model.compile(Adam::new(0.03), CategoricalCrossEntropy::from_logits());
//! model.fit(&Dataset::new(inputs, targets)?, Fit::new().epochs(60).batch_size(8).quiet())?;
//!
//! let sampler = Sampler::new().temperature(0.1);
//! let letters = generate(Decoder::new(&model)?, &[0, 1, 2, 0, 1], &sampler, Key::new(7))?;
//! let more: String = letters.take(7).map(|letter| Ok(char::from(b'a' + letter? as u8))).collect::<elman::Result<_>>()?;
//! assert_eq!(more, "dabcabd");
//! # Ok::<(), elman::Error>(())
//! ```
//!
//! Another program, which knows nothing of the network, goes on with a file of it:
//!
//! ```
//! # use elman::layers::{Dense, Embedding, Lstm, Sequential};
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("model.safetensors");
//! # let network = Sequential::new().add(Embedding::new(9, 4)).add(Lstm::new(6).return_sequences()).add(Dense::new(9));
//! # network.build(&elman_reference::Reference::<f32>::new(), elman::Spec::Indices(None), 0)?.save(&path)?;
//! use elman::decode::{Beam, Decoder, Stepper};
//! use elman::Model;
//! use elman_reference::Reference;
//!
//! let model = Model::load(&Reference::<f32>::new(), &path)?;
//! let mut decoder = Decoder::new(&model)?;
//! decoder.prime(&[3, 1, 4])?;
//! let scores = decoder.step(&[1])?;
//! assert_eq!(scores.log_probabilities(0).len(), 9);
//! let best = Beam::new(5).longest(20).search(decoder, &[5])?;
//! assert_eq!(best[0].tokens.len(), 20);
//! # Ok::<(), elman::Error>(())
//! ```

mod alignment;
mod beam;
mod decoder;
mod ensemble;
mod filter;
mod generate;
mod sampler;
mod scores;
mod tree;
mod trellis;
mod verify;

pub use alignment::{AlignmentBeam, Reading};
pub use beam::{Beam, Hypothesis};
pub use decoder::Decoder;
pub use ensemble::Ensemble;
pub use generate::{Generate, GenerateRows, generate, generate_rows};
pub use sampler::Sampler;
pub use scores::Scores;
pub use tree::{Tree, maximum_tree};
pub use trellis::{TagPath, Trellis};

use crate::error::{Error, Result};

/// Several sequences side by side that grow by a token at a time, each telling what may come next.
///
/// ```
/// use elman::decode::{Sampler, Scores, Stepper, generate};
/// use elman::{Key, Result};
///
/// /// How often which token followed which.
/// struct Bigrams {
///     counts: Vec<Vec<f32>>,
///     rows: usize,
/// }
///
/// impl Stepper for Bigrams {
///     fn rows(&self) -> usize {
///         self.rows
///     }
///     fn step(&mut self, tokens: &[u32]) -> Result<Scores> {
///         let logarithms = tokens.iter().flat_map(|&token| &self.counts[token as usize]).map(|count| count.ln());
///         Scores::new(logarithms.collect(), tokens.len())
///     }
///     fn select(&mut self, rows: &[usize]) -> Result<()> {
///         self.rows = rows.len(); // all that it knows of a sequence is its last token
///         Ok(())
///     }
/// }
///
/// let bigrams = Bigrams { counts: vec![vec![0.0, 3.0], vec![1.0, 0.0]], rows: 1 };
/// let tokens: Vec<u32> = generate(bigrams, &[0], &Sampler::new(), Key::new(0))?.take(3).collect::<Result<_>>()?;
/// assert_eq!(tokens, [1, 0, 1]);
/// # Ok::<(), elman::Error>(())
/// ```
pub trait Stepper {
    /// How many sequences there are.
    fn rows(&self) -> usize;

    /// Puts a token behind each sequence and gives the scores of all tokens that may follow it, a row a sequence. Errors, and
    /// nothing is changed then, unless there are as many tokens as rows.
    fn step(&mut self, tokens: &[u32]) -> Result<Scores>;

    /// The sequences `rows` in the place of those that were there, in this order, with all that belongs to them: some may be left
    /// out, others stand there several times. Errors, and nothing is changed then, for none at all and for a row that there is not.
    fn select(&mut self, rows: &[usize]) -> Result<()>;

    /// Puts the same tokens, at least one, behind every sequence and gives the scores of what may follow the last of them. Token by
    /// token, unless a stepper can do better.
    fn prime(&mut self, prompt: &[u32]) -> Result<Scores> {
        let (last, before) = prompt.split_last().ok_or_else(no_prompt)?;
        for &token in before {
            self.step(&vec![token; self.rows()])?;
        }
        self.step(&vec![*last; self.rows()])
    }
}

impl<S: Stepper + ?Sized> Stepper for &mut S {
    fn rows(&self) -> usize {
        (**self).rows()
    }

    fn step(&mut self, tokens: &[u32]) -> Result<Scores> {
        (**self).step(tokens)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        (**self).select(rows)
    }

    fn prime(&mut self, prompt: &[u32]) -> Result<Scores> {
        (**self).prime(prompt)
    }
}

impl<S: Stepper + ?Sized> Stepper for Box<S> {
    fn rows(&self) -> usize {
        (**self).rows()
    }

    fn step(&mut self, tokens: &[u32]) -> Result<Scores> {
        (**self).step(tokens)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        (**self).select(rows)
    }

    fn prime(&mut self, prompt: &[u32]) -> Result<Scores> {
        (**self).prime(prompt)
    }
}

fn no_prompt() -> Error {
    Error::invalid("prompt", "at least one token", "none")
}

/// Errors unless there is a token for each row.
fn check_tokens(rows: usize, tokens: &[u32]) -> Result<()> {
    if tokens.len() == rows {
        return Ok(());
    }
    Err(Error::invalid("step", format!("a token for each of {rows} rows"), format!("{} tokens", tokens.len())))
}

/// Errors for no rows, and for a row that there is not.
fn check_rows(count: usize, rows: &[usize]) -> Result<()> {
    if rows.is_empty() {
        return Err(Error::invalid("select", "at least one row", "none"));
    }
    match rows.iter().find(|&&row| row >= count) {
        Some(row) => Err(Error::invalid("select", format!("rows below {count}"), format!("row {row}"))),
        None => Ok(()),
    }
}
