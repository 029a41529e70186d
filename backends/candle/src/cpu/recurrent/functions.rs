//! Activation functions as constants of a kernel, and blocks of numbers for it to work on.

use crate::cpu::math::{self, Fast};
use elman::Activation;
use elman::backend::Cell;

/// The gates' function and the candidate's, each with its slope as a function of its value.
pub(super) trait Functions: Copy + Sync {
    fn gate(self, x: f32) -> f32;
    fn gate_slope(self, y: f32) -> f32;
    fn value(self, x: f32) -> f32;
    fn slope(self, y: f32) -> f32;
}

/// Functions given by closures: one that returns a constant makes code for that function alone.
#[derive(Clone, Copy)]
pub(super) struct Pair<G, F>(pub(super) G, pub(super) F);

impl<G: Fn() -> Activation + Copy + Sync, F: Fn() -> Activation + Copy + Sync> Functions for Pair<G, F> {
    #[inline(always)]
    fn gate(self, x: f32) -> f32 {
        math::activation(self.0(), x)
    }
    #[inline(always)]
    fn gate_slope(self, y: f32) -> f32 {
        self.0().slope(Fast(y), Fast(y)).0
    }
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        math::activation(self.1(), x)
    }
    #[inline(always)]
    fn slope(self, y: f32) -> f32 {
        self.1().slope(Fast(y), Fast(y)).0
    }
}

/// Whether the slopes of a cell's functions follow from their values alone, which is what is saved: by the formula, or
/// because the value is above 0 exactly where the input is.
pub(super) fn slopes_follow_from_values(cell: Cell) -> bool {
    use Activation as A;
    let (gates, activation) = cell.activations();
    [gates, activation].into_iter().all(|f| match f {
        A::Linear | A::Sigmoid | A::HardSigmoid | A::HardSigmoidKeras1 | A::Tanh | A::Relu => true,
        A::LeakyRelu(slope) => slope >= 0.0,
        // Not of ELU, though y + α is a formula: nothing is left of it far below 0.
        _ => false,
    })
}

/// Calls `$body` with `$f` for the functions of a cell; those that are common as constants.
macro_rules! with_functions {
    ($cell:expr, |$f:ident| $body:expr) => {{
        use elman::Activation as A;
        use $crate::cpu::recurrent::functions::Pair;
        match $cell.activations() {
            (A::Sigmoid, A::Tanh) => {
                let $f = Pair(|| A::Sigmoid, || A::Tanh);
                $body
            }
            (A::Tanh, A::Tanh) => {
                let $f = Pair(|| A::Tanh, || A::Tanh);
                $body
            }
            (A::HardSigmoidKeras1, A::Tanh) => {
                let $f = Pair(|| A::HardSigmoidKeras1, || A::Tanh);
                $body
            }
            (gates, activation) => {
                let $f = Pair(move || gates, move || activation);
                $body
            }
        }
    }};
}
pub(super) use with_functions;
