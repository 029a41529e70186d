//! Numbers into tensors and out of them, and how near two of them must be.

use elman::{Backend, Element, Tensor};

/// How far numbers of a backend may be from those in double precision, as a part of the greatest of the tensor that is
/// compared: some fifty roundings to half the last place. Of an `f64` all of them come from computing, and the worst
/// case is ten times nearer; of an `f32` most come from the inputs, which had to be rounded, and the worst case (the
/// bias gradient of a softmax, a sum in which most cancels) is three times nearer.
pub(crate) fn tolerance<B: Backend>() -> f64 {
    if is_double::<B>() { 1e-13 } else { 5e-6 }
}

/// Whether a backend computes in `f64`.
pub(crate) fn is_double<B: Backend>() -> bool {
    B::Elem::NAME == "f64"
}

/// Fails where two lists of numbers differ by more than `tolerance` times the greatest expected one, or in length. NaN
/// is near nothing.
#[track_caller]
pub(crate) fn assert_near(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: how many numbers");
    let greatest = expected.iter().fold(0.0, |greatest: f64, x| greatest.max(x.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= tolerance * greatest;
        assert!(near, "{what}, element {i}: {found}, expected {expected} ({tolerance:e} of {greatest})");
    }
}

/// A constant from double precision.
#[track_caller]
pub(crate) fn tensor<B: Backend>(b: &B, data: &[f64], shape: &[usize]) -> Tensor<B> {
    Tensor::new(b, data.iter().map(|&x| B::Elem::from_f64(x)).collect(), shape).unwrap()
}

/// A variable from double precision.
#[track_caller]
pub(crate) fn variable<B: Backend>(b: &B, data: &[f64], shape: &[usize]) -> Tensor<B> {
    tensor(b, data, shape).into_variable()
}

/// The numbers of a tensor in double precision.
#[track_caller]
pub(crate) fn numbers<B: Backend>(tensor: &Tensor<B>) -> Vec<f64> {
    tensor.to_vec().unwrap().into_iter().map(Element::to_f64).collect()
}

/// Numbers from -1 to 1 that look drawn, each at least 0.02 from 0, where kinks are.
pub(crate) fn scattered(count: usize, seed: u64) -> Vec<f64> {
    let key = elman::Key::new(seed).named("scattered");
    let away = |x: f64| if x < 0.0 { x - 0.02 } else { x + 0.02 };
    (0..count as u64).map(|i| away(1.96 * (key.uniform(i) - 0.5))).collect()
}
