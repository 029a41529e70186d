//! Checkpoints and weights in files: safetensors, written whole or not at all, loaded strictly.
//!
//! | what | written by | read by |
//! | --- | --- | --- |
//! | a model as a whole | [`Model::save`], [`Model::save_with`] | [`Model::load`], [`Registry::load`] with kinds of one's own |
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
//! `elman.network` is the description of the network, a JSON object: what it takes, its layers as a [`Registry`] reads them, its
//! seed, what is frozen, the optimiser and the loss where they can be described. `elman.version` says which version of this
//! library wrote the file, for messages.
//!
//! # Older and newer
//! The version of the layout rises when what is there changes its meaning or must not be overlooked; a library refuses a
//! version that is newer than its own. Within a version things are added. Keys of the metadata that it does not know, a library
//! leaves aside: the weights of newer files load, whatever else is in them. In the state of a training and in the description
//! of a network a field that it does not know is an error that says so, as is an unknown kind of layer: to go on without
//! what the field says would be another training, another network. What a newer library writes only where it is used (a
//! field with a default is left out) an older one therefore reads for as long as it is not used. Files without a
//! description, of weights alone or from before there was one, load where the program builds the network:
//! [`Model::load_weights`], [`Model::load_checkpoint`]. Where file and model are both described, these refuse the weights of another
//! network: layers are compared, but for what only concerns training (rates of dropout, first values, penalties);
//! [`Model::load_weights_partial`] compares nothing.
//!
//! `elman.checksum` has a CRC-32 of the header and of each of the arrays. A file in which a bit was flipped is an error
//! that says where, rather than other weights: the header is checked when a file is opened, an array when it is read.
//! Files without checksums (of other libraries, or of version 1 of the layout) are read as they are. Whoever writes a
//! file anew with another program leaves `elman.checksum` and `elman.format` out of its metadata.

mod callback;
mod checksum;
mod description;
mod differences;
mod extras;
pub(crate) mod history;
mod import;
mod keep;
mod layout;
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
use crate::{model::Model, registry::Registry};
