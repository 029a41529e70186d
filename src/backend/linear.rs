//! Default bodies of the affine map `x w + bias` and its gradients.

use super::{Backend, Zip, check};
use crate::error::Result;
use crate::shape::Shape;

/// `y = x w + bias` with `x [.., inputs]`, `w [inputs, outputs]`, `bias [outputs]`: `y [.., outputs]`. One product
/// over all rows.
pub fn linear<B: Backend>(b: &B, x: &B::Array, w: &B::Array, bias: Option<&B::Array>) -> Result<B::Array> {
    let shape = check::linear(b.shape(x), b.shape(w), bias.map(|bias| b.shape(bias)))?;
    let y = b.matmul(&rows(b, x)?, false, w, false)?;
    let y = match bias {
        Some(bias) => b.zip(Zip::Add, &y, bias)?,
        None => y,
    };
    b.reshape(&y, shape)
}

/// From `dy [.., outputs]`: `dx = dy wᵀ`, `dw = xᵀ dy`, `dbias = Σ dy` over all rows; those that are wanted.
pub fn linear_grad<B: Backend>(
    b: &B,
    x: &B::Array,
    w: &B::Array,
    dy: &B::Array,
    wanted: [bool; 3],
) -> Result<[Option<B::Array>; 3]> {
    let flat = rows(b, dy)?;
    let dx = wanted[0].then(|| b.reshape(&b.matmul(&flat, false, w, true)?, b.shape(x)));
    let dw = wanted[1].then(|| b.matmul(&rows(b, x)?, true, &flat, false));
    let dbias = wanted[2].then(|| b.sum_to(&flat, [b.shape(w)[1]].into()));
    Ok([dx.transpose()?, dw.transpose()?, dbias.transpose()?])
}

/// `[.., n]` as `[rows, n]`.
pub(crate) fn rows<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    let shape = b.shape(x);
    b.reshape(x, Shape::new(&[shape.rows(), shape.last()])?)
}
