//! [`Languages`]: what stands before and behind the network of a translator.

use super::FORMAT;
use crate::checkpoint::Extras;
use crate::data::{Dataset, Inputs, Targets};
use crate::error::{Error, Result};
use crate::layers::Spec;
use crate::pipeline::Codec;
use serde::{Deserialize, Serialize};

/// What is read.
pub(super) const SOURCE: &str = "source";
/// What has been written so far.
pub(super) const TARGET: &str = "target";

/// The two languages of a translator: how their texts become numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Languages {
    /// Of what is read.
    pub source: Codec,
    /// Of what is written.
    pub target: Codec,
    /// The most tokens that are written for a text, unless a search says otherwise.
    pub longest: usize,
}

impl Languages {
    /// Translations have at most 256 tokens.
    pub fn new(source: Codec, target: Codec) -> Self {
        Languages { source, target, longest: 256 }
    }

    /// What an [`EncoderDecoder`](super::EncoderDecoder) takes.
    pub fn spec(&self) -> Result<Spec> {
        Spec::record([(SOURCE, Spec::Indices(None)), (TARGET, Spec::Indices(None))])
    }

    /// Pairs to train on: the network sees the source and the target up to a token, and is to tell that token. Errors: no pair; a source
    /// without a token, by its number.
    pub fn dataset<S: AsRef<str>, T: AsRef<str>>(&self, pairs: &[(S, T)]) -> Result<Dataset> {
        let (mut sources, mut before, mut next) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (source, target)) in pairs.iter().enumerate() {
            let encoded = self.source.encode(source.as_ref())?;
            if encoded.is_empty() {
                return Err(Error::invalid(format!("pair {number}"), "a source of at least one token", "none"));
            }
            let target = self.target.encode(target.as_ref())?;
            before.push([&[self.target.begin()][..], &target].concat());
            next.push([&target[..], &[self.target.end()]].concat());
            sources.push(encoded);
        }
        let inputs = Inputs::record([(SOURCE, Inputs::indices(&sources)?), (TARGET, Inputs::indices(&before)?)])?;
        Dataset::new(inputs, Targets::classes_per_step(&next)?)
    }

    /// What a translator adds to its model's file: for [`Checkpoint::extras`](crate::checkpoint::Checkpoint::extras), so that a checkpoint
    /// is a translator's file, too.
    pub fn extras(&self) -> Result<Extras> {
        FORMAT.extras(self)
    }
}
