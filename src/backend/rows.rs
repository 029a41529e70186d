//! Default bodies of optimiser steps from the gradients of some rows of a table, such as an embedding's.

use super::{Backend, Update, check, update};
use crate::error::Result;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// Which rows of a table an optimiser moves when only some have a gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reach {
    /// All rows, by the numbers of the dense update: running means fade and momentum goes on where there is no gradient.
    #[default]
    Exact,
    /// The rows that have a gradient; all others stay as they are, state and all. The cost does not depend on the size of
    /// the table. PyTorch's `SparseAdam`.
    Lazy,
}

/// One optimiser step on a table `w [n, d]` from the gradients `g [k, d]` of its rows `rows [k]`, which are rising and
/// differ; the state's arrays have the table's shape. Where the one number of `when` is 0 nothing is changed. Errors when shapes
/// or the number of state arrays differ.
pub fn update_rows<B: Backend>(
    b: &B,
    rule: &Update,
    reach: Reach,
    w: &mut B::Array,
    (rows, g): (&B::Indices, &B::Array),
    state: &mut [B::Array],
    when: Option<&B::Array>,
) -> Result<()> {
    let n = check_shapes(b, w, rows, g)?;
    update::check_when(b, when)?;
    update::made_when(b, when, w, state, |w, state| rows_step(b, rule, reach, (w, n), (rows, g), state))
}

fn rows_step<B: Backend>(
    b: &B,
    rule: &Update,
    reach: Reach,
    (w, n): (&mut B::Array, usize),
    (rows, g): (&B::Indices, &B::Array),
    state: &mut [B::Array],
) -> Result<()> {
    match reach {
        Reach::Exact => b.update(rule, w, &b.scatter_add(g, rows, n)?, state),
        Reach::Lazy => {
            update::check_shapes(b, rule, w, w, state)?;
            // The rows are moved by themselves and put back in the place of the old ones.
            let mut part = b.gather(w, rows)?;
            let mut slots = state.iter().map(|slot| b.gather(slot, rows)).collect::<Result<Vec<_>>>()?;
            b.update(rule, &mut part, g, &mut slots)?;
            let ones = b.fill(b.indices_shape(rows).and(1)?, 1.0)?;
            let hit = b.scatter_add(&ones, rows, n)?;
            let put = |old: &B::Array, new: &B::Array| b.select(&hit, &b.scatter_add(new, rows, n)?, old);
            let moved = state.iter().zip(&slots).map(|(old, new)| put(old, new)).collect::<Result<Vec<_>>>()?;
            *w = put(w, &part)?;
            state.iter_mut().zip(moved).for_each(|(slot, moved)| *slot = moved);
            Ok(())
        }
    }
}

/// The table's number of rows, after a check that gradients and rows are of such a table.
pub fn check_shapes<B: Backend>(b: &B, w: &B::Array, rows: &B::Indices, g: &B::Array) -> Result<usize> {
    let shape: Shape = check::gather(b.shape(w), b.indices_shape(rows))?;
    check::same_shape("update_rows", shape, b.shape(g))?;
    Ok(b.shape(w)[0])
}
