//! Which steps of a batch of sequences count.

/// Whether a step counts, by the numbers of the sequence and of the step: all; padding on the right, on the left, holes, and some sequences
/// of nothing.
pub(super) type Counts = fn(usize, usize) -> bool;
pub(super) const ALL: Counts = |_, _| true;
pub(super) const RIGHT: Counts = |row, t| t < 1 + row;
pub(super) const LEFT: Counts = |row, t| t >= row;
pub(super) const HOLES: Counts = |row, t| !(t + row).is_multiple_of(3);
pub(super) const NONE: Counts = |row, _| row == 1;
