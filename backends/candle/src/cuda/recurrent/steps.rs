//! A product of cuBLAS and a kernel for each step.

use super::Network;
use crate::cuda::sources::recurrent_steps;
use crate::cuda::{Arg, Cuda, Grid, Matrix};
use elman::backend::recurrent::Sizes;
use elman::{Result, Shape};

/// The `s`-th step of the walk.
fn step(x: &Network, s: usize) -> usize {
    if x.reverse == 0 { s } else { x.t as usize - 1 - s }
}

/// With the inputs' kernel above the recurrent weights at `beside`, if the inputs stand beside what is taken.
pub(super) fn forward(cuda: &Cuda, x: Network, Sizes { n, t, u, g }: Sizes, beside: Option<u64>) -> Result<()> {
    let (source, grid) = (recurrent_steps(g), Grid::over(n * u));
    cuda.launch(source, "begin", grid, &[Arg::Network(x)])?;
    // A GRU needs the candidate's product apart from the rest.
    let product = (g == 3).then(|| cuda.fresh("recurrent", Shape::new(&[n, g * u])?)).transpose()?;
    let apart = product.as_ref().map(|product| cuda.address(product)).transpose()?;
    let width = x.width as usize;
    let features = width - u;
    for s in 0..t {
        let at = step(&x, s);
        // Nothing comes out of a product with zeros.
        let any = s > 0 || x.first_h != 0;
        let taken = Matrix::new(x.taken - 4 * features as u64, t * width).from(at * width);
        let gates = Matrix::new(x.gates, t * g * u).from(at * g * u);
        match (beside, apart) {
            (Some(weights), _) => {
                let terms = if any { width } else { features };
                cuda.gemm([n, terms, g * u], 1, taken, Matrix::new(weights, g * u), gates, 0.0)?;
            }
            (None, Some(product)) if any => {
                let to = Matrix::new(product, g * u);
                cuda.gemm([n, u, g * u], 1, taken, Matrix::new(x.weights, g * u), to, 0.0)?;
            }
            (None, None) if any => cuda.gemm([n, u, g * u], 1, taken, Matrix::new(x.weights, g * u), gates, 1.0)?,
            _ => {}
        }
        let x = Network { product: apart.filter(|_| any).unwrap_or(0), ..x };
        cuda.launch(source, "forward", grid, &[Arg::Network(x), Arg::Int(s as i32)])?;
    }
    Ok(())
}

pub(super) fn backward(cuda: &Cuda, x: Network, Sizes { n, t, u, g }: Sizes) -> Result<()> {
    let (source, grid) = (recurrent_steps(g), Grid::over(n * u));
    let product = cuda.fresh("recurrent_grad", Shape::new(&[n, u])?)?;
    let product = cuda.address(&product)?;
    let from = if x.dv == 0 { x.dz } else { x.dv };
    for s in (0..t).rev() {
        let x = Network { product: if s + 1 < t { product } else { 0 }, ..x };
        cuda.launch(source, "backward", grid, &[Arg::Network(x), Arg::Int(s as i32)])?;
        if s > 0 || x.first_h != 0 {
            let da = Matrix::new(from, t * g * u).from(step(&x, s) * g * u);
            let weights = Matrix::new(x.weights, g * u).transposed();
            cuda.gemm([n, g * u, u], 1, da, weights, Matrix::new(product, u), 0.0)?;
        }
    }
    if x.first_h != 0 {
        cuda.launch(source, "end_back", grid, &[Arg::Network(Network { product, ..x })])?;
    }
    Ok(())
}
