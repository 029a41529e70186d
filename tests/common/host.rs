//! Arrays on the host with naive loops in `f64`, random numbers, comparisons with a backend's results.

use elman::{Backend, Element, Key, Result, Shape};

/// Numbers on the host, in row-major order: what a backend's results are compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Host {
    pub(crate) data: Vec<f64>,
    pub(crate) shape: Vec<usize>,
}

impl Host {
    pub(crate) fn new(data: impl Into<Vec<f64>>, shape: &[usize]) -> Self {
        let data = data.into();
        assert_eq!(data.len(), shape.iter().product::<usize>(), "a mistake in the test");
        Host { data, shape: shape.to_vec() }
    }

    /// Random numbers in (-2, 2) that `f32` holds exactly, so that all backends start from the same ones.
    pub(crate) fn random(name: &str, shape: &[usize]) -> Self {
        let key = Key::new(1).named(name);
        let number = |i| f64::from((key.uniform(i) * 4.0 - 2.0) as f32);
        Host::new((0..shape.iter().product::<usize>() as u64).map(number).collect::<Vec<_>>(), shape)
    }

    /// The number that `f` gives for each position.
    pub(crate) fn build(shape: &[usize], f: impl Fn(&[usize]) -> f64) -> Self {
        Host::new(positions(shape).iter().map(|at| f(at)).collect::<Vec<_>>(), shape)
    }

    /// `f` of each number.
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Host::new(self.data.iter().map(|&x| f(x)).collect::<Vec<_>>(), &self.shape)
    }

    /// The number at a position.
    pub(crate) fn at(&self, position: &[usize]) -> f64 {
        let index = position.iter().zip(&self.shape).fold(0, |index, (&at, &size)| index * size + at);
        self.data[index]
    }

    /// The number at a position of a shape that this array is stretched to.
    pub(crate) fn stretched_at(&self, position: &[usize]) -> f64 {
        let own = &position[position.len() - self.shape.len()..];
        let own: Vec<usize> = own.iter().zip(&self.shape).map(|(&at, &size)| if size == 1 { 0 } else { at }).collect();
        self.at(&own)
    }

    /// Axes in another order.
    pub(crate) fn permuted(&self, axes: &[usize]) -> Self {
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        Host::build(&shape, |at| {
            let mut from = vec![0; at.len()];
            axes.iter().zip(at).for_each(|(&axis, &at)| from[axis] = at);
            self.at(&from)
        })
    }

    /// The last two axes exchanged.
    pub(crate) fn transposed(&self) -> Self {
        let rank = self.shape.len();
        let mut axes: Vec<usize> = (0..rank).collect();
        axes.swap(rank - 2, rank - 1);
        self.permuted(&axes)
    }

    /// On the backend.
    pub(crate) fn up<B: Backend>(&self, b: &B) -> Result<B::Array> {
        b.upload(self.data.iter().map(|&x| B::Elem::from_f64(x)).collect(), Shape::new(&self.shape)?)
    }

    /// From the backend.
    pub(crate) fn down<B: Backend>(b: &B, a: &B::Array) -> Result<Self> {
        let data: Vec<f64> = b.download(a)?.into_iter().map(B::Elem::to_f64).collect();
        Ok(Host::new(data, &b.shape(a)))
    }
}

/// All positions of a shape in row-major order.
pub(crate) fn positions(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &size in shape {
        all = all.iter().flat_map(|front| (0..size).map(move |i| [&front[..], &[i]].concat())).collect();
    }
    all
}

/// The distance from 1 to the next greater number of the element type.
pub(crate) fn epsilon<E: Element>() -> f64 {
    if E::NAME == "f32" { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

/// The result is what was expected to `slack` times the element type's epsilon, relative to `1 + |expected|`.
#[track_caller]
pub(crate) fn close<B: Backend>(b: &B, got: &B::Array, want: &Host, slack: f64) {
    let got = Host::down(b, got).unwrap();
    assert_eq!(got.shape, want.shape, "shapes");
    for (i, (&got, &want)) in got.data.iter().zip(&want.data).enumerate() {
        let allowed = slack * epsilon::<B::Elem>() * (1.0 + want.abs());
        let same = got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= allowed;
        assert!(same, "element {i} is {got:e}, expected {want:e} within {allowed:e}");
    }
}

/// The result is what was expected, to the last bit (but for the sign of a zero and the kind of a NaN).
#[track_caller]
pub(crate) fn exact<B: Backend>(b: &B, got: &B::Array, want: &Host) {
    close(b, got, want, 0.0);
}

/// Two results of a backend agree; see [`close`].
#[track_caller]
pub(crate) fn agree<B: Backend>(b: &B, got: &B::Array, want: &B::Array, slack: f64) {
    close(b, got, &Host::down(b, want).unwrap(), slack);
}

/// The call failed with an error, as it had to.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T>, what: &str) {
    assert!(result.is_err(), "no error: {what}");
}
