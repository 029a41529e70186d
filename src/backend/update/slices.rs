//! The step as one pass over slices, for arrays in host memory.

use super::Update;
use super::formula::{Formula, NUMBERS, SLOTS, every_formula};
use crate::element::Element;
use crate::error::Result;

impl Update {
    /// The step in one pass over the elements of a weight, for arrays in host memory. Every slice has one length
    /// (the shortest counts). Errors when the number of state slices is wrong. It is inlined always, so that a backend can
    /// compile it for the vector instructions that it has.
    #[inline(always)]
    pub fn apply<E: Element>(&self, w: &mut [E], g: &[E], state: &mut [&mut [E]]) -> Result<()> {
        let (formula, numbers) = self.formula();
        self.check(formula, state.len())?;
        let numbers = numbers.map(E::from_f64);
        macro_rules! passes {
            ($($name:ident $choices:tt),*) => {
                match formula {
                    // A loop for each, in which the formula is a constant.
                    $(Formula::$name $choices => {
                        const FORMULA: Formula = Formula::$name $choices;
                        // As many slots as were checked above.
                        if let Ok(slots) = <&mut [&mut [E]; FORMULA.slots()]>::try_from(state) {
                            pass(FORMULA, numbers, w, g, slots);
                        }
                    })*
                }
            };
        }
        every_formula!(passes);
        Ok(())
    }
}

#[inline(always)]
fn pass<E: Element, const N: usize>(
    formula: Formula,
    numbers: [E; NUMBERS],
    w: &mut [E],
    g: &[E],
    slots: &mut [&mut [E]; N],
) {
    let n = slots.iter().fold(w.len().min(g.len()), |n, slot| n.min(slot.len()));
    // Of one length, so that the compiler drops the checks, without which it makes vectors.
    let (w, g) = (&mut w[..n], &g[..n]);
    let slots = slots.each_mut().map(|slot| &mut slot[..n]);
    for i in 0..n {
        let mut state = [E::ZERO; SLOTS];
        (0..N).for_each(|k| state[k] = slots[k][i]);
        formula.step(numbers, &mut w[i], g[i], &mut state);
        (0..N).for_each(|k| slots[k][i] = state[k]);
    }
}
