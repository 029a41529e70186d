//! CUDA's functions by their names, as far as the backend calls them.

mod blas;
mod device;
mod driver;
mod kernels;
mod random;
mod stream;
mod streams;
