//! Sequences of like length together, so many that memory is bounded.

/// The most sequences of a batch.
const SEQUENCES: usize = 128;

/// Numbers of sequences of these lengths, from the shortest to the longest, in batches whose members, each as long as the longest of its
/// batch, `cost` no more than `most` together. One that costs more is a batch by itself.
pub(super) fn batches(lengths: &[usize], cost: impl Fn(usize) -> usize, most: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&at| lengths[at]);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for at in order {
        let has_room = |batch: &&mut Vec<usize>| {
            batch.len() < SEQUENCES && (batch.len() + 1).saturating_mul(cost(lengths[at])) <= most
        };
        match batches.last_mut().filter(has_room) {
            Some(batch) => batch.push(at),
            None => batches.push(vec![at]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_of_like_length_and_bounded() {
        assert_eq!(batches(&[5, 1, 9, 2, 2], |length| length, 6), [vec![1, 3, 4], vec![0], vec![2]]);
        assert_eq!(batches(&[3, 3, 3], |length| length * length, 18), [vec![0, 1], vec![2]]);
        let many = batches(&[0; 300], |length| length, 1);
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [128, 128, 44]);
        assert!(batches(&[], |length| length, 1).is_empty());
    }
}
