//! Checkpoints and weights in files: safetensors, written whole or not at all, loaded strictly.
//!
//! | what | written by | read by |
//! | --- | --- | --- |
//! | weights alone | [`Model::save_weights`] | [`Model::load_weights`], [`Model::load_weights_partial`] |
//! | a whole training | [`Fit::checkpoint`](crate::training::Fit::checkpoint) in its course, [`Model::save_checkpoint`] | [`Fit::resume_from`](crate::training::Fit::resume_from), [`Model::load_checkpoint`] |
//! | what a program adds | [`Extras`] | [`Extras::read`], before there is a model |
//! | other libraries' weights | PyTorch, Keras | [`Model::import_pytorch`], [`Model::import_keras`] |
//!
//! A training that is resumed is the one that was interrupted, bit for bit on a CPU (same backend, precision and number
//! of threads): random streams are numbered by seed, epoch and step, and what else has state is in the file.
//!
//! ```
//! # use elman::layers::{Dense, Sequential};
//! # use elman::loss::MeanSquaredError;
//! # use elman::{Spec, data::{Dataset, Inputs, Targets}, optim::Adam};
//! # use elman_reference::Reference;
//! use elman::checkpoint::{Checkpoint, Extras};
//! use elman::Fit;
//! # let folder = tempfile::tempdir().map_err(|e| elman::Error::io("", e))?;
//! # let path = folder.path().join("run.safetensors");
//! # let data = Dataset::new(Inputs::dense(vec![1.0, 2.0], &[1])?, Targets::values(vec![2.0, 4.0], &[1])?)?;
//! let build = || -> elman::Result<_> {
//!     let mut model = Sequential::new().add(Dense::new(1)).build(&Reference::<f64>::new(), Spec::dense(&[1]), 0)?;
//!     model.compile(Adam::new(0.1), MeanSquaredError);
//!     Ok(model)
//! };
//! let mut model = build()?;
//! let checkpoint = || Checkpoint::new(&path);
//! let extras = Extras::new().with("unit", "metres")?;
//! model.fit(&data, Fit::new().epochs(2).checkpoint(checkpoint().extras(extras)).quiet())?;
//!
//! // The same program later: 2 of the 5 epochs are done.
//! let mut resumed = build()?;
//! let history = resumed.fit(&data, Fit::new().epochs(5).resume_from(&path).quiet())?;
//! assert_eq!(history.epochs.len(), 5);
//! assert_eq!(Extras::read(&path)?.get::<String>("unit")?, "metres");
//!
//! let mut whole = build()?;
//! whole.fit(&data, Fit::new().epochs(5).quiet())?;
//! assert_eq!(whole.params()[0].tensor().to_vec()?, resumed.params()[0].tensor().to_vec()?);
//! # Ok::<(), elman::Error>(())
//! ```
//!
//! # The file
//! A safetensors file: parameters under their paths, `f32` or `f64`. In the metadata `elman.format` is the version of the
//! layout. A checkpoint also has `elman.training`, a JSON object of counters, history and callbacks; `elman.extra.NAME`,
//! the program's JSON; and arrays whose names begin with `@`: `@optimizer/dense.kernel/momentum`, `@callback/0/…`,
//! `@metric/0`, and `@going_on/dense.kernel` where a training that has ended left other weights than those of its last step.
//!
//! `elman.checksum` has a CRC-32 of the header and of each of the arrays. A file in which a bit was flipped is an error
//! that says where, rather than other weights: the header is checked when a file is opened, an array when it is read.
//! Files without checksums (of other libraries, or of version 1 of the layout) are read as they are. Whoever writes a
//! file anew with another program leaves `elman.checksum` and `elman.format` out of its metadata.

mod callback;
mod checksum;
mod extras;
pub(crate) mod history;
mod import;
mod keep;
mod manifest;
mod partial;
mod reader;
mod training;
mod weights;
mod writer;

pub use callback::CallbackState;
pub use extras::Extras;
pub use import::{Kind, Mapping};
pub use keep::Checkpoint;
pub use partial::{LoadReport, PartialLoad};

pub use crate::exact::Exact;

pub(crate) use manifest::Position;
pub(crate) use training::Saved;

#[cfg(doc)]
use crate::model::Model;
