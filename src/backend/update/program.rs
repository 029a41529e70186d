//! A formula as a list of operations, for those who compute it by other means than numbers of the host.

use super::formula::{Formula, Number};
use std::cell::RefCell;
use std::ops::{Add, Mul, Sub};

/// The operations of a [`Formula`], each after those that it needs; no two of them are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What is computed, one after another.
    pub operations: Vec<Operation>,
    /// The new weight.
    pub w: Operand,
    /// The new state, one a slot.
    pub state: Vec<Operand>,
}

/// What an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The weight before the step.
    Weight,
    /// Its gradient.
    Gradient,
    /// A slot of the state before the step.
    State(usize),
    /// One of the numbers of [`Update::formula`](super::Update::formula).
    Number(usize),
    /// What an operation has given, by its place.
    Result(usize),
}

/// What is computed for each element of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `x + y`
    Add(Operand, Operand),
    /// `x - y`
    Subtract(Operand, Operand),
    /// `x y`
    Multiply(Operand, Operand),
    /// `x / y`, and 0 where `y` is 0. Neither `y` nor what it is a sum, a root or a maximum of is ever negative.
    Divide(Operand, Operand),
    /// `sqrt(x)`
    Root(Operand),
    /// `|x|`
    Size(Operand),
    /// `max(x, y)`; NaN when either is.
    Greatest(Operand, Operand),
    /// `max(x, 0)`; NaN when `x` is.
    NotBelowZero(Operand),
}

impl Operation {
    /// What it takes.
    pub fn operands(self) -> impl Iterator<Item = Operand> {
        let (first, second) = match self {
            Operation::Root(x) | Operation::Size(x) | Operation::NotBelowZero(x) => (x, None),
            Operation::Add(x, y)
            | Operation::Subtract(x, y)
            | Operation::Multiply(x, y)
            | Operation::Divide(x, y)
            | Operation::Greatest(x, y) => (x, Some(y)),
        };
        std::iter::once(first).chain(second)
    }
}

impl Program {
    /// What the formula computes.
    pub fn of(formula: Formula) -> Self {
        let operations = RefCell::default();
        let own = |is| Recorded { is, operations: &operations };
        let (mut w, g) = (own(Operand::Weight), own(Operand::Gradient));
        let mut state = std::array::from_fn(|slot| own(Operand::State(slot)));
        formula.step(std::array::from_fn(|number| own(Operand::Number(number))), &mut w, g, &mut state);
        let (w, state) = (w.is, state[..formula.slots()].iter().map(|slot| slot.is).collect());
        Program { operations: operations.into_inner(), w, state }
    }
}

/// An operand, and the operations so far.
#[derive(Clone, Copy)]
struct Recorded<'a> {
    is: Operand,
    operations: &'a RefCell<Vec<Operation>>,
}

impl Recorded<'_> {
    /// Lists an operation, unless it is there.
    fn then(self, operation: Operation) -> Self {
        let mut all = self.operations.borrow_mut();
        let place = all.iter().position(|&other| other == operation).unwrap_or_else(|| {
            all.push(operation);
            all.len() - 1
        });
        Recorded { is: Operand::Result(place), ..self }
    }
}

macro_rules! operators {
    ($($of:ident $name:ident $operation:ident),*) => {$(
        impl $of for Recorded<'_> {
            type Output = Self;

            fn $name(self, other: Self) -> Self {
                self.then(Operation::$operation(self.is, other.is))
            }
        }
    )*};
}
operators!(Add add Add, Sub sub Subtract, Mul mul Multiply);

impl Number for Recorded<'_> {
    fn root(self) -> Self {
        self.then(Operation::Root(self.is))
    }
    fn size(self) -> Self {
        self.then(Operation::Size(self.is))
    }
    fn most(self, other: Self) -> Self {
        self.then(Operation::Greatest(self.is, other.is))
    }
    fn not_below_zero(self) -> Self {
        self.then(Operation::NotBelowZero(self.is))
    }
    fn over(self, divisor: Self) -> Self {
        self.then(Operation::Divide(self.is, divisor.is))
    }
}
