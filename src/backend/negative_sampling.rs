//! Negative sampling (Mikolov, Sutskever, Chen, Corrado, Dean: "Distributed Representations of Words and Phrases and their
//! Compositionality", NIPS 2013): a step of stochastic gradient descent on two tables, from windows of rows, and its default body.
//!
//! A *window* has some rows of the first table, its inputs, and `1 + k` rows of the second, its outputs: the first of these belongs to
//! the inputs (the target 1), the others were drawn (the target 0). All inputs of a window share its outputs, which makes a
//! small matrix product of their scores (Ji, Satish, Li, Dubey: "Parallelizing Word2Vec in Shared and Distributed Memory", 2016).
//! The loss is the sum of the logistic losses of the scores `x · y`, in natural logarithms.

use super::{Backend, Map, Reach, Update, check};
use crate::error::{Error, Result};
use crate::shape::Shape;
use std::ops::Range;

/// What meets the outputs of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Each input by itself: skip-gram.
    Each,
    /// The mean of the inputs: a continuous bag of words. Every input has its share of the gradient, as the mean's derivative says
    /// and word2vec's own program leaves out (İrsoy, Benton, Stratos: "Corrected CBOW Performs as well as Skip-gram", 2021).
    Mean,
}

/// Windows of rows.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    /// Rows of the first table, those of a window after those of the one before.
    pub inputs: &'a [u32],
    /// Where each window's inputs end; every window has one at least.
    pub ends: &'a [u32],
    /// Rows of the second table, `[windows, 1 + k]`.
    pub outputs: &'a [u32],
    /// What meets the outputs.
    pub meeting: Meeting,
    /// So many windows make one step: their gradients are those of the tables before it. More keep more threads at work, and where a
    /// row occurs too often among them, its steps overshoot.
    pub block: usize,
}

/// Sizes of windows, after a check that they go with the tables. Every implementation begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSizes {
    /// Windows.
    pub windows: usize,
    /// Outputs of each.
    pub outputs: usize,
    /// Numbers in a row.
    pub width: usize,
}

impl WindowSizes {
    /// The sizes, for tables of these shapes. Errors when they do not go together, for rows that are not there, a window without
    /// inputs, a block of none, a rate that is not finite.
    pub fn of(x: &Windows<'_>, input: Shape, output: Shape, rate: f64) -> Result<Self> {
        const OP: &str = "negative_sampling";
        let (inputs, outputs, width) = match (&input[..], &output[..]) {
            (&[inputs, width], &[outputs, same]) if width == same && width > 0 => (inputs, outputs, width),
            _ => return Err(Error::shapes(OP, input, output, "expected tables [inputs, width] and [outputs, width]")),
        };
        if x.block == 0 {
            return Err(Error::invalid(OP, "blocks of at least one window", x.block));
        }
        if !rate.is_finite() {
            return Err(Error::invalid(OP, "a finite rate", rate));
        }
        let mut start = 0;
        for &end in x.ends {
            if end <= start {
                return Err(Error::invalid(OP, format!("a window that ends behind {start}"), end));
            }
            start = end;
        }
        if start as usize != x.inputs.len() {
            return Err(Error::invalid(OP, format!("{start} inputs, where the last window ends"), x.inputs.len()));
        }
        let windows = x.ends.len();
        let each = x.outputs.len().checked_div(windows).unwrap_or(0);
        if each * windows != x.outputs.len() || (windows > 0 && each == 0) {
            return Err(Error::invalid(OP, format!("as many outputs for each of {windows} windows"), x.outputs.len()));
        }
        check::indices(OP, x.inputs, inputs)?;
        check::indices(OP, x.outputs, outputs)?;
        Ok(WindowSizes { windows, outputs: each, width })
    }
}

impl Windows<'_> {
    /// The inputs of some windows, as places among all inputs.
    pub fn places(&self, windows: Range<usize>) -> Range<usize> {
        let end = |windows: usize| windows.checked_sub(1).map_or(0, |last| self.ends[last] as usize);
        end(windows.start)..end(windows.end)
    }
}

/// Moves the tables `input [inputs, width]` and `output [outputs, width]` against the gradient of the loss by `rate`, a block of windows
/// after the other; gives the sum of the losses, a scalar. Errors: see [`WindowSizes::of`].
pub fn negative_sampling<B: Backend>(
    b: &B,
    x: &Windows<'_>,
    input: &mut B::Array,
    output: &mut B::Array,
    rate: f64,
) -> Result<B::Array> {
    let sizes = WindowSizes::of(x, b.shape(input), b.shape(output), rate)?;
    let mut loss = b.fill(Shape::SCALAR, 0.0)?;
    for start in (0..sizes.windows).step_by(x.block) {
        let windows = start..sizes.windows.min(start + x.block);
        loss = b.zip(super::Zip::Add, &loss, &block(b, x, sizes, windows, [input, output], rate)?)?;
    }
    Ok(loss)
}

/// One step; its loss.
fn block<B: Backend>(
    b: &B,
    x: &Windows<'_>,
    WindowSizes { outputs: each, width, .. }: WindowSizes,
    windows: Range<usize>,
    [input, output]: [&mut B::Array; 2],
    rate: f64,
) -> Result<B::Array> {
    use super::Zip::{Add, Mul, Sub};
    let sizes: Vec<usize> = windows.clone().map(|window| x.places(window..window + 1).len()).collect();
    let own = |window: usize| &x.outputs[(windows.start + window) * each..][..each];
    let upload = |rows: Vec<u32>| {
        let shape = [rows.len()].into();
        b.upload_indices(rows, shape)
    };
    // What meets outputs: the window of each input, or the means.
    let mean = x.meeting == Meeting::Mean;
    let window_of: Vec<u32> = sizes.iter().enumerate().flat_map(|(i, &size)| vec![i as u32; size]).collect();
    let rows = &x.inputs[x.places(windows.clone())];
    let mut met = b.gather(input, &upload(rows.to_vec())?)?;
    let (mut count, mut facing) = (rows.len(), window_of.clone());
    let belongs = upload(window_of)?;
    let shares = sizes.iter().map(|&size| crate::Element::from_f64(1.0 / size as f64)).collect();
    let shares = b.upload(shares, [sizes.len(), 1].into())?;
    if mean {
        (count, facing) = (sizes.len(), (0..sizes.len() as u32).collect());
        met = b.zip(Mul, &b.scatter_add(&met, &belongs, count)?, &shares)?;
    }
    let out_rows: Vec<u32> = facing.iter().flat_map(|&window| own(window as usize)).copied().collect();
    let y = b.reshape(&b.gather(output, &upload(out_rows.clone())?)?, [count, each, width].into())?;
    let met = b.reshape(&met, [count, 1, width].into())?;

    let logits = b.matmul(&met, false, &y, true)?;
    let first = b.one_hot(&upload(vec![0])?, each)?;
    let targets = b.zip(Add, &b.fill(b.shape(&logits), 0.0)?, &first)?;
    let losses = b.binary_cross_entropy(&logits, &targets)?;
    let slope = b.zip(Sub, &b.map(Map::Sigmoid, &logits)?, &targets)?;
    let mut to_input = b.reshape(&b.matmul(&slope, false, &y, false)?, [count, width].into())?;
    let to_output = b.reshape(&b.matmul(&slope, true, &met, false)?, [count * each, width].into())?;
    if mean {
        to_input = b.gather(&b.zip(Mul, &to_input, &shares)?, &belongs)?;
    }
    move_rows(b, input, rows, &to_input, rate)?;
    move_rows(b, output, &out_rows, &to_output, rate)?;
    b.sum_to(&losses, Shape::SCALAR)
}

/// `table[rows[i]] -= rate gradient[i]`, where rows may come again.
fn move_rows<B: Backend>(b: &B, table: &mut B::Array, rows: &[u32], gradient: &B::Array, rate: f64) -> Result<()> {
    let mut distinct = rows.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let places = rows.iter().map(|row| distinct.partition_point(|other| other < row) as u32).collect();
    let (n, places) = (distinct.len(), b.upload_indices(places, [rows.len()].into())?);
    let sums = b.scatter_add(gradient, &places, n)?;
    let distinct = b.upload_indices(distinct, [n].into())?;
    b.update_rows(&Update::Sgd { lr: rate, decay: 0.0 }, Reach::Lazy, table, (&distinct, &sums), &mut [], None)
}
