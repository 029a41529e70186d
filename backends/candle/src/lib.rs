//! The [candle](https://github.com/huggingface/candle) backend of elman: CPU, CUDA and Metal.
//!
//! ```
//! use elman::Tensor;
//! use elman_candle::Candle;
//!
//! let device = Candle::cpu();
//! let w = Tensor::variable(&device, vec![3.0, 4.0], &[2])?;
//! let gradients = w.square()?.sum()?.backward()?;
//! assert_eq!(gradients.of(&w).unwrap().to_vec()?, [6.0, 8.0]);
//! # Ok::<(), elman::Error>(())
//! ```
//!
//! Candle gives the devices, the memory and its kernels ([`portable`]). On a CPU most kernels are elman's own ([`cpu`]):
//! they fuse what belongs together, reuse memory and update in place. Candle's backpropagation is not used; the
//! tape is elman's.
#![deny(unsafe_code)]

mod array;
mod cpu;
mod memory;
mod portable;

pub use array::{Array, Indices};
pub use candle_core;

use array::error;
use candle_core::{DType, Device, Tensor};
use elman::backend::{Backend, Map, Zip, check};
use elman::{Error, Result, Shape};

/// A candle device as a backend of elman. A clone is the same device.
#[derive(Clone, Debug)]
pub struct Candle {
    device: Device,
}

impl Candle {
    /// The CPU.
    pub fn cpu() -> Self {
        Candle::new(Device::Cpu)
    }

    /// The CUDA device `ordinal`. Errors when the crate was built without its feature `cuda`, and when there is no such
    /// device.
    pub fn cuda(ordinal: usize) -> Result<Self> {
        if !candle_core::utils::cuda_is_available() {
            return Err(missing("cuda"));
        }
        Ok(Candle::new(Device::new_cuda(ordinal).map_err(error("cuda"))?))
    }

    /// The Metal device `ordinal`. Errors when the crate was built without its feature `metal`, and when there is no such
    /// device.
    pub fn metal(ordinal: usize) -> Result<Self> {
        if !candle_core::utils::metal_is_available() {
            return Err(missing("metal"));
        }
        Ok(Candle::new(Device::new_metal(ordinal).map_err(error("metal"))?))
    }

    /// Any device of candle's.
    pub fn new(device: Device) -> Self {
        Candle { device }
    }

    /// Candle's device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// An array of `shape` computed by candle; one without elements needs no computing.
    fn compute(
        &self,
        op: &'static str,
        shape: Shape,
        compute: impl FnOnce() -> candle_core::Result<Tensor>,
    ) -> Result<Array> {
        let tensor = match shape.elements() {
            0 => portable::empty(shape, DType::F32, &self.device),
            _ => compute(),
        };
        Ok(Array::new(tensor.map_err(error(op))?, shape))
    }
}

fn missing(feature: &'static str) -> Error {
    let expected = format!("elman-candle built with its feature `{feature}`");
    Error::invalid(format!("Candle::{feature}"), expected, "a build without it")
}

/// A shape with another size on one of its axes.
fn with(shape: Shape, axis: usize, size: usize) -> Result<Shape> {
    let mut sizes = shape.to_vec();
    sizes[axis] = size;
    Shape::new(&sizes)
}

impl Backend for Candle {
    type Elem = f32;
    type Array = Array;
    type Indices = Indices;

    fn name(&self) -> String {
        match &self.device {
            Device::Cpu => "candle cpu".to_string(),
            Device::Cuda(_) => "candle cuda".to_string(),
            Device::Metal(_) => "candle metal".to_string(),
        }
    }

    fn upload(&self, data: Vec<f32>, shape: Shape) -> Result<Array> {
        check::upload(data.len(), shape)?;
        self.compute("upload", shape, || Tensor::from_vec(data, &shape[..], &self.device))
    }

    fn download(&self, a: &Array) -> Result<Vec<f32>> {
        a.tensor().flatten_all().and_then(|flat| flat.to_vec1()).map_err(error("download"))
    }

    fn upload_indices(&self, data: Vec<u32>, shape: Shape) -> Result<Indices> {
        check::upload(data.len(), shape)?;
        let bound = data.iter().max().map_or(0, |&greatest| greatest as usize + 1);
        let tensor = match shape.elements() {
            0 => portable::empty(shape, DType::U32, &self.device),
            _ => Tensor::from_vec(data, &shape[..], &self.device),
        };
        Ok(Indices::new(tensor.map_err(error("upload_indices"))?, shape, bound))
    }

    fn download_indices(&self, a: &Indices) -> Result<Vec<u32>> {
        a.to_vec()
    }

    fn shape(&self, a: &Array) -> Shape {
        a.shape()
    }

    fn indices_shape(&self, a: &Indices) -> Shape {
        a.shape()
    }

    fn fill(&self, shape: Shape, value: f64) -> Result<Array> {
        self.compute("fill", shape, || Tensor::full(value as f32, &shape[..], &self.device))
    }

    fn map(&self, op: Map, a: &Array) -> Result<Array> {
        self.compute("map", a.shape(), || portable::map(op, a.tensor()))
    }

    fn zip(&self, op: Zip, a: &Array, b: &Array) -> Result<Array> {
        let shape = a.shape().broadcast("zip", b.shape())?;
        self.compute("zip", shape, || portable::zip(op, a.tensor(), b.tensor()))
    }

    fn select(&self, mask: &Array, a: &Array, b: &Array) -> Result<Array> {
        let shape = mask.shape().broadcast("select", a.shape())?.broadcast("select", b.shape())?;
        let spread = |x: &Array| x.tensor().broadcast_as(&shape[..]);
        self.compute("select", shape, || portable::select(&spread(mask)?, &spread(a)?, &spread(b)?))
    }

    fn sum_to(&self, a: &Array, shape: Shape) -> Result<Array> {
        check::sum_to(a.shape(), shape)?;
        if a.shape().elements() == shape.elements() {
            return self.reshape(a, shape);
        }
        if a.shape().elements() == 0 {
            return self.fill(shape, 0.0);
        }
        self.compute("sum_to", shape, || portable::sum_to(a.tensor(), shape))
    }

    fn max(&self, a: &Array, axis: usize) -> Result<Array> {
        check::max("max", a.shape(), axis)?;
        self.compute("max", with(a.shape(), axis, 1)?, || portable::max(a.tensor(), axis))
    }

    fn argmax(&self, a: &Array, axis: usize) -> Result<Indices> {
        check::max("argmax", a.shape(), axis)?;
        let mut sizes = a.shape().to_vec();
        let bound = sizes.remove(axis);
        let shape = Shape::new(&sizes)?;
        let tensor = match shape.elements() {
            0 => portable::empty(shape, DType::U32, &self.device),
            _ => portable::argmax(a.tensor(), axis),
        };
        Ok(Indices::new(tensor.map_err(error("argmax"))?, shape, bound))
    }

    fn matmul(&self, a: &Array, at: bool, b: &Array, bt: bool) -> Result<Array> {
        let product = check::matmul(a.shape(), at, b.shape(), bt)?;
        if product.k == 0 {
            return self.fill(product.shape, 0.0);
        }
        self.compute("matmul", product.shape, || portable::matmul(a.tensor(), at, b.tensor(), bt, &product))
    }

    fn reshape(&self, a: &Array, shape: Shape) -> Result<Array> {
        check::reshape(a.shape(), shape)?;
        Ok(a.view(a.tensor().reshape(&shape[..]).map_err(error("reshape"))?, shape))
    }

    fn permute(&self, a: &Array, axes: &[usize]) -> Result<Array> {
        let shape = check::permute(a.shape(), axes)?;
        Ok(a.view(a.tensor().permute(axes).map_err(error("permute"))?, shape))
    }

    fn slice(&self, a: &Array, axis: usize, start: usize, length: usize) -> Result<Array> {
        let shape = check::slice(a.shape(), axis, start, length)?;
        Ok(a.view(a.tensor().narrow(axis, start, length).map_err(error("slice"))?, shape))
    }

    fn concat(&self, parts: &[&Array], axis: usize) -> Result<Array> {
        let shapes: Vec<Shape> = parts.iter().map(|part| part.shape()).collect();
        let shape = check::concat(&shapes, axis)?;
        let parts: Vec<&&Array> = parts.iter().filter(|part| part.shape().elements() > 0).collect();
        if let [only] = parts[..] {
            // Candle gives the part itself back.
            return Ok((*only).clone());
        }
        let tensors: Vec<&Tensor> = parts.iter().map(|part| part.tensor()).collect();
        self.compute("concat", shape, || Tensor::cat(&tensors, axis))
    }

    fn gather(&self, table: &Array, rows: &Indices) -> Result<Array> {
        let shape = check::gather(table.shape(), rows.shape())?;
        rows.check("gather", table.shape()[0])?;
        self.compute("gather", shape, || portable::gather(table.tensor(), rows.tensor(), shape))
    }

    fn scatter_add(&self, values: &Array, rows: &Indices, n: usize) -> Result<Array> {
        let shape = check::scatter_add(values.shape(), rows.shape(), n)?;
        rows.check("scatter_add", n)?;
        if values.shape().elements() == 0 {
            return self.fill(shape, 0.0);
        }
        self.compute("scatter_add", shape, || portable::scatter_add(values.tensor(), rows.tensor(), shape))
    }

    fn one_hot(&self, a: &Indices, classes: usize) -> Result<Array> {
        let shape = a.shape().and(classes)?;
        a.check("one_hot", classes)?;
        self.compute("one_hot", shape, || portable::one_hot(a.tensor(), shape))
    }
}
