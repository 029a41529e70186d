//! Default bodies of the affine map `x w + bias` and its gradients.

use super::{Backend, LinearWanted, Zip, check};
use crate::error::{Error, Result};
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
    wanted: LinearWanted,
) -> Result<[Option<B::Array>; 3]> {
    let flat = rows(b, dy)?;
    let dx = wanted.x.then(|| b.reshape(&b.matmul(&flat, false, w, true)?, b.shape(x)));
    let dw = wanted.kernel.then(|| b.matmul(&rows(b, x)?, true, &flat, false));
    let dbias = wanted.bias.then(|| b.sum_to(&flat, [b.shape(w)[1]].into()));
    Ok([dx.transpose()?, dw.transpose()?, dbias.transpose()?])
}

/// [`linear`] of sequences `x [n, t, inputs]` where only some steps count, those where `mask [n, t]` is not 0: what comes
/// out at the others is any number, finite if `x` is finite there, for nothing may read it. This body makes no use of the
/// mask.
pub fn linear_steps<B: Backend>(
    b: &B,
    x: &B::Array,
    w: &B::Array,
    bias: Option<&B::Array>,
    mask: &B::Array,
) -> Result<B::Array> {
    check_steps(b.shape(x), b.shape(mask))?;
    b.linear(x, w, bias)
}

/// The gradients of [`linear_steps`], from a `dy` that is 0 at the steps that do not count, as the gradient of what
/// nothing reads is. What `x` is there has no part in them, not even as NaN, which a product with that 0 would not keep out.
pub fn linear_steps_grad<B: Backend>(
    b: &B,
    x: &B::Array,
    w: &B::Array,
    dy: &B::Array,
    mask: &B::Array,
    wanted: LinearWanted,
) -> Result<[Option<B::Array>; 3]> {
    check_steps(b.shape(x), b.shape(mask))?;
    if !wanted.kernel {
        return b.linear_grad(x, w, dy, wanted);
    }
    let steps = b.reshape(mask, b.shape(mask).and(1)?)?;
    b.linear_grad(&b.select(&steps, x, &b.fill(Shape::SCALAR, 0.0)?)?, w, dy, wanted)
}

/// Errors unless `mask [n, t]` is one of `x [n, t, inputs]`.
pub fn check_steps(x: Shape, mask: Shape) -> Result<()> {
    if x.rank() == 3 && x[..2] == mask[..] {
        return Ok(());
    }
    Err(Error::shapes("linear_steps", x, mask, "x is [batch, time, inputs] and the mask [batch, time]"))
}

/// `[.., n]` as `[rows, n]`.
pub(crate) fn rows<B: Backend>(b: &B, x: &B::Array) -> Result<B::Array> {
    let shape = b.shape(x);
    b.reshape(x, Shape::new(&[shape.rows(), shape.last()])?)
}
