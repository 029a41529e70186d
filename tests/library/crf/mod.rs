//! Conditional random fields: the loss, what is forbidden, paths on the host, taggers that are trained.

mod loss;
mod schemes;
mod taggers;
mod trellis;

use crate::common::host::Host;
use crate::common::paths::Field;
use elman::layers::Mask;
use elman::{Backend, Tensor};
use elman_reference::Reference;

type Double = Reference<f64>;

/// Scores `[5, 4, 3]`, start, transitions and end; sequences with padding on the right, on the left, between, on all steps and on none.
fn numbers() -> [Host; 4] {
    [
        Host::random("crf scores", &[5, 4, 3]),
        Host::random("crf start", &[3]),
        Host::random("crf transitions", &[3, 3]),
        Host::random("crf end", &[3]),
    ]
}

const STEPS: [[bool; 4]; 5] = {
    let (y, n) = (true, false);
    [[y, y, y, n], [n, y, y, y], [y, n, n, y], [n, n, n, n], [y, y, y, y]]
};

const TAGS: [u32; 20] = [0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 0, 2, 1, 1, 2, 0];

fn mask<B: Backend>(b: &B) -> Mask<B> {
    Mask::new(b, STEPS.as_flattened(), 4).unwrap()
}

fn tensors<B: Backend>(b: &B) -> [Tensor<B>; 4] {
    numbers().map(|x| Tensor::constant(b, x.up(b).unwrap()))
}

fn field(row: usize) -> Field {
    Field::of(row, numbers().each_ref(), |t| STEPS[row][t])
}

/// `-ln p` of the tags of a sequence.
fn expected(row: usize) -> f64 {
    let path: Vec<usize> = (0..4).filter(|&t| STEPS[row][t]).map(|t| TAGS[row * 4 + t] as usize).collect();
    if path.is_empty() { 0.0 } else { field(row).log_partition() - field(row).score(&path) }
}
