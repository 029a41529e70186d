//! What tensor cores do.

use crate::ptx::{LANES, Lanes};

/// `a b + c`, spread over the lanes as `mma.m16n8k8` has it. What is multiplied loses the bits that TF32 has not.
pub(super) fn multiply([a, c]: [[&Lanes; 4]; 2], b: [&Lanes; 2]) -> [Lanes; 4] {
    let number = |bits: u64| f32::from_bits(bits as u32 & !0x1fff);
    let mut d = [[0; LANES]; 4];
    for (i, d) in d.iter_mut().enumerate() {
        for (lane, d) in d.iter_mut().enumerate() {
            let (row, column) = (lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2);
            let terms = (0..8).map(|k| {
                let (in_a, in_b) = (row % 8 * 4 + k % 4, column * 4 + k % 4);
                number(a[row / 8 + k / 4 * 2][in_a]) * number(b[k / 4][in_b])
            });
            let sum = terms.fold(f32::from_bits(c[i][lane] as u32), |sum, term| sum + term);
            *d = sum.to_bits().into();
        }
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::array::from_fn;

    /// Every number of `a` and `b` in its place, by the manual's picture; TF32 holds these numbers.
    #[test]
    fn matrices_lie_in_the_lanes_as_the_manual_has_them() {
        let a = |row: usize, k: usize| (row * 8 + k) as f32;
        let b = |k: usize, column: usize| (3 * k + 5 * column) as f32;
        let c = |row: usize, column: usize| (row * column) as f32;
        let bits = |x: f32| u64::from(x.to_bits());
        let (group, own) = (|lane: usize| lane / 4, |lane: usize| lane % 4);
        let spread = |f: &dyn Fn(usize) -> f32| -> Lanes { from_fn(|lane| bits(f(lane))) };
        let in_a = [
            spread(&|lane| a(group(lane), own(lane))),
            spread(&|lane| a(group(lane) + 8, own(lane))),
            spread(&|lane| a(group(lane), own(lane) + 4)),
            spread(&|lane| a(group(lane) + 8, own(lane) + 4)),
        ];
        let in_b = [spread(&|lane| b(own(lane), group(lane))), spread(&|lane| b(own(lane) + 4, group(lane)))];
        let place = |i: usize, lane: usize| (group(lane) + i / 2 * 8, 2 * own(lane) + i % 2);
        let in_c: [Lanes; 4] = from_fn(|i| spread(&|lane| c(place(i, lane).0, place(i, lane).1)));
        let d = multiply([in_a.each_ref(), in_c.each_ref()], in_b.each_ref());
        for (i, lane) in (0..4).flat_map(|i| (0..LANES).map(move |lane| (i, lane))) {
            let (row, column) = place(i, lane);
            let expected = (0..8).map(|k| a(row, k) * b(k, column)).sum::<f32>() + c(row, column);
            assert_eq!(f32::from_bits(d[i][lane] as u32), expected, "{row} {column}");
        }
    }
}
