//! [`Carry`]: state that goes on from one piece of sequences to the next, in the hands of whoever goes through them.
//!
//! No layer remembers anything. One that has a state to go on with asks for a [`Slot`] when it is built, and in a [`Pass`](super::Pass)
//! reads the state there at its beginning and leaves it there at its end; without a carry every sequence begins anew.

use super::Value;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::shape::Shape;
use std::collections::BTreeMap;

/// A layer's place for the state that it goes on with, from [`Scope::slot`](super::Scope::slot).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub(super) number: u32,
    /// Whether its state goes on from batch to batch too, and not only from step to step.
    pub(super) stateful: bool,
}

/// Where a [`Carry`] holds the state of one use of a layer in a pass, from [`Pass::place`](super::Pass::place): a layer that is used
/// twice has two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Slots of what encloses the layer, from the outermost on.
    pub(crate) within: Vec<u32>,
    pub(crate) slot: u32,
    /// The how-manieth use within them, from 0.
    pub(crate) turn: u32,
}

/// State that goes on from one piece of sequences to the next: what one batch leaves, the next begins with, row by row. No gradient
/// flows back through it. An empty carry begins anew.
///
/// With [`Carry::new`] the [`stateful`](super::rnn::Rnn::stateful) layers go on and all others begin anew, as in
/// [`Model::fit`](crate::Model::fit); with [`Carry::stepping`] the sequences are cut into pieces that a model takes one after
/// another, down to single steps, and everything goes on.
///
/// ```
/// use elman::layers::{Carry, Lstm, Mode, Sequential};
/// use elman::{Spec, Tensor};
/// use elman_reference::Reference;
///
/// let backend = Reference::<f64>::new();
/// let model = Sequential::new().add(Lstm::new(4)).build(&backend, Spec::Dense(vec![None, Some(1)]), 0)?;
/// let x = Tensor::new(&backend, vec![1.0, 2.0, 3.0], &[1, 3, 1])?;
/// let whole = model.forward(x.clone(), Mode::Evaluation)?;
///
/// let mut carry = Carry::stepping();
/// model.forward_carried(x.slice(1, 0, 2)?, &mut carry)?;
/// let last = model.forward_carried(x.slice(1, 2, 1)?, &mut carry)?;
/// assert_eq!(last.to_vec()?, whole.to_vec()?);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Carry<B: Backend> {
    stepping: bool,
    rows: Option<usize>,
    /// Arrays whose first axis is the batch.
    states: BTreeMap<Place, Vec<B::Array>>,
    /// What was computed once a sequence.
    kept: BTreeMap<Place, Kept<B>>,
}

impl<B: Backend> Default for Carry<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Backend> Carry<B> {
    /// Nothing yet; for what stateful layers carry from batch to batch.
    pub fn new() -> Self {
        Carry { stepping: false, rows: None, states: BTreeMap::new(), kept: BTreeMap::new() }
    }

    /// Nothing yet; for sequences that are taken in pieces: every recurrent layer goes on. Layers that look at whole sequences
    /// ([`Pass::whole`](super::Pass::whole)) are an error then.
    pub fn stepping() -> Self {
        Carry { stepping: true, ..Carry::new() }
    }

    /// Whether every layer is to go on, and not only those that are stateful.
    pub fn is_stepping(&self) -> bool {
        self.stepping
    }

    /// How many sequences there are; `None` as long as nothing is carried.
    pub fn rows(&self) -> Option<usize> {
        self.rows
    }

    /// Whether nothing is carried, so that sequences begin anew.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.kept.is_empty()
    }

    /// Forgets everything: the next sequences begin anew, as many as there are.
    pub fn clear(&mut self) {
        self.rows = None;
        self.states.clear();
        self.kept.clear();
    }

    /// The sequences `rows` in the place of those that were there, all of their state, in this order: some may be left out, others
    /// stand there several times. An empty carry stays empty. Errors, and nothing is changed then, for a row that there is not.
    pub fn select(&mut self, backend: &B, rows: &[usize]) -> Result<()> {
        let Some(count) = self.rows else { return Ok(()) };
        if let Some(row) = rows.iter().find(|&&row| row >= count) {
            return Err(Error::invalid("carried state", format!("rows below {count}"), format!("row {row}")));
        }
        let indices = rows.iter().map(|&row| row as u32).collect();
        let indices = backend.upload_indices(indices, Shape::new(&[rows.len()])?)?;
        let one = |array: &B::Array| gathered(backend, array, &indices);
        let all = |(place, arrays): (&Place, &Vec<B::Array>)| {
            Ok((place.clone(), arrays.iter().map(one).collect::<Result<_>>()?))
        };
        let states = self.states.iter().map(all).collect::<Result<_>>()?;
        let kept = |(place, kept): (&Place, &Kept<B>)| Ok((place.clone(), kept.select(backend, rows, &indices)?));
        self.kept = self.kept.iter().map(kept).collect::<Result<_>>()?;
        self.states = states;
        self.rows = Some(rows.len());
        Ok(())
    }

    /// What was computed once for the sequences that there are.
    pub(super) fn kept(&self, place: &Place) -> Option<&Value<B>> {
        self.kept.get(place).map(|kept| &kept.value)
    }

    pub(super) fn get(&self, place: &Place) -> Option<&[B::Array]> {
        self.states.get(place).map(Vec::as_slice)
    }

    /// All places with their arrays, in an order that is always the same.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Place, &[B::Array])> {
        self.states.iter().map(|(place, arrays)| (place, arrays.as_slice()))
    }

    /// Whether another holds state of the same shapes in the same places.
    pub(crate) fn is_like(&self, backend: &B, other: &Self) -> bool {
        let shapes = |carry: &Self| -> Vec<(Place, Vec<Shape>)> {
            let shapes = |arrays: &[B::Array]| arrays.iter().map(|array| backend.shape(array)).collect();
            carry.iter().map(|(place, arrays)| (place.clone(), shapes(arrays))).collect()
        };
        shapes(self) == shapes(other)
    }

    /// Takes up one place of a file. `false` when it is taken, or the arrays' first axes are not the batch.
    pub(crate) fn restore(&mut self, backend: &B, place: Place, arrays: Vec<B::Array>) -> bool {
        let rows = arrays.first().and_then(|array| backend.shape(array).first().copied());
        let fits = |array: &B::Array| backend.shape(array).first().copied() == rows;
        if rows.is_none() || (self.rows.is_some() && self.rows != rows) || !arrays.iter().all(fits) {
            return false;
        }
        self.rows = rows;
        self.states.insert(place, arrays).is_none()
    }

    /// Takes up what a pass has left.
    pub(crate) fn put(&mut self, left: Left<B>) {
        let Left(left) = left;
        for (place, rows, arrays) in left {
            self.rows = Some(rows);
            self.states.insert(place, arrays);
        }
    }

    /// Takes up what a pass has computed once a sequence.
    pub(super) fn keep(&mut self, backend: &B, place: Place, value: Value<B>) {
        let rows = value.rows(backend).unwrap_or(0);
        self.rows.get_or_insert(rows);
        self.kept.insert(place, Kept { value, sequences: (0..rows).collect() });
    }
}

/// What was computed once a sequence.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    value: Value<B>,
    /// Which of the sequences that it was computed of each row is: several rows, the candidates of a beam, may share one.
    sequences: Vec<usize>,
}

impl<B: Backend> Kept<B> {
    /// The sequences of these rows. As long as each row goes on with the sequence that it had nothing is moved.
    fn select(&self, backend: &B, rows: &[usize], indices: &B::Indices) -> Result<Self> {
        let sequences: Vec<usize> = rows.iter().map(|&row| self.sequences[row]).collect();
        let value = match sequences == self.sequences {
            true => self.value.clone(),
            false => self.value.map_arrays(&|array| gathered(backend, array, indices))?,
        };
        Ok(Kept { value, sequences })
    }
}

/// Rows of an array `[rows, ..]`.
fn gathered<B: Backend>(backend: &B, array: &B::Array, indices: &B::Indices) -> Result<B::Array> {
    let (shape, rows) = (backend.shape(array), backend.indices_shape(indices)[0]);
    let row = &shape[1..];
    let flat = backend.reshape(array, Shape::new(&[shape[0], row.iter().product()])?)?;
    backend.reshape(&backend.gather(&flat, indices)?, Shape::new(&[&[rows], row].concat())?)
}

/// What layers leave in a pass, before the carry takes it up: a pass that fails changes nothing.
#[derive(Debug)]
pub(crate) struct Left<B: Backend>(pub(super) Vec<(Place, usize, Vec<B::Array>)>);

impl<B: Backend> Left<B> {
    /// The rows that all of them are of.
    pub(super) fn rows(&self) -> Option<usize> {
        self.0.first().map(|&(_, rows, _)| rows)
    }

    /// What is left where the scalar `when` is 1, what was carried before where it is 0 (zeros, where that was nothing).
    pub(crate) fn when(self, backend: &B, when: &B::Array, before: &Carry<B>) -> Result<Self> {
        let one = |(place, rows, arrays): (Place, usize, Vec<B::Array>)| {
            let choose = |(i, new): (usize, &B::Array)| match before.get(&place).and_then(|old| old.get(i)) {
                Some(old) => backend.select(when, new, old),
                None => backend.select(when, new, &backend.fill(backend.shape(new), 0.0)?),
            };
            let arrays = arrays.iter().enumerate().map(choose).collect::<Result<_>>()?;
            Ok((place, rows, arrays))
        };
        self.0.into_iter().map(one).collect::<Result<_>>().map(Left)
    }
}
