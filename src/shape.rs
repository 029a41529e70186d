//! Shapes, the rules of broadcasting, and the checks that operations share.

use crate::error::{Error, Result};
use std::fmt;
use std::ops::Deref;

/// The greatest number of axes an array may have.
pub const MAX_RANK: usize = 6;

/// The sizes of an array's axes, outermost first: at most [`MAX_RANK`] of them, kept in place without allocation.
///
/// It dereferences to a slice of sizes. Arrays lie in row-major order.
///
/// ```
/// use elman::Shape;
/// let s = Shape::new(&[2, 3])?;
/// assert_eq!((s.rank(), s.elements(), s[1]), (2, 6, 3));
/// assert_eq!(s.to_string(), "[2, 3]");
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    sizes: [usize; MAX_RANK],
    rank: u8,
}

impl Shape {
    /// The shape of a single number: no axes, one element.
    pub const SCALAR: Shape = Shape { sizes: [0; MAX_RANK], rank: 0 };

    /// A shape from sizes. Errors: more than [`MAX_RANK`] axes, or more elements than memory can address.
    pub fn new(sizes: &[usize]) -> Result<Self> {
        if sizes.len() > MAX_RANK {
            return Err(Error::invalid("shape", format!("at most {MAX_RANK} axes"), format!("{sizes:?}")));
        }
        let total = sizes.iter().try_fold(1usize, |all, &size| all.checked_mul(size));
        if total.is_none_or(|n| n > isize::MAX as usize / 8) {
            return Err(Error::invalid("shape", "a number of elements that fits memory", format!("{sizes:?}")));
        }
        let mut shape = Shape { sizes: [0; MAX_RANK], rank: sizes.len() as u8 };
        shape.sizes[..sizes.len()].copy_from_slice(sizes);
        Ok(shape)
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// Number of elements: the product of the sizes, 1 for a scalar.
    pub fn elements(&self) -> usize {
        self.iter().product()
    }

    /// The size of the last axis, 1 for a scalar: the length of a row.
    pub fn last(&self) -> usize {
        self.deref().last().copied().unwrap_or(1)
    }

    /// The number of rows: all elements over the last axis' size, counted from the other axes.
    pub fn rows(&self) -> usize {
        self[..self.rank().saturating_sub(1)].iter().product()
    }

    /// The same shape with another size on `axis`. Panics when the axis does not exist: callers check it first.
    pub(crate) fn with(mut self, axis: usize, size: usize) -> Self {
        assert!(axis < self.rank());
        self.sizes[axis] = size;
        self
    }

    /// The shape without `axis`.
    pub(crate) fn without(self, axis: usize) -> Self {
        let mut shape = Shape { sizes: [0; MAX_RANK], rank: self.rank - 1 };
        let kept = self.iter().enumerate().filter(|(i, _)| *i != axis);
        for (to, (_, &size)) in shape.sizes.iter_mut().zip(kept) {
            *to = size;
        }
        shape
    }

    /// The shape with one more axis of `size` at the end.
    pub fn and(self, size: usize) -> Result<Self> {
        let mut sizes = self.to_vec();
        sizes.push(size);
        Shape::new(&sizes)
    }

    /// Checks that `axis` exists.
    pub fn check_axis(&self, op: &'static str, axis: usize) -> Result<()> {
        if axis < self.rank() {
            return Ok(());
        }
        Err(Error::invalid(op, format!("an axis below {}", self.rank()), format!("axis {axis} of shape {self}")))
    }

    /// The shape that two operands broadcast to: axes are matched from the last one on, a size of 1 (or a
    /// missing axis) stretches to the other's size (NumPy's rule).
    ///
    /// ```
    /// use elman::Shape;
    /// let (a, b) = (Shape::new(&[4, 1, 3])?, Shape::new(&[2, 1])?);
    /// assert_eq!(a.broadcast("add", b)?, Shape::new(&[4, 2, 3])?);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn broadcast(self, op: &'static str, other: Shape) -> Result<Shape> {
        if self == other {
            return Ok(self);
        }
        let rank = self.rank().max(other.rank());
        let mut out = Shape { sizes: [0; MAX_RANK], rank: rank as u8 };
        for axis in 0..rank {
            out.sizes[axis] = match (self.size_from_right(axis, rank), other.size_from_right(axis, rank)) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return Err(Error::shapes(op, self, other, "sizes must be equal or 1, from the last axis on")),
            };
        }
        Ok(out)
    }

    /// Whether an array of this shape can be stretched to `to` by broadcasting.
    pub fn broadcasts_to(self, to: Shape) -> bool {
        self.broadcast("", to).is_ok_and(|shape| shape == to)
    }

    /// Row-major strides of this shape read as `to`: 0 on every axis that is stretched. `to` must be a broadcast of it.
    pub fn strides_in(self, to: Shape) -> [usize; MAX_RANK] {
        let mut strides = [0; MAX_RANK];
        // No broadcast of it has fewer axes: no strides then, rather than a panic in a backend of one's own.
        let Some(shift) = to.rank().checked_sub(self.rank()) else { return strides };
        let mut step = 1;
        for axis in (0..self.rank()).rev() {
            if self[axis] != 1 {
                strides[axis + shift] = step;
            }
            step *= self[axis];
        }
        strides
    }

    fn size_from_right(&self, axis: usize, rank: usize) -> usize {
        (axis + self.rank()).checked_sub(rank).map_or(1, |i| self[i])
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank as usize]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&format_args!("{:?}", &**self), f)
    }
}

// Shapes of up to six axes are written as arrays: `[2, 3].into()`.
macro_rules! from_array {
    ($($n:literal)*) => {$(
        /// Unlike [`Shape::new`] this does not check that so many elements fit memory.
        impl From<[usize; $n]> for Shape {
            fn from(sizes: [usize; $n]) -> Self {
                let mut shape = Shape { sizes: [0; MAX_RANK], rank: $n };
                shape.sizes[..$n].copy_from_slice(&sizes);
                shape
            }
        }
    )*};
}
from_array!(0 1 2 3 4 5 6);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let to = |a: &[usize], b: &[usize]| Shape::new(a).unwrap().broadcast("op", Shape::new(b).unwrap());
        assert_eq!(to(&[], &[2, 3]).unwrap(), [2, 3].into());
        assert_eq!(to(&[3], &[2, 3]).unwrap(), [2, 3].into());
        assert_eq!(to(&[0, 1], &[1, 3]).unwrap(), [0, 3].into());
        assert!(to(&[2], &[3]).is_err());
        assert!(!Shape::from([2, 3]).broadcasts_to([3].into()));
    }

    #[test]
    fn strides_are_zero_where_stretched() {
        assert_eq!(&Shape::from([3, 1]).strides_in([2, 3, 4].into())[..3], &[0, 1, 0]);
        assert_eq!(&Shape::from([2, 3]).strides_in([2, 3].into())[..2], &[3, 1]);
        assert_eq!(Shape::from([2, 3]).strides_in([3].into()), [0; MAX_RANK]);
    }

    #[test]
    fn too_large_shapes_are_errors() {
        assert!(Shape::new(&[usize::MAX, 2]).is_err());
        assert!(Shape::new(&[1; 7]).is_err());
    }
}
