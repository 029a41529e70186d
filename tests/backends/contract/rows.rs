//! Optimiser steps on some rows of a table.

use super::update::rules;
use crate::common::host::{Host, exact, refused};
use elman::backend::{Reach, Update};
use elman::{Backend, Result};

/// The table's shape and the rows that have a gradient: one, some, the first and the last, runs, none, all; and a table
/// large enough for threads.
fn cases() -> Vec<([usize; 2], Vec<u32>)> {
    vec![
        ([1, 1], vec![0]),
        ([5, 3], vec![0, 4]),
        ([5, 3], vec![1, 2, 3]),
        ([33, 5], vec![32]),
        ([33, 33], vec![]),
        ([33, 1], (0..33).collect()),
        ([257, 513], (0..257).filter(|row| row % 3 == 0 || (100..150).contains(row)).collect()),
    ]
}

/// Three steps, with other rows each.
fn steps<B: Backend>(b: &B, rule: &Update, mut check: impl FnMut(Step<'_, B>) -> Result<()>) -> Result<()> {
    for ([n, d], rows) in cases() {
        println!("{rule:?} on {n} by {d}, {} rows", rows.len());
        let mut w = Host::random("w", &[n, d]).up(b)?;
        let mut state = vec![b.fill([n, d].into(), 0.0)?; rule.slots()];
        for step in 0..3 {
            let rows: Vec<u32> = rows.iter().copied().skip(step).collect();
            let g = Host::random(&format!("gradient {step}"), &[rows.len(), d]).up(b)?;
            let numbers = b.upload_indices(rows.clone(), [rows.len()].into())?;
            check(Step { rows: &rows, gradient: (&numbers, &g), w: &mut w, state: &mut state })?;
        }
    }
    Ok(())
}

struct Step<'a, B: Backend> {
    rows: &'a [u32],
    gradient: (&'a B::Indices, &'a B::Array),
    w: &'a mut B::Array,
    state: &'a mut [B::Array],
}

/// Not a bit apart from the update with the whole gradient.
pub(crate) fn exact_updates_are_dense_ones<B: Backend>(b: &B) -> Result<()> {
    for rule in rules() {
        steps(b, &rule, |Step { gradient, w, state, .. }| {
            let (mut dense, mut dense_state) = (w.clone(), state.to_vec());
            let g = b.scatter_add(gradient.1, gradient.0, b.shape(w)[0])?;
            b.update(&rule, &mut dense, &g, &mut dense_state)?;
            b.update_rows(&rule, Reach::Exact, w, gradient, state, None)?;
            bits(b, w, &dense)?;
            state.iter().zip(&dense_state).try_for_each(|(state, dense)| bits(b, state, dense))
        })?;
    }
    Ok(())
}

/// Those rows as if they were the table; no others.
pub(crate) fn lazy_updates_are_those_of_the_rows<B: Backend>(b: &B) -> Result<()> {
    for rule in rules() {
        steps(b, &rule, |Step { rows, gradient, w, state }| {
            let (before, mut part) = (Host::down(b, w)?, b.gather(w, gradient.0)?);
            let state_before = state.iter().map(|state| Host::down(b, state)).collect::<Result<Vec<_>>>()?;
            let mut part_state = state.iter().map(|state| b.gather(state, gradient.0)).collect::<Result<Vec<_>>>()?;
            b.update(&rule, &mut part, gradient.1, &mut part_state)?;
            b.update_rows(&rule, Reach::Lazy, w, gradient, state, None)?;
            let put = |mut table: Host, part: &B::Array| -> Result<Host> {
                let (part, d) = (Host::down(b, part)?, table.shape[1]);
                let moved = rows.iter().zip(part.data.chunks(d));
                moved.for_each(|(&row, part)| table.data[row as usize * d..][..d].copy_from_slice(part));
                Ok(table)
            };
            exact(b, w, &put(before, &part)?);
            for ((state, before), part) in state.iter().zip(state_before).zip(&part_state) {
                exact(b, state, &put(before, part)?);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Tables without rows or columns.
pub(crate) fn rows_of_nothing<B: Backend>(b: &B) -> Result<()> {
    let rule = Update::Momentum { lr: 0.1, momentum: 0.9, nesterov: false, decay: 0.0 };
    for (reach, (shape, rows)) in
        [Reach::Exact, Reach::Lazy].into_iter().flat_map(|r| [([0, 3], vec![]), ([3, 0], vec![1])].map(|c| (r, c)))
    {
        let numbers = b.upload_indices(rows.clone(), [rows.len()].into())?;
        let (mut w, mut v) = (b.fill(shape.into(), 0.0)?, b.fill(shape.into(), 0.0)?);
        let g = b.fill([rows.len(), shape[1]].into(), 0.0)?;
        b.update_rows(&rule, reach, &mut w, (&numbers, &g), std::slice::from_mut(&mut v), None)?;
        exact(b, &w, &Host::new([], &shape));
    }
    Ok(())
}

pub(crate) fn updates_of_rows_spare_siblings<B: Backend>(b: &B) -> Result<()> {
    let rule = Update::Momentum { lr: 0.5, momentum: 0.5, nesterov: false, decay: 0.0 };
    for reach in [Reach::Exact, Reach::Lazy] {
        let (host, zero) = (Host::random("w", &[5, 3]), Host::new([0.0; 15], &[5, 3]));
        let (before, velocity) = (host.up(b)?, zero.up(b)?);
        let (mut w, mut state) = (before.clone(), [velocity.clone()]);
        let (rows, g) = (b.upload_indices(vec![1, 4], [2].into())?, Host::random("g", &[2, 3]).up(b)?);
        b.update_rows(&rule, reach, &mut w, (&rows, &g), &mut state, None)?;
        assert_ne!(Host::down(b, &w)?, host, "the update had no effect");
        exact(b, &before, &host);
        exact(b, &velocity, &zero);
    }
    Ok(())
}

pub(crate) fn wrong_rows_are_errors<B: Backend>(b: &B) -> Result<()> {
    let array = |shape: &[usize]| Host::random("x", shape).up(b);
    let momentum = Update::Momentum { lr: 0.1, momentum: 0.9, nesterov: false, decay: 0.0 };
    for reach in [Reach::Exact, Reach::Lazy] {
        let (mut w, mut state) = (array(&[3, 2])?, [array(&[3, 2])?]);
        let mut wrong = |rows: &[u32], g: &[usize], what: &str| -> Result<()> {
            let rows = b.upload_indices(rows.to_vec(), [rows.len()].into())?;
            refused(b.update_rows(&momentum, reach, &mut w, (&rows, &array(g)?), &mut state, None), what);
            Ok(())
        };
        wrong(&[0, 3], &[2, 2], "a row beyond the table")?;
        wrong(&[u32::MAX], &[1, 2], "a row far beyond the table")?;
        wrong(&[0, 1], &[3, 2], "gradients of more rows")?;
        wrong(&[0, 1], &[2, 3], "gradients of another width")?;
        wrong(&[0, 1], &[4], "a flat gradient")?;
        // A refused update changes nothing.
        exact(b, &w, &Host::random("x", &[3, 2]));
        exact(b, &state[0], &Host::random("x", &[3, 2]));
        let (rows, g) = (b.upload_indices(vec![1], [1].into())?, array(&[1, 2])?);
        refused(b.update_rows(&momentum, reach, &mut w, (&rows, &g), &mut [], None), "too little state");
        refused(
            b.update_rows(&momentum, reach, &mut w, (&rows, &g), &mut [array(&[2, 2])?], None),
            "state of another shape",
        );
        refused(
            b.update_rows(&momentum, reach, &mut array(&[6])?, (&rows, &g), &mut [array(&[6])?], None),
            "a flat table",
        );
    }
    Ok(())
}

/// Equal to the last bit, also the sign of a zero.
fn bits<B: Backend>(b: &B, got: &B::Array, want: &B::Array) -> Result<()> {
    let of = |a: &B::Array| Ok(Host::down(b, a)?.data.into_iter().map(f64::to_bits).collect::<Vec<_>>());
    assert!(of(got)? == of(want)?, "other bits");
    Ok(())
}
