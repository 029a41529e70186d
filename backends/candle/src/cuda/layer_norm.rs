//! Layer normalisation, a row at a time.

use super::reduce::{team, teams};
use super::sources::LAYER_NORM;
use super::{Cuda, Grid};
use crate::array::{Array, error};
use elman::backend::{LayerNormWanted, check};
use elman::{Result, Shape};

/// Rows that a block sums over for the gradients of the weights, and the most parts that there are of them.
const CHUNK: usize = 128;
const PARTS: usize = 64;

impl Cuda {
    /// Of an array with elements.
    pub(crate) fn layer_norm(&self, x: &Array, gamma: &Array, beta: &Array, epsilon: f32) -> Result<Array> {
        check::layer_norm(x.shape(), gamma.shape(), beta.shape())?;
        self.by_row(LAYER_NORM, "layer_norm", &[x, gamma, beta], &[epsilon.into()])
    }

    /// Of an array with elements.
    pub(crate) fn layer_norm_grad(
        &self,
        x: &Array,
        gamma: &Array,
        epsilon: f32,
        dy: &Array,
        wanted: LayerNormWanted,
    ) -> Result<[Option<Array>; 3]> {
        check::layer_norm(x.shape(), gamma.shape(), gamma.shape())?;
        check::same_shape("layer_norm_grad", x.shape(), dy.shape())?;
        let (x, gamma, dy) = (self.packed(x)?, self.packed(gamma)?, self.packed(dy)?);
        let (rows, width) = (x.shape().rows(), x.shape().last());
        let moments = self.fresh("layer_norm_grad", Shape::new(&[rows, 3])?)?;
        // Nothing is written to the place of a gradient that is not wanted.
        let dx = if wanted.x { self.fresh("layer_norm_grad", x.shape())? } else { moments.clone() };
        let size = team(width);
        let [from, slopes, moments] = [self.floats(&x)?, self.floats(&dy)?, self.floats(&moments)?];
        let arrays = [from, self.floats(&gamma)?, slopes, self.floats(&dx)?, moments];
        let sizes = [rows.into(), width.into(), size.into(), epsilon.into(), usize::from(wanted.x).into()];
        let arguments = [arrays, sizes].concat();
        self.launch(LAYER_NORM, "layer_norm_grad", teams(rows, size), &arguments)?;
        let mut gradients = [wanted.x.then_some(dx), None, None];
        if wanted.gamma || wanted.beta {
            let chunk = rows.div_ceil(PARTS).max(CHUNK);
            let (tiles, parts) = (width.div_ceil(32), rows.div_ceil(chunk));
            let sums = self.fresh("layer_norm_grad", Shape::new(&[2, parts, width])?)?;
            let arguments = [from, slopes, moments, self.floats(&sums)?, rows.into(), width.into(), chunk.into()];
            let grid = Grid { blocks: [tiles as u32, parts as u32], ..Grid::blocks(tiles, 256) };
            self.launch(LAYER_NORM, "layer_norm_weights", grid, &arguments)?;
            let sums = if parts == 1 { sums } else { self.sum_along(&sums, 2, parts, width)? };
            let both = sums.tensor().reshape((2, width)).map_err(error("layer_norm_grad"))?;
            for (i, wanted) in [wanted.gamma, wanted.beta].into_iter().enumerate().filter(|&(_, wanted)| wanted) {
                let one = both.narrow(0, i, 1).and_then(|one| one.reshape(width)).map_err(error("layer_norm_grad"))?;
                gradients[i + 1] = wanted.then(|| sums.view(one, gamma.shape()));
            }
        }
        Ok(gradients)
    }
}
