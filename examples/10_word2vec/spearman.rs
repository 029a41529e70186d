//! Spearman's rank correlation.

/// The correlation of the ranks of two lists as long; equal numbers share the mean of their ranks. 0 where one of the lists is constant.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    // Ranks have one mean, whatever is equal.
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = (sum(&a, &a) * sum(&b, &b)).sqrt();
    if spread > 0.0 { sum(&a, &b) / spread } else { 0.0 }
}

fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut below = 0;
    for equal in order.chunk_by(|&a, &b| numbers[a] == numbers[b]) {
        equal.iter().for_each(|&at| ranks[at] = below as f64 + (equal.len() as f64 + 1.0) / 2.0);
        below += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_correlated() {
        // By hand: ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4; 0.75 + 0 + 0 + 2.25 over the root of 4.5 times 5.
        let found = spearman(&[1.0, 5.0, 5.0, 7.0], &[0.2, 0.1, 0.3, 9.0]);
        assert!((found - 3.0 / 22.5f64.sqrt()).abs() < 1e-12, "{found}");
        assert_eq!(spearman(&[1.0, 2.0], &[3.0, 3.0]), 0.0);
    }
}
