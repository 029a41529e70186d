//! Sums, maxima and their places along axes.
//!
//! Sums are taken by halves, so that the rounding error of a long sum grows with the logarithm of its length and not with
//! the length.

use crate::array::{Array, Indices};
use crate::layout::around;
use crate::memory::zeros;
use elman::backend::check;
use elman::{Element, Result, Shape};

/// Sums down to a shape that broadcasts to `a`'s.
pub(crate) fn sum_to<E: Element>(a: &Array<E>, shape: Shape) -> Result<Array<E>> {
    check::sum_to(a.shape(), shape)?;
    if a.shape().elements() == shape.elements() {
        return a.reshape(shape);
    }
    let from = a.shape();
    // The result's sizes, with a 1 for each axis that it lacks in front.
    let to = [&vec![1; from.rank() - shape.rank()][..], &shape].concat();
    let mut data = None;
    let mut end = from.rank();
    // Neighbouring axes are summed together, from the last group on; axes after `end` are done.
    while end > 0 {
        let mut start = end;
        while start > 0 && to[start - 1] == 1 {
            start -= 1;
        }
        let [outer, length] = [&from[..start], &from[start..end]].map(|sizes| sizes.iter().product());
        if length != 1 {
            let inner = to[end..].iter().product();
            data = Some(sum_middle(data.as_deref().unwrap_or(a.data()), outer, length, inner));
        }
        end = start.saturating_sub(1);
    }
    Ok(Array::new(data.unwrap_or_else(|| a.data().to_vec()), shape))
}

/// `x [outer, length, inner]` summed to `[outer, inner]`.
fn sum_middle<E: Element>(x: &[E], outer: usize, length: usize, inner: usize) -> Vec<E> {
    let mut out = zeros(outer * inner);
    if x.is_empty() {
        return out;
    }
    let blocks = x.chunks_exact(length * inner);
    if inner == 1 {
        out.iter_mut().zip(blocks).for_each(|(out, row)| *out = sum(row));
    } else {
        out.chunks_exact_mut(inner).zip(blocks).for_each(|(out, rows)| sum_rows(rows, out));
    }
    out
}

/// The sum of a slice: halves are added while it is long, then sixteen running sums side by side in vector registers.
fn sum<E: Element>(x: &[E]) -> E {
    if x.len() > 1024 {
        let (left, right) = x.split_at(x.len() / 2);
        return sum(left) + sum(right);
    }
    let (chunks, rest) = x.as_chunks::<16>();
    let mut sums = [E::ZERO; 16];
    for chunk in chunks {
        add(&mut sums, chunk);
    }
    sums.iter().chain(rest).copied().sum()
}

/// Adds rows of `out`'s length up in `out`, which holds zeros: halves while there are many, then row by row.
fn sum_rows<E: Element>(rows: &[E], out: &mut [E]) {
    let (count, width) = (rows.len() / out.len(), out.len());
    if count > 64 {
        let (top, bottom) = rows.split_at(count / 2 * width);
        let mut part = vec![E::ZERO; width];
        sum_rows(top, out);
        sum_rows(bottom, &mut part);
        add(out, &part);
    } else {
        rows.chunks_exact(width).for_each(|row| add(out, row));
    }
}

fn add<E: Element>(sums: &mut [E], x: &[E]) {
    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += x);
}

/// The greatest element along `axis`, which stays with size 1.
pub(crate) fn max<E: Element>(a: &Array<E>, axis: usize) -> Result<Array<E>> {
    check::max("max", a.shape(), axis)?;
    let (_, length, inner) = around(a.shape(), axis);
    let mut sizes = a.shape().to_vec();
    sizes[axis] = 1;
    let mut out: Vec<E> = Vec::with_capacity(sizes.iter().product());
    for block in a.data().chunks_exact((length * inner).max(1)) {
        let (first, others) = block.split_at(inner);
        let done = out.len();
        out.extend_from_slice(first);
        for row in others.chunks_exact(inner) {
            out[done..].iter_mut().zip(row).for_each(|(most, &x)| *most = most.maximum(x));
        }
    }
    Ok(Array::new(out, Shape::new(&sizes)?))
}

/// The index of the first greatest element along `axis`, without that axis.
pub(crate) fn argmax<E: Element>(a: &Array<E>, axis: usize) -> Result<Indices> {
    check::max("argmax", a.shape(), axis)?;
    let (_, length, inner) = around(a.shape(), axis);
    let mut sizes = a.shape().to_vec();
    sizes.remove(axis);
    let mut out = Vec::with_capacity(sizes.iter().product());
    for block in a.data().chunks_exact((length * inner).max(1)) {
        for column in 0..inner {
            let at = |i: usize| block[i * inner + column];
            let best = (1..length).fold(0, |best, i| if at(i).is_above(at(best)) { i } else { best });
            out.push(best as u32);
        }
    }
    Ok(Indices::new(out, Shape::new(&sizes)?))
}
