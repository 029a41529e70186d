//! Kernels as NVRTC compiles them: PTX, read into instructions for all threads of a warp.

mod function;
mod instruction;
mod operand;
mod parse;
mod statement;

pub use function::{Compare, Function, tf32};
pub use instruction::{Action, Address, Instruction, Logic, Space, Truth};

/// The threads that go together.
pub const LANES: usize = 32;

/// A number of each of them; those of 32 bits are followed by zeros.
pub type Lanes = [u64; LANES];

/// What a register holds at the start of a thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// The same number in each thread.
    Constant(u64),
    /// `%tid`, `%ntid`, `%ctaid`, `%nctaid` by their axes.
    Thread(usize),
    Threads(usize),
    Block(usize),
    Blocks(usize),
    /// `%laneid`.
    Lane,
}

/// A kernel.
#[derive(Debug)]
pub struct Kernel {
    pub name: String,
    /// Where each parameter is in the memory of the parameters, and its bytes.
    pub parameters: Vec<(usize, usize)>,
    /// Bytes of shared memory that the kernel itself names.
    pub shared: usize,
    pub code: Vec<Instruction>,
    pub registers: usize,
    pub predicates: usize,
    /// Registers that hold something at the start.
    pub initial: Vec<(usize, Initial)>,
    /// The greatest number of threads in a block, if the kernel tells.
    pub most_threads: Option<u32>,
}

impl Kernel {
    /// Bytes of the memory of the parameters.
    pub fn parameter_bytes(&self) -> usize {
        self.parameters.last().map_or(0, |&(offset, bytes)| offset + bytes)
    }
}

/// The kernels of a text. Errors tell the statement that is not known here.
pub fn read(text: &str) -> Result<Vec<Kernel>, String> {
    parse::module(text)
}
