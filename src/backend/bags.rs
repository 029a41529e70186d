//! Default bodies of the affine map on sparse bags of words.

use super::{Backend, check};
use crate::data::Bags;
use crate::element::Element;
use crate::error::{Error, Result};

/// `y = x w + bias` with bags `x [n, width]`, `w [width, outputs]`, `bias [outputs]`: `y [n, outputs]`.
///
/// Only the words that occur cross to the device; the dense rows exist there alone.
pub fn bag_linear<B: Backend>(b: &B, x: &Bags, w: &B::Array, bias: Option<&B::Array>) -> Result<B::Array> {
    check::bag_linear(x.len(), x.width(), b.shape(w), bias.map(|bias| b.shape(bias)))?;
    b.linear(&dense(b, x)?, w, bias)
}

/// `dw = xᵀ dy`, `[width, outputs]`, from `dy [n, outputs]`.
pub fn bag_linear_grad<B: Backend>(b: &B, x: &Bags, dy: &B::Array) -> Result<B::Array> {
    b.matmul(&dense(b, x)?, true, dy, false)
}

/// The bags as dense rows `[n, width]` on the device: the words' values scattered over zeros.
pub fn dense<B: Backend>(b: &B, x: &Bags) -> Result<B::Array> {
    let (n, width) = (x.len(), x.width());
    // Places among the dense elements are indices on the device.
    if n.checked_mul(width).is_none_or(|elements| elements > u32::MAX as usize) {
        let found = format!("{n} bags of width {width}");
        return Err(Error::invalid("bag_linear", "less than 2^32 elements when dense; take smaller batches", found));
    }
    let mut values = Vec::with_capacity(x.indices().len());
    let mut places = Vec::with_capacity(x.indices().len());
    for row in 0..n {
        let Some((words, counts)) = x.row(row) else { break };
        places.extend(words.iter().map(|&word| (row * width) as u32 + word));
        match counts {
            Some(counts) => values.extend(counts.iter().map(|&v| B::Elem::from_f64(f64::from(v)))),
            None => values.resize(places.len(), B::Elem::ONE),
        }
    }
    let count = places.len();
    let values = b.upload(values, [count, 1].into())?;
    let places = b.upload_indices(places, [count].into())?;
    b.reshape(&b.scatter_add(&values, &places, n * width)?, [n, width].into())
}
