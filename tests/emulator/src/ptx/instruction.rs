//! What a warp does in one step.

use super::{Compare, Function};

/// An instruction with the registers that it reads and writes; constants are registers too.
#[derive(Debug)]
pub struct Instruction {
    /// The predicate by which threads take part, and the value that it must have.
    pub guard: Option<(usize, bool)>,
    pub action: Action,
    /// As it is written, for messages.
    pub text: Box<str>,
}

/// Memory by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    Global,
    Shared,
    Parameter,
}

/// A register's number and what is added to it.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    pub base: usize,
    pub offset: i64,
}

/// Operations on predicates.
#[derive(Clone, Copy, Debug)]
pub enum Logic {
    And,
    Or,
    Xor,
    Not,
    Move,
}

/// A predicate as an operand.
#[derive(Clone, Copy, Debug)]
pub enum Truth {
    Register(usize),
    Constant(bool),
}

/// What there is to do.
#[derive(Debug)]
pub enum Action {
    Compute {
        f: Function,
        to: usize,
        from: Vec<usize>,
    },
    Compare {
        f: Compare,
        to: usize,
        from: [usize; 2],
    },
    Logic {
        op: Logic,
        to: usize,
        from: Vec<Truth>,
    },
    Select {
        to: usize,
        from: [usize; 2],
        by: Truth,
    },
    /// Each register takes so many bytes.
    Load {
        space: Space,
        bytes: usize,
        signed: bool,
        to: Vec<usize>,
        at: Address,
    },
    Store {
        space: Space,
        bytes: usize,
        from: Vec<usize>,
        at: Address,
    },
    /// Adds to a number of 32 bits in global memory; gives what was there.
    AtomicAdd {
        to: Option<usize>,
        at: Address,
        from: usize,
    },
    Branch {
        to: usize,
    },
    /// All threads of the block wait for each other.
    Barrier,
    /// Exchanges with the lane whose number differs by these bits; `members` take part, and the whole warp is `within`.
    Shuffle {
        to: usize,
        found: Option<usize>,
        from: usize,
        bits: usize,
        within: usize,
        members: usize,
    },
    /// `d = a b + c` of matrices [16, 8] of TF32 by [8, 8], spread over the warp.
    Multiply {
        d: [usize; 4],
        a: [usize; 4],
        b: [usize; 2],
        c: [usize; 4],
    },
    /// Orders memory, which is always in order here.
    Fence,
    Return,
}
