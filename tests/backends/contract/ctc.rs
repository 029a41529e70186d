//! Connectionist temporal classification: against all alignments one after another in `f64`, and against the default bodies.

use super::counts::{ALL, Counts, HOLES, LEFT, NONE, RIGHT};
use crate::common::host::{Host, agree, close, epsilon, positions, refused};
use elman::backend::{Transcripts, ctc};
use elman::{Backend, Key, Result};

/// Sequences with labels, on the host.
struct Case {
    logits: Host,
    labels: Vec<Vec<u32>>,
    blank: u32,
    mask: Option<Host>,
}

impl Case {
    /// Random labels of at most `most`, so many that some do not fit.
    fn random([batch, time, classes]: [usize; 3], most: usize, blank: u32, counts: Counts) -> Self {
        let key = Key::new(5);
        let labels = (0..batch as u64).map(|row| {
            let key = key.fold(row);
            let label = |i: u64| key.below(i, classes - 1) as u32;
            let labels = (1..=key.below(0, most + 1) as u64).map(label);
            labels.map(|label| label + u32::from(label >= blank)).collect()
        });
        let mask = Host::build(&[batch, time], |at| f64::from(u8::from(counts(at[0], at[1]))));
        let whole = mask.data.iter().all(|&there| there == 1.0);
        Case {
            logits: Host::random("logits", &[batch, time, classes]),
            labels: labels.collect(),
            blank,
            mask: (!whole).then_some(mask),
        }
    }

    /// Loss and gradient of a sequence by all its alignments: what each class is named for at each step, less the softmax.
    fn by_hand(&self, row: usize) -> (f64, Vec<f64>) {
        let [time, classes] = [self.logits.shape[1], self.logits.shape[2]];
        let counts = |t: &usize| self.mask.as_ref().is_none_or(|mask| mask.at(&[row, *t]) == 1.0);
        let steps: Vec<usize> = (0..time).filter(counts).collect();
        let softmax: Vec<Vec<f64>> = steps.iter().map(|&t| softmax(&self.logits, row, t)).collect();
        let (mut all, mut named) = (0.0, vec![0.0; steps.len() * classes]);
        for alignment in positions(&vec![classes; steps.len()]) {
            if self.spelled(&alignment) == self.labels[row] {
                let p: f64 = alignment.iter().zip(&softmax).map(|(&class, p)| p[class]).product();
                all += p;
                alignment.iter().enumerate().for_each(|(step, class)| named[step * classes + class] += p);
            }
        }
        let mut gradient = vec![0.0; time * classes];
        for (step, &t) in steps.iter().enumerate().filter(|_| all > 0.0) {
            for class in 0..classes {
                gradient[t * classes + class] = softmax[step][class] - named[step * classes + class] / all;
            }
        }
        (-all.ln(), gradient)
    }

    /// What an alignment spells.
    fn spelled(&self, alignment: &[usize]) -> Vec<u32> {
        let mut classes: Vec<u32> = alignment.iter().map(|&class| class as u32).collect();
        classes.dedup();
        classes.retain(|&class| class != self.blank);
        classes
    }

    fn run<T, B: Backend>(&self, b: &B, call: impl FnOnce(&Transcripts<'_, B>) -> Result<T>) -> Result<T> {
        let (logits, mask) = (self.logits.up(b)?, self.mask.as_ref().map(|mask| mask.up(b)).transpose()?);
        call(&Transcripts { logits: &logits, labels: &self.labels, blank: self.blank, mask: mask.as_ref() })
    }
}

fn softmax(logits: &Host, row: usize, t: usize) -> Vec<f64> {
    let scores: Vec<f64> = (0..logits.shape[2]).map(|class| logits.at(&[row, t, class])).collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = scores.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|x| x / sum).collect()
}

/// Short enough for all alignments: repeated labels, none, some that do not fit.
fn small() -> Vec<Case> {
    let mut all = vec![Case::random([1, 1, 2], 0, 0, ALL), Case::random([3, 2, 2], 2, 1, ALL)];
    for counts in [ALL, RIGHT, LEFT, HOLES, NONE] {
        all.push(Case::random([4, 5, 3], 3, 0, counts));
        all.push(Case::random([4, 4, 4], 3, 2, counts));
    }
    let repeats = |labels: &[u32]| Case { labels: vec![labels.to_vec(); 2], ..Case::random([2, 5, 3], 0, 0, HOLES) };
    all.extend([repeats(&[1, 1]), repeats(&[2, 2, 2]), repeats(&[1, 2, 1])]);
    // A class that cannot be at some steps, and one that cannot be at all.
    for steps in [3, 5] {
        let mut some = Case::random([4, 5, 3], 3, 0, ALL);
        some.labels[..2].clone_from_slice(&[vec![2], vec![1]]);
        some.logits.data.chunks_mut(3).enumerate().for_each(|(step, logits)| {
            logits[2] = if step % 5 < steps { f64::NEG_INFINITY } else { logits[2] };
        });
        all.push(some);
    }
    all
}

/// Sums of at most 5 products of at most 1,024 each.
const SLACK: f64 = 64.0;

pub(crate) fn ctc_is_its_definition<B: Backend>(b: &B) -> Result<()> {
    let mut impossible = 0;
    for case in small() {
        println!("{:?}, labels {:?}, mask {:?}", case.logits.shape, case.labels, case.mask);
        let batch = case.logits.shape[0];
        let (each, gradients): (Vec<f64>, Vec<Vec<f64>>) = (0..batch).map(|row| case.by_hand(row)).unzip();
        impossible += each.iter().filter(|loss| loss.is_infinite()).count();
        case.run(b, |x| {
            let y = b.ctc(x)?;
            close(b, &y.each, &Host::new(each, &[batch]), SLACK);
            // A gradient that comes in is multiplied with, whatever it is.
            let d = Host::random("d", &[batch]);
            let weighed = gradients.iter().zip(&d.data).flat_map(|(of, d)| of.iter().map(move |x| x * d));
            let want = Host::new(weighed.collect::<Vec<_>>(), &case.logits.shape);
            close(b, &b.ctc_grad(x, &y, &d.up(b)?)?, &want, SLACK);
            Ok(())
        })?;
    }
    assert!(impossible > 3, "labels that do not fit are among the cases");
    Ok(())
}

/// More steps, classes, labels and sequences than threads and vectors have, and none.
pub(crate) fn ctc_is_its_default<B: Backend>(b: &B) -> Result<()> {
    let mut cases = vec![Case::random([0, 3, 2], 2, 0, ALL), Case::random([3, 9, 1100], 4, 1099, ALL)];
    for counts in [ALL, RIGHT, LEFT, HOLES, NONE] {
        cases.push(Case::random([33, 40, 9], 12, 0, counts));
        cases.push(Case::random([5, 70, 17], 30, 16, counts));
    }
    // So many steps that the product of all their sums of exponentials overflows in double precision.
    cases.push(Case::random([2, 600, 17], 12, 0, ALL));
    // The blank so far above all labels that few alignments spell them, beside which those that do not are as good as certain.
    let mut rare = Case::random([4, 15, 3], 12, 0, ALL);
    rare.labels[0] = vec![1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2];
    rare.logits.data.iter_mut().step_by(3).for_each(|blank| *blank += 75.0);
    cases.push(rare);
    // Labels in another order than they are heard: what spells them has next to nothing of any step's sum, but the last ones'.
    let heard = |at: &[usize]| if at[2] == if at[1] < 60 { 2 } else { 1 } { 15.0 } else { 0.0 };
    let logits = Host::build(&[1, 140, 4], heard);
    cases.push(Case { logits, labels: vec![vec![1, 2]], blank: 0, mask: None });
    for case in cases {
        println!("{:?}", case.logits.shape);
        let greatest = case.logits.data.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        // What is added up along an alignment, whose last digits are lost: steps of so much, at most.
        let size = 1.0 + greatest * case.labels.iter().map(Vec::len).max().unwrap_or(0) as f64;
        let d = Host::random("d", &case.logits.shape[..1]).up(b)?;
        case.run(b, |x| {
            let (got, want) = (b.ctc(x)?, ctc::ctc(b, x)?);
            // Values are sums over up to 600 steps.
            agree(b, &got.each, &want.each, 300.0);
            agree(b, &b.ctc_grad(x, &got, &d)?, &ctc::ctc_grad(b, x, &want, &d)?, 20.0 * size);
            Ok(())
        })?;
    }
    Ok(())
}

/// Logits far apart, for labels and against them: sums by hand, where products of exponentials would be 0, and nothing is NaN.
pub(crate) fn ctc_of_extremes_is_its_definition<B: Backend>(b: &B) -> Result<()> {
    for far in [30.0, 100.0, 300.0, 1e4] {
        let mut case = Case::random([4, 5, 3], 2, 0, ALL);
        // Equal neighbours, which need a blank between them.
        case.labels[0] = vec![1, 1];
        case.logits = case.logits.map(|x| x * far);
        let steps = case.logits.shape[1] * case.logits.shape[2];
        case.run(b, |x| {
            let y = b.ctc(x)?;
            let dx = Host::down(b, &b.ctc_grad(x, &y, &b.fill([4].into(), 1.0)?)?)?;
            for (row, got) in Host::down(b, &y.each)?.data.into_iter().enumerate() {
                // By logarithms: the least loss that an alignment alone would have, and the greatest that all together can have.
                let [least, most] = bounds(&case, row);
                // What is left of logits of this size.
                let allowed = 20.0 * (2.0 * far) * 5.0 * epsilon::<B::Elem>();
                assert!(
                    least - allowed <= got && got <= most + allowed,
                    "far {far}, sequence {row}: {got} is not from {least} to {most}"
                );
                let gradient = &dx.data[row * steps..][..steps];
                assert!(gradient.iter().all(|x| x.abs() <= 1.0 + 1e-3), "far {far}: {gradient:?}");
                for step in gradient.chunks(case.logits.shape[2]) {
                    assert!(step.iter().sum::<f64>().abs() < 1e-3, "what one class gains others lose: {step:?}");
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The best alignment's loss, less what as many as there are could add; and that loss.
fn bounds(case: &Case, row: usize) -> [f64; 2] {
    let [time, classes] = [case.logits.shape[1], case.logits.shape[2]];
    let score = |t: usize, class: usize| {
        let scores: Vec<f64> = (0..classes).map(|class| case.logits.at(&[row, t, class])).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        scores[class] - most - scores.iter().map(|x| (x - most).exp()).sum::<f64>().ln()
    };
    let fitting = positions(&vec![classes; time]).into_iter().filter(|path| case.spelled(path) == case.labels[row]);
    let scores = fitting.map(|path| path.iter().enumerate().map(|(t, &class)| score(t, class)).sum::<f64>());
    let scores: Vec<f64> = scores.collect();
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    [-best - (scores.len() as f64).ln(), -best]
}

/// What lies at steps that the mask leaves out, NaN even, changes nothing and gets no gradient.
pub(crate) fn steps_left_out_of_ctc_have_no_influence<B: Backend>(b: &B) -> Result<()> {
    let case = Case::random([4, 7, 3], 2, 0, HOLES);
    let mask = case.mask.clone().expect("it has holes");
    let classes = case.logits.shape[2];
    let with = |there: f64| {
        let logits = case.logits.data.iter().enumerate();
        let logits = logits.map(|(i, &x)| if mask.data[i / classes] == 0.0 { there } else { x });
        let logits = Host::new(logits.collect::<Vec<_>>(), &case.logits.shape);
        let case = Case { logits, labels: case.labels.clone(), blank: 0, mask: Some(mask.clone()) };
        case.run(b, |x| {
            let y = b.ctc(x)?;
            Ok([Host::down(b, &y.each)?, Host::down(b, &b.ctc_grad(x, &y, &b.fill([4].into(), 1.0)?)?)?])
        })
    };
    let (want, got) = (with(1.0)?, with(f64::NAN)?);
    assert_eq!(got, want);
    for (i, x) in got[1].data.iter().enumerate() {
        assert!(mask.data[i / classes] == 1.0 || *x == 0.0, "a gradient at a step that does not count");
    }
    Ok(())
}

pub(crate) fn wrong_transcripts_are_errors<B: Backend>(b: &B) -> Result<()> {
    let good = || Case::random([2, 4, 3], 2, 0, ALL);
    let run = |case: &Case, what: &str| refused(case.run(b, |x| b.ctc(x)), what);
    run(&Case { labels: vec![vec![1]], ..good() }, "labels of one sequence for two");
    run(&Case { labels: vec![vec![1], vec![3]], ..good() }, "a label beyond the classes");
    run(&Case { labels: vec![vec![1], vec![0]], ..good() }, "the blank as a label");
    run(&Case { blank: 3, ..good() }, "a blank beyond the classes");
    run(&Case { logits: Host::random("logits", &[2, 4]), ..good() }, "logits without classes");
    run(&Case { logits: Host::random("logits", &[2, 0, 3]), ..good() }, "no step");
    run(&Case { mask: Some(Host::random("mask", &[2, 3])), ..good() }, "a mask of fewer steps");
    good().run(b, |x| {
        let y = b.ctc(x)?;
        refused(b.ctc_grad(x, &y, &b.fill([3].into(), 1.0)?), "a gradient of three losses for two");
        Ok(())
    })
}
