//! What this backend promises beyond the contract: results that do not depend on threads, and sums that keep their digits.

use elman::backend::{Backend, Update};
use elman::{Key, Result};
use elman_reference::Reference;

fn numbers(name: &str, shape: [usize; 2]) -> Result<elman_reference::Array<f32>> {
    let key = Key::new(1).named(name);
    let data = (0..(shape[0] * shape[1]) as u64).map(|i| key.uniform(i) as f32 - 0.5).collect();
    Reference::new().upload(data, shape.into())
}

const THREADS: [usize; 4] = [2, 3, 5, 64];

#[test]
fn products_have_the_same_bits_for_any_number_of_threads() -> Result<()> {
    // Enough work for threads, rows that they share unevenly, and fewer rows than threads.
    for [m, k, n] in [[101, 300, 47], [7, 999, 257], [3, 1024, 512]] {
        let (x, w) = (numbers("x", [m, k])?, numbers("w", [k, n])?);
        let one = Reference::with_threads(1).matmul(&x, false, &w, false)?;
        for threads in THREADS {
            let many = Reference::with_threads(threads).matmul(&x, false, &w, false)?;
            assert!(many.data() == one.data(), "{threads} threads gave other numbers");
        }
    }
    Ok(())
}

#[test]
fn updates_have_the_same_bits_for_any_number_of_threads() -> Result<()> {
    let rule = Update::Adam { lr: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-3, decay: 0.01, amsgrad: true };
    let (start, g) = (numbers("w", [1001, 601])?, numbers("g", [1001, 601])?);
    let run = |threads| -> Result<_> {
        let (b, mut w, mut state) = (Reference::with_threads(threads), start.clone(), vec![start.clone(); 3]);
        // The second moments must not be negative.
        for slot in &mut state {
            *slot = b.map(elman::backend::Map::Square, slot)?;
        }
        b.update(&rule, &mut w, &g, &mut state)?;
        state.push(w);
        Ok(state.iter().map(|a| a.data().to_vec()).collect::<Vec<_>>())
    };
    let one = run(1)?;
    for threads in THREADS {
        assert!(run(threads)? == one, "{threads} threads gave other numbers");
    }
    Ok(())
}

/// One million tenths in `f32`, summed along either axis. One by one they err by some parts in 1000; by halves, by the
/// roundings of the last 64 and of some fourteen levels: 5e-6 holds at worst.
#[test]
fn long_sums_keep_their_digits() -> Result<()> {
    let b = Reference::<f32>::new();
    for shape in [[1, 1_000_000], [1_000_000, 1], [500_000, 2], [2, 500_000]] {
        let tenths = b.fill(shape.into(), 0.1)?;
        for to in [[1, 1], [shape[0], 1], [1, shape[1]]] {
            let sums = b.sum_to(&tenths, to.into())?;
            let want = f64::from(0.1f32) * (1_000_000 / (to[0] * to[1])) as f64;
            for &sum in sums.data().iter().take(2) {
                assert!((f64::from(sum) / want - 1.0).abs() < 5e-6, "{shape:?} to {to:?} gave {sum}, not {want}");
            }
        }
    }
    Ok(())
}
