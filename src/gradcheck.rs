//! Finite differences against backward, for any operation, layer or loss, ours or a user's.

use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::random::Key;
use crate::tensor::Tensor;

/// How far gradients may differ; see [`gradcheck`].
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Distance of the two points of a difference from the middle. Central differences err by a multiple of its square plus
    /// rounding over it: `1e-5` suits `f64` values of order 1 and leaves about ten digits.
    pub step: f64,
    /// The greatest difference allowed, as a part of `1 + |gradient|`.
    pub relative: f64,
}

impl Default for Tolerance {
    /// For `f64`: a step of 1e-5, 1e-6 apart.
    fn default() -> Self {
        Tolerance { step: 1e-5, relative: 1e-6 }
    }
}

/// Compares the gradients of `f` with central differences at every element of every input.
///
/// `f` is given the inputs as tensors and may return any shape: it is multiplied by fixed random weights and summed, so
/// that the whole Jacobian counts and not only the sum of its columns. `f` must give the same value for the same
/// inputs (give dropout a fixed key), and the inputs must lie away from kinks. Use a backend of `f64`.
///
/// Errors with the input, the element and both numbers at the first difference beyond the tolerance; also when an input gets
/// no gradient though the differences say that it should have one.
///
/// ```
/// use elman::gradcheck::{Tolerance, gradcheck};
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let inputs = [(vec![0.1, -0.7, 0.4], vec![3])];
/// gradcheck(&b, &inputs, Tolerance::default(), |x| x[0].tanh()?.square())?;
/// # Ok::<(), elman::Error>(())
/// ```
pub fn gradcheck<B: Backend>(
    backend: &B,
    inputs: &[(Vec<f64>, Vec<usize>)],
    tolerance: Tolerance,
    f: impl Fn(&[Tensor<B>]) -> Result<Tensor<B>>,
) -> Result<()> {
    let tensor = |(data, shape): &(Vec<f64>, Vec<usize>)| {
        let data = data.iter().map(|&x| B::Elem::from_f64(x)).collect();
        Tensor::variable(backend, data, shape)
    };
    let variables: Vec<Tensor<B>> = inputs.iter().map(tensor).collect::<Result<_>>()?;
    let weighted = |inputs: &[Tensor<B>]| -> Result<Tensor<B>> {
        let y = f(inputs)?;
        let key = Key::new(0).named("gradcheck");
        let weights = (0..y.shape().elements() as u64).map(|i| B::Elem::from_f64(key.uniform(i) + 0.5)).collect();
        y.mul(&Tensor::new(backend, weights, &y.shape())?)?.sum()
    };
    let gradients = weighted(&variables)?.backward()?;
    for (i, (data, shape)) in inputs.iter().enumerate() {
        let analytic = match gradients.of(&variables[i]) {
            Some(gradient) => gradient.to_vec()?.into_iter().map(B::Elem::to_f64).collect(),
            None => vec![0.0; data.len()],
        };
        for at in 0..data.len() {
            let value_at = |shift: f64| -> Result<f64> {
                let mut moved = data.clone();
                moved[at] += shift;
                let mut constants: Vec<Tensor<B>> = variables.iter().map(Tensor::detach).collect();
                constants[i] = tensor(&(moved, shape.clone()))?.detach();
                weighted(&constants)?.to_scalar()
            };
            let numeric = (value_at(tolerance.step)? - value_at(-tolerance.step)?) / (2.0 * tolerance.step);
            let difference = (numeric - analytic[at]).abs();
            if difference.is_nan() || difference > tolerance.relative * (1.0 + numeric.abs()) {
                return Err(Error::invalid(
                    format!("gradcheck: input {i}, element {at}"),
                    format!("a gradient of {numeric:.9e} by finite differences"),
                    format!("{:.9e} by backward", analytic[at]),
                ));
            }
        }
    }
    Ok(())
}
