//! Steps of negative sampling on two tables.

use crate::common::host::{Host, agree, close, epsilon, exact, refused};
use elman::backend::negative_sampling::negative_sampling;
use elman::backend::{Meeting, Windows};
use elman::{Backend, Key, Result};

/// Windows of one to six inputs; rows come again, in a window and among windows.
struct Case {
    inputs: Vec<u32>,
    ends: Vec<u32>,
    outputs: Vec<u32>,
    tables: [Host; 2],
    meeting: Meeting,
    block: usize,
    rate: f64,
}

impl Case {
    fn new(windows: usize, each: usize, width: usize, meeting: Meeting, block: usize) -> Self {
        let (key, rows) = (Key::new(3).fold((windows + width) as u64), [9, 7]);
        let ends: Vec<u32> = (0..windows as u64)
            .scan(0, |end, window| {
                *end += 1 + key.below(window, 6) as u32;
                Some(*end)
            })
            .collect();
        let draw = |name: &str, count: usize, below| {
            (0..count as u64).map(|i| key.named(name).below(i, below) as u32).collect::<Vec<_>>()
        };
        let inputs = draw("inputs", ends.last().map_or(0, |&end| end as usize), rows[0]);
        let outputs = draw("outputs", windows * each, rows[1]);
        let table = |name, rows| Host::random(name, &[rows, width]).map(|x| x / 2.0);
        let tables = [table("input", rows[0]), table("output", rows[1])];
        // So that no step overshoots, behind which roundings would grow from block to block.
        let rate = 0.2 / block.min(windows) as f64;
        Case { inputs, ends, outputs, tables, meeting, block, rate }
    }

    fn windows(&self) -> Windows<'_> {
        let Case { inputs, ends, outputs, meeting, block, .. } = self;
        Windows { inputs, ends, outputs, meeting: *meeting, block: *block }
    }

    /// The loss of some windows, by its definition.
    fn loss(&self, windows: std::ops::Range<usize>, [input, output]: &[Host; 2]) -> f64 {
        let each = self.outputs.len() / self.ends.len();
        let row = |table: &Host, row: u32| table.data[row as usize * table.shape[1]..][..table.shape[1]].to_vec();
        let loss_of = |window: usize| -> f64 {
            let rows: Vec<Vec<f64>> =
                self.inputs[self.windows().places(window..window + 1)].iter().map(|&r| row(input, r)).collect();
            let met = match self.meeting {
                Meeting::Each => rows,
                Meeting::Mean => {
                    let sum = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64;
                    vec![(0..rows[0].len()).map(sum).collect()]
                }
            };
            let outputs = &self.outputs[window * each..][..each];
            let pairs = met.iter().flat_map(|x| outputs.iter().enumerate().map(move |(i, &y)| (x, i, y)));
            let logistic = |(x, i, y): (&Vec<f64>, usize, u32)| {
                let z: f64 = x.iter().zip(row(output, y)).map(|(x, y)| x * y).sum();
                (if i == 0 { -z } else { z }).exp().ln_1p()
            };
            pairs.map(logistic).sum()
        };
        windows.map(loss_of).sum()
    }
}

fn cases() -> Vec<Case> {
    let sizes = [(1, 1, 1, 1), (5, 2, 3, 2), (7, 6, 16, 7), (13, 6, 100, 4), (4, 13, 37, 100), (200, 6, 112, 64)];
    [Meeting::Each, Meeting::Mean]
        .into_iter()
        .flat_map(|meeting| sizes.map(|(windows, each, width, block)| Case::new(windows, each, width, meeting, block)))
        .collect()
}

/// Of some thousand terms that are added to a row, in another order.
const SLACK: f64 = 200.0;

pub(crate) fn negative_sampling_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for case in cases() {
        let [mut input, mut output] = [case.tables[0].up(b)?, case.tables[1].up(b)?];
        let [mut default_input, mut default_output] = [input.clone(), output.clone()];
        let loss = b.negative_sampling(&case.windows(), &mut input, &mut output, case.rate)?;
        let default = negative_sampling(b, &case.windows(), &mut default_input, &mut default_output, case.rate)?;
        agree(b, &loss, &default, SLACK);
        agree(b, &input, &default_input, SLACK);
        agree(b, &output, &default_output, SLACK);
    }
    Ok(())
}

/// By finite differences of the loss, block by block.
pub(crate) fn negative_sampling_goes_against_the_gradient<B: Backend>(b: &B) -> Result<()> {
    for case in cases().into_iter().filter(|case| case.ends.len() < 100) {
        let (mut tables, mut loss, all) = (case.tables.clone(), 0.0, case.ends.len());
        for start in (0..all).step_by(case.block) {
            let windows = start..all.min(start + case.block);
            loss += case.loss(windows.clone(), &tables);
            let before = tables.clone();
            for (at, table) in [(0, before[0].clone()), (1, before[1].clone())] {
                for i in 0..table.data.len() {
                    let mut moved = before.clone();
                    let mut with = |step: f64| {
                        moved[at].data[i] = table.data[i] + step;
                        case.loss(windows.clone(), &moved)
                    };
                    tables[at].data[i] -= case.rate * (with(1e-4) - with(-1e-4)) / 2e-4;
                }
            }
        }
        let [mut input, mut output] = [case.tables[0].up(b)?, case.tables[1].up(b)?];
        let found = b.negative_sampling(&case.windows(), &mut input, &mut output, case.rate)?;
        // Differences of such steps are off by 1e-8 or so, of blocks that follow each other by more.
        let slack = SLACK + 1e-6 / epsilon::<B::Elem>();
        close(b, &found, &Host::new([loss], &[]), slack);
        close(b, &input, &tables[0], slack);
        close(b, &output, &tables[1], slack);
    }
    Ok(())
}

pub(crate) fn negative_sampling_spares_siblings<B: Backend>(b: &B) -> Result<()> {
    let case = Case::new(7, 6, 16, Meeting::Each, 2);
    let before = [case.tables[0].up(b)?, case.tables[1].up(b)?];
    let [mut input, mut output] = before.clone();
    b.negative_sampling(&case.windows(), &mut input, &mut output, case.rate)?;
    for ((before, after), host) in before.iter().zip([&input, &output]).zip(&case.tables) {
        assert_ne!(&Host::down(b, after)?, host, "the step had no effect");
        exact(b, before, host);
    }
    Ok(())
}

pub(crate) fn wrong_windows_are_errors<B: Backend>(b: &B) -> Result<()> {
    let case = Case::new(5, 3, 4, Meeting::Each, 2);
    let wrong = |windows: Windows<'_>, rate: f64, what: &str| -> Result<()> {
        let [mut input, mut output] = [case.tables[0].up(b)?, case.tables[1].up(b)?];
        refused(b.negative_sampling(&windows, &mut input, &mut output, rate), what);
        // A refused step changes nothing.
        exact(b, &input, &case.tables[0]);
        exact(b, &output, &case.tables[1]);
        Ok(())
    };
    let right = case.windows();
    wrong(Windows { inputs: &vec![9; case.inputs.len()], ..right }, case.rate, "a row beyond the first table")?;
    wrong(Windows { outputs: &[7; 15], ..right }, case.rate, "a row beyond the second table")?;
    wrong(Windows { outputs: &[0; 14], ..right }, case.rate, "an output too few")?;
    wrong(Windows { outputs: &[], ..right }, case.rate, "no outputs")?;
    wrong(Windows { inputs: &case.inputs[1..], ..right }, case.rate, "an input too few")?;
    wrong(Windows { ends: &[1, 1], inputs: &[0], outputs: &[0; 6], ..right }, case.rate, "a window without inputs")?;
    wrong(Windows { block: 0, ..right }, case.rate, "blocks of nothing")?;
    wrong(right, f64::NAN, "no rate")?;
    let mut narrow = Host::random("narrow", &[7, 3]).up(b)?;
    let mut input = case.tables[0].up(b)?;
    refused(b.negative_sampling(&right, &mut input, &mut narrow, case.rate), "tables of two widths");
    // Nothing at all is no mistake.
    let none = Windows { inputs: &[], ends: &[], outputs: &[], ..right };
    let mut output = case.tables[1].up(b)?;
    exact(b, &b.negative_sampling(&none, &mut input, &mut output, case.rate)?, &Host::new([0.0], &[]));
    Ok(())
}

#[test]
fn negative_sampling_gives_the_same_bits_on_any_number_of_threads() -> Result<()> {
    for meeting in [Meeting::Each, Meeting::Mean] {
        let case = Case::new(1000, 6, 100, meeting, 64);
        let tables = (1..5).map(|threads| {
            let b = elman_candle::Candle::cpu_with_threads(threads)?;
            let [mut input, mut output] = [case.tables[0].up(&b)?, case.tables[1].up(&b)?];
            b.negative_sampling(&case.windows(), &mut input, &mut output, 0.001)?;
            Ok([Host::down(&b, &input)?, Host::down(&b, &output)?])
        });
        let tables = tables.collect::<Result<Vec<_>>>()?;
        assert!(tables.iter().all(|other| *other == tables[0]));
    }
    Ok(())
}
