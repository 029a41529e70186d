//! A GPU in software: what elman's CUDA backend asks of a driver, of cuBLAS and of cuRAND, answered on the host.
//!
//! The backend's tests run on it where there is no GPU (see `README.md`). Kernels are executed as NVRTC has compiled them, by
//! an interpreter of PTX that knows the instructions which they use; another one is an error that names it. It checks what a
//! GPU does not: that every access lies in an array, that threads of a block wait for each other before one reads what
//! another has written, that memory is written before it is read. Times say nothing.
#![allow(missing_docs, reason = "nobody uses this crate but programs that look for CUDA's names")]

pub mod api;
pub mod machine;
pub mod ptx;
