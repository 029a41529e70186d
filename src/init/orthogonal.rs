//! Random orthogonal matrices by the Gram-Schmidt process.

use crate::error::{Error, Result};
use crate::random::Key;
use crate::shape::Shape;

/// `gain` times a matrix with orthonormal columns (rows, if it is wide), uniform among all such matrices.
///
/// It is the factor `Q` of a matrix of normal draws. As `R`'s diagonal, the norms below, is positive, `Q` is unique and
/// takes over the draws' invariance under rotations (Mezzadri, "How to generate random matrices from the classical
/// compact groups", 2007); a `Q` from LAPACK needs its signs corrected for that. About `2 long short²` multiplications
/// and additions.
pub(super) fn orthogonal(shape: Shape, key: Key, gain: f64) -> Result<Vec<f64>> {
    if shape.rank() < 2 {
        return Err(Error::invalid("orthogonal", "a shape of two axes at least", shape));
    }
    let (rows, columns) = (shape.rows(), shape.last());
    let (long, short) = (rows.max(columns), rows.min(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(short);
    for number in 0..short as u64 {
        let mut attempt = 0;
        let vector = loop {
            let key = key.fold(number).fold(attempt);
            let draws = (0..long as u64).map(|i| key.normal(i)).collect();
            match orthonormalized(draws, &basis) {
                Some(vector) => break vector,
                None => attempt += 1,
            }
        };
        basis.push(vector);
    }
    let at = |row: usize, column: usize| if rows < columns { basis[row][column] } else { basis[column][row] };
    Ok((0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))).map(|(r, c)| gain * at(r, c)).collect())
}

/// `v` without its parts along the basis, made a unit; `None` if next to nothing is left, a draw that never happens in
/// practice.
///
/// The modified process, repeated while a round took away most of the length, for then rounding errors weigh: "twice is
/// enough" (Kahan; Parlett, The Symmetric Eigenvalue Problem, 6.9).
fn orthonormalized(mut v: Vec<f64>, basis: &[Vec<f64>]) -> Option<Vec<f64>> {
    let first = dot(&v, &v).sqrt();
    let mut before = first;
    loop {
        for q in basis {
            let part = dot(q, &v);
            v.iter_mut().zip(q).for_each(|(v, q)| *v -= part * q);
        }
        let norm = dot(&v, &v).sqrt();
        if norm.is_nan() || norm <= 1e-10 * first {
            return None;
        }
        if norm > 0.5 * before {
            v.iter_mut().for_each(|v| *v /= norm);
            return Some(v);
        }
        before = norm;
    }
}

/// Eight sums side by side: the order of additions is fixed, and the compiler can use vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 8];
    for (a, b) in a.zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One round leaves rounding errors of the long part, which are large beside what remains.
    #[test]
    fn what_is_nearly_dependent_is_made_orthogonal_too() {
        let third = 1.0 / 3.0f64.sqrt();
        let basis = [vec![third; 3]];
        let vector = orthonormalized(vec![1.0, 1.0, 1.0 + 1e-8], &basis).unwrap();
        assert!(dot(&vector, &basis[0]).abs() < 1e-15, "{vector:?}");
        assert!((dot(&vector, &vector) - 1.0).abs() < 1e-15);
        assert!(orthonormalized(vec![2.0; 3], &basis).is_none() && orthonormalized(vec![0.0; 3], &[]).is_none());
    }
}
