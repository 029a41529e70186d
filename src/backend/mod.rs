//! The [`Backend`] trait: what a device must be able to do, and the contract that every backend keeps.
//!
//! A backend is forward kernels on untracked arrays. It knows nothing of gradients, layers or training: the one
//! tape lives above it, in [`Tensor`](crate::Tensor). What a backend must provide is about two dozen *required*
//! functions; the *fused* operations come in pairs, value and gradient, and have default bodies composed of the
//! required ones. The default bodies are public free functions (`backend::norm::softmax`, ...), and every override
//! is tested against the body that it replaces.
//!
//! # The contract
//! * A backend *value* is a handle to a device; a clone is the same device. Methods take `&self`.
//! * Arrays are immutable values: a clone is cheap and never changes when its sibling is updated. The in-place
//!   operations ([`Backend::add_assign`], [`Backend::update`]) take `&mut` and must copy first when the array's
//!   memory is shared.
//! * Arrays are dense and in row-major order as far as a caller can see (a backend may delay a copy).
//! * Shapes and indices are checked by the backend: a wrong one is an [`Error`](crate::Error), never a panic
//!   and never a silent result. The functions in [`check`] do it in one way for all.
//! * Broadcasting is NumPy's (see [`Shape::broadcast`]). Arrays without elements are legal.
//! * Numbers follow IEEE 754; NaN goes through every operation but the comparisons (where it is unequal and
//!   unordered). [`Map::apply`] and [`Zip::apply`] define the elementwise operations.
//! * The same calls on the same device with the same number of threads give the same bits.
//! * Random operations draw from a [`Key`] at the index of the element in row-major order: the same draws everywhere.

use crate::activation::Activation;
use crate::data::Bags;
use crate::element::Element;
use crate::error::Result;
use crate::random::Key;
use crate::shape::Shape;
use std::fmt::Debug;

pub mod activate;
pub mod attention;
pub mod bags;
pub mod check;
pub mod crf;
pub mod ctc;
pub mod finite;
pub mod linear;
mod logarithms;
pub mod loss;
pub mod negative_sampling;
pub mod norm;
pub mod op;
pub mod recurrent;
pub mod rows;
pub mod update;
mod wanted;

pub use attention::{Attended, Attention};
pub use crf::{PathLoss, Potentials};
pub use ctc::Transcripts;
pub use negative_sampling::{Meeting, Windows};
pub use op::{Map, Zip};
pub use recurrent::Cell;
pub use rows::Reach;
pub use update::{Update, WeightStep};
pub use wanted::{AttentionWanted, CrfWanted, LayerNormWanted, LinearWanted, ProjectedWanted, RecurrentWanted};

/// Arrays on a device and the operations on them. See the [module](self) for the contract.
pub trait Backend: Clone + Debug + Send + Sync + 'static {
    /// The numbers that arrays hold, as the host sees them.
    type Elem: Element;
    /// An array of numbers on the device.
    type Array: Clone + Debug + Send + Sync + 'static;
    /// An array of indices (`u32`) on the device: words, labels, rows.
    type Indices: Clone + Debug + Send + Sync + 'static;

    /// Name and device for messages and reports: `candle cpu`, `reference f64`.
    fn name(&self) -> String;

    // ---- transfer ---------------------------------------------------------------------------------------------

    /// An array from numbers in row-major order. Errors when their count is not that of the shape.
    fn upload(&self, data: Vec<Self::Elem>, shape: Shape) -> Result<Self::Array>;
    /// The numbers of an array in row-major order. Waits for the device.
    fn download(&self, a: &Self::Array) -> Result<Vec<Self::Elem>>;
    /// Indices from the host, in row-major order.
    fn upload_indices(&self, data: Vec<u32>, shape: Shape) -> Result<Self::Indices>;
    /// Indices to the host.
    fn download_indices(&self, a: &Self::Indices) -> Result<Vec<u32>>;
    /// The shape of an array.
    fn shape(&self, a: &Self::Array) -> Shape;
    /// The shape of an array of indices.
    fn indices_shape(&self, a: &Self::Indices) -> Shape;

    // ---- required: elementwise --------------------------------------------------------------------------------

    /// An array of one number throughout.
    fn fill(&self, shape: Shape, value: f64) -> Result<Self::Array>;
    /// `op` on each element.
    fn map(&self, op: Map, a: &Self::Array) -> Result<Self::Array>;
    /// `op` on pairs of elements, with broadcasting.
    fn zip(&self, op: Zip, a: &Self::Array, b: &Self::Array) -> Result<Self::Array>;
    /// Elements of `a` where `mask` is not 0, of `b` elsewhere; all three broadcast together. What is not chosen has
    /// no influence, not even as NaN.
    fn select(&self, mask: &Self::Array, a: &Self::Array, b: &Self::Array) -> Result<Self::Array>;

    // ---- required: reductions ---------------------------------------------------------------------------------

    /// Sums `a` down to `shape`, which must broadcast to `a`'s shape: the gradient of broadcasting.
    fn sum_to(&self, a: &Self::Array, shape: Shape) -> Result<Self::Array>;
    /// The greatest element along `axis`, which stays with size 1. Errors when the axis is empty.
    fn max(&self, a: &Self::Array, axis: usize) -> Result<Self::Array>;
    /// The index of the greatest element along `axis` (the first of equals), without that axis. NaN is above all numbers.
    fn argmax(&self, a: &Self::Array, axis: usize) -> Result<Self::Indices>;

    // ---- required: products -----------------------------------------------------------------------------------

    /// Matrix products `a b` over the last two axes; `at` and `bt` transpose an operand first. Leading axes must be
    /// equal, or one operand has none and serves for all (`[.., m, k]` by `[k, n]`).
    fn matmul(&self, a: &Self::Array, at: bool, b: &Self::Array, bt: bool) -> Result<Self::Array>;

    // ---- required: layout -------------------------------------------------------------------------------------

    /// The same elements in another shape of as many elements.
    fn reshape(&self, a: &Self::Array, shape: Shape) -> Result<Self::Array>;
    /// Axes in another order: axis `i` of the result is axis `axes[i]` of `a`.
    fn permute(&self, a: &Self::Array, axes: &[usize]) -> Result<Self::Array>;
    /// `length` positions of `axis` from `start` on.
    fn slice(&self, a: &Self::Array, axis: usize, start: usize, length: usize) -> Result<Self::Array>;
    /// Arrays one after another along `axis`; at least one.
    fn concat(&self, parts: &[&Self::Array], axis: usize) -> Result<Self::Array>;

    // ---- required: by index -----------------------------------------------------------------------------------

    /// Rows of `table [n, d]`: the shape of `rows`, then `d`. An index that is not below `n` is an error.
    fn gather(&self, table: &Self::Array, rows: &Self::Indices) -> Result<Self::Array>;
    /// A `[n, d]` array of zeros to which row `i` of `values [.., d]` is added at row `rows[i]`: gather's gradient.
    fn scatter_add(&self, values: &Self::Array, rows: &Self::Indices, n: usize) -> Result<Self::Array>;
    /// A 1 at each index, 0 elsewhere: the shape of `a`, then `classes`. An index out of range is an error.
    fn one_hot(&self, a: &Self::Indices, classes: usize) -> Result<Self::Array>;

    // ---- in place ---------------------------------------------------------------------------------------------

    /// `a += b`, of equal shapes.
    fn add_assign(&self, a: &mut Self::Array, b: &Self::Array) -> Result<()> {
        check::same_shape("add_assign", self.shape(a), self.shape(b))?;
        *a = self.zip(Zip::Add, a, b)?;
        Ok(())
    }
    /// One optimiser step on a weight and its state, in place. See [`update::update`].
    fn update(&self, rule: &Update, w: &mut Self::Array, g: &Self::Array, state: &mut [Self::Array]) -> Result<()> {
        update::update(self, rule, w, g, state)
    }
    /// [`Backend::update`] of several weights: for devices on which one large piece of work takes less time than many small
    /// ones. With `when`, a scalar, nothing is changed if it is 0: so a step is held back without its being read. See
    /// [`update::update_all`].
    fn update_all(&self, steps: &mut [WeightStep<'_, Self>], when: Option<&Self::Array>) -> Result<()> {
        update::update_all(self, steps, when)
    }

    /// One optimiser step on a table from the gradients of some of its rows, unless the scalar `when` is 0. See
    /// [`rows::update_rows`].
    fn update_rows(
        &self,
        rule: &Update,
        reach: Reach,
        w: &mut Self::Array,
        gradient: (&Self::Indices, &Self::Array),
        state: &mut [Self::Array],
        when: Option<&Self::Array>,
    ) -> Result<()> {
        rows::update_rows(self, rule, reach, w, gradient, state, when)
    }

    // ---- gradients that went astray -----------------------------------------------------------------------------

    /// Which of several arrays hold finite numbers alone: `[n]`, 1 for those that do and 0 for those that do not. See
    /// [`finite::finite`].
    fn finite(&self, arrays: &[&Self::Array]) -> Result<Self::Array> {
        finite::finite(self, arrays)
    }
    /// Whether arrays lie in the host's memory, so that to read one number back is to wait for nothing. An optimiser's step then
    /// tells at once of a gradient that is not finite; elsewhere (the default) a number on the device holds the step back and
    /// is read later.
    fn is_on_host(&self) -> bool {
        false
    }

    // ---- fused, in pairs of value and gradient ----------------------------------------------------------------

    /// `x w + bias` over the last axis. See [`linear::linear`].
    fn linear(&self, x: &Self::Array, w: &Self::Array, bias: Option<&Self::Array>) -> Result<Self::Array> {
        linear::linear(self, x, w, bias)
    }
    /// Gradients of [`Backend::linear`] for `x`, `w` and the bias, those that are wanted. See [`linear::linear_grad`].
    fn linear_grad(
        &self,
        x: &Self::Array,
        w: &Self::Array,
        dy: &Self::Array,
        wanted: LinearWanted,
    ) -> Result<[Option<Self::Array>; 3]> {
        linear::linear_grad(self, x, w, dy, wanted)
    }

    /// [`Backend::linear`] of the steps of sequences that count. See [`linear::linear_steps`].
    fn linear_steps(
        &self,
        x: &Self::Array,
        w: &Self::Array,
        bias: Option<&Self::Array>,
        mask: &Self::Array,
    ) -> Result<Self::Array> {
        linear::linear_steps(self, x, w, bias, mask)
    }
    /// Gradients of [`Backend::linear_steps`]. See [`linear::linear_steps_grad`].
    fn linear_steps_grad(
        &self,
        x: &Self::Array,
        w: &Self::Array,
        dy: &Self::Array,
        mask: &Self::Array,
        wanted: LinearWanted,
    ) -> Result<[Option<Self::Array>; 3]> {
        linear::linear_steps_grad(self, x, w, dy, mask, wanted)
    }

    /// `bags w + bias` without the zeros of the bags. See [`bags::bag_linear`].
    fn bag_linear(&self, x: &Bags, w: &Self::Array, bias: Option<&Self::Array>) -> Result<Self::Array> {
        bags::bag_linear(self, x, w, bias)
    }
    /// The gradient of [`Backend::bag_linear`] for `w`. See [`bags::bag_linear_grad`].
    fn bag_linear_grad(&self, x: &Bags, dy: &Self::Array) -> Result<Self::Array> {
        bags::bag_linear_grad(self, x, dy)
    }

    /// An activation function, elementwise (or along the last axis for the softmaxes).
    fn activate(&self, f: Activation, x: &Self::Array) -> Result<Self::Array> {
        activate::activate(self, f, x)
    }
    /// The gradient of [`Backend::activate`], from its input `x` and its value `y`.
    fn activate_grad(&self, f: Activation, x: &Self::Array, y: &Self::Array, dy: &Self::Array) -> Result<Self::Array> {
        activate::activate_grad(self, f, x, y, dy)
    }

    /// Softmax along the last axis. See [`norm::softmax`].
    fn softmax(&self, x: &Self::Array) -> Result<Self::Array> {
        norm::softmax(self, x)
    }
    /// The gradient of [`Backend::softmax`] from its value `y`.
    fn softmax_grad(&self, y: &Self::Array, dy: &Self::Array) -> Result<Self::Array> {
        norm::softmax_grad(self, y, dy)
    }
    /// The logarithm of the softmax along the last axis. See [`norm::log_softmax`].
    fn log_softmax(&self, x: &Self::Array) -> Result<Self::Array> {
        norm::log_softmax(self, x)
    }
    /// The gradient of [`Backend::log_softmax`] from its value `y`.
    fn log_softmax_grad(&self, y: &Self::Array, dy: &Self::Array) -> Result<Self::Array> {
        norm::log_softmax_grad(self, y, dy)
    }

    /// Layer normalisation along the last axis. See [`norm::layer_norm`].
    fn layer_norm(
        &self,
        x: &Self::Array,
        gamma: &Self::Array,
        beta: &Self::Array,
        epsilon: f64,
    ) -> Result<Self::Array> {
        norm::layer_norm(self, x, gamma, beta, epsilon)
    }
    /// Gradients of [`Backend::layer_norm`] for `x`, `gamma` and `beta`, those that are wanted. See
    /// [`norm::layer_norm_grad`].
    fn layer_norm_grad(
        &self,
        x: &Self::Array,
        gamma: &Self::Array,
        epsilon: f64,
        dy: &Self::Array,
        wanted: LayerNormWanted,
    ) -> Result<[Option<Self::Array>; 3]> {
        norm::layer_norm_grad(self, x, gamma, epsilon, dy, wanted)
    }

    /// Attention of queries to keys and values by their products. See [`attention::attention`].
    fn attention(&self, x: [&Self::Array; 3], how: &Attention<Self>) -> Result<Attended<Self>> {
        attention::attention(self, x, how)
    }
    /// Gradients of [`Backend::attention`] for queries, keys, values and bias, those that are wanted. See
    /// [`attention::attention_grad`].
    fn attention_grad(
        &self,
        x: [&Self::Array; 3],
        how: &Attention<Self>,
        y: &Attended<Self>,
        dy: &Self::Array,
        wanted: AttentionWanted,
    ) -> Result<[Option<Self::Array>; 4]> {
        attention::attention_grad(self, x, how, y, dy, wanted)
    }

    /// Dropout of elements at `rate`, and its gradient: the same function on the gradient. See [`norm::dropout`].
    fn dropout(&self, x: &Self::Array, rate: f64, key: Key) -> Result<Self::Array> {
        norm::dropout(self, x, rate, key)
    }

    /// What whole rows of a table are multiplied with to drop some at `rate`. See [`norm::row_keep_mask`].
    fn row_keep_mask(&self, rows: &Self::Indices, rate: f64, key: Key) -> Result<Self::Array> {
        norm::row_keep_mask(self, rows, rate, key)
    }

    /// Cross-entropy of logits `[.., c]` with class indices `[..]`, a value a row. See [`loss::sparse_cross_entropy`].
    fn sparse_cross_entropy(
        &self,
        logits: &Self::Array,
        labels: &Self::Indices,
        smoothing: f64,
    ) -> Result<Self::Array> {
        loss::sparse_cross_entropy(self, logits, labels, smoothing)
    }
    /// The gradient of [`Backend::sparse_cross_entropy`] for the logits; `d` holds a number a row.
    fn sparse_cross_entropy_grad(
        &self,
        logits: &Self::Array,
        labels: &Self::Indices,
        smoothing: f64,
        d: &Self::Array,
    ) -> Result<Self::Array> {
        loss::sparse_cross_entropy_grad(self, logits, labels, smoothing, d)
    }
    /// Cross-entropy of logits `[.., c]` with distributions `[.., c]`, a value a row. See [`loss::cross_entropy`].
    fn cross_entropy(&self, logits: &Self::Array, targets: &Self::Array) -> Result<Self::Array> {
        loss::cross_entropy(self, logits, targets)
    }
    /// The gradient of [`Backend::cross_entropy`] for the logits; `d` holds a number a row.
    fn cross_entropy_grad(&self, logits: &Self::Array, targets: &Self::Array, d: &Self::Array) -> Result<Self::Array> {
        loss::cross_entropy_grad(self, logits, targets, d)
    }
    /// Binary cross-entropy of logits with targets of the same shape, elementwise. See [`loss::binary_cross_entropy`].
    fn binary_cross_entropy(&self, logits: &Self::Array, targets: &Self::Array) -> Result<Self::Array> {
        loss::binary_cross_entropy(self, logits, targets)
    }
    /// The gradient of [`Backend::binary_cross_entropy`] for the logits.
    fn binary_cross_entropy_grad(
        &self,
        logits: &Self::Array,
        targets: &Self::Array,
        d: &Self::Array,
    ) -> Result<Self::Array> {
        loss::binary_cross_entropy_grad(self, logits, targets, d)
    }

    /// The negative log-likelihood of tags `[batch, time]` in a conditional random field, one a sequence. See [`crf::crf`].
    fn crf(&self, x: &Potentials<'_, Self>, labels: &Self::Indices) -> Result<PathLoss<Self>> {
        crf::crf(self, x, labels)
    }
    /// Gradients of [`Backend::crf`] for the scores, the start, the transitions and the end, those that are wanted; `d [batch]`. See
    /// [`crf::crf_grad`].
    fn crf_grad(
        &self,
        x: &Potentials<'_, Self>,
        labels: &Self::Indices,
        y: &PathLoss<Self>,
        d: &Self::Array,
        wanted: CrfWanted,
    ) -> Result<[Option<Self::Array>; 4]> {
        crf::crf_grad(self, x, labels, y, d, wanted)
    }
    /// The best path through a conditional random field, one-hot. See [`crf::crf_path`].
    fn crf_path(&self, x: &Potentials<'_, Self>) -> Result<Self::Array> {
        crf::crf_path(self, x)
    }

    /// The negative log-likelihood of labels whose places in time are not known, one a sequence (connectionist temporal
    /// classification). See [`ctc::ctc`].
    fn ctc(&self, x: &Transcripts<'_, Self>) -> Result<PathLoss<Self>> {
        ctc::ctc(self, x)
    }
    /// The gradient of [`Backend::ctc`] for the logits; `d [batch]`. See [`ctc::ctc_grad`].
    fn ctc_grad(&self, x: &Transcripts<'_, Self>, y: &PathLoss<Self>, d: &Self::Array) -> Result<Self::Array> {
        ctc::ctc_grad(self, x, y, d)
    }

    /// A step of negative sampling on two tables of vectors, in place; gives the loss. See [`negative_sampling::negative_sampling`].
    fn negative_sampling(
        &self,
        x: &Windows<'_>,
        input: &mut Self::Array,
        output: &mut Self::Array,
        rate: f64,
    ) -> Result<Self::Array> {
        negative_sampling::negative_sampling(self, x, input, output, rate)
    }

    /// A recurrent network over whole sequences. See [`recurrent::recurrent`].
    fn recurrent(&self, cell: Cell, x: &recurrent::Sequence<'_, Self>) -> Result<recurrent::Outcome<Self>> {
        recurrent::recurrent(self, cell, x)
    }
    /// Gradients of [`Backend::recurrent`] for `z`, `u`, the recurrent bias and the initial states, those that are wanted.
    /// See [`recurrent::recurrent_grad`].
    fn recurrent_grad(
        &self,
        cell: Cell,
        x: &recurrent::Sequence<'_, Self>,
        y: &recurrent::Outcome<Self>,
        d: &recurrent::Upstream<'_, Self>,
        wanted: RecurrentWanted,
    ) -> Result<[Option<Self::Array>; 5]> {
        recurrent::recurrent_grad(self, cell, x, y, d, wanted)
    }

    /// A recurrent network with the affine map of its inputs. See [`recurrent::projected_recurrent`].
    fn projected_recurrent(&self, cell: Cell, x: &recurrent::Projected<'_, Self>) -> Result<recurrent::Outcome<Self>> {
        recurrent::projected_recurrent(self, cell, x)
    }
    /// Gradients of [`Backend::projected_recurrent`] for `x`, its kernel and bias, `u`, the recurrent bias and the initial
    /// states, those that are wanted. See [`recurrent::projected_recurrent_grad`].
    fn projected_recurrent_grad(
        &self,
        cell: Cell,
        x: &recurrent::Projected<'_, Self>,
        y: &recurrent::Outcome<Self>,
        d: &recurrent::Upstream<'_, Self>,
        wanted: ProjectedWanted,
    ) -> Result<[Option<Self::Array>; 7]> {
        recurrent::projected_recurrent_grad(self, cell, x, y, d, wanted)
    }
}
