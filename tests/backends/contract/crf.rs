//! Conditional random fields: against all paths one after another in `f64`, and against the default bodies.

use super::counts::{ALL, Counts, HOLES, LEFT, NONE, RIGHT};
use crate::common::host::{Host, agree, close, epsilon, exact, refused};
use crate::common::paths::Field;
use elman::backend::{CrfWanted, PathLoss, Potentials, crf};
use elman::{Backend, Key, Result, Shape};

/// A batch of chains with tags for each step, on the host.
struct Chains {
    x: [Host; 4],
    labels: Vec<u32>,
    mask: Option<Host>,
}

/// Chains on a backend.
struct Up<B: Backend> {
    x: [B::Array; 4],
    labels: B::Indices,
    mask: Option<B::Array>,
}

impl Chains {
    fn random([batch, time, tags]: [usize; 3], counts: Counts) -> Self {
        let labels = (0..(batch * time) as u64).map(|i| Key::new(3).below(i, tags) as u32).collect();
        let there = |at: &[usize]| f64::from(u8::from(counts(at[0], at[1])));
        let x = [
            Host::random("scores", &[batch, time, tags]),
            Host::random("start", &[tags]),
            Host::random("transitions", &[tags, tags]),
            Host::random("end", &[tags]),
        ];
        let mask = Host::build(&[batch, time], there);
        let whole = mask.data.iter().all(|&there| there == 1.0);
        Chains { x, labels, mask: (!whole).then_some(mask) }
    }

    /// Without the last tag behind itself and the first behind the last, and without the last at the beginning and the first at the end,
    /// none of which the labels use then.
    fn with_forbidden(mut self) -> Self {
        let (time, tags) = (self.x[0].shape[1], self.x[0].shape[2]);
        let last = tags - 1;
        self.x[1].data[last] = f64::NEG_INFINITY;
        self.x[2].data[last * tags + last] = f64::NEG_INFINITY;
        self.x[2].data[last * tags] = f64::NEG_INFINITY;
        self.x[3].data[0] = f64::NEG_INFINITY;
        // Any of the tags between is allowed anywhere.
        for (i, label) in self.labels.iter_mut().enumerate() {
            *label = 1 + (i % time) as u32 % (tags as u32 - 2);
        }
        self
    }

    fn counts(&self, row: usize, t: usize) -> bool {
        self.mask.as_ref().is_none_or(|mask| mask.at(&[row, t]) == 1.0)
    }

    fn field(&self, row: usize) -> Field {
        Field::of(row, self.x.each_ref(), |t| self.counts(row, t))
    }

    /// The given path of a sequence, of the steps that count.
    fn given(&self, row: usize) -> Vec<usize> {
        let time = self.x[0].shape[1];
        (0..time).filter(|&t| self.counts(row, t)).map(|t| self.labels[row * time + t] as usize).collect()
    }

    fn up<B: Backend>(&self, b: &B) -> Result<Up<B>> {
        let [scores, start, transitions, end] = &self.x;
        Ok(Up {
            x: [scores.up(b)?, start.up(b)?, transitions.up(b)?, end.up(b)?],
            labels: b.upload_indices(self.labels.clone(), Shape::new(&scores.shape[..2])?)?,
            mask: self.mask.as_ref().map(|mask| mask.up(b)).transpose()?,
        })
    }
}

impl<B: Backend> Up<B> {
    fn potentials(&self) -> Potentials<'_, B> {
        let [scores, start, transitions, end] = &self.x;
        Potentials { scores, start, transitions, end, mask: self.mask.as_ref() }
    }
}

/// Short enough for all paths.
fn small() -> Vec<Chains> {
    let mut all = vec![Chains::random([1, 1, 1], ALL), Chains::random([2, 3, 1], ALL)];
    for counts in [ALL, RIGHT, LEFT, HOLES, NONE] {
        all.push(Chains::random([3, 4, 3], counts));
        all.push(Chains::random([3, 4, 4], counts).with_forbidden());
    }
    all
}

/// A sum of at most 256 exponentials, and of the gradients of 3 sequences.
const SLACK: f64 = 64.0;

/// What a path adds to a vector: calls its second argument with each place of it.
type Adds<'a> = &'a dyn Fn(&[usize], &mut dyn FnMut(usize));

pub(crate) fn crf_is_its_definition<B: Backend>(b: &B) -> Result<()> {
    for chains in small() {
        let ([batch, time, tags], up) = ([0, 1, 2].map(|axis| chains.x[0].shape[axis]), chains.up(b)?);
        println!("{:?}, mask {:?}", chains.x[0].shape, chains.mask);
        let want = (0..batch).map(|row| match &chains.given(row)[..] {
            [] => 0.0,
            given => chains.field(row).log_partition() - chains.field(row).score(given),
        });
        let y = b.crf(&up.potentials(), &up.labels)?;
        close(b, &y.each, &Host::new(want.collect::<Vec<_>>(), &[batch]), SLACK);

        // Probabilities less what was given, by hand.
        let d = Host::random("d", &[batch]);
        let mut want = chains.x.clone().map(|x| x.map(|_| 0.0));
        for row in 0..batch {
            let (field, given) = (chains.field(row), chains.given(row));
            let steps: Vec<usize> = (0..time).filter(|&t| chains.counts(row, t)).collect();
            if steps.is_empty() {
                continue;
            }
            let mut add = |of: usize, n: usize, place: &dyn Fn(usize) -> usize, f: Adds<'_>| {
                let mut less = field.expected(n, f);
                f(&given, &mut |at| less[at] -= 1.0);
                less.iter().enumerate().for_each(|(i, x)| want[of].data[place(i)] += x * d.data[row]);
            };
            let here = |i: usize| (row * time + steps[i / tags]) * tags + i % tags;
            add(0, steps.len() * tags, &here, &|path, add| {
                path.iter().enumerate().for_each(|(step, tag)| add(step * tags + tag));
            });
            add(1, tags, &|i| i, &|path, add| add(path[0]));
            add(2, tags * tags, &|i| i, &|path, add| path.windows(2).for_each(|pair| add(pair[0] * tags + pair[1])));
            add(3, tags, &|i| i, &|path, add| add(path[path.len() - 1]));
        }
        let got = b.crf_grad(&up.potentials(), &up.labels, &y, &d.up(b)?, CrfWanted::ALL)?;
        for (got, want) in got.iter().zip(&want) {
            close(b, got.as_ref().expect("all are wanted"), want, SLACK);
        }
    }
    Ok(())
}

/// More steps, tags and sequences than threads and vectors have, and none.
fn large() -> Vec<Chains> {
    let mut all = vec![Chains::random([0, 3, 2], ALL), Chains::random([34, 4, 33], HOLES).with_forbidden()];
    for counts in [ALL, RIGHT, LEFT, HOLES, NONE] {
        all.push(Chains::random([33, 40, 9], counts));
        all.push(Chains::random([5, 70, 17], counts).with_forbidden());
    }
    all
}

/// Values are sums over up to 70 steps, gradients over up to 1320.
pub(crate) fn crf_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for chains in large() {
        println!("{:?}, forbidden {}", chains.x[0].shape, chains.x[1].data.contains(&f64::NEG_INFINITY));
        let (up, d) = (chains.up(b)?, Host::random("d", &chains.x[0].shape[..1]).up(b)?);
        let (got, want) = (b.crf(&up.potentials(), &up.labels)?, crf::crf(b, &up.potentials(), &up.labels)?);
        agree(b, &got.each, &want.each, 300.0);
        let want = crf::crf_grad(b, &up.potentials(), &up.labels, &want, &d, CrfWanted::ALL)?;
        // All choices of what is wanted where they cost little.
        for choice in if chains.x[0].shape[1] < 5 { 0..16 } else { 15..16 } {
            let wanted = [1, 2, 4, 8].map(|bit| choice & bit > 0);
            let got = b.crf_grad(&up.potentials(), &up.labels, &got, &d, wanted.into())?;
            for ((got, want), wanted) in got.iter().zip(&want).zip(wanted) {
                assert_eq!(got.is_some(), wanted, "what is wanted is given, and nothing else");
                if let (Some(got), Some(want)) = (got, want) {
                    agree(b, got, want, 1000.0);
                }
            }
        }
    }
    Ok(())
}

/// Scores `far` apart at steps and between them, a part of the ways forbidden.
fn far_apart() -> Vec<(f64, Chains)> {
    let mut all = Vec::new();
    for far in [30.0, 90.0, 1e3, 1e5] {
        for counts in [ALL, HOLES, LEFT] {
            for (scores, edges) in [(far, 1.0), (1.0, far), (far, far)] {
                let mut chains = Chains::random([4, 5, 4], counts).with_forbidden();
                for (x, by) in chains.x.iter_mut().zip([scores, edges, edges, edges]) {
                    *x = x.map(|x| x * by);
                }
                all.push((far, chains));
            }
        }
    }
    // A way whose exponential is 0 beside that of another at the second step, and is the one that counts after the third; seen from
    // either end.
    let none = f64::NEG_INFINITY;
    for (start, transitions, end, scores) in [
        ([0.0, none], [0.0, -110.0, 0.0, 0.0], [0.0; 2], [0.0, 0.0, -100.0, 0.0, -30.0, 0.0]),
        ([0.0; 2], [0.0, 0.0, -110.0, 0.0], [0.0, none], [-30.0, 0.0, -100.0, 0.0, 0.0, 0.0]),
    ] {
        let x = [
            Host::new(scores, &[1, 3, 2]),
            Host::new(start, &[2]),
            Host::new(transitions, &[2, 2]),
            Host::new(end, &[2]),
        ];
        all.push((110.0, Chains { x, labels: vec![0, 0, 0], mask: None }));
    }
    all
}

/// Whatever the scores, by all paths: so far apart that a sum of products of exponentials would be 0; a way that all but few steps
/// speak against; ways that only forbidden transitions leave.
pub(crate) fn crf_of_extremes_is_its_definition<B: Backend>(b: &B) -> Result<()> {
    for (far, chains) in far_apart() {
        // What is left where scores of this size cancel.
        let allowed = (50.0 * (1.0 + far) * epsilon::<B::Elem>()).min(0.5);
        let [batch, time, tags] = [0, 1, 2].map(|axis| chains.x[0].shape[axis]);
        let up = chains.up(b)?;
        let y = b.crf(&up.potentials(), &up.labels)?;
        let each = Host::down(b, &y.each)?.data;
        let d = b.fill([batch].into(), 1.0)?;
        let [scores, _, transitions, _] = b.crf_grad(&up.potentials(), &up.labels, &y, &d, CrfWanted::ALL)?;
        let (scores, transitions) = (Host::down(b, &scores.unwrap())?, Host::down(b, &transitions.unwrap())?);
        let mut pairs = vec![0.0; tags * tags];
        for (row, of_row) in scores.data.chunks(time * tags).enumerate() {
            let (field, given) = (chains.field(row), chains.given(row));
            if given.is_empty() {
                assert_eq!(each[row], 0.0);
                continue;
            }
            let want = field.log_partition() - field.score(&given);
            assert!((each[row] - want).abs() <= allowed, "far {far}, sequence {row}: {} for {want}", each[row]);
            let want = field.expected(given.len() * tags, |path, add| {
                path.iter().enumerate().for_each(|(step, tag)| add(step * tags + tag));
            });
            let steps: Vec<usize> = (0..time).filter(|&t| chains.counts(row, t)).collect();
            for (i, want) in want.iter().enumerate() {
                let less = f64::from(u8::from(given[i / tags] == i % tags));
                let got = of_row[steps[i / tags] * tags + i % tags] + less;
                assert!((got - want).abs() <= allowed, "far {far}, sequence {row}, {i}: {got} for {want}");
            }
            let expected = field.expected(tags * tags, |path, add| {
                path.windows(2).for_each(|pair| add(pair[0] * tags + pair[1]));
            });
            pairs.iter_mut().zip(expected).for_each(|(sum, x)| *sum += x);
            given.windows(2).for_each(|pair| pairs[pair[0] * tags + pair[1]] -= 1.0);
        }
        for (got, want) in transitions.data.iter().zip(&pairs) {
            assert!((got - want).abs() <= allowed * batch as f64, "far {far}, transitions: {got} for {want}");
        }
    }
    Ok(())
}

/// A field that forbids everything, and given tags that it forbids: infinite, but nothing is NaN.
pub(crate) fn forbidden_paths_are_infinite<B: Backend>(b: &B) -> Result<()> {
    let none = f64::NEG_INFINITY;
    let scores = Host::new([1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0], &[2, 2, 2]);
    let zeros = Host::new([0.0; 2], &[2]);
    let some = Host::new([0.0, none, 0.0, 0.0], &[2, 2]);
    let nothing = Host::new([none; 4], &[2, 2]);
    for (transitions, finite) in [(some, true), (nothing, false)] {
        let x = [scores.clone(), zeros.clone(), transitions, zeros.clone()];
        let chains = Chains { x, labels: vec![0, 1, 1, 1], mask: None };
        let up = chains.up(b)?;
        let y = b.crf(&up.potentials(), &up.labels)?;
        let each = Host::down(b, &y.each)?.data;
        assert_eq!(each[0], f64::INFINITY);
        assert_eq!(each[1].is_finite(), finite, "{each:?}");
        let d = b.fill([2].into(), 1.0)?;
        let gradients = b.crf_grad(&up.potentials(), &up.labels, &y, &d, CrfWanted::ALL)?;
        for gradient in gradients.iter().flatten() {
            assert!(Host::down(b, gradient)?.data.iter().all(|x| x.is_finite()));
        }
    }
    Ok(())
}

pub(crate) fn the_path_is_the_best<B: Backend>(b: &B) -> Result<()> {
    for chains in small() {
        let ([batch, time, tags], up) = ([0, 1, 2].map(|axis| chains.x[0].shape[axis]), chains.up(b)?);
        let mut want = Host::build(&[batch, time, tags], |_| 0.0);
        for row in 0..batch {
            let (best, _) = chains.field(row).ranked().remove(0);
            for (t, tag) in (0..time).filter(|&t| chains.counts(row, t)).zip(best) {
                want.data[(row * time + t) * tags + tag] = 1.0;
            }
        }
        exact(b, &b.crf_path(&up.potentials())?, &want);
    }
    // Of equal paths the first, from the last step on.
    let zeros = Chains::random([2, 3, 3], ALL);
    let zeros = Chains { x: zeros.x.map(|x| x.map(|_| 0.0)), ..zeros }.up(b)?;
    exact(b, &b.crf_path(&zeros.potentials())?, &Host::build(&[2, 3, 3], |at| f64::from(u8::from(at[2] == 0))));
    Ok(())
}

pub(crate) fn the_path_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for chains in large() {
        let up = chains.up(b)?;
        agree(b, &b.crf_path(&up.potentials())?, &crf::crf_path(b, &up.potentials())?, 0.0);
    }
    Ok(())
}

/// Neither as NaN nor as infinity: the bits are those of zeros.
pub(crate) fn steps_that_do_not_count_have_no_influence<B: Backend>(b: &B) -> Result<()> {
    for counts in [RIGHT, LEFT, HOLES, NONE] {
        let clean = Chains::random([5, 7, 9], counts);
        for wrong in [f64::NAN, f64::INFINITY, 1e30] {
            let mut dirty = Chains::random([5, 7, 9], counts);
            for i in (0..5 * 7).filter(|i| !clean.counts(i / 7, i % 7)) {
                dirty.x[0].data[i * 9..(i + 1) * 9].fill(wrong);
                dirty.labels[i] = 8 - dirty.labels[i];
            }
            let d = Host::random("d", &[5]).up(b)?;
            let all = |chains: &Chains| -> Result<Vec<Host>> {
                let up = chains.up(b)?;
                let y = b.crf(&up.potentials(), &up.labels)?;
                let gradients = b.crf_grad(&up.potentials(), &up.labels, &y, &d, CrfWanted::ALL)?;
                let path = b.crf_path(&up.potentials())?;
                [&y.each, &path].into_iter().chain(gradients.iter().flatten()).map(|a| Host::down(b, a)).collect()
            };
            assert_eq!(all(&clean)?, all(&dirty)?);
        }
    }
    Ok(())
}

pub(crate) fn wrong_chains_are_errors<B: Backend>(b: &B) -> Result<()> {
    let chains = Chains::random([2, 3, 4], ALL);
    let (up, x) = (chains.up(b)?, |shape: &[usize]| Host::random("x", shape).up(b));
    let y = b.crf(&up.potentials(), &up.labels)?;
    let d = x(&[2])?;
    let (edge, square, mask) = (x(&[5])?, x(&[5, 5])?, x(&[2, 4])?);
    let (flat, empty, no_tags) = (x(&[2, 3])?, x(&[2, 0, 4])?, x(&[2, 3, 0])?);
    let of = up.potentials();
    let wrong = [
        Potentials { scores: &flat, ..of },
        Potentials { scores: &empty, ..of },
        Potentials { scores: &no_tags, ..of },
        Potentials { start: &edge, ..of },
        Potentials { end: &edge, ..of },
        Potentials { transitions: &square, ..of },
        Potentials { transitions: &edge, ..of },
        Potentials { mask: Some(&mask), ..of },
    ];
    for (i, x) in wrong.iter().enumerate() {
        refused(b.crf(x, &up.labels), &format!("crf of wrong arrays {i}"));
        refused(b.crf_path(x), &format!("a path through wrong arrays {i}"));
        refused(b.crf_grad(x, &up.labels, &y, &d, CrfWanted::ALL), &format!("gradients of wrong arrays {i}"));
    }
    let few = b.upload_indices(vec![0; 4], [2, 2].into())?;
    let beyond = b.upload_indices(vec![0, 1, 2, 3, 4, 0], [2, 3].into())?;
    for labels in [&few, &beyond] {
        refused(b.crf(&of, labels), "wrong labels");
        refused(b.crf_grad(&of, labels, &y, &d, CrfWanted::ALL), "gradients of wrong labels");
    }
    refused(b.crf_grad(&of, &up.labels, &y, &x(&[3])?, CrfWanted::ALL), "a gradient of another batch");
    let unsaved = PathLoss { saved: vec![], ..y };
    refused(b.crf_grad(&of, &up.labels, &unsaved, &d, CrfWanted::ALL), "nothing saved");
    Ok(())
}
