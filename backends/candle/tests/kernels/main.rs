//! Every kernel of the CPU against the default body that it replaces, the latter over candle's own kernels; and the
//! required operations of both against their definitions, with the awkward numbers and shapes.

mod fused;
mod required;

use elman::backend::Backend;
use elman::{Key, Result, Shape};
use elman_candle::{Array, Candle, candle_core::Device};

/// Numbers in `[-scale, scale)`.
pub(crate) fn numbers(n: usize, seed: u64, scale: f64) -> Vec<f32> {
    let key = Key::new(seed).named("numbers");
    (0..n as u64).map(|i| ((key.uniform(i) * 2.0 - 1.0) * scale) as f32).collect()
}

/// Numbers on every backend alike.
pub(crate) fn array(b: &Candle, shape: impl Into<Shape>, seed: u64) -> Array {
    let shape = shape.into();
    b.upload(numbers(shape.elements(), seed, 2.0), shape).unwrap()
}

/// The same numbers in the same order, but permuted in memory.
pub(crate) fn permuted(b: &Candle, shape: [usize; 2], seed: u64) -> Array {
    let straight = array(b, shape, seed);
    let back = b.permute(&straight, &[1, 0]).unwrap();
    let copy = b.upload(b.download(&back).unwrap(), b.shape(&back)).unwrap();
    b.permute(&copy, &[1, 0]).unwrap()
}

/// Equal but for rounding; NaN equals NaN.
pub(crate) fn close(found: &[f32], expected: &[f32], tolerance: f32) -> bool {
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(&a, &b)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * (1.0 + b.abs()))
}

#[track_caller]
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert!(close(found, expected, 3e-6), "{what}: {found:?} for {expected:?}");
}

pub(crate) fn candles() -> [Candle; 3] {
    [Candle::portable(Device::Cpu), Candle::cpu_with_threads(1).unwrap(), Candle::cpu_with_threads(3).unwrap()]
}

/// Compares what `kernel` gives on the CPU's kernels, by one thread and three, with what `body` gives on candle's.
#[track_caller]
pub(crate) fn compare(
    what: &str,
    kernel: impl Fn(&Candle) -> Result<Vec<Array>>,
    body: impl Fn(&Candle) -> Result<Vec<Array>>,
) {
    let download = |b: &Candle, arrays: Vec<Array>| -> Vec<(Shape, Vec<f32>)> {
        arrays.iter().map(|a| (b.shape(a), b.download(a).unwrap())).collect()
    };
    let [portable, one, three] = candles();
    let expected = download(&portable, body(&portable).unwrap());
    let (by_one, by_three) = (download(&one, kernel(&one).unwrap()), download(&three, kernel(&three).unwrap()));
    for ((found, other), expected) in by_one.iter().zip(&by_three).zip(&expected) {
        assert_eq!(found.0, expected.0, "{what}: shape");
        assert_close(what, &found.1, &expected.1);
        // To the bit, and NaN too.
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.1), bits(&other.1), "{what}: the number of threads counts");
    }
    assert_eq!((by_one.len(), by_three.len()), (expected.len(), expected.len()));
}
