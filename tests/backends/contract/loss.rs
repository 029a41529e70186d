//! Cross-entropies against their default bodies and hand calculation, and far out.

use crate::common::host::{Host, agree, close, exact};
use elman::backend::loss;
use elman::{Backend, Key, Result, Shape};

/// Logits at odd sizes; the last are extreme: ±60 and ±200, where exponentials overflow in `f32`.
fn logits() -> Vec<Host> {
    let shapes: [&[usize]; 7] = [&[1, 1], &[33, 5], &[3, 257], &[2, 3, 7], &[5], &[0, 3], &[2, 1500]];
    let mut all: Vec<Host> = shapes.map(|shape| Host::random("logits", shape)).to_vec();
    all.push(Host::new([60.0, -60.0, 0.0, -60.0, -60.0, 60.0], &[2, 3]));
    all.push(Host::new([200.0, -200.0, 0.0, -200.0, -200.0, 200.0], &[2, 3]));
    all
}

fn rows(logits: &Host) -> &[usize] {
    &logits.shape[..logits.shape.len() - 1]
}

fn labels<B: Backend>(b: &B, logits: &Host) -> Result<B::Indices> {
    let classes = logits.shape[logits.shape.len() - 1];
    let count = rows(logits).iter().product::<usize>() as u64;
    b.upload_indices((0..count).map(|i| Key::new(7).below(i, classes) as u32).collect(), Shape::new(rows(logits))?)
}

/// A sum over up to 1500 classes and a logarithm of it; values of order 1, or of 400 where an epsilon is as much more.
const SLACK: f64 = 64.0;

pub(crate) fn sparse_cross_entropy_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for (host, smoothing) in logits().into_iter().flat_map(|z| [0.0, 0.1].map(|s| (z.clone(), s))) {
        let (z, y, d) = (host.up(b)?, labels(b, &host)?, Host::random("d", rows(&host)).up(b)?);
        let want = loss::sparse_cross_entropy(b, &z, &y, smoothing)?;
        agree(b, &b.sparse_cross_entropy(&z, &y, smoothing)?, &want, SLACK);
        let want = loss::sparse_cross_entropy_grad(b, &z, &y, smoothing, &d)?;
        agree(b, &b.sparse_cross_entropy_grad(&z, &y, smoothing, &d)?, &want, SLACK);
    }
    Ok(())
}

pub(crate) fn cross_entropy_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for host in logits() {
        // Not only distributions: the gradient has the sum of the targets in it.
        let targets = Host::random("targets", &host.shape).map(f64::abs);
        let (z, t, d) = (host.up(b)?, targets.up(b)?, Host::random("d", rows(&host)).up(b)?);
        // Sums of up to 1500 targets of order 1.
        agree(b, &b.cross_entropy(&z, &t)?, &loss::cross_entropy(b, &z, &t)?, 300.0);
        agree(b, &b.cross_entropy_grad(&z, &t, &d)?, &loss::cross_entropy_grad(b, &z, &t, &d)?, 300.0);
    }
    Ok(())
}

pub(crate) fn binary_cross_entropy_is_its_default<B: Backend>(b: &B) -> Result<()> {
    let scalar = Host::new([0.5], &[]);
    for host in logits().into_iter().chain([scalar]) {
        let targets = Host::random("targets", &host.shape).map(|x| x.abs() / 2.0);
        let (z, t, d) = (host.up(b)?, targets.up(b)?, Host::random("d", &host.shape).up(b)?);
        agree(b, &b.binary_cross_entropy(&z, &t)?, &loss::binary_cross_entropy(b, &z, &t)?, SLACK);
        let want = loss::binary_cross_entropy_grad(b, &z, &t, &d)?;
        agree(b, &b.binary_cross_entropy_grad(&z, &t, &d)?, &want, SLACK);
    }
    Ok(())
}

/// Two classes with odds 3 to 1: probabilities 3/4 and 1/4.
pub(crate) fn losses_agree_with_hand_calculation<B: Backend>(b: &B) -> Result<()> {
    let (three, four) = (3f64.ln(), 4f64.ln());
    let z = Host::new([three, 0.0, three, 0.0], &[2, 2]).up(b)?;
    let labels = b.upload_indices(vec![0, 1], [2].into())?;
    let two = b.fill([2].into(), 2.0)?;
    close(b, &b.sparse_cross_entropy(&z, &labels, 0.0)?, &Host::new([four - three, four], &[2]), 4.0);
    let gradient = b.sparse_cross_entropy_grad(&z, &labels, 0.0, &two)?;
    close(b, &gradient, &Host::new([-0.5, 0.5, 1.5, -1.5], &[2, 2]), 4.0);
    // Smoothed by 1/5: targets 9/10 and 1/10.
    let smoothed = [0.9 * (four - three) + 0.1 * four, 0.1 * (four - three) + 0.9 * four];
    close(b, &b.sparse_cross_entropy(&z, &labels, 0.2)?, &Host::new(smoothed, &[2]), 4.0);
    let targets = Host::new([0.9, 0.1, 0.1, 0.9], &[2, 2]).up(b)?;
    close(b, &b.cross_entropy(&z, &targets)?, &Host::new(smoothed, &[2]), 4.0);
    let gradient = b.cross_entropy_grad(&z, &targets, &two)?;
    close(b, &gradient, &Host::new([-0.3, 0.3, 1.3, -1.3], &[2, 2]), 4.0);
    // One logit of odds 3 to 1, with targets 1, 0 and 1/2.
    let z = Host::new([three; 3], &[3]).up(b)?;
    let t = Host::new([1.0, 0.0, 0.5], &[3]).up(b)?;
    let want = [four - three, four, four - three / 2.0];
    close(b, &b.binary_cross_entropy(&z, &t)?, &Host::new(want, &[3]), 4.0);
    let gradient = b.binary_cross_entropy_grad(&z, &t, &b.fill([3].into(), 2.0)?)?;
    close(b, &gradient, &Host::new([-0.5, 1.5, 0.5], &[3]), 4.0);
    Ok(())
}

pub(crate) fn extreme_logits_stay_finite<B: Backend>(b: &B) -> Result<()> {
    for far in [60.0, 200.0, 1e4] {
        let z = Host::new([far, -far, far, -far], &[4]);
        let t = Host::new([1.0, 0.0, 0.0, 1.0], &[4]).up(b)?;
        // e^-60 is less than any epsilon here.
        close(b, &b.binary_cross_entropy(&z.up(b)?, &t)?, &Host::new([0.0, 0.0, far, far], &[4]), 2.0);
        let gradient = b.binary_cross_entropy_grad(&z.up(b)?, &t, &b.fill([4].into(), 1.0)?)?;
        close(b, &gradient, &Host::new([0.0, 0.0, 1.0, -1.0], &[4]), 2.0);
        let z = Host::new([far, -far, far, -far], &[2, 2]).up(b)?;
        let labels = b.upload_indices(vec![0, 1], [2].into())?;
        close(b, &b.sparse_cross_entropy(&z, &labels, 0.0)?, &Host::new([0.0, 2.0 * far], &[2]), 2.0);
        let gradient = b.sparse_cross_entropy_grad(&z, &labels, 0.0, &b.fill([2].into(), 1.0)?)?;
        close(b, &gradient, &Host::new([0.0, 0.0, 1.0, -1.0], &[2, 2]), 2.0);
        // A class of weight 0 adds nothing, however unlikely.
        let targets = Host::new([1.0, 0.0, 1.0, 0.0], &[2, 2]).up(b)?;
        exact(b, &b.cross_entropy(&z, &targets)?, &Host::new([0.0, 0.0], &[2]));
    }
    Ok(())
}
