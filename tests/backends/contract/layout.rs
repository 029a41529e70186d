//! Operations that move elements without changing them.

use crate::common::host::{Host, exact};
use elman::{Backend, Result, Shape};

pub(crate) fn reshape_keeps_the_order<B: Backend>(b: &B) -> Result<()> {
    let cases: [(&[usize], &[usize]); 8] = [
        (&[6], &[2, 3]),
        (&[2, 3], &[3, 2]),
        (&[2, 3], &[1, 6, 1]),
        (&[1], &[]),
        (&[], &[1, 1]),
        (&[0, 5], &[3, 0]),
        (&[33, 5], &[5, 33]),
        (&[2, 3, 4], &[2, 3, 4]),
    ];
    for (from, to) in cases {
        let x = Host::random("reshape", from);
        exact(b, &b.reshape(&x.up(b)?, Shape::new(to)?)?, &Host::new(x.data.clone(), to));
    }
    Ok(())
}

pub(crate) fn permute_moves_the_axes<B: Backend>(b: &B) -> Result<()> {
    let cases: [(&[usize], &[&[usize]]); 8] = [
        (&[], &[&[]]),
        (&[33], &[&[0]]),
        (&[33, 257], &[&[0, 1], &[1, 0]]),
        (&[1, 5], &[&[1, 0]]),
        (&[2, 3, 4], &[&[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]]),
        (&[3, 1, 5, 2], &[&[0, 2, 1, 3], &[3, 2, 1, 0], &[2, 3, 0, 1], &[1, 3, 2, 0]]),
        (&[2, 0, 3], &[&[2, 1, 0], &[1, 0, 2]]),
        (&[2, 1, 3, 2, 1, 2], &[&[5, 3, 1, 0, 2, 4]]),
    ];
    for (shape, orders) in cases {
        let x = Host::random("permute", shape);
        for order in orders {
            exact(b, &b.permute(&x.up(b)?, order)?, &x.permuted(order));
        }
    }
    // By hand: [[1, 2, 3], [4, 5, 6]] on its side.
    let x = Host::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]).up(b)?;
    exact(b, &b.permute(&x, &[1, 0])?, &Host::new([1.0, 4.0, 2.0, 5.0, 3.0, 6.0], &[3, 2]));
    Ok(())
}

pub(crate) fn slice_takes_a_part<B: Backend>(b: &B) -> Result<()> {
    for shape in [&[7][..], &[5, 33], &[3, 4, 5], &[2, 1, 3], &[0, 3]] {
        let host = Host::random("slice", shape);
        let x = host.up(b)?;
        for (axis, &size) in shape.iter().enumerate() {
            for (start, length) in (0..=size).flat_map(|start| (0..=size - start).map(move |length| (start, length))) {
                let mut part = shape.to_vec();
                part[axis] = length;
                let want = Host::build(&part, |at| {
                    let mut from = at.to_vec();
                    from[axis] += start;
                    host.at(&from)
                });
                exact(b, &b.slice(&x, axis, start, length)?, &want);
            }
        }
    }
    Ok(())
}

pub(crate) fn concat_joins_the_parts<B: Backend>(b: &B) -> Result<()> {
    let shape = [3, 4, 5];
    for axis in 0..3 {
        for lengths in [&[4][..], &[1, 2], &[3, 0, 1], &[0, 0], &[33, 1, 2, 5]] {
            let parts: Vec<Host> = (lengths.iter().enumerate())
                .map(|(i, &length)| {
                    let mut part = shape;
                    part[axis] = length;
                    Host::random(&format!("part {i}"), &part)
                })
                .collect();
            let mut whole = shape;
            whole[axis] = lengths.iter().sum();
            let want = Host::build(&whole, |at| {
                let mut at = at.to_vec();
                let mut part = 0;
                while at[axis] >= lengths[part] {
                    at[axis] -= lengths[part];
                    part += 1;
                }
                parts[part].at(&at)
            });
            let arrays: Vec<B::Array> = parts.iter().map(|part| part.up(b)).collect::<Result<_>>()?;
            exact(b, &b.concat(&arrays.iter().collect::<Vec<_>>(), axis)?, &want);
        }
    }
    // One array twice.
    let x = Host::new([1.0, 2.0], &[2]).up(b)?;
    exact(b, &b.concat(&[&x, &x], 0)?, &Host::new([1.0, 2.0, 1.0, 2.0], &[4]));
    Ok(())
}
