//! The affine map on sparse bags of words: gathered rows instead of products with zeros.

use super::Cpu;
use super::affine::repeat;
use super::finite::sums_are_finite;
use super::rows::CROWD;
use super::simd::vectorised;
use crate::array::Array;
use elman::backend::check;
use elman::data::Bags;
use elman::{Error, Result, Shape};

/// Columns that are summed in registers before they are written.
const BLOCK: usize = 64;

impl Cpu {
    /// Row `i` is the bias plus the words' rows of `w`.
    pub(crate) fn bag_linear(&self, x: &Bags, w: &Array, bias: Option<&Array>) -> Result<Array> {
        let shape = check::bag_linear(x.len(), x.width(), w.shape(), bias.map(Array::shape))?;
        let outputs = shape.last();
        let weights = w.numbers()?;
        let weights = &*weights;
        let mut out = self.memory.take(shape.elements());
        if let Some(bias) = bias {
            repeat(&mut out, &bias.numbers()?);
        }
        let words = x.indices().len().div_ceil(x.len().max(1));
        self.threads.rows(&mut out, outputs, words * outputs / 10, |rows, out| {
            for (row, out) in rows.zip(out.chunks_exact_mut(outputs)) {
                let Some((words, values)) = x.row(row) else { return };
                add_rows(out, bias.is_none(), weights, words, values);
            }
        });
        self.array(out, shape)
    }

    /// Row `j` of `dw` is the sum of the rows of `dy` whose bags have word `j`. The bags are turned around first, so
    /// that every row of `dw` is written once, and by one thread.
    pub(crate) fn bag_linear_grad(&self, x: &Bags, dy: &Array) -> Result<Array> {
        let outputs = dy.shape().last();
        let shape = Shape::new(&[x.width(), outputs])?;
        if *dy.shape() != [x.len(), outputs] {
            let expected = format!("a gradient for {} bags, [bags, outputs]", x.len());
            return Err(Error::invalid("bag_linear_grad", expected, dy.shape()));
        }
        let slope = dy.numbers()?;
        let slope = &*slope;
        let turned = Turned::new(x);
        let mut out = self.memory.take(shape.elements());
        let bags = x.indices().len().div_ceil(x.width().max(1));
        self.threads.rows(&mut out, outputs, (bags + 1) * outputs / 10, |words, out| {
            for (word, out) in words.zip(out.chunks_exact_mut(outputs)) {
                let (bags, values) = turned.word(word);
                add_rows(out, true, slope, bags, values);
            }
        });
        // Nobody has to go through a table of all words to know.
        let finite = sums_are_finite(x.indices().len(), x.values().unwrap_or(&[1.0]), slope);
        Ok(self.array(out, shape)?.known_finite(finite))
    }
}

/// `out += Σ values[i] table[rows[i]]`. An output that is `fresh` counts as zeros, whatever there is. Sums of many rows are
/// added up in `f64`.
fn add_rows(out: &mut [f32], fresh: bool, table: &[f32], rows: &[u32], values: Option<&[f32]>) {
    if rows.len() <= CROWD {
        return add_few(out, fresh, table, rows, values);
    }
    let mut totals: Vec<f64> = out.iter().map(|&x| if fresh { 0.0 } else { f64::from(x) }).collect();
    for (i, rows) in rows.chunks(CROWD).enumerate() {
        add_few(out, true, table, rows, values.map(|values| &values[i * CROWD..][..rows.len()]));
        totals.iter_mut().zip(&*out).for_each(|(total, &part)| *total += f64::from(part));
    }
    out.iter_mut().zip(totals).for_each(|(out, total)| *out = total as f32);
}

vectorised! {
    /// [`add_rows`] of a few rows, a block of columns at a time.
    fn add_few(out: &mut [f32], fresh: bool, table: &[f32], rows: &[u32], values: Option<&[f32]>) {
        let width = out.len();
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        for (i, block) in blocks.iter_mut().enumerate() {
            let at = |row: u32| {
                let start = row as usize * width + i * BLOCK;
                &table[start..start + BLOCK]
            };
            let mut sum = if fresh { [0.0; BLOCK] } else { *block };
            match values {
                None => rows.iter().for_each(|&row| sum.iter_mut().zip(at(row)).for_each(|(sum, &x)| *sum += x)),
                Some(values) => rows
                    .iter()
                    .zip(values)
                    .for_each(|(&row, &value)| sum.iter_mut().zip(at(row)).for_each(|(sum, &x)| *sum += value * x)),
            }
            *block = sum;
        }
        let done = width - rest.len();
        if fresh {
            rest.fill(0.0);
        }
        for (i, &row) in rows.iter().enumerate() {
            let value = values.map_or(1.0, |values| values[i]);
            let from = &table[row as usize * width + done..(row as usize + 1) * width];
            rest.iter_mut().zip(from).for_each(|(out, &x)| *out += value * x);
        }
    }
}

/// Bags by word instead of words by bag.
struct Turned {
    offsets: Vec<u32>,
    bags: Vec<u32>,
    values: Option<Vec<f32>>,
}

impl Turned {
    /// A counting sort, which keeps the bags of a word in order.
    fn new(x: &Bags) -> Self {
        let mut offsets = vec![0; x.width() + 1];
        for &word in x.indices() {
            offsets[word as usize + 1] += 1;
        }
        for word in 0..x.width() {
            offsets[word + 1] += offsets[word];
        }
        let mut next = offsets.clone();
        let mut bags = vec![0; x.indices().len()];
        let mut values = x.values().map(|values| vec![0.0; values.len()]);
        for bag in 0..x.len() {
            let Some((words, counts)) = x.row(bag) else { break };
            for (i, &word) in words.iter().enumerate() {
                let at = next[word as usize] as usize;
                next[word as usize] += 1;
                bags[at] = bag as u32;
                if let (Some(values), Some(counts)) = (&mut values, counts) {
                    values[at] = counts[i];
                }
            }
        }
        Turned { offsets, bags, values }
    }

    fn word(&self, word: usize) -> (&[u32], Option<&[f32]>) {
        let range = self.offsets[word] as usize..self.offsets[word + 1] as usize;
        (&self.bags[range.clone()], self.values.as_ref().map(|values| &values[range]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Threads;

    #[test]
    fn what_an_earlier_array_left_behind_is_not_added_to() {
        let cpu = Cpu::new(Threads::new(1).unwrap());
        // Columns beyond a block, and a bag and words without anything.
        let x = Bags::binary((0..20).map(|i| if i == 3 { vec![] } else { vec![i, 2] }), 20).unwrap();
        let ones = cpu.fill([20, 70].into(), 1.0).unwrap();
        let with_dirt = |work: &dyn Fn() -> Result<Array>| {
            cpu.memory.give(vec![f32::NAN; 20 * 70]);
            work().unwrap().numbers().unwrap().iter().sum::<f32>()
        };
        // Bag 2 has its word once.
        assert_eq!(with_dirt(&|| cpu.bag_linear(&x, &ones, None)), 37.0 * 70.0);
        assert_eq!(with_dirt(&|| cpu.bag_linear_grad(&x, &ones)), 37.0 * 70.0);
    }
}
