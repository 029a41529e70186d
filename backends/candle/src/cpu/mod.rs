//! Kernels on slices of host memory, where candle's are slow or depart from the contract.

pub(crate) mod nest;
