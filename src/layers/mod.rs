//! Layers: plain descriptions that `build` turns into modules with parameters.
//!
//! A [`Layer`] says what is wanted (`Dense::new(512)`) and costs nothing. Given the [`Spec`] of its input and a
//! [`Scope`] to put parameters in, it builds a [`Module`], which holds parameter ids and computes. The model owns all
//! parameters in one slice; [`Pass`] is what a forward depends on besides its input. A layer of one's own is a peer of
//! those here:
//!
//! ```
//! use elman::layers::*;
//! use elman::{Backend, Result, Spec};
//!
//! /// Multiplies every feature by a trained factor.
//! #[derive(Debug)]
//! struct Scale;
//!
//! impl<B: Backend> Layer<B> for Scale {
//!     fn kind(&self) -> &'static str {
//!         "scale"
//!     }
//!     fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
//!         let factor = scope.param("factor", [input.features()?].into(), &Weight::ones())?;
//!         Ok(Built::new(ScaleModule(factor), input.clone()))
//!     }
//! }
//!
//! #[derive(Debug)]
//! struct ScaleModule(elman::ParamId);
//!
//! impl<B: Backend> Module<B> for ScaleModule {
//!     fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
//!         Ok(input.tensor(pass)?.mul(&pass.param(self.0))?.into())
//!     }
//! }
//! ```

mod activation;
mod attention;
mod batch_norm;
mod biaffine;
mod carry;
mod crf;
mod dense;
mod distinct;
mod dropout;
mod embedding;
mod glu;
mod graph;
mod host;
mod lambda;
mod last;
mod layer_norm;
mod mask;
mod masking;
mod merge;
mod new_states;
mod pass;
mod pooling;
mod prelu;
mod reshape;
mod rms_norm;
pub mod rnn;
mod scheduled_sampling;
mod scope;
mod sequential;
mod spatial_dropout;
mod spec;
mod time_distributed;
mod value;
mod weight;

pub use attention::{AdditiveAttention, CrossAttention, MultiHeadAttention, additive_attention, dot_attention};
pub use batch_norm::BatchNorm;
pub use biaffine::Biaffine;
pub use carry::{Carry, Place, Slot};
pub use crf::{Chain, Crf};
pub use dense::Dense;
pub use distinct::Distinct;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use glu::Glu;
pub use graph::{Edges, Graph};
pub use lambda::Lambda;
pub use last::Last;
pub use layer_norm::LayerNorm;
pub use mask::Mask;
pub use masking::Masking;
pub use merge::{Add, Average, Concatenate, Maximum, Multiply, Subtract};
pub use new_states::NewStates;
pub use pass::{Mode, Pass};
pub use pooling::{GlobalAveragePooling, GlobalMaxPooling, LastStep};
pub use prelu::PRelu;
pub use reshape::{Flatten, Reshape};
pub use rms_norm::RmsNorm;
pub use rnn::{AttentionDecoder, Bidirectional, Elman, Gru, Lstm, Merge};
pub use scheduled_sampling::ScheduledSampling;
pub use scope::{Row, Scope};
pub use sequential::Sequential;
pub use spatial_dropout::SpatialDropout;
pub use spec::Spec;
pub use time_distributed::TimeDistributed;
pub use value::Value;
pub use weight::Weight;

pub(crate) use scope::{Builder, free_name};

use crate::backend::Backend;
use crate::description::{Description, undescribed};
use crate::error::Result;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// The description of a layer.
pub trait Layer<B: Backend>: Debug + Send + Sync {
    /// What kind of layer it is, in snake case: `dense`. Names and messages are made of it.
    fn kind(&self) -> &'static str;

    /// The layer as JSON, its kind and options, from which a file rebuilds it: [`describe`](crate::description::describe)
    /// makes it. An error unless a layer says so; a model with such a layer is trained and predicts, and cannot be
    /// saved as a whole.
    fn describe(&self) -> Result<Description> {
        Err(undescribed(self.kind()))
    }

    /// Makes the layer's parameters for an input of this kind and shape. Errors when it cannot take such an input; the
    /// caller adds the layer's path.
    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>>;
}

impl<B: Backend> Layer<B> for Arc<dyn Layer<B>> {
    fn kind(&self) -> &'static str {
        (**self).kind()
    }

    fn describe(&self) -> Result<Description> {
        (**self).describe()
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        (**self).build(input, scope)
    }
}

/// A layer with its parameters: what computes.
pub trait Module<B: Backend>: Any + Debug + Send + Sync {
    /// The layer's value.
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>>;

    /// The value before the layer's last activation, and that activation, so that a loss can take it over where that is
    /// the stable form; of a record each part before its own. Not known, so that there is nothing to take over, unless a module
    /// says so; see [`Module::last_activation`] for what is known of the value.
    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        Ok((self.forward(input, pass)?, Last::Unknown))
    }

    /// The activation that the module's numbers come out of, where it is known: a loss refuses a model that cannot give
    /// what it takes. `input` says the same of what goes in, for modules that hand it on (dropout, pooling). Not known,
    /// unless a module says so: then nothing is refused before numbers have been seen.
    fn last_activation(&self, _input: Last) -> Last {
        Last::Unknown
    }

    /// Whether a class can be that of a step, of so many, where outputs `[batch, time, classes]` have as many classes as the sequence has steps, or
    /// a multiple of them, so that what is a class depends on the sequence: targets are checked by it. Of a record `output` is the part. An error
    /// says what would be right. All can, unless a module says otherwise.
    fn check_class(&self, _output: Option<&str>, _class: u32, _step: usize, _steps: usize) -> Result<(), String> {
        Ok(())
    }
}

/// What [`Layer::build`] gives: the module and what comes out of it.
#[derive(Debug)]
pub struct Built<B: Backend> {
    /// What computes.
    pub module: Box<dyn Module<B>>,
    /// Kind and shape of its value.
    pub output: Spec,
}

impl<B: Backend> Built<B> {
    /// A module and what comes out of it.
    pub fn new(module: impl Module<B> + 'static, output: Spec) -> Self {
        Built { module: Box::new(module), output }
    }
}
