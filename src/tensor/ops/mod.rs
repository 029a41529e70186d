//! Every differentiable operation of a [`Tensor`](super::Tensor): value and pullback side by side.

mod attention;
mod crf;
mod ctc;
mod elementwise;
mod loss;
mod nn;
mod norm;
mod product;
mod rearrange;
mod recurrent;
mod reduce;
mod steps;

pub use recurrent::{Recurrence, States};
pub use reduce::Axis;
