//! Matrix products.

use crate::common::host::{Host, close, exact};
use elman::{Backend, Result};

/// `a b` by three loops in `f64`; a side without leading axes serves for all products.
fn naive(a: &Host, b: &Host) -> Host {
    let (lead_a, size_a) = a.shape.split_at(a.shape.len() - 2);
    let (lead_b, size_b) = b.shape.split_at(b.shape.len() - 2);
    let lead = if lead_a.is_empty() { lead_b } else { lead_a };
    let (m, k, n) = (size_a[0], size_a[1], size_b[1]);
    let mut out = Host::build(&[lead, &[m, n]].concat(), |_| 0.0);
    for product in 0..lead.iter().product() {
        let start = |lead: &[usize], size| if lead.is_empty() { 0 } else { product * size };
        let (from_a, from_b) = (start(lead_a, m * k), start(lead_b, k * n));
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            out.data[(product * m + i) * n + j] =
                (0..k).map(|p| a.data[from_a + i * k + p] * b.data[from_b + p * n + j]).sum();
        }
    }
    out
}

/// All four combinations of transposes give `naive(x, y)`.
///
/// A sum of k products of order 1 errs by some k epsilons relative to its own size, √k.
fn check_all_transposes<B: Backend>(b: &B, x: &Host, y: &Host) -> Result<()> {
    let want = naive(x, y);
    let slack = 4.0 + x.shape[x.shape.len() - 1] as f64;
    for (at, bt) in [(false, false), (false, true), (true, false), (true, true)] {
        let left = if at { x.transposed() } else { x.clone() };
        let right = if bt { y.transposed() } else { y.clone() };
        close(b, &b.matmul(&left.up(b)?, at, &right.up(b)?, bt)?, &want, slack);
    }
    Ok(())
}

pub(crate) fn all_transposes_at_all_sizes<B: Backend>(b: &B) -> Result<()> {
    // Single elements, rows and columns; sizes that no tile divides; one large enough for several threads.
    let sizes = [
        [1, 1, 1],
        [2, 3, 4],
        [1, 33, 1],
        [1, 5, 257],
        [33, 1, 33],
        [33, 257, 5],
        [5, 300, 19],
        [7, 2, 17],
        [11, 3, 8],
        [103, 5, 31],
        [128, 257, 65],
    ];
    for [m, k, n] in sizes {
        check_all_transposes(b, &Host::random("left", &[m, k]), &Host::random("right", &[k, n]))?;
    }
    Ok(())
}

pub(crate) fn leading_axes_pair_up_or_share<B: Backend>(b: &B) -> Result<()> {
    let leads: [(&[usize], &[usize]); 8] = [
        (&[3], &[3]),
        (&[3], &[]),
        (&[], &[3]),
        (&[2, 3], &[2, 3]),
        (&[2, 3], &[]),
        (&[], &[2, 3]),
        (&[1], &[1]),
        (&[1], &[]),
    ];
    for (left, right) in leads {
        for [m, k, n] in [[3, 4, 5], [1, 7, 2], [13, 1, 33]] {
            let x = Host::random("left", &[left, &[m, k]].concat());
            check_all_transposes(b, &x, &Host::random("right", &[right, &[k, n]].concat()))?;
        }
    }
    // Enough work for several threads, with products that no boundary between them respects.
    let (x, y) = (Host::random("left", &[5, 41, 65]), Host::random("right", &[5, 65, 97]));
    check_all_transposes(b, &x, &y)?;
    check_all_transposes(b, &x, &Host::random("shared", &[65, 97]))
}

pub(crate) fn products_over_nothing_are_zero<B: Backend>(b: &B) -> Result<()> {
    let empty = |shape: &[usize]| Host::new([], shape);
    check_all_transposes(b, &empty(&[2, 0]), &empty(&[0, 3]))?;
    check_all_transposes(b, &empty(&[0, 3]), &Host::random("right", &[3, 2]))?;
    check_all_transposes(b, &Host::random("left", &[2, 3]), &empty(&[3, 0]))?;
    check_all_transposes(b, &empty(&[0, 2, 3]), &Host::random("right", &[3, 2]))?;
    check_all_transposes(b, &empty(&[0, 2, 3]), &empty(&[0, 3, 2]))?;
    check_all_transposes(b, &empty(&[4, 2, 0]), &empty(&[0, 3]))
}

pub(crate) fn products_let_nan_through<B: Backend>(b: &B) -> Result<()> {
    // NaN in a row reaches that row of the result and no other, even against zeros.
    let x = Host::new([1.0, 2.0, f64::NAN, 0.0, 3.0, 4.0], &[3, 2]).up(b)?;
    let y = Host::new([0.0, 1.0, 0.0, 1.0], &[2, 2]).up(b)?;
    let want = Host::new([0.0, 3.0, f64::NAN, f64::NAN, 0.0, 7.0], &[3, 2]);
    exact(b, &b.matmul(&x, false, &y, false)?, &want);
    Ok(())
}
