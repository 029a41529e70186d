//! How arrays lie and how to walk through several of them at once; permute, slice and concat.

use crate::array::Array;
use crate::memory::room;
use elman::backend::check;
use elman::shape::MAX_RANK;
use elman::{Element, Result, Shape};

/// A walk over a shape in row-major order, with the positions of `N` arrays that take part in it.
///
/// Axes over which all arrays go on evenly are merged into one and axes of size 1 left out. So the cases that matter
/// come out as long runs by themselves: equal shapes become one run, an operand that is a row or a column becomes two
/// axes.
pub(crate) struct Walk<const N: usize> {
    outer: Vec<Axis<N>>,
    /// The innermost axis, which callers loop over themselves.
    pub(crate) run: Axis<N>,
}

/// One axis of a walk.
pub(crate) struct Axis<const N: usize> {
    pub(crate) size: usize,
    /// How far each array's position moves in one step; 0 where the array is stretched.
    pub(crate) strides: [usize; N],
}

impl<const N: usize> Walk<N> {
    /// A walk over `shape`, array `i` moving by `strides[i][axis]`.
    pub(crate) fn new(shape: Shape, strides: [[usize; MAX_RANK]; N]) -> Self {
        let mut axes: Vec<Axis<N>> = Vec::with_capacity(MAX_RANK);
        for (axis, &size) in shape.iter().enumerate().filter(|(_, size)| **size != 1) {
            let strides = strides.map(|of_array| of_array[axis]);
            match axes.last_mut() {
                Some(last) if last.strides == strides.map(|stride| stride * size) => {
                    last.size *= size;
                    last.strides = strides;
                }
                _ => axes.push(Axis { size, strides }),
            }
        }
        let run = axes.pop().unwrap_or(Axis { size: 1, strides: [0; N] });
        Walk { outer: axes, run }
    }

    /// A walk over `shape` of arrays that broadcast to it.
    pub(crate) fn broadcast(shape: Shape, arrays: [Shape; N]) -> Self {
        Walk::new(shape, arrays.map(|array| array.strides_in(shape)))
    }

    /// Calls `visit` with the arrays' positions at the start of each run, in order.
    pub(crate) fn runs(&self, mut visit: impl FnMut([usize; N])) {
        visit_all(&self.outer, [0; N], &mut visit);
    }
}

fn visit_all<const N: usize>(axes: &[Axis<N>], at: [usize; N], visit: &mut impl FnMut([usize; N])) {
    let Some((axis, inner)) = axes.split_first() else { return visit(at) };
    for step in 0..axis.size {
        visit_all(inner, std::array::from_fn(|i| at[i] + step * axis.strides[i]), visit);
    }
}

/// An axis' surroundings: the number of positions before it, its size, the number of elements after it.
pub(crate) fn around(shape: Shape, axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// Axes in another order.
pub(crate) fn permute<E: Element>(a: &Array<E>, axes: &[usize]) -> Result<Array<E>> {
    let shape = check::permute(a.shape(), axes)?;
    let (data, mut out) = (a.data(), room(shape.elements()));
    let mut strides = [0; MAX_RANK];
    for (to, &from) in axes.iter().enumerate() {
        strides[to] = around(a.shape(), from).2;
    }
    if !data.is_empty() {
        let walk = Walk::new(shape, [strides]);
        let (length, stride) = (walk.run.size, walk.run.strides[0]);
        walk.runs(|[at]| match stride {
            1 => out.extend_from_slice(&data[at..at + length]),
            // A run of one element has no stride.
            _ => out.extend(data[at..].iter().step_by(stride.max(1)).take(length)),
        });
    }
    Ok(Array::new(out, shape))
}

/// `length` positions of `axis` from `start` on.
pub(crate) fn slice<E: Element>(a: &Array<E>, axis: usize, start: usize, length: usize) -> Result<Array<E>> {
    let shape = check::slice(a.shape(), axis, start, length)?;
    let (outer, size, inner) = around(a.shape(), axis);
    let mut out = room(shape.elements());
    for block in 0..outer {
        let first = (block * size + start) * inner;
        out.extend_from_slice(&a.data()[first..first + length * inner]);
    }
    Ok(Array::new(out, shape))
}

/// Arrays one after another along `axis`.
pub(crate) fn concat<E: Element>(parts: &[&Array<E>], axis: usize) -> Result<Array<E>> {
    let shapes: Vec<Shape> = parts.iter().map(|part| part.shape()).collect();
    let shape = check::concat(&shapes, axis)?;
    let mut out = room(shape.elements());
    for block in 0..around(shape, axis).0 {
        for part in parts {
            let (_, size, inner) = around(part.shape(), axis);
            out.extend_from_slice(&part.data()[block * size * inner..(block + 1) * size * inner]);
        }
    }
    Ok(Array::new(out, shape))
}
