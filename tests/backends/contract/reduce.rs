//! Sums and maxima.

use crate::common::host::{Host, close, exact, positions};
use elman::{Backend, Result, Shape};

/// Naive sums in `f64` for every kind of axis: all, leading, last, in the middle, several apart.
///
/// Rounding in a sum of n numbers of order 1 is at most n² epsilons when they are added one by one, and some n √n in
/// practice; relative to a sum of order √n that is n. One element left out or counted twice shows as some 1.
pub(crate) fn sum_to_adds_what_was_stretched<B: Backend>(b: &B) -> Result<()> {
    let cases: [(&[usize], &[usize]); 23] = [
        (&[], &[]),
        (&[1], &[]),
        (&[257], &[]),
        (&[257], &[1]),
        (&[5, 33], &[]),
        (&[5, 33], &[33]),
        (&[257, 33], &[1, 33]),
        (&[33, 257], &[33, 1]),
        (&[5, 33], &[1]),
        (&[5, 33], &[5, 33]),
        (&[4, 5, 6], &[5, 6]),
        (&[4, 5, 6], &[4, 1, 6]),
        (&[4, 5, 6], &[5, 1]),
        (&[4, 5, 6], &[4, 1, 1]),
        (&[4, 5, 6], &[6]),
        (&[2, 3, 4, 5], &[2, 1, 4, 1]),
        (&[2, 3, 4, 5], &[3, 1, 5]),
        (&[3, 1, 4, 1], &[1, 4, 1]),
        (&[70, 70, 3], &[3]),
        // Long ones, which a kernel may divide.
        (&[20_000], &[]),
        (&[2, 9_000], &[2, 1]),
        (&[3_000, 40], &[40]),
        (&[2, 3_000, 3], &[2, 1, 3]),
    ];
    for (from, to) in cases {
        let x = Host::random("sum", from);
        let mut want = Host::build(to, |_| 0.0);
        for at in positions(from) {
            // Where the element goes: 0 on the axes that are summed, which are those of size 1.
            let own = at[from.len() - to.len()..].iter().zip(to);
            let index = own.fold(0, |index, (&at, &size)| index * size + if size == 1 { 0 } else { at });
            want.data[index] += x.at(&at);
        }
        let terms = x.data.len() / want.data.len();
        close(b, &b.sum_to(&x.up(b)?, Shape::new(to)?)?, &want, terms as f64);
    }
    Ok(())
}

pub(crate) fn sums_of_nothing_are_zero<B: Backend>(b: &B) -> Result<()> {
    let empty = |shape: &[usize]| b.fill(Shape::new(shape)?, 1.0);
    exact(b, &b.sum_to(&empty(&[0])?, [].into())?, &Host::new([0.0], &[]));
    exact(b, &b.sum_to(&empty(&[0, 3])?, [3].into())?, &Host::new([0.0; 3], &[3]));
    exact(b, &b.sum_to(&empty(&[2, 0])?, [2, 1].into())?, &Host::new([0.0; 2], &[2, 1]));
    exact(b, &b.sum_to(&empty(&[0, 3])?, [0, 1].into())?, &Host::new([], &[0, 1]));
    exact(b, &b.sum_to(&empty(&[0, 3])?, [0, 3].into())?, &Host::new([], &[0, 3]));
    Ok(())
}

pub(crate) fn sums_let_nan_through<B: Backend>(b: &B) -> Result<()> {
    let x = Host::new([1.0, f64::NAN, 3.0, 4.0, 5.0, f64::INFINITY], &[2, 3]).up(b)?;
    exact(b, &b.sum_to(&x, [2, 1].into())?, &Host::new([f64::NAN, f64::INFINITY], &[2, 1]));
    exact(b, &b.sum_to(&x, [3].into())?, &Host::new([5.0, f64::NAN, f64::INFINITY], &[3]));
    assert!(Host::down(b, &b.sum_to(&x, [].into())?)?.data[0].is_nan());
    Ok(())
}

pub(crate) fn max_and_argmax_find_the_greatest<B: Backend>(b: &B) -> Result<()> {
    let shapes: [&[usize]; 10] =
        [&[1], &[257], &[5, 33], &[33, 5], &[2, 7, 3], &[3, 1, 4], &[0, 3], &[3, 0, 2], &[257, 2], &[2, 1500]];
    for shape in shapes {
        // All negative, so that a start from 0 would show; and still exact in `f32`.
        let host = Host::random("max", shape).map(|x| f64::from((x - 3.0) as f32));
        let x = host.up(b)?;
        for axis in (0..shape.len()).filter(|&axis| shape[axis] > 0) {
            let (mut kept, mut dropped) = (shape.to_vec(), shape.to_vec());
            kept[axis] = 1;
            dropped.remove(axis);
            let line = |at: &[usize]| -> Vec<f64> {
                let place = |i| [&at[..axis], &[i], &at[axis + 1..]].concat();
                (0..shape[axis]).map(|i| host.at(&place(i))).collect()
            };
            let want = Host::build(&kept, |at| line(at).into_iter().fold(f64::NEG_INFINITY, f64::max));
            exact(b, &b.max(&x, axis)?, &want);
            let places = b.argmax(&x, axis)?;
            assert_eq!(b.indices_shape(&places), Shape::new(&dropped)?);
            let want: Vec<u32> = positions(&kept)
                .iter()
                .map(|at| line(at).iter().position(|&x| x == want.at(at)).unwrap() as u32)
                .collect();
            assert_eq!(b.download_indices(&places)?, want, "shape {shape:?}, axis {axis}");
        }
    }
    Ok(())
}

pub(crate) fn max_lets_nan_through<B: Backend>(b: &B) -> Result<()> {
    let (nan, low) = (f64::NAN, f64::NEG_INFINITY);
    let x = Host::new([nan, 1.0, 2.0, 1.0, nan, 2.0, 1.0, 2.0, nan, low, low, low], &[4, 3]).up(b)?;
    exact(b, &b.max(&x, 1)?, &Host::new([nan, nan, nan, low], &[4, 1]));
    exact(b, &b.max(&b.permute(&x, &[1, 0])?, 0)?, &Host::new([nan, nan, nan, low], &[1, 4]));
    Ok(())
}

pub(crate) fn argmax_takes_the_first<B: Backend>(b: &B) -> Result<()> {
    let x = Host::new([1.0, 7.0, 7.0, 2.0, 2.0, 2.0, f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0], &[3, 3]).up(b)?;
    assert_eq!(b.download_indices(&b.argmax(&x, 1)?)?, [1, 0, 2]);
    assert_eq!(b.download_indices(&b.argmax(&x, 0)?)?, [1, 0, 0]);
    // NaN is above all, the first one.
    let (nan, top) = (f64::NAN, f64::INFINITY);
    let x = Host::new([1.0, nan, nan, top, 2.0, nan, nan, top, 0.0], &[3, 3]).up(b)?;
    assert_eq!(b.download_indices(&b.argmax(&x, 1)?)?, [1, 2, 0]);
    // Long rows, where a kernel may divide a row among threads or lanes.
    let long = Host::build(&[2, 257], |at| if at[1] >= 20 { 1.0 } else { 0.0 }).up(b)?;
    assert_eq!(b.download_indices(&b.argmax(&long, 1)?)?, [20, 20]);
    Ok(())
}
