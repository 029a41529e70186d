//! What a field has of all sequences: exponentials of starts, transitions and ends, with the greatest taken out.

use super::super::math::exp;
use super::super::simd::vectorised;

/// Numbers a vector: rows of a matrix are padded to a multiple of it, with zeros.
pub(super) const LANES: usize = 8;
/// Columns that a product goes through at a time.
const STRIP: usize = 4 * LANES;

/// Exponentials, none above 1.
pub(super) struct Edges {
    pub(super) tags: usize,
    /// `tags`, padded.
    pub(super) wide: usize,
    pub(super) start: Vec<f32>,
    /// `[tags, wide]`, from row to column.
    pub(super) transitions: Vec<f32>,
    /// The same from column to row.
    pub(super) turned: Vec<f32>,
    pub(super) end: Vec<f32>,
    /// What was taken out of starts, transitions and ends.
    pub(super) most: [f32; 3],
    /// How far apart they are at most, but for those that are forbidden.
    pub(super) range: f32,
}

/// `e^(x - max)`, what was taken out, and how far the numbers are apart.
fn shifted(x: &[f32]) -> (Vec<f32>, f32, f32) {
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    for &x in x.iter().filter(|x| **x != f32::NEG_INFINITY) {
        (least, most) = (least.min(x), most.max(x));
    }
    // Where all is forbidden there is nothing to take out.
    let most = if most == f32::NEG_INFINITY { 0.0 } else { most };
    let mut out = vec![0.0; x.len()];
    exps(x, most, &mut out);
    (out, most, (most - least).max(0.0))
}

vectorised! {
    fn exps(x: &[f32], most: f32, out: &mut [f32]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = exp(x - most));
    }
}

impl Edges {
    pub(super) fn new(start: &[f32], transitions: &[f32], end: &[f32]) -> Self {
        let (tags, wide) = (start.len(), start.len().next_multiple_of(LANES));
        let (mut from, of_start, apart) = shifted(start);
        let (between, of_transitions, between_apart) = shifted(transitions);
        let (mut to, of_end, end_apart) = shifted(end);
        from.resize(wide, 0.0);
        to.resize(wide, 0.0);
        let (mut rows, mut turned) = (vec![0.0; tags * wide], vec![0.0; tags * wide]);
        for (i, row) in between.chunks_exact(tags).enumerate() {
            rows[i * wide..][..tags].copy_from_slice(row);
            row.iter().enumerate().for_each(|(j, &x)| turned[j * wide + i] = x);
        }
        let range = apart.max(between_apart).max(end_apart);
        Edges {
            tags,
            wide,
            start: from,
            transitions: rows,
            turned,
            end: to,
            most: [of_start, of_transitions, of_end],
            range,
        }
    }
}

/// `out_j = Σ_i v_i m_ij` for `m [rows, wide]`, or with other operations in the place of sum and product, from `first` on.
#[inline(always)]
pub(super) fn reduce_rows(
    v: &[f32],
    m: &[f32],
    first: f32,
    out: &mut [f32],
    add: impl Fn(f32, f32, f32) -> f32 + Copy,
) {
    let wide = out.len();
    for (strip, out) in out.chunks_mut(STRIP).enumerate() {
        let at = strip * STRIP;
        match out.len() {
            8 => columns::<8>(v, m, (wide, at), first, out, add),
            16 => columns::<16>(v, m, (wide, at), first, out, add),
            24 => columns::<24>(v, m, (wide, at), first, out, add),
            _ => columns::<32>(v, m, (wide, at), first, out, add),
        }
    }
}

#[inline(always)]
fn columns<const N: usize>(
    v: &[f32],
    m: &[f32],
    (wide, at): (usize, usize),
    first: f32,
    out: &mut [f32],
    add: impl Fn(f32, f32, f32) -> f32,
) {
    let mut sums = [first; N];
    for (&x, row) in v.iter().zip(m.chunks_exact(wide)) {
        let row: &[f32; N] = row[at..at + N].try_into().unwrap_or(&[0.0; N]);
        sums.iter_mut().zip(row).for_each(|(sum, &m)| *sum = add(x, m, *sum));
    }
    out.copy_from_slice(&sums);
}
