//! The affine map of sparse bags of words: sums of the words' rows.

use super::Cuda;
use crate::array::Array;
use elman::backend::{Zip, check};
use elman::data::Bags;
use elman::{Error, Result, Shape};

impl Cuda {
    /// Row `i` is the bias plus the words' rows of `w`.
    pub(crate) fn bag_linear(&self, x: &Bags, w: &Array, bias: Option<&Array>) -> Result<Array> {
        let shape = check::bag_linear(x.len(), x.width(), w.shape(), bias.map(Array::shape))?;
        let sums = self.add_rows(w, (x.indices(), &bag_of_each(x)), x.values(), shape)?;
        bias.map_or(Ok(sums.clone()), |bias| self.zip(Zip::Add, &sums, bias))
    }

    /// Row `j` of `dw` is the sum of the rows of `dy` whose bags have word `j`.
    pub(crate) fn bag_linear_grad(&self, x: &Bags, dy: &Array) -> Result<Array> {
        let outputs = dy.shape().last();
        if *dy.shape() != [x.len(), outputs] {
            let expected = format!("a gradient for {} bags, [bags, outputs]", x.len());
            return Err(Error::invalid("bag_linear_grad", expected, dy.shape()));
        }
        self.add_rows(dy, (&bag_of_each(x), x.indices()), x.values(), Shape::new(&[x.width(), outputs])?)
    }
}

/// The bag that each of the words is in.
fn bag_of_each(x: &Bags) -> Vec<u32> {
    let sizes = x.offsets().windows(2).map(|pair| (pair[1] - pair[0]) as usize);
    (0..).zip(sizes).flat_map(|(bag, size)| std::iter::repeat_n(bag, size)).collect()
}
