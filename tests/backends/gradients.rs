//! Every differentiable operation against finite differences, on the reference backend in `f64`.
//!
//! The tolerance is gradcheck's default, 1e-6 relative to `1 + |gradient|`: central differences with a step of 1e-5
//! err by some 1e-10 for the third derivatives here and by some 1e-11 for rounding, both magnified at most a thousand
//! times below.

use crate::common::host::Host;
use elman::backend::{Attention, Cell};
use elman::data::Bags;
use elman::gradcheck::{Tolerance, gradcheck};
use elman::layers::{Mask, additive_attention, dot_attention};
use elman::tensor::{Axis, Recurrence};
use elman::{Activation, Backend, Key, Result};
use elman_reference::Reference;
use std::sync::Arc;

type B = Reference<f64>;
type Tensor = elman::Tensor<B>;

/// Where inputs are drawn from, so that functions are defined and kinks far away.
#[derive(Clone, Copy)]
enum Range {
    /// (-2, 2)
    Any,
    /// (-2.2, 2.2) without (-0.2, 0.2)
    AwayFromZero,
    /// (0.2, 2.2)
    Positive,
}

fn check(shapes: &[&[usize]], range: Range, f: impl Fn(&[Tensor]) -> Result<Tensor>) -> Result<()> {
    let inputs: Vec<(Vec<f64>, Vec<usize>)> = (shapes.iter().enumerate())
        .map(|(i, shape)| {
            let any = Host::random(&format!("input {i}"), shape);
            let host = match range {
                Range::Any => any,
                Range::AwayFromZero => any.map(|x| x + 0.2 * x.signum()),
                Range::Positive => any.map(|x| x.abs() + 0.2),
            };
            (host.data, host.shape)
        })
        .collect();
    gradcheck(&B::new(), &inputs, Tolerance::default(), f)
}

/// One test an operation: its name, the inputs' range, then every list of shapes that it is checked with, and the
/// operation.
macro_rules! gradients {
    ($($name:ident ($range:ident: $($shapes:expr),+) $f:expr;)*) => {
        $(#[test]
        fn $name() -> Result<()> {
            let operation = $f;
            $(check(&$shapes, Range::$range, operation)?;)+
            Ok(())
        })*
    };
}

/// What an operation on a pair is checked with: equal shapes, scalars, rows, columns, both stretched, missing and
/// empty axes.
macro_rules! pairs {
    ($($name:ident ($range:ident) $f:expr;)*) => {
        gradients! {$(
            $name ($range: [&[2, 3], &[2, 3]], [&[2, 3], &[]], [&[], &[3]], [&[2, 3], &[3]], [&[2, 1], &[2, 3]],
                [&[2, 1], &[1, 3]], [&[2, 1, 3], &[4, 1]], [&[1], &[1, 1]], [&[0, 3], &[3]]) $f;
        )*}
    };
}

gradients! {
    neg (Any: [&[5]], [&[]]) |x: &[Tensor]| x[0].neg();
    affine (Any: [&[2, 3]]) |x: &[Tensor]| x[0].affine(-1.5, 0.5);
    abs (AwayFromZero: [&[33]]) |x: &[Tensor]| x[0].abs();
    exp (Any: [&[5]]) |x: &[Tensor]| x[0].exp();
    ln (Positive: [&[5]]) |x: &[Tensor]| x[0].ln();
    sqrt (Positive: [&[5]]) |x: &[Tensor]| x[0].sqrt();
    square (Any: [&[5]]) |x: &[Tensor]| x[0].square();
    powf (Positive: [&[5]]) |x: &[Tensor]| x[0].powf(-1.5)?.add(&x[0].powf(3.0)?);
    recip (AwayFromZero: [&[33]]) |x: &[Tensor]| x[0].recip();
    // No input lies within a step of the bounds.
    clamp (Any: [&[33]]) |x: &[Tensor]| x[0].clamp(-0.5, 1.0);
    sigmoid (Any: [&[5]]) |x: &[Tensor]| x[0].sigmoid();
    tanh (Any: [&[5]]) |x: &[Tensor]| x[0].tanh();
    relu (AwayFromZero: [&[33]]) |x: &[Tensor]| x[0].relu();
    softmax (Any: [&[2, 5]], [&[3]], [&[2, 2, 1]]) |x: &[Tensor]| x[0].softmax();
    log_softmax (Any: [&[2, 5]], [&[3]], [&[2, 2, 1]]) |x: &[Tensor]| x[0].log_softmax();
    ctc (Any: [&[2, 5, 3]]) |x: &[Tensor]| x[0].ctc(&[vec![1, 1], vec![2]], 0, None);

    masked_softmax (Any: [&[2, 5]], [&[2, 1]], [&[3, 2, 3]]) |x: &[Tensor]| {
        // A mask as large as the result, with a row of zeros, and one that is stretched.
        let shape = x[0].shape();
        let rows = mask(&shape)?.mul(&Tensor::new(&B::new(), [vec![0.0], vec![1.0; shape.rows() - 1]].concat(), &[&shape[..shape.rank() - 1], &[1]].concat())?)?;
        x[0].masked_softmax(rows.value())?.add(&x[0].masked_softmax(mask(&[shape.last()])?.value())?.square()?)
    };
    layer_norm (Any: [&[4, 5], &[5], &[5]], [&[3], &[3], &[3]], [&[2, 2, 4], &[4], &[4]], [&[2, 1], &[1], &[1]],
        [&[0, 3], &[3], &[3]]) |x: &[Tensor]| x[0].layer_norm(&x[1], &x[2], 0.1);
    attention (Any: [&[2, 3, 4], &[2, 5, 4], &[2, 5, 3]], [&[2, 2, 3, 1], &[2, 2, 2, 1], &[2, 2, 2, 3]],
        [&[1, 1, 1], &[1, 1, 1], &[1, 1, 1]]) |x: &[Tensor]| {
        // All ways: with a mask, one sequence all masked; causal; with dropout; all of it.
        let (batch, keys) = (x[1].shape()[0], x[1].shape()[x[1].shape().rank() - 2]);
        let there = (0..batch * keys).map(|i| f64::from(u8::from(i < keys && i != 1))).collect();
        let there = Some(B::new().upload(there, [batch, keys].into())?);
        let dropout = Some((0.4, Key::new(3).named("dropout")));
        let of = |mask, causal, dropout| x[0].attention(&x[1], &x[2], Attention { mask, causal, dropout, ..Attention::new(0.7) });
        let [masked, causal] = [of(there.clone(), false, None)?, of(None, true, None)?];
        let [dropped, all] = [of(None, false, dropout)?, of(there, true, dropout)?];
        masked.add(&causal.square()?)?.add(&dropped.affine(2.0, 0.0)?)?.add(&all.affine(3.0, 0.0)?)
    };
    biased_attention (Any: [&[2, 3, 4], &[2, 5, 4], &[2, 5, 3], &[3, 5]], [&[2, 2, 3, 1], &[2, 2, 2, 1], &[2, 2, 2, 3], &[2, 1, 3, 2]],
        [&[2, 2, 3, 1], &[2, 2, 2, 1], &[2, 2, 2, 3], &[2, 2, 3, 2]], [&[1, 1, 1], &[1, 1, 1], &[1, 1, 1], &[]]) |x: &[Tensor]| {
        // All ways: alone; with a mask of pairs, one query of which sees nothing; causal with dropout, and -∞ in the bias.
        let (q, k) = (x[0].shape(), x[1].shape());
        let (batch, queries, keys) = (q[0], q[q.rank() - 2], k[k.rank() - 2]);
        let there = (0..batch * queries * keys).map(|i| f64::from(u8::from(i >= keys && i % 3 != 1))).collect();
        let there = Some(B::new().upload(there, [batch, queries, keys].into())?);
        let shut: Vec<f64> = (0..queries * keys).map(|i| if i % 4 == 1 { f64::NEG_INFINITY } else { 0.5 }).collect();
        let shut = Tensor::new(&B::new(), shut, &[queries, keys])?;
        let dropout = Some((0.4, Key::new(3).named("dropout")));
        let of = |bias: &Tensor, mask, causal, dropout| {
            x[0].biased_attention(&x[1], &x[2], bias, Attention { mask, causal, dropout, ..Attention::new(0.7) })
        };
        let [plain, masked] = [of(&x[3], None, false, None)?, of(&x[3], there.clone(), false, None)?];
        let [causal, all] = [of(&x[3].add(&shut)?, None, true, dropout)?, of(&x[3].add(&shut)?, there, true, None)?];
        plain.add(&masked.square()?)?.add(&causal.affine(2.0, 0.0)?)?.add(&all.square()?.affine(3.0, 0.0)?)
    };
    attention_to_itself (Any: [&[2, 3, 4]]) |x: &[Tensor]| dot_attention(&x[0], &x[0], &x[0], None, 0.5, true);
    attention_by_sums (Any: [&[2, 3, 4], &[2, 5, 4], &[2, 5, 3], &[4]]) |x: &[Tensor]| {
        let there = Mask::from_lengths(&B::new(), &[3, 0], 5)?;
        let of = |mask, causal| additive_attention(&x[0], &x[1], &x[2], &x[3], mask, causal);
        let [plain, causal] = [of(None, false)?, of(None, true)?.square()?];
        plain.add(&causal)?.add(&of(Some(&there), false)?.square()?)?.add(&of(Some(&there), true)?)
    };

    sum (Any: [&[2, 3]], [&[]], [&[0]]) |x: &[Tensor]| x[0].sum();
    mean (Any: [&[2, 3]], [&[]], [&[0]]) |x: &[Tensor]| x[0].mean();
    sum_along (Any: [&[2, 3, 4]]) |x: &[Tensor]| {
        let middle = x[0].sum_along(Axis::Drop(1))?.square()?.sum_along(Axis::Keep(1))?.reshape(&[2, 1, 1])?;
        middle.mul(&x[0].sum_along(Axis::Keep(2))?)
    };
    mean_along (Any: [&[2, 3, 4]]) |x: &[Tensor]| {
        x[0].mean_along(Axis::Drop(0))?.mul(&x[0].mean_along(Axis::Keep(1))?)
    };
    sum_to (Any: [&[2, 3, 4]]) |x: &[Tensor]| {
        let parts = [x[0].sum_to([3, 1].into())?, x[0].sum_to([4].into())?, x[0].sum_to([2, 1, 4].into())?];
        parts[0].mul(&parts[1])?.mul(&parts[2])
    };
    max_along (Any: [&[4, 5]]) |x: &[Tensor]| {
        x[0].max_along(Axis::Keep(0))?.mul(&x[0].max_along(Axis::Drop(1))?.reshape(&[4, 1])?)
    };

    select (Any: [&[2, 3], &[2, 3]], [&[2, 3], &[]], [&[], &[3]], [&[2, 1], &[1, 3]],
        [&[4, 2, 3], &[3]]) |x: &[Tensor]| {
        // A mask as large as the result, one that is stretched, and one that stretches the others.
        let row = x[1].select(&mask(&[3])?, &x[0])?;
        x[0].select(&mask(&[2, 3])?, &x[1])?.mul(&row)?.mul(&x[0].select(&mask(&[2, 2, 1, 1, 1])?, &x[1])?)
    };

    reshape (Any: [&[2, 3]], [&[6, 1]]) |x: &[Tensor]| x[0].reshape(&[3, 2]);
    permute (Any: [&[2, 3, 4]]) |x: &[Tensor]| x[0].permute(&[2, 0, 1]);
    transpose (Any: [&[2, 3]], [&[2, 3, 4]]) |x: &[Tensor]| x[0].transpose();
    slice (Any: [&[4, 5]], [&[3, 3, 2]]) |x: &[Tensor]| x[0].slice(1, 1, 2)?.slice(0, 0, 2);
    slice_of_nothing (Any: [&[4, 5]]) |x: &[Tensor]| x[0].slice(1, 5, 0);
    concat (Any: [&[2, 3], &[2, 1], &[2, 0]]) |x: &[Tensor]| Tensor::concat(&[&x[0], &x[1], &x[2], &x[0]], 1);
    // A row that is taken twice gets both gradients, one that is not taken none.
    gather (Any: [&[4, 3]]) |x: &[Tensor]| x[0].gather(&B::new().upload_indices(vec![3, 0, 3, 1], [2, 2].into())?);

    matmul (Any: [&[2, 3], &[3, 4]], [&[1, 1], &[1, 5]], [&[5, 2, 3], &[5, 3, 4]], [&[5, 2, 3], &[3, 4]],
        [&[2, 3], &[5, 3, 4]], [&[2, 3, 2, 3], &[3, 4]], [&[2, 2, 2, 3], &[2, 2, 3, 2]], [&[2, 0], &[0, 3]]) |x: &[Tensor]| x[0].matmul(&x[1]);
    matmul_with_itself (Any: [&[3, 3]]) |x: &[Tensor]| x[0].matmul(&x[0])?.matmul(&x[0].transpose()?);

    linear (Any: [&[4, 3], &[3, 2], &[2]], [&[3], &[3, 2], &[2]], [&[2, 2, 3], &[3, 1], &[1]]) |x: &[Tensor]| {
        x[0].linear(&x[1], Some(&x[2]))
    };
    linear_without_bias (Any: [&[4, 3], &[3, 2]], [&[2, 1, 3], &[3, 2]]) |x: &[Tensor]| x[0].linear(&x[1], None);
    bag_linear (Any: [&[4, 3], &[3]]) |x: &[Tensor]| {
        Tensor::bag_linear(&Arc::new(Bags::binary([vec![0, 3], vec![], vec![3]], 4)?), &x[0], Some(&x[1]))
    };
    bag_linear_with_values (Any: [&[4, 3]]) |x: &[Tensor]| {
        let bags = Bags::with_values([vec![(0, 0.5), (3, -2.0)], vec![(1, 1.5)]], 4)?;
        Tensor::bag_linear(&Arc::new(bags), &x[0], None)
    };
    dropout (Any: [&[5, 7]]) |x: &[Tensor]| x[0].square()?.dropout(0.4, Key::new(3).named("dropout"));

    sparse_cross_entropy (Any: [&[3, 4]]) |x: &[Tensor]| {
        let labels = B::new().upload_indices(vec![3, 0, 3], [3].into())?;
        x[0].sparse_cross_entropy(&labels, 0.0)?.add(&x[0].sparse_cross_entropy(&labels, 0.2)?.square()?)
    };
    cross_entropy (Any: [&[2, 4]]) |x: &[Tensor]| x[0].cross_entropy(&targets(&[2, 4])?);
    binary_cross_entropy (Any: [&[2, 4]]) |x: &[Tensor]| x[0].binary_cross_entropy(&targets(&[2, 4])?);
}

pairs! {
    add (Any) |x: &[Tensor]| x[0].add(&x[1]);
    sub (Any) |x: &[Tensor]| x[0].sub(&x[1]);
    mul (Any) |x: &[Tensor]| x[0].mul(&x[1]);
    div (AwayFromZero) |x: &[Tensor]| x[0].div(&x[1]);
    div_the_other_way (AwayFromZero) |x: &[Tensor]| x[1].div(&x[0]);
    // No two inputs are within a step of each other.
    maximum (Any) |x: &[Tensor]| x[0].maximum(&x[1]);
    minimum (Any) |x: &[Tensor]| x[0].minimum(&x[1]);
}

fn targets(shape: &[usize]) -> Result<Tensor> {
    let host = Host::random("targets", shape).map(|t| t.abs() / 2.0);
    Tensor::new(&B::new(), host.data, shape)
}

fn mask(shape: &[usize]) -> Result<Tensor> {
    let host = Host::random("mask", shape).map(|x| f64::from(u8::from(x > 0.0)));
    Tensor::new(&B::new(), host.data, shape)
}

#[test]
fn activations() -> Result<()> {
    let parameterised = [Activation::LeakyRelu(0.1), Activation::Elu(1.5), Activation::Celu(0.7)];
    let plain = [
        Activation::Linear,
        Activation::Sigmoid,
        Activation::HardSigmoid,
        Activation::HardSigmoidKeras1,
        Activation::Tanh,
        Activation::Relu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Softplus,
        Activation::Selu,
        Activation::Mish,
        Activation::HardSwish,
        Activation::Softsign,
        Activation::Relu6,
        Activation::LogSigmoid,
        Activation::Softmax,
        Activation::LogSoftmax,
    ];
    for f in plain.into_iter().chain(parameterised) {
        println!("{f}");
        check(&[&[3, 11]], Range::AwayFromZero, |x| x[0].activate(f))?;
    }
    // Beyond ±3, where the hard sigmoids are flat.
    for f in [Activation::HardSigmoid, Activation::HardSigmoidKeras1, Activation::HardSwish, Activation::Relu6] {
        check(&[&[33]], Range::AwayFromZero, |x| x[0].affine(3.0, 0.0)?.activate(f))?;
    }
    Ok(())
}

/// All cells with every option, through the outputs of all steps, the last output, the last cell state, and all of them.
#[test]
fn recurrent() -> Result<()> {
    let (gates, activation) = (Activation::Sigmoid, Activation::Tanh);
    let cells = [
        Cell::Elman { activation },
        Cell::Lstm { gates, activation },
        Cell::Gru { gates, activation, reset_after: true },
        Cell::Gru { gates, activation, reset_after: false },
        // Functions whose slopes do not follow from their values.
        Cell::Elman { activation: Activation::Silu },
        Cell::Lstm { gates: Activation::Softplus, activation: Activation::GeluTanh },
        Cell::Gru { gates, activation: Activation::Softplus, reset_after: true },
        Cell::Lstm { gates: Activation::Softsign, activation: Activation::Mish },
    ];
    // The second sequence is masked at its begin, the third at its end, the fourth altogether.
    let mask = [0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1].map(f64::from);
    for (cell, bits) in cells.into_iter().flat_map(|cell| (0..8).map(move |bits| (cell, bits))) {
        println!("{cell:?}, options {bits:03b}");
        let (b, [n, t, u], g) = (B::new(), [4, 4, 2], cell.gates());
        let mask = Host::new(mask, &[n, t]).up(&b)?;
        let dropout = Host::new([1.5, 0.0, 1.5, 1.5, 0.0, 1.5, 1.5, 1.5], &[n, u]).up(&b)?;
        let is_gru = matches!(cell, Cell::Gru { .. });
        let run = |x: &[Tensor], through: usize| -> Result<Tensor> {
            let mut optional = x[2..].iter();
            let with = Recurrence {
                u: &x[1].affine(0.5, 0.0)?,
                h: optional.next(),
                bias: if is_gru { optional.next() } else { None },
                c: if cell.has_cell_state() { optional.next() } else { None },
                mask: (bits & 1 > 0).then_some(&mask),
                dropout: (bits & 2 > 0).then_some(&dropout),
                reverse: bits & 4 > 0,
                outputs: through != 1,
            };
            let y = x[0].recurrent(cell, &with)?;
            let parts = [y.outputs, Some(y.h), y.c].into_iter().enumerate().filter(|(i, _)| [*i, 3].contains(&through));
            let flat = |part: Tensor| part.reshape(&[part.shape().elements()]);
            let parts = parts.filter_map(|(_, part)| part).map(flat).collect::<Result<Vec<_>>>()?;
            Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0)
        };
        let shapes: [&[usize]; 4] = [&[n, t, g * u], &[u, g * u], &[n, u], if is_gru { &[g * u] } else { &[n, u] }];
        let with_states = if is_gru || cell.has_cell_state() { &shapes[..] } else { &shapes[..3] };
        for through in if cell.has_cell_state() { vec![0, 1, 2, 3] } else { vec![0, 1, 3] } {
            check(with_states, Range::Any, |x| run(x, through))?;
            check(&shapes[..2], Range::Any, |x| run(x, through))?;
        }
    }
    Ok(())
}

#[test]
fn values_that_are_used_more_than_once_sum_their_gradients() -> Result<()> {
    check(&[&[2, 3], &[3]], Range::Positive, |x| {
        let shared = x[0].mul(&x[1])?.tanh()?;
        let left = shared.square()?.add(&shared)?;
        let right = shared.mul(&x[0])?.sub(&shared.softmax()?)?;
        left.mul(&right)?.add(&shared)?.add(&x[1])
    })
}

/// Equal elements share the gradient: finite differences cannot tell, so by hand.
#[test]
fn equal_elements_share_the_gradient() -> Result<()> {
    let b = B::new();
    let x = Tensor::variable(&b, vec![2.0, 1.0, 2.0, 3.0], &[1, 4])?;
    let y = Tensor::variable(&b, vec![2.0, 2.0, 1.0, 3.0], &[4])?;
    let gradients = x.maximum(&y)?.sum()?.backward()?;
    let of = |gradients: &elman::tensor::Gradients<B>, x| gradients.of(x).map(|g| g.to_vec());
    assert_eq!(of(&gradients, &x).transpose()?, Some(vec![0.5, 0.0, 1.0, 0.5]));
    assert_eq!(of(&gradients, &y).transpose()?, Some(vec![0.5, 1.0, 0.0, 0.5]));
    let gradients = x.minimum(&y)?.sum()?.backward()?;
    assert_eq!(of(&gradients, &x).transpose()?, Some(vec![0.5, 1.0, 0.0, 0.5]));
    let z = Tensor::variable(&b, vec![2.0, 1.0, 2.0], &[3])?;
    let gradients = z.max_along(Axis::Drop(0))?.backward()?;
    assert_eq!(of(&gradients, &z).transpose()?, Some(vec![0.5, 0.0, 0.5]));
    Ok(())
}

/// Where a derivative does not exist, the documented one.
#[test]
fn kinks_have_the_documented_gradient() -> Result<()> {
    let b = B::new();
    let at = |x: f64, f: &dyn Fn(&Tensor) -> Result<Tensor>| -> Result<f64> {
        let x = Tensor::variable(&b, vec![x], &[])?;
        let mut gradients = f(&x)?.backward()?;
        let gradient = gradients.take(&x).map(|g| g.data()[0]);
        Ok(gradient.unwrap_or(f64::NAN))
    };
    assert_eq!(at(0.0, &|x| x.abs())?, 0.0);
    assert_eq!(at(0.0, &|x| x.relu())?, 0.0);
    assert_eq!(at(1.0, &|x| x.clamp(-1.0, 1.0))?, 0.0);
    assert_eq!(at(-1.0, &|x| x.clamp(-1.0, 1.0))?, 0.0);
    assert_eq!(at(0.0, &|x| x.activate(Activation::LeakyRelu(0.25)))?, 0.25);
    assert_eq!(at(0.0, &|x| x.activate(Activation::Elu(2.0)))?, 2.0);
    Ok(())
}

/// gradcheck itself must see a wrong gradient, a missing one, and NaN.
#[test]
fn gradcheck_finds_wrong_gradients() {
    let wrong = |factor: f64| {
        check(&[&[3]], Range::Positive, move |x| {
            let (b, value) = (x[0].backend().clone(), x[0].square()?.value().clone());
            let kept = x[0].value().clone();
            Ok(Tensor::record("wrong square", &b.clone(), value, &[&x[0]], move |dy, _| {
                let slope = b.map(elman::backend::Map::Affine(factor, 0.0), &kept)?;
                Ok(vec![Some(b.zip(elman::backend::Zip::Mul, &slope, dy)?)])
            }))
        })
    };
    assert!(wrong(2.0).is_ok());
    assert!(wrong(2.0001).is_err());
    assert!(wrong(f64::NAN).is_err());
    let forgets = check(&[&[3], &[3]], Range::Positive, |x| x[0].mul(&x[1].detach()));
    assert!(forgets.is_err_and(|error| error.to_string().contains("input 1, element 0")));
}
