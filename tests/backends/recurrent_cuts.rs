//! Recurrent networks of many sizes on a GPU beside the CPU's: kernels cut them in several ways, and multiply in several
//! precisions. `ELMAN_RECURRENT` makes them go a way that they would not choose.

use crate::common::host::Host;
use crate::common::near::assert_near;
use elman::backend::recurrent::{Projected, Sequence, Upstream};
use elman::backend::{Backend, Cell, ProjectedWanted};
use elman::{Activation, Key, Result};
use elman_candle::{Candle, Precision};

const STEPS: usize = 3;
const FEATURES: usize = 8;

const CELLS: [Cell; 3] = [
    Cell::Elman { activation: Activation::Tanh },
    Cell::Gru { activation: Activation::Tanh, gates: Activation::Sigmoid, reset_after: true },
    Cell::Lstm { activation: Activation::Tanh, gates: Activation::Sigmoid },
];

/// Sequences and units: single tiles and many, whole ones and parts, fewer tiles than a warp has lanes and more; the last are
/// so many that their inputs stand beside the states.
const SIZES: [[usize; 2]; 9] =
    [[3, 5], [8, 16], [5, 40], [33, 128], [64, 48], [100, 24], [40, 96], [200, 36], [256, 128]];
/// Those of real networks, which take long where there is no GPU: with `ELMAN_LARGE` set.
const LARGE: [[usize; 2]; 4] = [[32, 512], [256, 512], [32, 1024], [1024, 128]];

/// Outputs, last states, and the gradients for inputs, kernel, bias, recurrent weights and first states.
fn run(b: &Candle, cell: Cell, [n, u]: [usize; 2], plain: bool) -> Result<Vec<Host>> {
    let g = cell.gates();
    // Sums over the terms are of the order of 1.
    let scaled = |name: &str, shape: &[usize]| {
        let scale = 1.0 / (2.0 * (shape[0] as f64).sqrt());
        Host::random(name, shape).map(|x| f64::from((x * scale) as f32)).up(b)
    };
    let random = |name: &str, shape: &[usize]| Host::random(name, shape).up(b);
    let draws = |name: &str, shape: &[usize], values: [f64; 2]| {
        let key = Key::new(5).named(name);
        let count = shape.iter().product::<usize>() as u64;
        Host::new((0..count).map(|i| values[usize::from(key.uniform(i) < 0.7)]).collect::<Vec<_>>(), shape).up(b)
    };
    let x = random("x", &[n, STEPS, FEATURES])?;
    let (kernel, weights) = (scaled("kernel", &[FEATURES, g * u])?, scaled("weights", &[u, g * u])?);
    let (bias, recurrent_bias) = (random("bias", &[g * u])?, random("recurrent bias", &[g * u])?);
    let (h, c) = (random("h", &[n, u])?, random("c", &[n, u])?);
    let (mask, dropout) = (draws("mask", &[n, STEPS], [0.0, 1.0])?, draws("dropout", &[n, u], [0.0, 1.25])?);
    // A GRU's dropout is not the kernels'.
    let (is_gru, is_lstm) = (g == 3, cell.has_cell_state());
    let rest = Sequence {
        z: &bias,
        u: &weights,
        bias: is_gru.then_some(&recurrent_bias),
        h: (!plain).then_some(&h),
        c: (!plain && is_lstm).then_some(&c),
        mask: (!plain).then_some(&mask),
        dropout: (!plain && !is_gru).then_some(&dropout),
        reverse: !plain,
        outputs: !plain,
        gradient: true,
    };
    let input = Projected { x: &x, kernel: &kernel, bias: Some(&bias), rest };
    let y = b.projected_recurrent(cell, &input)?;
    let outputs = random("d outputs", &[n, STEPS, u])?;
    let (dh, dc) = (random("d h", &[n, u])?, random("d c", &[n, u])?);
    let d = Upstream { outputs: (!plain).then_some(&outputs), h: Some(&dh), c: (!plain && is_lstm).then_some(&dc) };
    let gradients = b.projected_recurrent_grad(cell, &input, &y, &d, ProjectedWanted::ALL)?;
    let found = [y.outputs, Some(y.h), y.c].into_iter().chain(gradients).flatten();
    found.map(|array| Host::down(b, &array)).collect()
}

/// As a part of each array's greatest number.
fn compare(precision: Precision, within: f64) -> Result<()> {
    let gpu = Candle::cuda(0)?.with_precision(precision);
    let large = std::env::var_os("ELMAN_LARGE").map(|_| LARGE);
    let all: Vec<[usize; 2]> = SIZES.into_iter().chain(large.into_iter().flatten()).collect();
    for cell in CELLS {
        for (sizes, plain) in all.iter().flat_map(|&sizes| [(sizes, true), (sizes, false)]) {
            let (found, expected) = (run(&gpu, cell, sizes, plain)?, run(&Candle::cpu(), cell, sizes, plain)?);
            assert_eq!(found.len(), expected.len());
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found.shape, expected.shape);
                let what = format!("{cell:?} of {sizes:?} in {precision}, plain: {plain}, array {i}");
                assert_near(&what, &found.data, &expected.data, within);
            }
        }
    }
    Ok(())
}

/// Sums in another order: of hundreds of terms, by some roundings of 6e-8.
#[test]
fn on_cuda_in_f32() -> Result<()> {
    compare(Precision::F32, 1e-5)
}

/// What is multiplied is rounded by up to 5e-4 of itself.
#[test]
fn on_cuda_in_tf32() -> Result<()> {
    compare(Precision::Tf32, 3e-3)
}

/// By up to 4e-3 of itself.
#[test]
fn on_cuda_in_bf16() -> Result<()> {
    compare(Precision::Bf16, 3e-2)
}
