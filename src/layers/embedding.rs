//! [`Embedding`]: indices to vectors (L24).

use super::{Built, Last, Layer, Mask, Module, Pass, Scope, Spec, Value, Weight};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::init::Init;
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A vector for each index: `[batch, time]` indices give `[batch, time, dim]` numbers, as a one-hot row times the table
/// would, without the one-hot row (L24).
///
/// The gradient holds the rows that occurred and no others; [`Optimizer::reach`](crate::optim::Optimizer::reach) says what
/// becomes of the rest. Defaults as in Keras: uniform in ±0.05, no masking. Parameter: `embeddings [rows, dim]`.
///
/// ```
/// use elman::layers::{Embedding, Lstm, Sequential};
/// use elman::Spec;
/// use elman_reference::Reference;
///
/// let network = Sequential::new().add(Embedding::new(20_000, 128).padding(0).word_dropout(0.2)).add(Lstm::new(128));
/// let model = network.build(&Reference::<f32>::new(), Spec::indices(80), 0)?;
/// assert_eq!(model.count_params(), 20_000 * 128 + 4 * (128 * 128 + 128 * 128 + 128));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default = "Embedding::of_no_rows", deny_unknown_fields)]
#[must_use]
pub struct Embedding {
    rows: usize,
    dim: usize,
    #[serde(skip)]
    vectors: Option<Arc<[f32]>>,
    table: Weight,
    padding: Option<u32>,
    word_dropout: f64,
}

impl Embedding {
    /// A trained table of `rows` vectors of `dim` numbers: indices must be below `rows`.
    pub fn new(rows: usize, dim: usize) -> Self {
        let table = Weight::new(Init::Uniform { low: -0.05, high: 0.05 });
        Embedding { rows, dim, vectors: None, table, padding: None, word_dropout: 0.0 }
    }

    /// The options that a description leaves out.
    fn of_no_rows() -> Self {
        Embedding::new(0, 0)
    }

    /// A table that starts with these vectors, one row of `dim` numbers after another: word2vec's, for instance. They
    /// are trained on, unless [`Embedding::frozen`] keeps them. Errors: no whole rows; a number that is not finite.
    pub fn from_vectors(vectors: Vec<f32>, dim: usize) -> Result<Self> {
        if dim == 0 || vectors.is_empty() || !vectors.len().is_multiple_of(dim) {
            let found = format!("{} numbers", vectors.len());
            return Err(Error::invalid("embedding", format!("whole rows of {dim} numbers, at least 1"), found));
        }
        if let Some(at) = vectors.iter().position(|x| !x.is_finite()) {
            let place = format!("embedding, row {}, number {}", at / dim, at % dim);
            return Err(Error::invalid(place, "a finite number", vectors[at]));
        }
        let rows = vectors.len() / dim;
        Ok(Embedding { vectors: Some(vectors.into()), ..Embedding::new(rows, dim) })
    }

    /// Keeps the vectors as they start: they cost no gradient and no optimiser state.
    pub fn frozen(self) -> Self {
        Embedding { table: self.table.frozen(), ..self }
    }

    /// How the table starts (unless from vectors) and what is asked of it. A penalty or a constraint concerns all rows at
    /// every step, so that it costs what the whole table costs.
    pub fn table(self, table: Weight) -> Self {
        Embedding { table, ..self }
    }

    /// The index that pads sequences. Its steps are masked, and its vector starts at 0, unless the table starts from
    /// vectors. Without it nothing is masked.
    pub fn padding(self, index: u32) -> Self {
        Embedding { padding: Some(index), ..self }
    }

    /// Drops whole words while training: the vectors of a part `rate` of the table's rows are 0 in this batch, wherever
    /// they occur, and the others multiplied by `1 / (1 - rate)` (L23; Gal and Ghahramani, 2016; Keras 1's `dropout`).
    pub fn word_dropout(self, rate: f64) -> Self {
        Embedding { word_dropout: rate, ..self }
    }
}

impl<B: Backend> Layer<B> for Embedding {
    fn kind(&self) -> &'static str {
        "embedding"
    }

    // Vectors that the table starts with are weights, and no options.
    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), &Embedding { vectors: None, ..self.clone() })
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let Spec::Indices(steps) = *input else {
            return Err(Error::invalid("input", "indices [batch, time]", input));
        };
        if self.rows == 0 || self.dim == 0 {
            return Err(Error::invalid("embedding", "at least one row of at least one number", self.shape()));
        }
        if !(0.0..1.0).contains(&self.word_dropout) {
            return Err(Error::invalid("word dropout", "a rate in [0, 1)", self.word_dropout));
        }
        let padding = self.padding.map(|index| index as usize);
        if let Some(index) = padding.filter(|&index| index >= self.rows) {
            return Err(Error::invalid(
                "padding",
                format!("an index below {}, the rows of the table", self.rows),
                index,
            ));
        }
        scope.indices_below(self.rows);
        let shape = Shape::new(&[self.rows, self.dim])?;
        let table = scope.param_from("embeddings", shape, &self.table, |key| match &self.vectors {
            Some(vectors) => Ok(vectors.iter().map(|&x| f64::from(x)).collect()),
            None => {
                let mut values = self.table.init().values(shape, key)?;
                if let Some(index) = padding {
                    values[index * self.dim..][..self.dim].fill(0.0);
                }
                Ok(values)
            }
        })?;
        let there = padding.map(|index| {
            let mut there = vec![crate::Element::from_f64(1.0); self.rows];
            there[index] = crate::Element::from_f64(0.0);
            scope.backend().upload(there, Shape::new(&[self.rows, 1])?)
        });
        let module = EmbeddingModule::<B> { table, there: there.transpose()?, word_dropout: self.word_dropout };
        Ok(Built::new(module, Spec::Dense(vec![steps, Some(self.dim)])))
    }
}

impl Embedding {
    fn shape(&self) -> String {
        format!("{} rows of {} numbers", self.rows, self.dim)
    }
}

#[derive(Debug)]
struct EmbeddingModule<B: Backend> {
    table: ParamId,
    /// For each row of the table 1, or 0 if it is padding, `[rows, 1]`: the mask's numbers by index.
    there: Option<B::Array>,
    word_dropout: f64,
}

impl<B: Backend> Module<B> for EmbeddingModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let b = pass.backend();
        let (value, mut mask) = input.split();
        let Value::Indices(indices) = value else {
            return Err(Error::invalid("input", "indices [batch, time]", "numbers"));
        };
        let shape = b.indices_shape(&indices);
        if let Some(there) = &self.there {
            let padded = Mask::from_array(b, b.reshape(&b.gather(there, &indices)?, shape)?)?;
            mask = Some(match mask {
                Some(given) => given.and(b, &padded)?,
                None => padded,
            });
        }
        let mut x = pass.param(self.table).gather(&indices)?;
        if let Some(key) = pass.key().filter(|_| self.word_dropout > 0.0) {
            let keep = b.reshape(&b.row_keep_mask(&indices, self.word_dropout, key)?, shape.and(1)?)?;
            x = x.mul(&Tensor::constant(b, keep))?;
        }
        Ok(Value::Tensor(x).with_clean_mask(mask))
    }

    // Numbers of any size and either sign.
    fn last_activation(&self, _: Last) -> Last {
        Activation::Linear.into()
    }
}
