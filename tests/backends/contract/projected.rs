//! Recurrent networks with the affine map of their inputs: every override against the default body, whose parts have
//! tests of their own.

use super::recurrent::{COMMON, Case, MASKS, OTHERS, same};
use crate::common::host::{Host, refused};
use elman::backend::Cell;
use elman::backend::recurrent::{Outcome, Projected, Sequence, Upstream};
use elman::backend::recurrent::{projected_recurrent, projected_recurrent_grad};
use elman::{Backend, Result};

/// A case's values and gradients by the backend and by the default bodies; `features` inputs.
fn compare<B: Backend>(b: &B, case: &Case, features: usize, bias: bool) -> Result<()> {
    println!("{case:?}, {features} features");
    let ([n, t, u], g) = (case.sizes, case.cell.gates());
    let arrays = case.arrays().up(b)?;
    let x = Host::random("x", &[n, t, features]).up(b)?;
    // So small that z is of the order of the other tests'.
    let kernel = Host::random("kernel", &[features, g * u]).map(|w| f64::from((w / features as f64) as f32)).up(b)?;
    let first = Host::random("first", &[g * u]).up(b)?;
    // The rest's z is not read: another shape would be an error if it were.
    let rest = Sequence { z: &first, ..case.sequence(&arrays) };
    let input = Projected { x: &x, kernel: &kernel, bias: bias.then_some(&first), rest };
    let (got, want) = (b.projected_recurrent(case.cell, &input)?, projected_recurrent(b, case.cell, &input)?);
    let [step, sum] = case.slack().map(|slack| slack + 20.0 * features as f64);
    let values = |y: &Outcome<B>| [y.outputs.clone(), Some(y.h.clone()), y.c.clone()];
    same(b, &values(&got), &values(&want), [step; 3]);
    // Without a gradient to come the values are the same.
    let free = Sequence { z: &first, gradient: false, ..case.sequence(&arrays) };
    let free = b.projected_recurrent(case.cell, &Projected { rest: free, ..input })?;
    same(b, &values(&free), &values(&got), [0.0; 3]);
    let [outputs, dh, dc] = case.upstream(b)?;
    let d = Upstream { outputs: case.outputs.then_some(&outputs), h: Some(&dh), c: got.c.is_some().then_some(&dc) };
    for wanted in
        [[true; 7], [false, true, false, true, false, true, false], [true, false, true, false, true, false, true]]
    {
        let got = b.projected_recurrent_grad(case.cell, &input, &got, &d, wanted.into())?;
        let want = projected_recurrent_grad(b, case.cell, &input, &want, &d, wanted.into())?;
        same(b, &got, &want, [step + u as f64, sum, sum, sum, sum, step, step]);
    }
    Ok(())
}

pub(crate) fn every_projected_cell_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for (cell, mask) in COMMON.into_iter().flat_map(|cell| MASKS.map(|mask| (cell, mask))) {
        for bits in 0..16 {
            compare(b, &Case::new(cell, [if bits % 4 > 0 { 9 } else { 5 }, 7, 3]).with(mask, bits), 4, bits % 3 > 0)?;
        }
    }
    for (i, cell) in OTHERS.into_iter().enumerate() {
        compare(b, &Case::new(cell, [10, 4, 3]).with(MASKS[i % 5], i), 2, i % 2 > 0)?;
    }
    Ok(())
}

/// Odd sizes, none, and enough for threads.
pub(crate) fn every_projected_size_is_its_default<B: Backend>(b: &B) -> Result<()> {
    let sizes =
        [([1, 1, 1], 1), ([0, 2, 3], 2), ([1, 9, 33], 40), ([33, 2, 1], 5), ([2, 257, 5], 3), ([33, 9, 33], 70)];
    for (cell, (sizes, features)) in COMMON.into_iter().flat_map(|cell| sizes.map(|sizes| (cell, sizes))) {
        compare(b, &Case::new(cell, sizes), features, true)?;
        compare(b, &Case::new(cell, sizes).with(MASKS[1], 7), features, true)?;
    }
    Ok(())
}

pub(crate) fn projected_shapes_are_checked<B: Backend>(b: &B) -> Result<()> {
    let case = Case::new(COMMON[1], [2, 3, 4]);
    let arrays = case.arrays().up(b)?;
    let [x, flat, kernel, narrow, bias] =
        [&[2, 3, 5][..], &[2, 5], &[5, 16], &[5, 12], &[15]].map(|shape| Host::random("x", shape).up(b));
    let (x, flat, kernel, narrow, bias) = (x?, flat?, kernel?, narrow?, bias?);
    let call = |x: &B::Array, kernel: &B::Array, bias: Option<&B::Array>, cell: Cell| {
        b.projected_recurrent(cell, &Projected { x, kernel, bias, rest: case.sequence(&arrays) })
    };
    refused(call(&flat, &kernel, None, case.cell), "inputs without steps");
    refused(call(&x, &narrow, None, case.cell), "a kernel of other gates");
    refused(call(&x, &kernel, Some(&bias), case.cell), "a bias of another length");
    refused(call(&x, &kernel, None, COMMON[0]), "another cell's kernel");
    call(&x, &kernel, None, case.cell).map(drop)
}
