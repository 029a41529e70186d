//! The step as a default body over arrays, of one weight and of all.

use super::formula::NUMBERS;
use super::program::{Operand, Operation, Program};
use super::{Update, WeightStep, check_all, check_shapes};
use crate::backend::{Backend, Map, Zip};
use crate::element::Element;
use crate::error::Result;

/// One after another; all of them or, where the one number of `when` is 0, none. Errors before the first when shapes or numbers
/// of state arrays differ.
pub fn update_all<B: Backend>(b: &B, steps: &mut [WeightStep<'_, B>], when: Option<&B::Array>) -> Result<()> {
    check_all(b, steps, when)?;
    steps.iter_mut().try_for_each(|WeightStep { rule, w, g, state }| {
        made_when(b, when, w, state, |w, state| b.update(rule, w, g, state))
    })
}

/// Makes a step of a weight and its state, and puts the old numbers back where the one number of `when` is 0, which nobody has
/// read. What was computed in vain has no influence then, not even as NaN.
pub fn made_when<B: Backend>(
    b: &B,
    when: Option<&B::Array>,
    w: &mut B::Array,
    state: &mut [B::Array],
    step: impl FnOnce(&mut B::Array, &mut [B::Array]) -> Result<()>,
) -> Result<()> {
    let Some(when) = when else { return step(w, state) };
    let (old, old_state) = (w.clone(), state.to_vec());
    step(w, state)?;
    *w = b.select(when, w, &old)?;
    for (slot, old) in state.iter_mut().zip(&old_state) {
        *slot = b.select(when, slot, old)?;
    }
    Ok(())
}

/// The step composed of a backend's required operations. Errors when shapes or the number of state arrays differ.
pub fn update<B: Backend>(b: &B, rule: &Update, w: &mut B::Array, g: &B::Array, state: &mut [B::Array]) -> Result<()> {
    check_shapes(b, rule, w, g, state)?;
    let (formula, numbers) = rule.formula();
    let program = Program::of(formula);
    let mut run = Run { b, program: &program, numbers, w, g, state, results: Vec::new() };
    for (place, &operation) in program.operations.iter().enumerate() {
        let result = run.compute(operation)?;
        run.results.push(Some(result));
        // What nobody needs any more goes at once, for the next result to take its memory.
        let needed = program.operations[place + 1..].iter().flat_map(|later| later.operands());
        let needed: Vec<Operand> = needed.chain(program.state.iter().copied()).chain([program.w]).collect();
        for (place, result) in run.results.iter_mut().enumerate() {
            result.take_if(|_| !needed.contains(&Operand::Result(place)));
        }
    }
    let moved = run.array(program.w)?;
    let slots = program.state.iter().map(|&slot| run.array(slot)).collect::<Result<Vec<_>>>()?;
    *w = moved;
    state.iter_mut().zip(slots).for_each(|(slot, new)| *slot = new);
    Ok(())
}

/// A step that is being made.
struct Run<'a, B: Backend> {
    b: &'a B,
    program: &'a Program,
    numbers: [f64; NUMBERS],
    w: &'a B::Array,
    g: &'a B::Array,
    state: &'a [B::Array],
    results: Vec<Option<B::Array>>,
}

impl<B: Backend> Run<'_, B> {
    fn compute(&self, operation: Operation) -> Result<B::Array> {
        let zip = |zip, x, y| self.b.zip(zip, &self.array(x)?, &self.array(y)?);
        let map = |map, x| self.b.map(map, &self.array(x)?);
        match operation {
            Operation::Add(x, y) => match (self.number(x), self.number(y)) {
                (Some(number), None) => self.affine(1.0, y, number),
                (None, Some(number)) => self.affine(1.0, x, number),
                _ => zip(Zip::Add, x, y),
            },
            Operation::Multiply(x, y) => match (self.number(x), self.number(y)) {
                (Some(number), None) => self.affine(number, y, 0.0),
                (None, Some(number)) => self.affine(number, x, 0.0),
                _ => zip(Zip::Mul, x, y),
            },
            Operation::Subtract(x, y) => zip(Zip::Sub, x, y),
            Operation::Greatest(x, y) => zip(Zip::Max, x, y),
            Operation::Divide(x, y) => {
                let quotients = zip(Zip::Div, x, y)?;
                if self.least(y) > B::Elem::ZERO {
                    return Ok(quotients);
                }
                let zero = self.b.fill([].into(), 0.0)?;
                self.b.select(&self.b.zip(Zip::Equal, &self.array(y)?, &zero)?, &zero, &quotients)
            }
            Operation::Root(x) => map(Map::Sqrt, x),
            Operation::Size(x) => map(Map::Abs, x),
            Operation::NotBelowZero(x) => map(Map::Clamp(0.0, f64::INFINITY), x),
        }
    }

    /// `by x + more`, which is `x` where that changes nothing.
    fn affine(&self, by: f64, x: Operand, more: f64) -> Result<B::Array> {
        let x = self.array(x)?;
        if (by, more) == (1.0, 0.0) { Ok(x) } else { self.b.map(Map::Affine(by, more), &x) }
    }

    fn number(&self, operand: Operand) -> Option<f64> {
        match operand {
            Operand::Number(place) => Some(self.numbers[place]),
            _ => None,
        }
    }

    fn array(&self, operand: Operand) -> Result<B::Array> {
        match operand {
            Operand::Weight => Ok(self.w.clone()),
            Operand::Gradient => Ok(self.g.clone()),
            Operand::State(slot) => Ok(self.state[slot].clone()),
            Operand::Number(place) => self.b.fill([].into(), self.numbers[place]),
            Operand::Result(place) => match &self.results[place] {
                Some(result) => Ok(result.clone()),
                None => self.compute(self.program.operations[place]),
            },
        }
    }

    /// What a divisor is at least, by the numbers that were added to what is never negative: as the device has them, to which a
    /// tiny one may be 0.
    fn least(&self, operand: Operand) -> B::Elem {
        match operand {
            Operand::Number(place) => B::Elem::from_f64(self.numbers[place]),
            Operand::Result(place) => match self.program.operations[place] {
                Operation::Add(x, y) => self.least(x) + self.least(y),
                Operation::Greatest(x, y) => self.least(x).maximum(self.least(y)),
                Operation::Root(x) => self.least(x).sqrt(),
                _ => B::Elem::ZERO,
            },
            _ => B::Elem::ZERO,
        }
    }
}
