//! Every differentiable operation of a [`Tensor`](super::Tensor): value and pullback side by side.

mod elementwise;
mod loss;
mod nn;
mod product;
mod rearrange;
mod reduce;

pub use reduce::Axis;
