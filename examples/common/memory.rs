//! Two tasks that only a network with a long memory can do (Hochreiter and Schmidhuber, 1997), drawn at will.

use elman::data::{Dataset, Inputs, Targets};
use elman::random::Key;

/// Loss of a network on the adding problem that always says 1: the variance of the sum of two numbers.
pub const ADDING_BASELINE: f64 = 1.0 / 6.0;

/// The adding problem: sequences `[steps, 2]` of numbers drawn from `[0, 1)` with a mark, 1 at two steps and 0 at
/// all others, one of them in the first half and one in the second. The target is the sum of the two numbers
/// marked. `steps` is at least 2.
pub fn adding(sequences: usize, steps: usize, key: Key) -> elman::Result<Dataset> {
    let (mut inputs, mut sums) = (Vec::with_capacity(2 * sequences * steps), Vec::with_capacity(sequences));
    for key in (0..sequences as u64).map(|i| key.fold(i)) {
        let (number, mark) = (key.named("number"), key.named("mark"));
        let marked = [mark.below(0, steps / 2), steps / 2 + mark.below(1, steps - steps / 2)];
        let numbers: Vec<f32> = (0..steps).map(|t| number.uniform(t as u64) as f32).collect();
        sums.push(marked.iter().map(|&t| numbers[t]).sum());
        for (t, &number) in numbers.iter().enumerate() {
            inputs.extend([number, f32::from(u8::from(marked.contains(&t)))]);
        }
    }
    Dataset::new(Inputs::dense(inputs, &[steps, 2])?, Targets::values(sums, &[1])?)
}

/// How many symbols there are to choose from in the copy task,
pub const SYMBOLS: usize = 8;

/// and how many of them are to be remembered.
pub const REMEMBERED: usize = 10;

/// What else occurs: nothing, and the word to repeat.
pub const BLANK: u32 = SYMBOLS as u32;
const NOW: u32 = BLANK + 1;

/// Inputs of the copy task: the symbols, the blank, the word to repeat.
pub const WORDS: usize = SYMBOLS + 2;

/// Loss of a network on the copy task that knows when to speak and guesses what: `10 ln 8 / (blanks + 20)`.
pub fn copy_baseline(blanks: usize) -> f64 {
    REMEMBERED as f64 * (SYMBOLS as f64).ln() / (blanks + 2 * REMEMBERED) as f64
}

/// The copy task: ten symbols, so many blanks (at least 1) of which the last is the word to repeat them, ten blanks. The
/// target is a class for each step: the blank up to that word, from then on the ten symbols.
pub fn copy(sequences: usize, blanks: usize, key: Key) -> elman::Result<Dataset> {
    let row = |i: usize| {
        let symbols: Vec<u32> = (0..REMEMBERED).map(|t| key.fold(i as u64).below(t as u64, SYMBOLS) as u32).collect();
        let input = [&symbols[..], &vec![BLANK; blanks - 1], &[NOW], &[BLANK; REMEMBERED]].concat();
        let target = [&vec![BLANK; REMEMBERED + blanks], &symbols[..]].concat();
        (input, target)
    };
    let (inputs, targets): (Vec<_>, Vec<_>) = (0..sequences).map(row).unzip();
    Dataset::new(Inputs::indices(&inputs)?, Targets::classes_per_step(&targets)?)
}
