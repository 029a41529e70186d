//! Random orthogonal matrices by the Gram-Schmidt process, many vectors at a time.

use crate::error::{Error, Result};
use crate::random::Key;
use crate::shape::Shape;

/// Vectors that are freed together of their parts along those before them.
const PANEL: usize = 32;

/// What is left of a draw's length where nothing is but rounding errors: it lies in the span of those before it.
const NOTHING: f64 = 1e-10;

/// `gain` times a matrix with orthonormal columns (rows, if it is wide), uniform among all such matrices.
///
/// It is the factor `Q` of a matrix of normal draws. As `R`'s diagonal, the norms below, is positive, `Q` is unique and
/// takes over the draws' invariance under rotations (Mezzadri, "How to generate random matrices from the classical
/// compact groups", 2007); a `Q` from LAPACK needs its signs corrected for that. About `2 long short²` multiplications
/// and additions, up to half as many again for a square matrix.
pub(super) fn orthogonal(shape: Shape, key: Key, gain: f64) -> Result<Vec<f64>> {
    if shape.rank() < 2 {
        return Err(Error::invalid("orthogonal", "a shape of two axes at least", shape));
    }
    let (rows, columns) = (shape.rows(), shape.last());
    let (long, short) = (rows.max(columns), rows.min(columns));
    let basis = basis(long, short, |number, attempt, vector| {
        let key = key.fold(number as u64).fold(attempt);
        vector.iter_mut().zip(0..).for_each(|(x, i)| *x = key.normal(i));
    })?;
    let at = |row: usize, column: usize| if rows < columns { (row, column) } else { (column, row) };
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| at(row, column)));
    Ok(places.map(|(vector, i)| gain * basis[vector * long + i]).collect())
}

/// `short` orthonormal vectors of `long` numbers each, out of what `draw` puts into vector `number` at its attempt
/// `attempt`, from 0.
///
/// Panel after panel: all of its vectors are freed of their parts along the vectors before the panel, which are read
/// from memory once for all of them, then of those along each other.
fn basis(long: usize, short: usize, draw: impl Fn(usize, u64, &mut [f64])) -> Result<Vec<f64>> {
    let mut basis = Vec::new();
    let found = |_| Error::invalid("orthogonal", "a matrix that memory holds", format!("[{short}, {long}]"));
    basis.try_reserve_exact(long * short).map_err(found)?;
    basis.resize(long * short, 0.0);
    // Nothing to divide into panels.
    let step = (PANEL * long).max(1);
    for start in (0..basis.len()).step_by(step) {
        let (before, rest) = basis.split_at_mut(start);
        let panel = &mut rest[..step.min(short * long - start)];
        let number = |i: usize| start / long + i;
        panel.chunks_exact_mut(long).enumerate().for_each(|(i, vector)| draw(number(i), 0, vector));
        let firsts: Vec<f64> = panel.chunks_exact(long).map(norm).collect();
        let mut norms = firsts.clone();
        loop {
            remove(before, panel, long);
            let left: Vec<f64> = panel.chunks_exact(long).map(norm).collect();
            let mut all = firsts.iter().zip(&norms).zip(&left);
            // One that is next to nothing will be drawn anew.
            let again = all.any(|((first, before), &left)| left > NOTHING * first && left <= 0.5 * before);
            norms = left;
            if !again {
                break;
            }
        }
        for i in 0..firsts.len() {
            let (done, rest) = basis[..start + (i + 1) * long].split_at_mut(start + i * long);
            let mut unit = orthonormalized(rest, firsts[i], &done[start..], done);
            let mut attempt = 1;
            while !unit {
                draw(number(i), attempt, rest);
                unit = orthonormalized(rest, norm(rest), done, done);
                attempt += 1;
            }
        }
    }
    Ok(basis)
}

/// Makes a unit of `v`, freed of its parts along `others`; `false` if next to nothing is left of its length `first`, a
/// draw that never happens in practice. Of `all` vectors so far it is free already, or they are the others.
///
/// The modified process, repeated while a round took away most of the length, for then rounding errors weigh, those along
/// all vectors: "twice is enough" (Kahan; Parlett, The Symmetric Eigenvalue Problem, 6.9).
fn orthonormalized(v: &mut [f64], first: f64, others: &[f64], all: &[f64]) -> bool {
    let mut before = norm(v);
    let mut along = others;
    loop {
        for q in along.chunks_exact(v.len()) {
            subtract(v, q);
        }
        let norm = norm(v);
        if norm.is_nan() || norm <= NOTHING * first {
            return false;
        }
        if norm > 0.5 * before {
            v.iter_mut().for_each(|v| *v /= norm);
            return true;
        }
        (before, along) = (norm, all);
    }
}

/// Takes the parts along the vectors of `basis` out of those of `panel`, all of `long` numbers: four and two at a time, so
/// that most of the arithmetic finds its numbers in registers.
fn remove(basis: &[f64], panel: &mut [f64], long: usize) {
    for four in basis.chunks(4 * long) {
        let mut pairs = panel.chunks_exact_mut(2 * long);
        if four.len() == 4 * long {
            pairs.by_ref().for_each(|pair| remove_four(four, pair));
        } else {
            let each = pairs.by_ref().flat_map(|pair| pair.chunks_exact_mut(long));
            each.for_each(|v| four.chunks_exact(long).for_each(|q| subtract(v, q)));
        }
        let last = pairs.into_remainder().chunks_exact_mut(long);
        last.for_each(|v| four.chunks_exact(long).for_each(|q| subtract(v, q)));
    }
}

/// Takes the parts along four vectors out of two.
fn remove_four(four: &[f64], pair: &mut [f64]) {
    let long = pair.len() / 2;
    let (v, w) = pair.split_at_mut(long);
    let q: [&[f64]; 4] = std::array::from_fn(|i| &four[i * long..][..long]);
    let [a, b] = products(q, v, w);
    let [q0, q1, q2, q3] = q;
    for i in 0..long {
        let x = [q0[i], q1[i], q2[i], q3[i]];
        v[i] -= a[0] * x[0] + a[1] * x[1] + a[2] * x[2] + a[3] * x[3];
        w[i] -= b[0] * x[0] + b[1] * x[1] + b[2] * x[2] + b[3] * x[3];
    }
}

/// The inner products of four vectors with `v` and with `w`, in two sums each side by side: as many as registers hold.
fn products(q: [&[f64]; 4], v: &[f64], w: &[f64]) -> [[f64; 4]; 2] {
    let ([q0, q1, q2, q3], v2, w2) = (q.map(|q| q.as_chunks::<2>().0), v.as_chunks::<2>().0, w.as_chunks::<2>().0);
    let mut sums = [[[0.0; 2]; 4]; 2];
    let all = q0.iter().zip(q1).zip(q2).zip(q3).zip(v2).zip(w2);
    for (((((q0, q1), q2), q3), v), w) in all {
        for (sums, v) in sums.iter_mut().zip([v, w]) {
            for (sum, q) in sums.iter_mut().zip([q0, q1, q2, q3]) {
                sum[0] += q[0] * v[0];
                sum[1] += q[1] * v[1];
            }
        }
    }
    let rest = v.len() / 2 * 2;
    let end = |q: &[f64], v: &[f64]| q[rest..].iter().zip(&v[rest..]).map(|(q, v)| q * v).sum::<f64>();
    let [of_v, of_w] = sums;
    let whole = |sums: [[f64; 2]; 4], v: &[f64]| std::array::from_fn(|i| sums[i][0] + sums[i][1] + end(q[i], v));
    [whole(of_v, v), whole(of_w, w)]
}

/// Takes the part along the unit vector `q` out of `v`.
fn subtract(v: &mut [f64], q: &[f64]) {
    let part = dot(q, v);
    v.iter_mut().zip(q).for_each(|(v, q)| *v -= part * q);
}

fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
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
        let basis = [third; 3];
        let unit = |v: &mut [f64], basis: &[f64]| orthonormalized(v, norm(v), basis, basis);
        let mut vector = [1.0, 1.0, 1.0 + 1e-8];
        assert!(unit(&mut vector, &basis));
        assert!(dot(&vector, &basis).abs() < 1e-15, "{vector:?}");
        assert!((norm(&vector) - 1.0).abs() < 1e-15);
        assert!(!unit(&mut [2.0; 3], &basis) && !unit(&mut [0.0; 3], &[]));
    }

    /// Draws of normal numbers.
    fn normal(number: usize, attempt: u64, vector: &mut [f64]) {
        let key = Key::new(3).fold(number as u64).fold(attempt);
        vector.iter_mut().zip(0..).for_each(|(x, i)| *x = key.normal(i));
    }

    /// `Q` is unique: panels give what vector after vector gives, but for rounding errors, which are some times the
    /// condition number of these draws, below 100, and 2^-53.
    #[test]
    fn panels_give_what_single_vectors_give() {
        for (long, short) in [(131, 101), (300, 70), (97, 33), (5, 3)] {
            let found = basis(long, short, normal).unwrap();
            let mut expected: Vec<f64> = Vec::new();
            for number in 0..short {
                let mut vector = vec![0.0; long];
                normal(number, 0, &mut vector);
                let first = norm(&vector);
                assert!(orthonormalized(&mut vector, first, &expected, &expected));
                expected.extend(vector);
            }
            let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-12, "[{short}, {long}]: {worst:e}");
        }
    }

    /// Vectors that repeat earlier ones, of the panel and of those before it, are drawn anew, as often as it takes.
    #[test]
    fn what_is_dependent_is_drawn_anew() {
        let (long, short) = (80, 75);
        let draw = |number: usize, attempt: u64, vector: &mut [f64]| match number {
            40 | 70 if attempt < 2 => normal(number - 37, 0, vector),
            41 if attempt == 0 => normal(40, 2, vector),
            _ => normal(number, attempt, vector),
        };
        let found = basis(long, short, draw).unwrap();
        for (i, a) in found.chunks_exact(long).enumerate() {
            for (j, b) in found.chunks_exact(long).enumerate() {
                let expected = f64::from(u8::from(i == j));
                assert!((dot(a, b) - expected).abs() < 1e-13, "({i}, {j}): {}", dot(a, b));
            }
        }
        // Not of the vectors that were refused.
        let at = |number: usize, attempt: u64| {
            let mut draw = vec![0.0; long];
            normal(number, attempt, &mut draw);
            dot(&draw, &found[number * long..][..long])
        };
        assert!(at(40, 2) > 1.0 && at(70, 2) > 1.0 && at(41, 1) > 1.0);
    }
}
