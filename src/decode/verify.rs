//! [`Decoder::verify`]: stepping is checked, not believed.

use super::Decoder;
use super::decoder::logits;
use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layers::{Carry, Mask, Value};
use crate::shape::Shape;

/// The pieces that a sample is cut into, over and over: a few steps, one alone, many.
const CUTS: [usize; 3] = [3, 1, 7];
/// What rounding in `f32` may add up to, as a part of the greatest number.
const ROUNDING: f64 = 1e-5;

impl<B: Backend> Decoder<'_, B> {
    /// Compares the model's numbers for `sample`, rows of tokens of one length of at least two, in one call with those in pieces of
    /// 3, 1, 7, 3, … steps, without a mask and with masks of several kinds, and gives the greatest difference: 0 where the backend
    /// computes in pieces as in one call. Of a decoder with a context there is a row for each row of it. Nothing that the decoder has read counts or changes. Errors when a difference is more than
    /// rounding, with the place, and for layers that look at whole sequences, by path; so for layers of one's own that keep
    /// no state where they should.
    pub fn verify<R: AsRef<[u32]>>(&self, sample: &[R]) -> Result<f64> {
        let rows: Vec<&[u32]> = sample.iter().map(AsRef::as_ref).collect();
        let steps = rows.first().map_or(0, |row| row.len());
        if steps < 2 || rows.iter().any(|row| row.len() != steps) {
            let expected = "at least one row, all of one length of at least 2 tokens";
            let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
            return Err(Error::invalid("verify", expected, format!("rows of {lengths:?} tokens")));
        }
        if let Some(rows_of_context) = self.context.as_ref().and_then(|(_, context)| {
            let (_, first) = context.iter().next()?;
            first.rows(self.model.backend()).filter(|&of_context| of_context != rows.len())
        }) {
            let expected = format!("{rows_of_context} rows, one for each of the context");
            return Err(Error::invalid("verify", expected, rows.len()));
        }
        let sample = Sample { decoder: self, rows, steps };
        let without = sample.difference(None)?;
        // Padding on the right, on the left, and holes over the cuts, in turn over the rows.
        let kinds: [fn(usize, usize) -> bool; 3] =
            [|i, steps| i <= steps / 2, |i, steps| i > steps / 2, |i, _| i % 5 < 2];
        let flags = |kind: usize| {
            let row = move |row: usize| (0..steps).map(move |i| kinds[(row + kind) % kinds.len()](i, steps));
            (0..sample.rows.len()).flat_map(row).collect::<Vec<bool>>()
        };
        (0..kinds.len()).try_fold(without, |greatest, kind| Ok(greatest.max(sample.difference(Some(&flags(kind)))?)))
    }
}

struct Sample<'a, B: Backend> {
    decoder: &'a Decoder<'a, B>,
    rows: Vec<&'a [u32]>,
    steps: usize,
}

impl<B: Backend> Sample<'_, B> {
    /// The numbers of some steps, `[rows, steps, tokens]` or, after the last of them, `[rows, tokens]`.
    fn piece(&self, from: usize, steps: usize, flags: Option<&[bool]>, carry: &mut Carry<B>) -> Result<Vec<f64>> {
        let b = self.decoder.model.backend();
        let tokens = self.rows.iter().flat_map(|row| row[from..from + steps].iter().copied()).collect();
        let indices = b.upload_indices(tokens, Shape::new(&[self.rows.len(), steps])?)?;
        let flags = flags.map(|flags| {
            let rows = flags.chunks(self.steps).flat_map(|row| row[from..from + steps].iter().copied());
            Mask::new(b, &rows.collect::<Vec<_>>(), steps)
        });
        let input = self.decoder.input(Value::Indices(indices).with_mask(flags.transpose()?), from == 0)?;
        let (y, _) = logits(self.decoder.model, self.decoder.output.as_deref(), input, carry)?;
        Ok(y.to_vec()?.into_iter().map(Element::to_f64).collect())
    }

    fn difference(&self, flags: Option<&[bool]>) -> Result<f64> {
        let output = self.decoder.model.output();
        let tokens = output.part(self.decoder.output.as_deref()).unwrap_or(output).features()?;
        let n = self.rows.len();
        let whole = self.piece(0, self.steps, flags, &mut Carry::stepping())?;
        let every_step = whole.len() == n * self.steps * tokens;
        let most = whole.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
        let (mut carry, mut from, mut greatest) = (Carry::stepping(), 0, 0.0_f64);
        for cut in CUTS.into_iter().cycle() {
            let steps = cut.min(self.steps - from);
            let found = self.piece(from, steps, flags, &mut carry)?;
            // Where there is one output a sequence that after the last piece is that of the whole.
            let of = |row: usize, step: usize| match every_step {
                true => (&found[(row * steps + step) * tokens..], &whole[(row * self.steps + from + step) * tokens..]),
                false => (&found[row * tokens..], &whole[row * tokens..]),
            };
            let ends = from + steps == self.steps;
            for step in if every_step { 0..steps } else { 0..usize::from(ends) } {
                for row in (0..n).filter(|row| {
                    every_step.then_some(flags).flatten().is_none_or(|flags| flags[row * self.steps + from + step])
                }) {
                    let (found, whole) = of(row, step);
                    for (x, y) in found[..tokens].iter().zip(whole) {
                        let off = (x - y).abs();
                        if !(off <= ROUNDING * most || x == y) {
                            let masked = if flags.is_some() { " under a mask" } else { "" };
                            let place = format!("verify, row {row}, step {}{masked}", from + step);
                            return Err(Error::invalid(place, format!("{y} as in one call"), format!("{x} in pieces")));
                        }
                        greatest = greatest.max(if x == y { 0.0 } else { off });
                    }
                }
            }
            from += steps;
            if ends {
                break;
            }
        }
        Ok(greatest)
    }
}
