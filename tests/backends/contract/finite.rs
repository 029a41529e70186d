//! Gradients of affine maps that are not finite: of some kernels may know it without looking at them.

use crate::common::host::Host;
use elman::data::Bags;
use elman::{Backend, Element, Result};

/// So much larger than what they are made of that it pays to look at that instead.
const INPUTS: usize = 200;
const OUTPUTS: usize = 100;

/// What a backend says of an array is what its numbers are, and what they are after a change.
fn told_rightly<B: Backend>(b: &B, mut gradient: B::Array, case: &str) -> Result<bool> {
    let told = |array: &B::Array| Ok::<_, elman::Error>(b.download(&b.finite(&[array])?)? == [B::Elem::ONE]);
    let there = |array: &B::Array| Ok::<_, elman::Error>(b.download(array)?.into_iter().all(B::Elem::is_finite));
    let finite = there(&gradient)?;
    assert_eq!(told(&gradient)?, finite, "{case}");
    let view = b.slice(&b.permute(&gradient, &[1, 0])?, 0, 7, 3)?;
    assert_eq!(told(&view)?, there(&view)?, "a view, {case}");
    b.add_assign(
        &mut gradient,
        &Host::build(&[INPUTS, OUTPUTS], |at| if at == [3, 50] { f64::NAN } else { 0.0 }).up(b)?,
    )?;
    assert!(!told(&gradient)?, "a NaN was added, {case}");
    Ok(finite)
}

pub(crate) fn gradients_that_are_not_finite_are_found<B: Backend>(b: &B) -> Result<()> {
    let greatest = if B::Elem::NAME == "f32" { f64::from(f32::MAX) } else { f64::MAX };
    let slope = |wrong: f64| Host::build(&[2, OUTPUTS], |at| if at[1] == 8 { wrong } else { 0.5 });
    let (mut finite, mut not_finite) = (0, 0);
    // The last two are sums that are too great, though what they are sums of is not.
    for wrong in [0.25, f64::NAN, f64::INFINITY, -f64::INFINITY, greatest / 8.0, greatest / 1.5] {
        let dy = slope(wrong).up(b)?;
        let mut tell = |gradient, case: &str| {
            let counter =
                if told_rightly(b, gradient, &format!("{case}, {wrong}"))? { &mut finite } else { &mut not_finite };
            *counter += 1;
            Ok::<_, elman::Error>(())
        };
        // Both rows have input 3.
        let row = |i: u32| [3, 10 + i];
        tell(b.bag_linear_grad(&Bags::binary((0..2).map(row), INPUTS)?, &dy)?, "bags")?;
        let valued = (0..2).map(|i| row(i).map(|word| (word, 6.0)));
        tell(b.bag_linear_grad(&Bags::with_values(valued, INPUTS)?, &dy)?, "bags with values")?;
        for input in [1.0, 6.0, f64::NAN] {
            let x = Host::build(&[2, INPUTS], |at| if at[1] == 3 { input } else { 0.0 }).up(b)?;
            let w = b.fill([INPUTS, OUTPUTS].into(), 1.0)?;
            let [_, dw, _] = b.linear_grad(&x, &w, &dy, [false, true, false].into())?;
            tell(dw.expect("it was wanted"), &format!("a row of {input}"))?;
        }
    }
    assert!(finite > 4 && not_finite > 15, "{finite} and {not_finite}: a mistake in the test");
    Ok(())
}
