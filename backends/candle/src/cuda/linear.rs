//! The affine map with its gradients.

use super::{Cuda, Matrix};
use crate::array::{Array, error};
use elman::backend::{LinearWanted, check, linear};
use elman::{Result, Shape};

impl Cuda {
    /// The bias is written first and the product added to it, which costs no more than to add the bias afterwards.
    pub(crate) fn linear(&self, x: &Array, w: &Array, bias: Option<&Array>) -> Result<Array> {
        let shape = check::linear(x.shape(), w.shape(), bias.map(Array::shape))?;
        let (inputs, outputs) = (w.shape()[0], w.shape()[1]);
        let y = match bias {
            Some(bias) => self.spread(bias, shape)?,
            None if inputs == 0 => self.fill(shape, 0.0)?,
            None => self.fresh("linear", shape)?,
        };
        if shape.elements() > 0 && inputs > 0 {
            let (x, w) = (self.packed(x)?, self.packed(w)?);
            let (a, b) = (self.matrix(&x, inputs)?, self.matrix(&w, outputs)?);
            let keep = if bias.is_some() { 1.0 } else { 0.0 };
            self.gemm([shape.rows(), inputs, outputs], 1, a, b, self.matrix(&y, outputs)?, keep)?;
        }
        Ok(y)
    }

    pub(crate) fn linear_grad(
        &self,
        x: &Array,
        w: &Array,
        dy: &Array,
        wanted: LinearWanted,
    ) -> Result<[Option<Array>; 3]> {
        check::same_shape("linear_grad", check::linear(x.shape(), w.shape(), None)?, dy.shape())?;
        let (inputs, outputs) = (w.shape()[0], w.shape()[1]);
        let rows: usize = x.shape()[..x.shape().rank() - 1].iter().product();
        let (x, w, dy) = (self.packed(x)?, self.packed(w)?, self.packed(dy)?);
        let slopes = self.matrix(&dy, outputs)?;
        let dx =
            || self.filled_product(x.shape(), [rows, outputs, inputs], slopes, self.matrix(&w, outputs)?.transposed());
        let dw =
            || self.filled_product(w.shape(), [inputs, rows, outputs], self.matrix(&x, inputs)?.transposed(), slopes);
        let dbias = || self.sum_to(&dy, [outputs].into());
        Ok([wanted.x.then(dx).transpose()?, wanted.kernel.then(dw).transpose()?, wanted.bias.then(dbias).transpose()?])
    }

    /// All steps, for a product over some of them is no faster on a GPU than one over all.
    pub(crate) fn linear_steps(&self, x: &Array, w: &Array, bias: Option<&Array>, mask: &Array) -> Result<Array> {
        linear::check_steps(x.shape(), mask.shape())?;
        self.linear(x, w, bias)
    }

    pub(crate) fn linear_steps_grad(
        &self,
        x: &Array,
        w: &Array,
        dy: &Array,
        mask: &Array,
        wanted: LinearWanted,
    ) -> Result<[Option<Array>; 3]> {
        linear::check_steps(x.shape(), mask.shape())?;
        if !wanted.kernel {
            return self.linear_grad(x, w, dy, wanted);
        }
        self.linear_grad(&self.counting(x, mask)?, w, dy, wanted)
    }

    /// `x [n, t, inputs]` where the mask is not 0, and 0 elsewhere: NaN would not be kept out by a gradient of 0.
    pub(crate) fn counting(&self, x: &Array, mask: &Array) -> Result<Array> {
        let steps = self.packed(mask)?;
        let wide = steps.tensor().unsqueeze(2).map_err(error("linear_steps_grad"))?;
        let steps = steps.view(wide, mask.shape().and(1)?);
        self.select(&steps, x, &self.fill(Shape::SCALAR, 0.0)?, x.shape())
    }

    fn matrix(&self, a: &Array, stride: usize) -> Result<Matrix> {
        Ok(Matrix::new(self.address(a)?, stride))
    }

    /// `a b` as a new array, of zeros where there is nothing to add up.
    fn filled_product(&self, shape: Shape, [m, k, n]: [usize; 3], a: Matrix, b: Matrix) -> Result<Array> {
        if m * k * n == 0 {
            return self.fill(shape, 0.0);
        }
        self.product("linear_grad", shape, [m, k, n], a, b)
    }
}
