//! Recurrent networks over whole sequences: against their formulas, and every override against its default body.
//!
//! The recurrent weights are so small that a step shrinks differences in the state (their rows sum up to at most 1/2 times
//! a slope of at most 1.5, and forget gates stay below 0.95 or so). So an error made at one step fades over the next ones, and the
//! errors of all steps together are some twenty times those of one, however many there are: sums of `u` products with
//! their roundings, and some ten further operations. Gradients for the weights and the bias are sums over all steps of
//! all sequences besides, which as in the other tests get an epsilon for each term.

use crate::common::host::{Host, agree, close, refused};
use elman::backend::recurrent::{Outcome, Sequence, Upstream, recurrent, recurrent_grad};
use elman::backend::{Cell, RecurrentWanted};
use elman::{Activation as A, Backend, Result};

const LSTM: Cell = Cell::Lstm { gates: A::Sigmoid, activation: A::Tanh };
const GRU: Cell = Cell::Gru { gates: A::Sigmoid, activation: A::Tanh, reset_after: true };
const GRU_BEFORE: Cell = Cell::Gru { gates: A::Sigmoid, activation: A::Tanh, reset_after: false };
const ELMAN: Cell = Cell::Elman { activation: A::Tanh };
pub(crate) const COMMON: [Cell; 4] = [ELMAN, LSTM, GRU, GRU_BEFORE];

/// With other functions; the slopes of the last three do not follow from their values.
pub(crate) const OTHERS: [Cell; 10] = [
    Cell::Elman { activation: A::Relu },
    Cell::Elman { activation: A::Elu(1.5) },
    Cell::Lstm { gates: A::HardSigmoidKeras1, activation: A::Tanh },
    Cell::Lstm { gates: A::HardSigmoid, activation: A::Linear },
    Cell::Gru { gates: A::HardSigmoidKeras1, activation: A::LeakyRelu(0.2), reset_after: true },
    Cell::Gru { gates: A::HardSigmoid, activation: A::Tanh, reset_after: false },
    Cell::Elman { activation: A::LeakyRelu(-0.2) },
    Cell::Elman { activation: A::Silu },
    Cell::Lstm { gates: A::Sigmoid, activation: A::GeluTanh },
    Cell::Gru { gates: A::Sigmoid, activation: A::Softplus, reset_after: false },
];

/// Which steps are masked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mask {
    None,
    /// The first ones, more in later rows, up to all of them.
    Left,
    /// The last ones.
    Right,
    /// Here and there.
    Holes,
    /// All steps of every other row.
    Rows,
}
pub(crate) const MASKS: [Mask; 5] = [Mask::None, Mask::Left, Mask::Right, Mask::Holes, Mask::Rows];

/// What a test goes over, on the host.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) cell: Cell,
    pub(crate) sizes: [usize; 3],
    mask: Mask,
    states: bool,
    /// The GRU's recurrent bias.
    bias: bool,
    dropout: bool,
    reverse: bool,
    pub(crate) outputs: bool,
}

/// The arrays of a case.
#[derive(Clone, Debug)]
pub(crate) struct Arrays<T> {
    z: T,
    u: T,
    bias: Option<T>,
    h: Option<T>,
    c: Option<T>,
    mask: Option<T>,
    dropout: Option<T>,
}

impl Case {
    pub(crate) fn new(cell: Cell, sizes: [usize; 3]) -> Self {
        Case {
            cell,
            sizes,
            mask: Mask::None,
            states: false,
            bias: false,
            dropout: false,
            reverse: false,
            outputs: true,
        }
    }

    /// Options by the bits of a number.
    pub(crate) fn with(self, mask: Mask, bits: usize) -> Self {
        let bit = |i: usize| bits >> i & 1 == 1;
        Case { mask, states: bit(0), bias: bit(1), dropout: bit(1), reverse: bit(2), outputs: !bit(3), ..self }
    }

    pub(crate) fn arrays(&self) -> Arrays<Host> {
        let ([n, t, u], g) = (self.sizes, self.cell.gates());
        let there = |row: usize, step: usize| match self.mask {
            Mask::None => true,
            Mask::Left => step >= row % (t + 1),
            Mask::Right => step + row % (t + 1) < t,
            Mask::Holes => !(row * 7 + step * 5).is_multiple_of(3),
            Mask::Rows => row % 2 == 1,
        };
        let mask = Host::build(&[n, t], |at| f64::from(u8::from(there(at[0], at[1]))));
        let is = |wanted: bool, host: Host| wanted.then_some(host);
        let exact = |x: f64| f64::from(x as f32);
        Arrays {
            z: Host::random("z", &[n, t, g * u]),
            u: Host::random("u", &[u, g * u]).map(|x| exact(x * 0.25 / (g * u) as f64)),
            bias: is(self.bias && matches!(self.cell, Cell::Gru { .. }), Host::random("bias", &[g * u])),
            h: is(self.states, Host::random("h", &[n, u])),
            c: is(self.states && self.cell.has_cell_state(), Host::random("c", &[n, u])),
            mask: is(self.mask != Mask::None, mask),
            dropout: is(self.dropout, Host::random("d", &[n, u]).map(|x| if x > 0.5 { 0.0 } else { 1.5 })),
        }
    }

    pub(crate) fn sequence<'a, B: Backend>(&self, x: &'a Arrays<B::Array>) -> Sequence<'a, B> {
        let Arrays { z, u, bias, h, c, mask, dropout } = x;
        let (bias, h, c) = (bias.as_ref(), h.as_ref(), c.as_ref());
        let (mask, dropout) = (mask.as_ref(), dropout.as_ref());
        Sequence { z, u, bias, h, c, mask, dropout, reverse: self.reverse, outputs: self.outputs, gradient: true }
    }

    /// Gradients for the outputs, for `h` and for `c`.
    pub(crate) fn upstream<B: Backend>(&self, b: &B) -> Result<[B::Array; 3]> {
        let [n, t, u] = self.sizes;
        let of = |name: &str, shape: &[usize]| Host::random(name, shape).up(b);
        Ok([of("d outputs", &[n, t, u])?, of("dh", &[n, u])?, of("dc", &[n, u])?])
    }

    /// Epsilons for an error of a step that fades, and for a sum over all steps.
    pub(crate) fn slack(&self) -> [f64; 2] {
        let [n, t, u] = self.sizes;
        let step = 20.0 * (u + 10) as f64;
        [step, step + (n * t) as f64]
    }
}

impl Arrays<Host> {
    /// Whether the mask leaves out the step of this number among all of them.
    pub(crate) fn masks(&self, step: usize) -> bool {
        self.mask.as_ref().is_some_and(|mask| mask.data[step] == 0.0)
    }

    pub(crate) fn up<B: Backend>(&self, b: &B) -> Result<Arrays<B::Array>> {
        let up = |host: &Option<Host>| host.as_ref().map(|host| host.up(b)).transpose();
        Ok(Arrays {
            z: self.z.up(b)?,
            u: self.u.up(b)?,
            bias: up(&self.bias)?,
            h: up(&self.h)?,
            c: up(&self.c)?,
            mask: up(&self.mask)?,
            dropout: up(&self.dropout)?,
        })
    }
}

/// A case's values and gradients by the backend and by the default bodies.
fn compare<B: Backend>(b: &B, case: &Case) -> Result<()> {
    println!("{case:?}");
    let x = case.arrays().up(b)?;
    let sequence = case.sequence(&x);
    let (got, want) = (b.recurrent(case.cell, &sequence)?, recurrent(b, case.cell, &sequence)?);
    let [step, sum] = case.slack();
    same(
        b,
        &[got.outputs.clone(), Some(got.h.clone()), got.c.clone()],
        &[want.outputs.clone(), Some(want.h.clone()), want.c.clone()],
        [step; 3],
    );
    // Without a gradient to come the values are the same.
    let free = b.recurrent(case.cell, &Sequence { gradient: false, ..case.sequence(&x) })?;
    same(
        b,
        &[free.outputs, Some(free.h), free.c],
        &[got.outputs.clone(), Some(got.h.clone()), got.c.clone()],
        [0.0; 3],
    );
    let [outputs, dh, dc] = case.upstream(b)?;
    let d = Upstream { outputs: case.outputs.then_some(&outputs), h: Some(&dh), c: got.c.is_some().then_some(&dc) };
    let got = b.recurrent_grad(case.cell, &sequence, &got, &d, RecurrentWanted::ALL)?;
    let want = recurrent_grad(b, case.cell, &sequence, &want, &d, RecurrentWanted::ALL)?;
    same(b, &got, &want, [step, sum, sum, step, step]);
    Ok(())
}

pub(crate) fn same<B: Backend>(
    b: &B,
    got: &[Option<B::Array>],
    want: &[Option<B::Array>],
    slack: impl IntoIterator<Item = f64>,
) {
    for (i, ((got, want), slack)) in got.iter().zip(want).zip(slack).enumerate() {
        assert_eq!(got.is_some(), want.is_some(), "result {i}");
        if let (Some(got), Some(want)) = (got, want) {
            println!("result {i}");
            agree(b, got, want, slack);
        }
    }
}

/// All cells, masks and options, at one size.
pub(crate) fn every_cell_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for (cell, mask) in COMMON.into_iter().flat_map(|cell| MASKS.map(|mask| (cell, mask))) {
        (0..16).try_for_each(|bits| compare(b, &Case::new(cell, [5, 7, 3]).with(mask, bits)))?;
    }
    for (i, cell) in OTHERS.into_iter().enumerate() {
        (0..16).step_by(5).try_for_each(|bits| compare(b, &Case::new(cell, [5, 4, 3]).with(MASKS[i % 5], bits)))?;
    }
    Ok(())
}

/// Odd sizes, none, and enough for threads; many steps.
pub(crate) fn every_size_is_its_default<B: Backend>(b: &B) -> Result<()> {
    let sizes = [[1, 1, 1], [0, 2, 3], [1, 2, 33], [5, 1, 33], [33, 2, 1], [2, 257, 5], [33, 9, 33]];
    for (cell, sizes) in COMMON.into_iter().flat_map(|cell| sizes.map(|sizes| (cell, sizes))) {
        compare(b, &Case::new(cell, sizes).with(Mask::None, 0))?;
        compare(b, &Case::new(cell, sizes).with(Mask::Left, 7))?;
    }
    compare(b, &Case::new(LSTM, [33, 257, 33]).with(Mask::Right, 1))
}

/// The formulas once more, for single numbers in `f64`, as the documentation writes them.
pub(crate) fn cells_follow_their_formulas<B: Backend>(b: &B) -> Result<()> {
    for (cell, bits) in COMMON.into_iter().chain(OTHERS).flat_map(|cell| [0, 3, 7].map(|bits| (cell, bits))) {
        let case = Case::new(cell, [5, 4, 3]).with(MASKS[bits % 5], bits);
        println!("{case:?}");
        let host = case.arrays();
        let x = host.up(b)?;
        let got = b.recurrent(cell, &case.sequence(&x))?;
        let ([n, t, u], g, (sigma, f)) = (case.sizes, cell.gates(), cell.activations());
        let of = |state: &Option<Host>, at: usize, without: f64| state.as_ref().map_or(without, |state| state.data[at]);
        let mut outputs = Host::build(&[n, t, u], |_| 0.0);
        let (mut last_h, mut last_c) = (Host::build(&[n, u], |_| 0.0), Host::build(&[n, u], |_| 0.0));
        for row in 0..n {
            let first = |state: &Option<Host>| (0..u).map(|j| of(state, row * u + j, 0.0)).collect::<Vec<_>>();
            let (mut h, mut c) = (first(&host.h), first(&host.c));
            for step in 0..t {
                let at = if case.reverse { t - 1 - step } else { step };
                if of(&host.mask, row * t + at, 1.0) == 1.0 {
                    let r: Vec<f64> = (0..u).map(|j| h[j] * of(&host.dropout, row * u + j, 1.0)).collect();
                    let z = |gate: usize, j: usize| host.z.at(&[row, at, gate * u + j]);
                    let product = |r: &[f64], gate: usize, j: usize| -> f64 {
                        let terms = r.iter().enumerate().map(|(i, r)| r * host.u.at(&[i, gate * u + j]));
                        terms.sum::<f64>() + of(&host.bias, gate * u + j, 0.0)
                    };
                    let a = |gate: usize, j: usize| z(gate, j) + product(&r, gate, j);
                    let gate = |k: usize, j: usize| sigma.value(a(k, j));
                    let s: Vec<f64> = (0..u).map(|j| if g == 3 { gate(1, j) } else { 1.0 }).collect();
                    let sr: Vec<f64> = s.iter().zip(&r).map(|(s, r)| s * r).collect();
                    for j in 0..u {
                        h[j] = match cell {
                            Cell::Elman { .. } => f.value(a(0, j)),
                            Cell::Lstm { .. } => {
                                c[j] = gate(1, j) * c[j] + gate(0, j) * f.value(a(2, j));
                                gate(3, j) * f.value(c[j])
                            }
                            Cell::Gru { reset_after, .. } => {
                                let part = if reset_after { s[j] * product(&r, 2, j) } else { product(&sr, 2, j) };
                                gate(0, j) * h[j] + (1.0 - gate(0, j)) * f.value(z(2, j) + part)
                            }
                        };
                    }
                }
                (0..u).for_each(|j| outputs.data[(row * t + at) * u + j] = h[j]);
            }
            last_h.data[row * u..][..u].copy_from_slice(&h);
            last_c.data[row * u..][..u].copy_from_slice(&c);
        }
        let slack = case.slack()[0];
        got.outputs.iter().for_each(|got| close(b, got, &outputs, slack));
        close(b, &got.h, &last_h, slack);
        got.c.iter().for_each(|got| close(b, got, &last_c, slack));
    }
    Ok(())
}

/// What is wanted is given and nothing else; gradients that did not come in count as zeros.
pub(crate) fn gradients_come_in_all_choices<B: Backend>(b: &B) -> Result<()> {
    for cell in COMMON {
        let case = Case { mask: Mask::Holes, states: true, bias: true, ..Case::new(cell, [5, 4, 3]) };
        let x = case.arrays().up(b)?;
        let (sequence, [step, sum]) = (case.sequence(&x), case.slack());
        let (y, default) = (b.recurrent(cell, &sequence)?, recurrent(b, cell, &sequence)?);
        let [outputs, dh, dc] = case.upstream(b)?;
        for choice in 0..32 {
            let bit = |i: usize| choice >> i & 1 == 1;
            let wanted = [bit(0), bit(1), bit(2), bit(3), bit(4)];
            let given = [bit(1), bit(3), bit(4) && cell.has_cell_state()];
            let given = [&outputs, &dh, &dc].into_iter().zip(given).map(|(d, given)| given.then_some(d));
            let [outputs, h, c] = given.collect::<Vec<_>>()[..] else { unreachable!("three") };
            let d = Upstream { outputs, h, c };
            let got = b.recurrent_grad(cell, &sequence, &y, &d, wanted.into())?;
            let there = [true, true, x.bias.is_some(), true, x.c.is_some()];
            let expected = wanted.iter().zip(there).map(|(&wanted, there)| wanted && there);
            assert!(got.iter().map(Option::is_some).eq(expected), "{cell:?}, {wanted:?}");
            same(
                b,
                &got,
                &recurrent_grad(b, cell, &sequence, &default, &d, wanted.into())?,
                [step, sum, sum, step, step],
            );
        }
    }
    Ok(())
}

/// Not even as NaN.
pub(crate) fn masked_steps_have_no_influence<B: Backend>(b: &B) -> Result<()> {
    for (cell, mask) in COMMON.into_iter().flat_map(|cell| MASKS.map(|mask| (cell, mask))) {
        let case = Case::new(cell, [5, 4, 3]).with(mask, 5);
        let (clean, mut dirty) = (case.arrays(), case.arrays());
        let masked = clean.mask.iter().flat_map(|mask| &mask.data).map(|&there| there == 0.0);
        dirty.z.data.chunks_mut(3 * cell.gates()).zip(masked).for_each(|(z, masked)| {
            if masked {
                z.fill(f64::NAN);
            }
        });
        let run = |x: &Arrays<Host>| -> Result<Vec<Option<B::Array>>> {
            let x = x.up(b)?;
            let y = b.recurrent(cell, &case.sequence(&x))?;
            let [outputs, dh, _] = case.upstream(b)?;
            let d = Upstream { outputs: Some(&outputs), h: Some(&dh), c: None };
            let gradients = b.recurrent_grad(cell, &case.sequence(&x), &y, &d, RecurrentWanted::ALL)?;
            Ok([y.outputs, Some(y.h), y.c].into_iter().chain(gradients).collect())
        };
        same(b, &run(&dirty)?, &run(&clean)?, [0.0; 8]);
    }
    Ok(())
}

pub(crate) fn wrong_sequences_are_errors<B: Backend>(b: &B) -> Result<()> {
    let array = |shape: &[usize]| Host::random("x", shape).up(b);
    for cell in COMMON {
        let ([n, t, u], g) = ([2, 3, 5], cell.gates());
        let (z, weights, state) = (array(&[n, t, g * u])?, array(&[u, g * u])?, array(&[n, u])?);
        let fine = Sequence {
            z: &z,
            u: &weights,
            bias: None,
            h: None,
            c: None,
            mask: None,
            dropout: None,
            reverse: false,
            outputs: true,
            gradient: true,
        };
        let y = b.recurrent(cell, &fine)?;
        let none = Upstream { outputs: None, h: None, c: None };
        let both = |x: &Sequence<'_, B>, what: &str| {
            refused(b.recurrent(cell, x), what);
            refused(b.recurrent_grad(cell, x, &y, &none, RecurrentWanted::ALL), what);
        };
        let wrong = array(&[n, u + 1])?;
        for z in [&[n, g * u][..], &[n, 0, g * u], &[n, t, g * u + 1], &[n, t, 0], &[]] {
            both(&Sequence { z: &array(z)?, ..fine }, "pre-activations");
        }
        for u in [&[u + 1, g * u][..], &[u, g * u + g], &[g * u, u + 1], &[u * g * u], &[0, 0]] {
            both(&Sequence { u: &array(u)?, ..fine }, "recurrent weights");
        }
        both(&Sequence { h: Some(&wrong), ..fine }, "first output");
        both(&Sequence { c: Some(&wrong), ..fine }, "first cell state");
        both(&Sequence { mask: Some(&wrong), ..fine }, "mask");
        both(&Sequence { dropout: Some(&wrong), ..fine }, "dropout");
        both(&Sequence { bias: Some(&wrong), ..fine }, "bias");
        if !cell.has_cell_state() {
            both(&Sequence { c: Some(&state), ..fine }, "a cell state of another cell");
        }
        if !matches!(cell, Cell::Gru { .. }) {
            both(&Sequence { bias: Some(&array(&[g * u])?), ..fine }, "a bias of another cell");
        }
        for d in [
            Upstream { outputs: Some(&state), ..none },
            Upstream { h: Some(&wrong), ..none },
            Upstream { c: Some(&wrong), ..none },
        ] {
            refused(b.recurrent_grad(cell, &fine, &y, &d, RecurrentWanted::ALL), "a gradient of another shape");
        }
        // Of another sequence, or nothing at all.
        let longer = array(&[n, t + 1, g * u])?;
        let of_longer = b.recurrent(cell, &Sequence { z: &longer, ..fine })?;
        refused(b.recurrent_grad(cell, &fine, &of_longer, &none, RecurrentWanted::ALL), "what another call has saved");
        let empty = Outcome { saved: Vec::new(), ..y.clone() };
        refused(b.recurrent_grad(cell, &fine, &empty, &none, RecurrentWanted::ALL), "nothing saved");
    }
    let (z, u) = (array(&[2, 3, 5])?, array(&[5, 5])?);
    let x = Sequence {
        z: &z,
        u: &u,
        bias: None,
        h: None,
        c: None,
        mask: None,
        dropout: None,
        reverse: false,
        outputs: true,
        gradient: true,
    };
    refused(b.recurrent(Cell::Elman { activation: A::Softmax }, &x), "a softmax in a cell");
    Ok(())
}

/// What is summed over is never cut, so that the number of threads does not show.
#[test]
fn candle_gives_the_same_bits_on_any_number_of_threads() -> Result<()> {
    let run = |threads, case: &Case| -> Result<Vec<Vec<u32>>> {
        let b = elman_candle::Candle::cpu_with_threads(threads)?;
        let x = case.arrays().up(&b)?;
        let y = b.recurrent(case.cell, &case.sequence(&x))?;
        let [_, dh, _] = case.upstream(&b)?;
        let d = Upstream { outputs: None, h: Some(&dh), c: None };
        let gradients = b.recurrent_grad(case.cell, &case.sequence(&x), &y, &d, RecurrentWanted::ALL)?;
        let all = [y.outputs, Some(y.h), y.c].into_iter().chain(gradients).flatten();
        all.map(|a| Ok(b.download(&a)?.into_iter().map(f32::to_bits).collect())).collect()
    };
    for (cell, mask) in COMMON.into_iter().flat_map(|cell| MASKS.map(|mask| (cell, mask))) {
        let case = Case::new(cell, [33, 20, 33]).with(mask, 3);
        assert!(run(1, &case)? == run(2, &case)? && run(1, &case)? == run(5, &case)?, "{case:?}");
    }
    Ok(())
}

/// Not numbers below the normal range, over which processors take a hundred times longer.
#[test]
fn gradients_of_candle_vanish_altogether() -> Result<()> {
    let b = elman_candle::Candle::cpu();
    for cell in COMMON {
        let case = Case::new(cell, [5, 1000, 3]);
        let x = case.arrays().up(&b)?;
        let y = b.recurrent(case.cell, &case.sequence(&x))?;
        let [_, dh, _] = case.upstream(&b)?;
        let d = Upstream { outputs: None, h: Some(&dh), c: None };
        let [dz, ..] = b.recurrent_grad(case.cell, &case.sequence(&x), &y, &d, RecurrentWanted::ALL)?;
        let dz = dz.map_or(Ok(Vec::new()), |dz| b.download(&dz))?;
        assert!(dz.iter().all(|dz| *dz == 0.0 || dz.is_normal()), "{cell:?}");
        assert!(dz.iter().any(|dz| *dz != 0.0) && dz[..3].iter().all(|dz| *dz == 0.0), "{cell:?}");
    }
    Ok(())
}
