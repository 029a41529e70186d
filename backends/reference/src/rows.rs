//! Rows by index: gather, scatter-add, one-hot; and the affine map on bags of words, which is gathered rows too.

use crate::array::{Array, Indices};
use crate::memory::{room, zeros};
use elman::backend::{Reach, Update, check};
use elman::data::Bags;
use elman::{Element, Result, Shape};
use std::collections::BTreeMap;

/// So many rows are added to one in their order; more are added by halves, so that the rounding error grows with the logarithm
/// of their number and not with the number.
const FEW: usize = 64;

/// Rows of `table [n, d]`.
pub(crate) fn gather<E: Element>(table: &Array<E>, rows: &Indices) -> Result<Array<E>> {
    let shape = check::gather(table.shape(), rows.shape())?;
    check::indices("gather", rows.data(), table.shape()[0])?;
    let mut out = room(shape.elements());
    for &row in rows.data() {
        out.extend_from_slice(row_of(table.data(), row, shape.last()));
    }
    Ok(Array::new(out, shape))
}

/// Zeros `[n, d]` to which row `i` of `values [.., d]` is added at row `rows[i]`.
pub(crate) fn scatter_add<E: Element>(values: &Array<E>, rows: &Indices, n: usize) -> Result<Array<E>> {
    let shape = check::scatter_add(values.shape(), rows.shape(), n)?;
    check::indices("scatter_add", rows.data(), n)?;
    let terms = rows.data().iter().enumerate().map(|(i, &row)| (row, i as u32, E::ONE));
    Ok(Array::new(add_by_row(terms, values.data(), n, shape.last()), shape))
}

/// A 1 at each index, 0 elsewhere.
pub(crate) fn one_hot<E: Element>(a: &Indices, classes: usize) -> Result<Array<E>> {
    check::indices("one_hot", a.data(), classes)?;
    let shape = a.shape().and(classes)?;
    let mut out = zeros(shape.elements());
    for (row, &class) in a.data().iter().enumerate() {
        out[row * classes + class as usize] = E::ONE;
    }
    Ok(Array::new(out, shape))
}

/// `x w + bias` for bags `x [n, width]`: each result row is the bias and the weighted rows of the words that occur.
pub(crate) fn bag_linear<E: Element>(x: &Bags, w: &Array<E>, bias: Option<&Array<E>>) -> Result<Array<E>> {
    let shape = check::bag_linear(x.len(), x.width(), w.shape(), bias.map(Array::shape))?;
    let outputs = shape.last();
    let mut out = room(shape.elements());
    for bag in 0..x.len() {
        let start = out.len();
        match bias {
            Some(bias) => out.extend_from_slice(bias.data()),
            None => out.resize(start + outputs, E::ZERO),
        }
        add_rows(&mut out[start..], w.data(), &words(x, bag).collect::<Vec<_>>());
    }
    Ok(Array::new(out, shape))
}

/// `xᵀ dy`: the gradient of each bag goes to the rows of its words.
pub(crate) fn bag_linear_grad<E: Element>(x: &Bags, dy: &Array<E>) -> Result<Array<E>> {
    let dense = Shape::new(&[x.len(), x.width()])?;
    let shape = check::matmul(dense, true, dy.shape(), false)?.shape;
    // Two axes are a matter of `dy` having two: bags have no leading axes.
    check::same_shape("bag_linear_grad", dy.shape(), Shape::new(&[x.len(), shape.last()])?)?;
    let terms = (0..x.len()).flat_map(|bag| words(x, bag).map(move |(word, value)| (word, bag as u32, value)));
    Ok(Array::new(add_by_row(terms, dy.data(), shape[0], shape.last()), shape))
}

/// An optimiser's step on a table from the gradients of some of its rows, which rise: row by row in place.
pub(crate) fn update_rows<E: Element>(
    rule: &Update,
    reach: Reach,
    w: &mut Array<E>,
    (rows, g): (&Indices, &Array<E>),
    state: &mut [Array<E>],
) -> Result<()> {
    let (n, width) = (w.shape()[0], w.shape()[1]);
    let none = vec![E::ZERO; width];
    let table = w.data_mut();
    let mut state: Vec<&mut [E]> = state.iter_mut().map(Array::data_mut).collect();
    let mut step = |row: usize, g: &[E]| {
        let range = row * width..(row + 1) * width;
        let mut state: Vec<&mut [E]> = state.iter_mut().map(|slot| &mut slot[range.clone()]).collect();
        rule.apply(&mut table[range.clone()], g, &mut state)
    };
    let mut next = 0;
    for (i, &row) in rows.data().iter().enumerate() {
        if reach == Reach::Exact {
            (next..row as usize).try_for_each(|row| step(row, &none))?;
            next = row as usize + 1;
        }
        step(row as usize, row_of(g.data(), i as u32, width))?;
    }
    match reach {
        Reach::Exact => (next..n).try_for_each(|row| step(row, &none)),
        Reach::Lazy => Ok(()),
    }
}

/// The words of a bag with their values, 1 where the bags have none.
fn words<E: Element>(x: &Bags, bag: usize) -> impl Iterator<Item = (u32, E)> + Clone {
    let (words, values) = x.row(bag).unwrap_or_default();
    let value = move |i: usize| values.map_or(E::ONE, |values| E::from_f64(f64::from(values[i])));
    words.iter().enumerate().map(move |(i, &word)| (word, value(i)))
}

/// Zeros `[n, width]` to whose row `to` is added `value` times row `from` of `table`, for each `(to, from, value)`.
fn add_by_row<E: Element>(
    terms: impl Iterator<Item = (u32, u32, E)> + Clone,
    table: &[E],
    n: usize,
    width: usize,
) -> Vec<E> {
    let mut out = zeros(n * width);
    let mut counts = vec![0; n];
    terms.clone().for_each(|(to, ..)| counts[to as usize] += 1);
    let mut many: BTreeMap<u32, Vec<(u32, E)>> = BTreeMap::new();
    for (to, from, value) in terms {
        if counts[to as usize] > FEW {
            many.entry(to).or_default().push((from, value));
        } else {
            add_scaled(&mut out[to as usize * width..][..width], value, row_of(table, from, width));
        }
    }
    for (to, terms) in many {
        add_rows(&mut out[to as usize * width..][..width], table, &terms);
    }
    out
}

/// `out += Σ value row` of the rows of a table by number.
fn add_rows<E: Element>(out: &mut [E], table: &[E], terms: &[(u32, E)]) {
    if terms.len() > FEW {
        let (left, right) = terms.split_at(terms.len() / 2);
        let mut part = vec![E::ZERO; out.len()];
        add_rows(out, table, left);
        add_rows(&mut part, table, right);
        return add_scaled(out, E::ONE, &part);
    }
    let width = out.len();
    terms.iter().for_each(|&(row, value)| add_scaled(out, value, row_of(table, row, width)));
}

fn add_scaled<E: Element>(sums: &mut [E], scale: E, row: &[E]) {
    sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += scale * x);
}

fn row_of<E>(data: &[E], row: u32, width: usize) -> &[E] {
    &data[row as usize * width..][..width]
}
