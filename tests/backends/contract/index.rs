//! Rows by index.

use crate::common::host::{Host, close, exact};
use elman::{Backend, Key, Result, Shape};

/// Rows and columns of a table, and the shape of the indices; the last have rows with hundreds of values each, which a kernel
/// may divide among threads.
const CASES: [(usize, usize, &[usize]); 11] = [
    (5, 3, &[4]),
    (5, 3, &[]),
    (5, 1, &[2, 3]),
    (1, 33, &[7]),
    (257, 33, &[5, 1, 7]),
    (5, 3, &[0]),
    (5, 0, &[4]),
    (33, 257, &[300]),
    (3, 5, &[700]),
    (2, 132, &[300]),
    (1, 3, &[5000]),
];

fn rows(n: usize, shape: &[usize]) -> Vec<u32> {
    (0..shape.iter().product::<usize>() as u64).map(|i| Key::new(2).below(i, n) as u32).collect()
}

pub(crate) fn gather_takes_rows<B: Backend>(b: &B) -> Result<()> {
    for (n, d, shape) in CASES {
        let (table, rows) = (Host::random("table", &[n, d]), rows(n, shape));
        let want: Vec<f64> = rows.iter().flat_map(|&row| table.data[row as usize * d..][..d].to_vec()).collect();
        let got = b.gather(&table.up(b)?, &b.upload_indices(rows, Shape::new(shape)?)?)?;
        exact(b, &got, &Host::new(want, &[shape, &[d]].concat()));
    }
    // The first and the last row, and no row of an empty table.
    let table = Host::new([1.0, 2.0, 3.0, 4.0], &[2, 2]).up(b)?;
    let rows = b.upload_indices(vec![1, 0, 1], [3].into())?;
    exact(b, &b.gather(&table, &rows)?, &Host::new([3.0, 4.0, 1.0, 2.0, 3.0, 4.0], &[3, 2]));
    let none = b.upload_indices(vec![], [0].into())?;
    exact(b, &b.gather(&b.fill([0, 2].into(), 0.0)?, &none)?, &Host::new([], &[0, 2]));
    Ok(())
}

/// A row is the sum of some hundred numbers of order 1 here, or of some thousand in the end.
pub(crate) fn scatter_add_adds_rows<B: Backend>(b: &B) -> Result<()> {
    for (n, d, shape) in CASES {
        let (values, rows) = (Host::random("values", &[shape, &[d]].concat()), rows(n, shape));
        let mut want = Host::build(&[n, d], |_| 0.0);
        for (i, &row) in rows.iter().enumerate() {
            (0..d).for_each(|j| want.data[row as usize * d + j] += values.data[i * d + j]);
        }
        let rows = b.upload_indices(rows, Shape::new(shape)?)?;
        close(b, &b.scatter_add(&values.up(b)?, &rows, n)?, &want, 100.0);
    }
    // Rows that come more than once add up; rows that never come are zero.
    let values = Host::new([1.0, 2.0, 10.0, 20.0, 100.0, 200.0], &[3, 2]).up(b)?;
    let rows = b.upload_indices(vec![2, 0, 2], [3].into())?;
    let want = Host::new([10.0, 20.0, 0.0, 0.0, 101.0, 202.0, 0.0, 0.0], &[4, 2]);
    exact(b, &b.scatter_add(&values, &rows, 4)?, &want);
    Ok(())
}

pub(crate) fn one_hot_marks_the_index<B: Backend>(b: &B) -> Result<()> {
    for (n, _, shape) in CASES {
        let rows = rows(n, shape);
        let want = rows.iter().flat_map(|&row| (0..n).map(move |i| f64::from(u8::from(i == row as usize))));
        let want = Host::new(want.collect::<Vec<_>>(), &[shape, &[n]].concat());
        exact(b, &b.one_hot(&b.upload_indices(rows, Shape::new(shape)?)?, n)?, &want);
    }
    Ok(())
}
