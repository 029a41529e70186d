//! The checks that every backend makes, written once, so that the same mistake gives the same error everywhere.

use crate::error::{Error, Result};
use crate::shape::Shape;

/// The count of numbers is that of the shape.
pub fn upload(count: usize, shape: Shape) -> Result<()> {
    if count == shape.elements() {
        return Ok(());
    }
    Err(Error::invalid("upload", format!("{} numbers for shape {shape}", shape.elements()), count))
}

/// Both operands have one shape.
pub fn same_shape(op: &'static str, a: Shape, b: Shape) -> Result<()> {
    if a == b { Ok(()) } else { Err(Error::shapes(op, a, b, "they must be equal")) }
}

/// `shape` broadcasts to `from`.
pub fn sum_to(from: Shape, shape: Shape) -> Result<()> {
    if shape.broadcasts_to(from) {
        return Ok(());
    }
    Err(Error::shapes("sum_to", from, shape, "the second must broadcast to the first"))
}

/// The axis exists and, as a maximum of nothing has no value, is not empty.
pub fn max(op: &'static str, shape: Shape, axis: usize) -> Result<()> {
    shape.check_axis(op, axis)?;
    if shape[axis] > 0 || shape.without(axis).elements() == 0 {
        return Ok(());
    }
    Err(Error::invalid(op, "at least one element along the axis", format!("axis {axis} of shape {shape}")))
}

/// The dimensions of a batched matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Number of products.
    pub batch: usize,
    /// Whether the first operand has leading axes (otherwise it serves for all products).
    pub a_batched: bool,
    /// Whether the second operand has.
    pub b_batched: bool,
    /// Rows of the result.
    pub m: usize,
    /// The length that is summed over.
    pub k: usize,
    /// Columns of the result.
    pub n: usize,
    /// Shape of the result.
    pub shape: Shape,
}

/// The dimensions of `matmul`, or why the operands do not go together.
pub fn matmul(a: Shape, at: bool, b: Shape, bt: bool) -> Result<Product> {
    let wrong = |why| Err(Error::shapes("matmul", a, b, why));
    if a.rank() < 2 || b.rank() < 2 {
        return wrong("each needs two axes at least");
    }
    let (a_lead, a_size) = a.split_at(a.rank() - 2);
    let (b_lead, b_size) = b.split_at(b.rank() - 2);
    let (m, k) = if at { (a_size[1], a_size[0]) } else { (a_size[0], a_size[1]) };
    let (inner, n) = if bt { (b_size[1], b_size[0]) } else { (b_size[0], b_size[1]) };
    if inner != k {
        return wrong("the first's columns must be as many as the second's rows, after the transposes asked for");
    }
    let lead = match (a_lead, b_lead) {
        (lead, []) | ([], lead) => lead,
        (x, y) if x == y => x,
        _ => return wrong("leading axes must be equal, or one operand has none"),
    };
    let shape = Shape::new(&[lead, &[m, n]].concat())?;
    let batch = lead.iter().product();
    Ok(Product { batch, a_batched: !a_lead.is_empty(), b_batched: !b_lead.is_empty(), m, k, n, shape })
}

/// As many elements in both shapes.
pub fn reshape(from: Shape, to: Shape) -> Result<()> {
    if from.elements() == to.elements() {
        return Ok(());
    }
    Err(Error::shapes("reshape", from, to, "they must have as many elements"))
}

/// `axes` is a permutation; gives the resulting shape.
pub fn permute(shape: Shape, axes: &[usize]) -> Result<Shape> {
    let mut seen = [false; crate::shape::MAX_RANK];
    let fine =
        axes.len() == shape.rank() && axes.iter().all(|&a| a < shape.rank() && !std::mem::replace(&mut seen[a], true));
    if !fine {
        return Err(Error::invalid("permute", format!("an order of {} axes", shape.rank()), format!("{axes:?}")));
    }
    let sizes: Vec<usize> = axes.iter().map(|&a| shape[a]).collect();
    Shape::new(&sizes)
}

/// The slice lies within the axis; gives the resulting shape.
pub fn slice(shape: Shape, axis: usize, start: usize, length: usize) -> Result<Shape> {
    shape.check_axis("slice", axis)?;
    if start.checked_add(length).is_some_and(|end| end <= shape[axis]) {
        return Ok(shape.with(axis, length));
    }
    let found = format!("{length} from {start} on");
    Err(Error::invalid("slice", format!("positions within axis {axis} of shape {shape}"), found))
}

/// Parts agree but for `axis`; gives the resulting shape.
pub fn concat(shapes: &[Shape], axis: usize) -> Result<Shape> {
    let Some(&first) = shapes.first() else {
        return Err(Error::invalid("concat", "at least one array", "none"));
    };
    first.check_axis("concat", axis)?;
    let mut total = 0;
    for &shape in shapes {
        if shape.rank() != first.rank() || shape.without(axis) != first.without(axis) {
            return Err(Error::shapes("concat", first, shape, "sizes must be equal on all axes but that of joining"));
        }
        total += shape[axis];
    }
    Shape::new(&first.with(axis, total))
}

/// `table` is `[n, d]`; gives the shape of the rows gathered.
pub fn gather(table: Shape, rows: Shape) -> Result<Shape> {
    if table.rank() != 2 {
        return Err(Error::shapes("gather", table, rows, "the table must be [rows, features]"));
    }
    rows.and(table[1])
}

/// `values` are `[.., d]` with the shape of `rows` in front; gives the shape of the result.
pub fn scatter_add(values: Shape, rows: Shape, n: usize) -> Result<Shape> {
    if values.rank() == rows.rank() + 1 && values[..rows.rank()] == rows[..] {
        return Shape::new(&[n, values.last()]);
    }
    Err(Error::shapes("scatter_add", values, rows, "the values must be one row for each index"))
}

/// Every index is below `n`.
pub fn indices(op: &'static str, indices: &[u32], n: usize) -> Result<()> {
    match indices.iter().position(|&i| i as usize >= n) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(op, format!("indices below {n}"), format!("{} at position {at}", indices[at]))),
    }
}

/// Each index is greater than the one before.
pub fn rising(op: &'static str, indices: &[u32]) -> Result<()> {
    match indices.windows(2).position(|pair| pair[0] >= pair[1]) {
        None => Ok(()),
        Some(at) => {
            let found = format!("{} before {} at position {}", indices[at], indices[at + 1], at + 1);
            Err(Error::invalid(op, "rising indices", found))
        }
    }
}

/// The shapes of `linear`: `x [.., i]`, `w [i, o]`, `bias [o]`; gives the shape of the result.
pub fn linear(x: Shape, w: Shape, bias: Option<Shape>) -> Result<Shape> {
    if x.rank() == 0 || w.rank() != 2 || x.last() != w[0] {
        return Err(Error::shapes("linear", x, w, "x is [.., inputs] and w [inputs, outputs]"));
    }
    if let Some(bias) = bias.filter(|b| **b != [w[1]]) {
        return Err(Error::shapes("linear", w, bias, "w is [inputs, outputs] and the bias [outputs]"));
    }
    Ok(x.with(x.rank() - 1, w[1]))
}

/// The shapes of `bag_linear`; gives that of the result.
pub fn bag_linear(rows: usize, width: usize, w: Shape, bias: Option<Shape>) -> Result<Shape> {
    linear(Shape::new(&[rows, width])?, w, bias)
}

/// The shapes of `layer_norm`: `x [.., d]`, `gamma [d]`, `beta [d]`.
pub fn layer_norm(x: Shape, gamma: Shape, beta: Shape) -> Result<()> {
    for weight in [gamma, beta] {
        if x.rank() == 0 || weight[..] != [x.last()] {
            return Err(Error::shapes("layer_norm", x, weight, "x is [.., features], gamma and beta are [features]"));
        }
    }
    Ok(())
}

/// Logits `[.., c]` and labels `[..]`.
pub fn labels(op: &'static str, logits: Shape, labels: Shape) -> Result<()> {
    if logits.rank() == labels.rank() + 1 && logits[..labels.rank()] == labels[..] {
        return Ok(());
    }
    Err(Error::shapes(op, logits, labels, "logits are [.., classes] and labels [..]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matmul_knows_its_dimensions() {
        let p = matmul([2, 3, 4].into(), true, [5, 3].into(), true).unwrap();
        assert_eq!((p.batch, p.a_batched, p.b_batched), (2, true, false));
        assert_eq!((p.m, p.k, p.n, p.shape), (4, 3, 5, [2, 4, 5].into()));
        assert!(matmul([2, 3].into(), false, [2, 3].into(), false).is_err());
        assert!(matmul([3].into(), false, [3, 2].into(), false).is_err());
        assert!(matmul([2, 3, 4].into(), false, [3, 4, 5].into(), false).is_err());
    }
}
