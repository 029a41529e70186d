//! Registers by their names, constants, addresses.

use super::instruction::{Address, Truth};
use super::{Initial, Kernel};
use std::collections::HashMap;

/// Names of one kernel.
#[derive(Default)]
pub(super) struct Names {
    registers: HashMap<String, usize>,
    predicates: HashMap<String, usize>,
    initial: Vec<(usize, Initial)>,
    /// Where what has a name begins, in the memory of its kind.
    pub(super) places: HashMap<String, u64>,
}

impl Names {
    /// The register of an operand that is read.
    pub(super) fn read(&mut self, operand: &str) -> Result<usize, String> {
        let special = |name: &str, of: fn(usize) -> Initial| {
            let axis = operand.strip_prefix(name)?.strip_prefix('.')?;
            ["x", "y", "z"].iter().position(|&each| each == axis).map(of)
        };
        let initial = special("%tid", Initial::Thread)
            .or_else(|| special("%ntid", Initial::Threads))
            .or_else(|| special("%ctaid", Initial::Block))
            .or_else(|| special("%nctaid", Initial::Blocks))
            .or_else(|| (operand == "%laneid").then_some(Initial::Lane));
        let initial = match initial {
            Some(initial) => initial,
            None if operand.starts_with('%') => return self.write(operand),
            None => Initial::Constant(match self.places.get(operand) {
                Some(&place) => place,
                None => number(operand)?,
            }),
        };
        Ok(self.holding(initial))
    }

    /// The register of an operand that is written.
    pub(super) fn write(&mut self, operand: &str) -> Result<usize, String> {
        if !operand.starts_with('%') {
            return Err(format!("{operand} is no register"));
        }
        let next = self.registers.len();
        Ok(*self.registers.entry(operand.to_string()).or_insert(next))
    }

    /// The register that holds something from the start.
    fn holding(&mut self, initial: Initial) -> usize {
        if let Some(&(register, _)) = self.initial.iter().find(|(_, each)| *each == initial) {
            return register;
        }
        // No name of a register has a space in it.
        let next = self.registers.len();
        self.registers.insert(format!("initial {next}"), next);
        self.initial.push((next, initial));
        next
    }

    pub(super) fn predicate(&mut self, operand: &str) -> Result<usize, String> {
        if !operand.starts_with("%p") {
            return Err(format!("{operand} is no predicate"));
        }
        let next = self.predicates.len();
        Ok(*self.predicates.entry(operand.to_string()).or_insert(next))
    }

    pub(super) fn truth(&mut self, operand: &str) -> Result<Truth, String> {
        match operand {
            "0" => Ok(Truth::Constant(false)),
            "1" | "-1" => Ok(Truth::Constant(true)),
            _ => self.predicate(operand).map(Truth::Register),
        }
    }

    /// `[base+offset]`
    pub(super) fn address(&mut self, operand: &str) -> Result<Address, String> {
        let inner = operand.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let inner = inner.ok_or_else(|| format!("{operand} is no address"))?;
        let (base, offset) = match inner.split_once('+') {
            Some((base, offset)) => {
                (base, offset.trim().parse().map_err(|_| format!("{operand}: its offset is no number"))?)
            }
            None => (inner, 0),
        };
        Ok(Address { base: self.read(base.trim())?, offset })
    }

    /// Gives a kernel its registers.
    pub(super) fn finish(self, kernel: &mut Kernel) {
        kernel.registers = self.registers.len();
        kernel.predicates = self.predicates.len();
        kernel.initial = self.initial;
    }
}

/// `12`, `-1`, `0x1F`, `0f3F800000` (a number of 32 bits by them), `0d…` (of 64).
fn number(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text} is no operand that is known here");
    let hexadecimal = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| wrong());
    match text.get(..2) {
        Some("0f" | "0F" | "0d" | "0D" | "0x" | "0X") => hexadecimal(&text[2..]),
        _ => text.parse::<i64>().map(|number| number as u64).map_err(|_| wrong()),
    }
}
