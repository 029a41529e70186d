//! Sums and maxima along axes.

use super::sources::REDUCE;
use super::{Cuda, Grid};
use crate::array::{Array, Indices, error};
use elman::{Result, Shape};

/// The longest part of a row that one team adds up; the parts' sums are added then.
const ROW: usize = 8192;
/// Sums of columns are cut so that there are about so many blocks.
const BLOCKS: usize = 1024;
/// More parts than that have no place in a grid.
const PARTS: usize = 65535;

/// The threads that work on a row: a warp, or a block of 256 for a long one.
pub(super) fn team(width: usize) -> usize {
    if width <= 256 { 32 } else { 256 }
}

/// A grid of such teams.
pub(super) fn teams(rows: usize, size: usize) -> Grid {
    Grid::blocks(rows.div_ceil(256 / size), 256)
}

impl Cuda {
    pub(crate) fn sum_to(&self, a: &Array, shape: Shape) -> Result<Array> {
        let from = a.shape();
        if from.elements() == 0 {
            return self.fill(shape, 0.0);
        }
        let missing = from.rank() - shape.rank();
        // Neighbouring axes that are all summed over, or all kept, are one.
        let mut groups: Vec<(bool, usize)> = Vec::new();
        for axis in (0..from.rank()).filter(|&axis| from[axis] != 1) {
            let summed = axis < missing || shape[axis - missing] == 1;
            match groups.last_mut() {
                Some((same, size)) if *same == summed => *size *= from[axis],
                _ => groups.push((summed, from[axis])),
            }
        }
        let mut sum = self.packed(a)?;
        while let Some(last) = groups.iter().rposition(|&(summed, _)| summed) {
            let size = |groups: &[(bool, usize)]| groups.iter().map(|&(_, size)| size).product();
            sum = self.sum_along(&sum, size(&groups[..last]), groups[last].1, size(&groups[last + 1..]))?;
            groups.remove(last);
        }
        Ok(sum.view(sum.tensor().reshape(&shape[..]).map_err(error("sum_to"))?, shape))
    }

    /// Sums `[outer, inner]` of a packed `[outer, length, inner]`, none of them 0.
    pub(super) fn sum_along(&self, x: &Array, outer: usize, length: usize, inner: usize) -> Result<Array> {
        let op = "sum_to";
        let cut = |chunk: usize| length.div_ceil(chunk);
        let (sums, parts) = if inner == 1 {
            let (parts, size) = (cut(ROW), team(length));
            let sums = self.fresh(op, Shape::new(&[outer, parts])?)?;
            let n = outer * parts;
            let sizes = [n.into(), parts.into(), length.into(), ROW.into(), size.into()];
            let arguments = [&[self.floats(x)?, self.floats(&sums)?], &sizes[..]].concat();
            self.launch(REDUCE, "sum_rows", teams(n, size), &arguments)?;
            (sums, parts)
        } else {
            let columns = inner.min(32);
            let (tiles, lanes) = (outer * inner.div_ceil(columns), 256 / columns);
            // Enough blocks for the whole device, if each thread has some sixteen numbers, and no endless sums.
            let wanted = (BLOCKS / tiles).max(cut(ROW)).min(PARTS);
            let chunk = cut(wanted).max(16 * lanes);
            let parts = cut(chunk);
            let sums = self.fresh(op, Shape::new(&[outer, parts, inner])?)?;
            let sizes = [length.into(), inner.into(), columns.into(), chunk.into()];
            let arguments = [&[self.floats(x)?, self.floats(&sums)?], &sizes[..]].concat();
            let grid = Grid { blocks: [tiles as u32, parts as u32], ..Grid::blocks(tiles, 256) };
            self.launch(REDUCE, "sum_columns", grid, &arguments)?;
            (sums, parts)
        };
        if parts == 1 { Ok(sums) } else { self.sum_along(&sums, outer, parts, inner) }
    }

    pub(crate) fn max(&self, a: &Array, axis: usize, shape: Shape) -> Result<Array> {
        let (a, out) = (self.packed(a)?, self.fresh("max", shape)?);
        let (n, length, inner) = around(a.shape(), axis);
        let [from, to] = [self.floats(&a)?, self.floats(&out)?];
        if inner == 1 {
            let size = team(length);
            self.launch(REDUCE, "most_rows", teams(n, size), &[from, to, n.into(), length.into(), size.into()])?;
        } else {
            self.launch(REDUCE, "most_columns", Grid::over(n), &[from, to, n.into(), length.into(), inner.into()])?;
        }
        Ok(out)
    }

    /// The first index of the greatest; a NaN is never greater than another number.
    pub(crate) fn argmax(&self, a: &Array, axis: usize, shape: Shape) -> Result<Indices> {
        let (n, length, inner) = around(a.shape(), axis);
        let (a, out) = (self.packed(a)?, self.fresh_indices("argmax", shape, length)?);
        let [from, to] = [self.floats(&a)?, self.whole(&out)?];
        if inner == 1 {
            self.launch(REDUCE, "place_rows", teams(n, 32), &[from, to, n.into(), length.into()])?;
        } else {
            self.launch(REDUCE, "place_columns", Grid::over(n), &[from, to, n.into(), length.into(), inner.into()])?;
        }
        Ok(out)
    }
}

/// How many lines lie along `axis`, their length, and how many elements lie between the neighbours of one.
fn around(shape: Shape, axis: usize) -> (usize, usize, usize) {
    let inner: usize = shape[axis + 1..].iter().product();
    (shape[..axis].iter().product::<usize>() * inner, shape[axis], inner)
}
