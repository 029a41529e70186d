//! [`States`]: what alignments of labels pass through.

use crate::element::Element;

/// The states of the alignments of each sequence: blank, first label, blank, second label, …, blank; as many for all sequences, those
/// with fewer labels filled up with blanks that no alignment reaches.
#[derive(Clone, Copy, Debug)]
pub struct States<'a> {
    labels: &'a [Vec<u32>],
    blank: u32,
    count: usize,
}

impl<'a> States<'a> {
    /// Those of labels.
    pub fn of(labels: &'a [Vec<u32>], blank: u32) -> Self {
        let longest = labels.iter().map(Vec::len).max().unwrap_or(0);
        States { labels, blank, count: 2 * longest + 1 }
    }

    /// States of a sequence.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Of each state of each sequence what `of` says, of the sequence's labels and the number of the state.
    fn each<T>(&self, of: impl Fn(&[u32], usize) -> T) -> Vec<T> {
        self.labels.iter().flat_map(|labels| (0..self.count).map(|state| of(labels, state))).collect()
    }

    /// Their classes.
    pub fn classes(&self) -> Vec<u32> {
        self.each(|labels, state| label(labels, state).unwrap_or(self.blank))
    }

    /// Where the blank before a label may be left out, as the label before it is another one.
    pub fn skips(&self) -> Vec<bool> {
        self.each(|labels, state| {
            let two_before = state.checked_sub(2).and_then(|state| label(labels, state));
            two_before.is_some() && label(labels, state).is_some_and(|label| Some(label) != two_before)
        })
    }

    /// Where the labels are spelled to the end: at the last label, and at the blank behind it.
    pub fn ends(&self) -> Vec<bool> {
        self.each(|labels, state| state + 1 == 2 * labels.len() || state == 2 * labels.len())
    }
}

/// The label of a state that has one.
fn label(labels: &[u32], state: usize) -> Option<u32> {
    if state.is_multiple_of(2) { None } else { labels.get(state / 2).copied() }
}

/// 0 of what may be, else -∞.
pub(super) fn logarithms<E: Element>(may: &[bool]) -> Vec<E> {
    may.iter().map(|&may| E::from_f64(if may { 0.0 } else { f64::NEG_INFINITY })).collect()
}
