//! Moments, bounds, orthogonality, determinism and the errors of [`Init`].

use super::*;

const N: usize = 40_000;

fn draw(init: Init, sizes: &[usize]) -> Vec<f64> {
    init.values(Shape::new(sizes).unwrap(), Key::new(11).named("weight")).unwrap()
}

fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

/// Mean and variance within five standard errors (the variance's is at most `v sqrt(2 / n)`, the normal law's).
fn check_moments(init: Init, sizes: &[usize], mean: f64, variance: f64) -> Vec<f64> {
    let values = draw(init, sizes);
    let n = values.len() as f64;
    let (m, v) = moments(&values);
    assert!((m - mean).abs() < 5.0 * (variance / n).sqrt(), "{init:?}: mean {m}, expected {mean}");
    assert!((v - variance).abs() < 5.0 * variance * (2.0 / n).sqrt(), "{init:?}: variance {v}, expected {variance}");
    values
}

#[test]
fn plain_laws_have_their_moments_and_bounds() {
    let within = |values: &[f64], low: f64, high: f64| values.iter().all(|x| (low..=high).contains(x));
    let uniform = check_moments(Init::Uniform { low: -1.0, high: 3.0 }, &[N], 1.0, 16.0 / 12.0);
    assert!(within(&uniform, -1.0, 3.0));
    let normal = check_moments(Init::Normal { mean: 2.0, std: 0.5 }, &[N], 2.0, 0.25);
    assert!(!within(&normal, 1.0, 3.0), "a normal law leaves two deviations");
    let truncated = Init::TruncatedNormal { mean: 2.0, std: 0.5 };
    let truncated = check_moments(truncated, &[N], 2.0, 0.25 * TRUNCATED_STD * TRUNCATED_STD);
    assert!(within(&truncated, 1.0, 3.0));
}

#[test]
fn scaled_laws_have_the_variance_of_their_fans() {
    let shape = [400, 100];
    for (init, variance) in [
        (Init::GlorotUniform, 2.0 / 500.0),
        (Init::GlorotNormal, 2.0 / 500.0),
        (Init::HeUniform, 2.0 / 400.0),
        (Init::HeNormal, 2.0 / 400.0),
        (Init::LecunUniform, 1.0 / 400.0),
        (Init::LecunNormal, 1.0 / 400.0),
        (Init::VarianceScaling { scale: 3.0, fan: Fan::Out, law: Law::Normal }, 3.0 / 100.0),
    ] {
        check_moments(init, &shape, 0.0, variance);
    }
    let limit = (6.0f64 / 500.0).sqrt();
    let largest = draw(Init::GlorotUniform, &shape).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    assert!(largest <= limit && largest > 0.99 * limit);
}

#[test]
fn fans_are_those_of_keras() {
    let fans = |sizes: &[usize]| super::fans(Shape::new(sizes).unwrap());
    assert_eq!(fans(&[]), (1.0, 1.0));
    assert_eq!(fans(&[7]), (7.0, 7.0));
    assert_eq!(fans(&[3, 5]), (3.0, 5.0));
    assert_eq!(fans(&[2, 4, 3, 5]), (24.0, 40.0));
}

/// `Σ_k a[k, i] a[k, j]` over columns if `tall`, over rows otherwise, must be `gain²` on the diagonal and 0 off it.
fn check_orthogonal(rows: usize, columns: usize, gain: f64, values: &[f64]) {
    let at = |row: usize, column: usize| values[row * columns + column];
    let (long, short) = (rows.max(columns), rows.min(columns));
    for i in 0..short {
        for j in 0..short {
            let inner: f64 = match rows >= columns {
                true => (0..long).map(|k| at(k, i) * at(k, j)).sum(),
                false => (0..long).map(|k| at(i, k) * at(j, k)).sum(),
            };
            let expected = if i == j { gain * gain } else { 0.0 };
            assert!((inner - expected).abs() < 1e-12, "[{rows}, {columns}]: ({i}, {j}) gives {inner}");
        }
    }
}

#[test]
fn orthogonal_matrices_are() {
    for (rows, columns, gain) in [(1, 1, 1.0), (60, 60, 1.0), (32, 128, 1.0), (90, 17, 1.5), (1, 9, 1.0)] {
        check_orthogonal(rows, columns, gain, &draw(Init::Orthogonal { gain }, &[rows, columns]));
    }
    check_orthogonal(12, 5, 1.0, &draw(Init::Orthogonal { gain: 1.0 }, &[3, 4, 5]));
}

/// Over all orthogonal matrices an element has mean 0 and variance `1 / n`; without the right signs the mean is not 0.
#[test]
fn orthogonal_matrices_prefer_no_direction() {
    let (n, seeds) = (4, 4000);
    let (mut mean, mut square, mut trace) = (vec![0.0; n * n], vec![0.0; n * n], 0.0);
    for seed in 0..seeds {
        let q = Init::Orthogonal { gain: 1.0 }.values([n, n].into(), Key::new(seed)).unwrap();
        for (i, x) in q.iter().enumerate() {
            mean[i] += x / seeds as f64;
            square[i] += x * x / seeds as f64;
        }
        trace += (0..n).map(|i| q[i * n + i]).sum::<f64>() / seeds as f64;
    }
    // Five standard errors: of the mean sqrt(1/4 / 4000) = 0.0079; the square has variance 2 (n-1) / (n² (n+2)) = 1/16;
    // the trace has mean 0 and variance 1.
    assert!(mean.iter().all(|m| m.abs() < 5.0 * 0.0079), "{mean:?}");
    assert!(square.iter().all(|s| (s - 0.25).abs() < 5.0 * 0.25 / (seeds as f64).sqrt()), "{square:?}");
    assert!(trace.abs() < 5.0 / (seeds as f64).sqrt(), "{trace}");
}

#[test]
fn values_depend_on_the_key_alone() {
    for init in [Init::GlorotUniform, Init::HeNormal, Init::Orthogonal { gain: 1.0 }] {
        let of = |key: Key| init.values([6, 4].into(), key).unwrap();
        assert_eq!(of(Key::new(1)), of(Key::new(1)));
        assert_ne!(of(Key::new(1)), of(Key::new(2)));
    }
}

#[test]
fn plain_values_are_what_they_say() {
    assert_eq!(draw(Init::Zeros, &[2]), [0.0, 0.0]);
    assert_eq!(draw(Init::Ones, &[]), [1.0]);
    assert_eq!(draw(Init::Constant(-2.5), &[1, 2]), [-2.5, -2.5]);
    assert_eq!(draw(Init::Identity { gain: 2.0 }, &[2, 3]), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    assert_eq!(draw(Init::Identity { gain: 1.0 }, &[3, 2]), [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    for init in [Init::GlorotUniform, Init::Orthogonal { gain: 1.0 }, Init::Identity { gain: 1.0 }] {
        assert!(draw(init, &[0, 3]).is_empty() && draw(init, &[3, 0]).is_empty());
    }
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let fails = |init: Init, sizes: &[usize]| init.values(Shape::new(sizes).unwrap(), Key::new(0)).is_err();
    assert!(fails(Init::Orthogonal { gain: 1.0 }, &[4]));
    assert!(fails(Init::Orthogonal { gain: f64::NAN }, &[4, 4]));
    assert!(fails(Init::Identity { gain: 1.0 }, &[2, 2, 2]));
    assert!(fails(Init::Uniform { low: 1.0, high: 0.0 }, &[1]));
    assert!(fails(Init::Uniform { low: f64::MIN, high: f64::MAX }, &[1]));
    assert!(fails(Init::Normal { mean: 0.0, std: -1.0 }, &[1]));
    assert!(fails(Init::TruncatedNormal { mean: f64::INFINITY, std: 1.0 }, &[1]));
    assert!(fails(Init::VarianceScaling { scale: 0.0, fan: Fan::In, law: Law::Normal }, &[1]));
}
