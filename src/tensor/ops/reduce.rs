//! Sums, means and maxima.

use super::super::Tensor;
use crate::backend::{Backend, Map, Zip};
use crate::error::Result;
use crate::shape::Shape;

/// What a reduction does with the axis that it works along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// The axis stays, with size 1.
    Keep(usize),
    /// The axis goes.
    Drop(usize),
}

impl Axis {
    fn index(self) -> usize {
        match self {
            Axis::Keep(axis) | Axis::Drop(axis) => axis,
        }
    }

    fn reduced(self, shape: Shape) -> Shape {
        match self {
            Axis::Keep(axis) => shape.with(axis, 1),
            Axis::Drop(axis) => shape.without(axis),
        }
    }
}

impl<B: Backend> Tensor<B> {
    /// The sum of all elements: a scalar.
    pub fn sum(&self) -> Result<Self> {
        self.sum_to(Shape::SCALAR)
    }

    /// Where the greatest number along `axis` stands; the axis goes. Of equals it is the first, NaN is above all numbers. Indices have no
    /// gradient; [`Backend::download_indices`] brings them to the host. Errors when there is no such axis, or it is empty.
    ///
    /// ```
    /// use elman::{Backend, Tensor};
    /// use elman_reference::Reference;
    /// let b = Reference::<f32>::new();
    /// let x = Tensor::new(&b, vec![1.0, 3.0, 2.0, 5.0, 4.0, 5.0], &[2, 3])?;
    /// assert_eq!(b.download_indices(&x.argmax(1)?)?, [1, 0]);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn argmax(&self, axis: usize) -> Result<B::Indices> {
        self.shape().check_axis("argmax", axis)?;
        self.backend().argmax(self.value(), axis)
    }

    /// The mean of all elements: a scalar, 0 when there are none.
    pub fn mean(&self) -> Result<Self> {
        self.sum()?.over(self.shape().elements())
    }

    /// The sum along an axis.
    pub fn sum_along(&self, axis: Axis) -> Result<Self> {
        self.shape().check_axis("sum_along", axis.index())?;
        self.sum_to(self.shape().with(axis.index(), 1))?.reshape_to(axis.reduced(self.shape()))
    }

    /// The mean along an axis.
    pub fn mean_along(&self, axis: Axis) -> Result<Self> {
        self.sum_along(axis)?.over(self.shape()[axis.index()])
    }

    /// Divided by a count, or by 1 where that is 0. A product with the count's rounded reciprocal would be another number: a
    /// seventh of seven times 1e5 is 1e5 in an `f32`.
    fn over(&self, count: usize) -> Result<Self> {
        if count <= 1 {
            return Ok(self.clone());
        }
        let b = self.backend().clone();
        let count = b.fill(Shape::SCALAR, count as f64)?;
        let y = b.zip(Zip::Div, self.value(), &count)?;
        Ok(Tensor::record("over", self.backend(), y, &[self], move |dy, _| {
            Ok(vec![Some(b.zip(Zip::Div, dy, &count)?)])
        }))
    }

    /// Sums down to a shape that broadcasts to this one.
    pub fn sum_to(&self, shape: Shape) -> Result<Self> {
        let (b, from) = (self.backend().clone(), self.shape());
        if shape == from {
            return Ok(self.clone());
        }
        let y = b.sum_to(self.value(), shape)?;
        Ok(Tensor::record("sum_to", self.backend(), y, &[self], move |dy, _| {
            Ok(vec![Some(b.zip(Zip::Add, &b.fill(from, 0.0)?, dy)?)])
        }))
    }

    /// The greatest element along an axis; equal ones share the gradient.
    pub fn max_along(&self, axis: Axis) -> Result<Self> {
        let (b, x) = (self.backend().clone(), self.value().clone());
        let y = b.max(&x, axis.index())?;
        let kept = y.clone();
        let maxima = Tensor::record("max_along", self.backend(), y, &[self], move |dy, _| {
            let hit = b.zip(Zip::Equal, &x, &kept)?;
            let share = b.zip(Zip::Mul, dy, &b.map(Map::Recip, &b.sum_to(&hit, b.shape(&kept))?)?)?;
            Ok(vec![Some(b.zip(Zip::Mul, &hit, &share)?)])
        });
        maxima.reshape_to(axis.reduced(self.shape()))
    }
}
