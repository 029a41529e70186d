//! Operations on single elements, on pairs with broadcasting, selection by a mask, and dropout.
//!
//! The `match` over the operation stands outside the loops: each arm is a loop of its own with a known body, which
//! the compiler turns into vector instructions. The bodies are the definitions of the core, [`Map::apply`] and
//! [`Zip::apply`].

use crate::array::Array;
use crate::layout::Walk;
use crate::math;
use crate::memory::{room, zeros};
use crate::simd::vectorised;
use elman::backend::{Map, Zip, check};
use elman::{Element, Key, Result};

/// `op` on each element.
pub(crate) fn map<E: Element>(op: Map, a: &Array<E>) -> Array<E> {
    Array::new(map_all(op, a.data()), a.shape())
}

vectorised! {
    fn map_all<E>(op: Map, x: &[E]) -> Vec<E> {
        // A loop and not a `collect`, whose function would stay compiled for the least of machines.
        let mut out = zeros(x.len());
        // The variant is written out once more, so that `apply` sees a constant and its own `match` vanishes.
        macro_rules! arms {
            ($($name:ident $(($($field:ident),*))?),*) => {
                match op {
                    $(Map::$name $(($($field),*))? => {
                        for (y, &x) in out.iter_mut().zip(x) {
                            *y = math::apply(Map::$name $(($($field),*))?, x);
                        }
                    })*
                }
            };
        }
        arms!(
            Neg,
            Abs,
            Sign,
            Exp,
            ExpM1,
            Ln,
            Ln1p,
            Sqrt,
            Square,
            Recip,
            Pow(p),
            Tanh,
            Sigmoid,
            Erf,
            Affine(scale, shift),
            Clamp(low, high),
            Step
        );
        out
    }
}

/// `op` on pairs of elements, with broadcasting.
pub(crate) fn zip<E: Element>(op: Zip, a: &Array<E>, b: &Array<E>) -> Result<Array<E>> {
    macro_rules! arms {
        ($($name:ident),*) => {
            match op {
                $(Zip::$name => zip_with(a, b, |x, y| Zip::$name.apply(x, y)),)*
            }
        };
    }
    arms!(Add, Sub, Mul, Div, Max, Min, Equal, Less, Greater)
}

fn zip_with<E: Element>(a: &Array<E>, b: &Array<E>, f: impl Fn(E, E) -> E) -> Result<Array<E>> {
    let shape = a.shape().broadcast("zip", b.shape())?;
    let mut out = room(shape.elements());
    if shape.elements() > 0 {
        let walk = Walk::broadcast(shape, [a.shape(), b.shape()]);
        let (x, y, n) = (a.data(), b.data(), walk.run.size);
        // Within a run either operand advances element by element or stands still.
        match walk.run.strides {
            [1, 1] => walk.runs(|[i, j]| out.extend(x[i..i + n].iter().zip(&y[j..j + n]).map(|(&x, &y)| f(x, y)))),
            [1, _] => walk.runs(|[i, j]| out.extend(x[i..i + n].iter().map(|&x| f(x, y[j])))),
            [_, 1] => walk.runs(|[i, j]| out.extend(y[j..j + n].iter().map(|&y| f(x[i], y)))),
            _ => walk.runs(|[i, j]| out.extend(std::iter::repeat_n(f(x[i], y[j]), n))),
        }
    }
    Ok(Array::new(out, shape))
}

/// `a += b`: in place when no one else holds `a`'s numbers.
pub(crate) fn add_assign<E: Element>(a: &mut Array<E>, b: &Array<E>) -> Result<()> {
    check::same_shape("add_assign", a.shape(), b.shape())?;
    match a.own_data_mut() {
        Some(data) => data.iter_mut().zip(b.data()).for_each(|(a, &b)| *a += b),
        // One pass instead of a copy and an addition.
        None => *a = zip(Zip::Add, a, b)?,
    }
    Ok(())
}

/// Elements of `a` where `mask` is not 0, of `b` elsewhere, with broadcasting.
pub(crate) fn select<E: Element>(mask: &Array<E>, a: &Array<E>, b: &Array<E>) -> Result<Array<E>> {
    let shape = mask.shape().broadcast("select", a.shape())?.broadcast("select", b.shape())?;
    let mut out = room(shape.elements());
    if shape.elements() > 0 {
        let walk = Walk::broadcast(shape, [mask.shape(), a.shape(), b.shape()]);
        let (m, x, y, n, [dm, dx, dy]) = (mask.data(), a.data(), b.data(), walk.run.size, walk.run.strides);
        walk.runs(|[i, j, k]| {
            let pick = |at| if m[i + at * dm] != E::ZERO { x[j + at * dx] } else { y[k + at * dy] };
            let whole = if m[i] != E::ZERO { (x, j, dx) } else { (y, k, dy) };
            match (dm, whole) {
                // The mask stands still: a run of one operand.
                (0, (from, at, 1)) => out.extend_from_slice(&from[at..at + n]),
                (0, (from, at, _)) => out.extend(std::iter::repeat_n(from[at], n)),
                _ => out.extend((0..n).map(pick)),
            }
        });
    }
    Ok(Array::new(out, shape))
}

/// Zeroes elements with probability `rate` and scales the others, without an array for the mask.
pub(crate) fn dropout<E: Element>(x: &Array<E>, rate: f64, key: Key) -> Array<E> {
    let (threshold, scale) = (Key::drop_threshold(rate), E::from_f64(1.0 / (1.0 - rate)));
    let mut out = room(x.data().len());
    for (block, four) in x.data().chunks(4).enumerate() {
        let draws = key.block(block as u64);
        // What is dropped is 0, even if it was NaN.
        out.extend(four.iter().zip(draws).map(|(&x, bits)| if bits < threshold { E::ZERO } else { x * scale }));
    }
    Array::new(out, x.shape())
}
