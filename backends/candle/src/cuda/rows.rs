//! Rows by index, and one-hot rows.

use super::segments::Plan;
use super::sources::ROWS;
use super::{Arg, Cuda, Grid};
use crate::array::{Array, Indices};
use elman::{Result, Shape};

impl Cuda {
    pub(crate) fn gather(&self, table: &Array, rows: &Indices, shape: Shape) -> Result<Array> {
        let (table, out, n) = (self.packed(table)?, self.fresh("gather", shape)?, shape.elements());
        let arguments = [n.into(), self.floats(&table)?, self.whole(rows)?, self.floats(&out)?, shape.last().into()];
        self.launch(ROWS, "gather", Grid::over(n.div_ceil(4)), &arguments)?;
        Ok(out)
    }

    pub(crate) fn one_hot(&self, a: &Indices, shape: Shape) -> Result<Array> {
        let (out, n) = (self.fresh("one_hot", shape)?, shape.elements());
        let arguments = [n.into(), self.whole(a)?, self.floats(&out)?, shape.last().into()];
        self.launch(ROWS, "one_hot", Grid::over(n), &arguments)?;
        Ok(out)
    }

    /// Row `i` of `values` is added to row `rows[i]` of zeros.
    pub(crate) fn scatter_add(&self, values: &Array, rows: &Indices, shape: Shape) -> Result<Array> {
        self.add_up(Plan::new(&rows.on_host()?, shape[0]), values, None, shape)
    }

    /// Row `from[i]` of `values`, times `factors[i]`, is added to row `to[i]` of zeros, all `i`.
    pub(super) fn add_rows(
        &self,
        values: &Array,
        (from, to): (&[u32], &[u32]),
        factors: Option<&[f32]>,
        shape: Shape,
    ) -> Result<Array> {
        let mut plan = Plan::new(to, shape[0]);
        let order = &mut plan.words[..to.len()];
        let in_order = |factors: &[f32]| order.iter().map(|&i| factors[i as usize]).collect::<Vec<f32>>();
        let factors = factors.map(|factors| self.upload(&in_order(factors), Shape::new(&[to.len()])?)).transpose()?;
        order.iter_mut().for_each(|i| *i = from[*i as usize]);
        self.add_up(plan, values, factors.as_ref(), shape)
    }

    /// The host has sorted what is added by its rows; each sum is made by one warp, or by several in a fixed order.
    fn add_up(&self, plan: Plan, values: &Array, factors: Option<&Array>, shape: Shape) -> Result<Array> {
        let (values, width) = (self.packed(values)?, shape.last());
        let out = if plan.complete { self.fresh("scatter_add", shape)? } else { self.fill(shape, 0.0)? };
        let words = Shape::new(&[plan.words.len()])?;
        let words = self.upload_indices(plan.words.into(), words, 0)?;
        let place = |at: usize| self.whole_from(&words, at);
        let mut from = values;
        for (i, pass) in plan.passes.iter().enumerate() {
            let shape = Shape::new(&[pass.parts, width])?;
            let parts = if pass.parts == 0 { out.clone() } else { self.fresh("scatter_add", shape)? };
            // The parts of sums come one after another, with their factors in them.
            let (positions, factors) = match (i, factors) {
                (0, Some(factors)) => (place(0)?, self.floats(factors)?),
                (0, None) => (place(0)?, Arg::Floats(0)),
                _ => (Arg::Whole(0), Arg::Floats(0)),
            };
            let (starts, targets) = (place(pass.first)?, place(pass.first + pass.segments + 1)?);
            let arrays = [self.floats(&from)?, positions, factors, starts, targets];
            let rest = [self.floats(&out)?, self.floats(&parts)?, pass.segments.into(), width.into()];
            let blocks = [pass.segments.div_ceil(8) as u32, width.div_ceil(128) as u32];
            let grid = Grid { blocks, ..Grid::blocks(0, 256) };
            self.launch(ROWS, "sum_segments", grid, &[&arrays[..], &rest].concat())?;
            from = parts;
        }
        Ok(out)
    }
}
