//! Every way in which a call can fail: structured, naming the place, what was expected and what came.

use crate::shape::Shape;
use std::path::PathBuf;

/// The result of every fallible call of the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that a user can cause or meet. Nothing that a user does panics instead.
///
/// A message is whole: that of an error below is part of it. It is therefore not given as
/// [`source`](std::error::Error::source) once more, which reporters such as anyhow's would print a second time; who wants
/// the error below finds it in the variant's field `error`.
///
/// [`Debug`](std::fmt::Debug) prints the message, too: it is what a program shows whose `main` returns
/// [`Result`], and what `unwrap` shows. The parts are there to be matched.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two operands whose shapes do not go together.
    #[error("{op}: shapes {} and {} do not go together ({why})", .shapes[0], .shapes[1])]
    Shapes {
        /// The operation.
        op: &'static str,
        /// Shapes of the first and the second operand; boxed, as a `Result` is moved on every call.
        shapes: Box<[Shape; 2]>,
        /// The rule that is broken.
        why: &'static str,
    },

    /// An argument, an option or a datum that is not what it must be.
    #[error("{place}: expected {expected}, found {found}")]
    Invalid {
        /// Where: an operation, a layer's path, an option, a row of the data.
        place: String,
        /// What would have been right.
        expected: String,
        /// What came.
        found: String,
    },

    /// What went wrong inside a layer, with its path (`sequential.dense_1`).
    #[error("layer `{path}`: {error}")]
    Layer {
        /// Path of the layer in the model.
        path: String,
        /// What went wrong there.
        error: Box<Error>,
    },

    /// What went wrong with one of several data sets, say.
    #[error("{place}: {error}")]
    At {
        /// Where.
        place: String,
        /// What went wrong there.
        error: Box<Error>,
    },

    /// Backward from a tensor that is not a scalar.
    #[error("backward needs a scalar (one element), found shape {shape}; take a sum or a mean first")]
    NotScalar {
        /// Shape of the tensor.
        shape: Shape,
    },

    /// Backward from a tensor that depends on no variable.
    #[error("backward from a constant: no variable took part in computing this tensor")]
    Constant,

    /// Backward through an operation whose saved values an earlier backward has already used and freed.
    #[error("backward through `{op}` a second time: its graph was freed by the first; compute the value anew")]
    Freed {
        /// The operation met first.
        op: &'static str,
    },

    /// A gradient whose shape is not that of the value it belongs to: a wrong pullback.
    #[error(
        "the pullback of `{op}` gave input {input} a gradient of shape {}, its value has shape {}",
        .shapes[1], .shapes[0]
    )]
    Pullback {
        /// The operation.
        op: &'static str,
        /// Position of the input.
        input: usize,
        /// Shapes of the input's value and of its gradient.
        shapes: Box<[Shape; 2]>,
    },

    /// Trainable parameters that the loss does not depend on.
    #[error(
        "no gradient reached {}: the loss does not depend on {}; freeze what is not to be trained",
        .names.join(", "), if .names.len() == 1 { "it" } else { "them" }
    )]
    MissingGradient {
        /// Paths of the parameters.
        names: Vec<String>,
    },

    /// Gradients that are infinite or not a number: the step was not made, and weights and optimiser are as they were before it.
    /// See [`Optimizer::skip_not_finite`](crate::optim::Optimizer::skip_not_finite).
    #[error(
        "step {step}: the {} not finite (infinite or not a number): nothing was changed; a smaller learning rate and clipping \
         help against gradients that explode, `Optimizer::skip_not_finite` skips such steps",
        gradients_are(.names)
    )]
    NotFinite {
        /// Paths of the parameters.
        names: Vec<String>,
        /// The call of [`Optimizer::step`](crate::optim::Optimizer::step), from 1 on.
        step: u64,
    },

    /// A file or stream that could not be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },

    /// A file whose content is not what its format says.
    #[error("{}{}: {why}", .path.display(), .line.map(|l| format!(", line {l}")).unwrap_or_default())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1, where there is one.
        line: Option<usize>,
        /// What is wrong there.
        why: String,
    },

    /// Weights that do not fit the model they are loaded into.
    #[error("weights do not fit the model:{}", list(&[("another network", .network), ("missing", .missing), ("superfluous", .superfluous), ("of another shape", .mismatched)]))]
    Weights {
        /// What differs between the model's layers and those that the file says its weights are of.
        network: Vec<String>,
        /// Parameters of the model that the weights lack.
        missing: Vec<String>,
        /// Names in the weights that the model does not have.
        superfluous: Vec<String>,
        /// Names whose shapes differ, with both shapes.
        mismatched: Vec<String>,
    },

    /// What the library below a backend reported.
    #[error("{backend}: {op}: {error}")]
    Backend {
        /// The backend.
        backend: &'static str,
        /// The operation.
        op: &'static str,
        /// The library's own error.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// `main() -> elman::Result<()>` reports by `Debug`; derived, it would show `Invalid { place: .. }` in the place of the words that were
/// chosen for a reader.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// An [`Error::Invalid`] from anything that prints.
    pub fn invalid(place: impl ToString, expected: impl ToString, found: impl ToString) -> Self {
        Error::Invalid { place: place.to_string(), expected: expected.to_string(), found: found.to_string() }
    }

    /// An [`Error::Shapes`].
    pub fn shapes(op: &'static str, left: impl Into<Shape>, right: impl Into<Shape>, why: &'static str) -> Self {
        Error::Shapes { op, shapes: Box::new([left.into(), right.into()]), why }
    }

    /// This error inside the layer at `path`; a path that is already there is put behind it.
    #[must_use]
    pub fn in_layer(self, path: &str) -> Self {
        match self {
            Error::Layer { path: inner, error } => Error::Layer { path: format!("{path}.{inner}"), error },
            other => Error::Layer { path: path.to_string(), error: Box::new(other) },
        }
    }

    /// This error at `place`: which data set it was, for instance.
    #[must_use]
    pub fn at(self, place: impl ToString) -> Self {
        Error::At { place: place.to_string(), error: Box::new(self) }
    }

    /// An [`Error::Io`] at `path`.
    pub fn io(path: impl Into<PathBuf>, error: std::io::Error) -> Self {
        Error::Io { path: path.into(), error }
    }
}

/// The first few, for a NaN in the loss is one in all gradients.
fn gradients_are(names: &[String]) -> String {
    const SHOWN: usize = 4;
    match names {
        [one] => format!("gradient of {one} is"),
        _ if names.len() <= SHOWN + 1 => format!("gradients of {} are", names.join(", ")),
        _ => format!("gradients of {} and {} other parameters are", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}

fn list(groups: &[(&str, &Vec<String>)]) -> String {
    groups
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!(" {what}: {};", names.join(", ")))
        .collect::<String>()
        .trim_end_matches(';')
        .to_string()
}
