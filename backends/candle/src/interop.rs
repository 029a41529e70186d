//! Going to candle and back: arrays, tensors, and named weights for modules of `candle-nn` and `candle-transformers`.
//!
//! ```
//! use elman_candle::{Candle, candle_nn, var_builder};
//! use candle_nn::Module;
//! use elman::{Backend, Tensor};
//!
//! let device = Candle::cpu();
//! // A candle layer on elman's weights; candle keeps its matrix transposed, [outputs, inputs].
//! let w = device.upload(vec![1.0, 2.0, 3.0, 4.0], [2, 2].into())?;
//! let bias = device.upload(vec![0.5, 0.5], [2].into())?;
//! let weights = var_builder(&device, [("dense.weight", &w), ("dense.bias", &bias)]);
//! let dense = candle_nn::linear(2, 2, weights.pp("dense"))?;
//! // What it computes, as elman's again.
//! let x = Tensor::new(&device, vec![1.0, 1.0], &[1, 2])?;
//! let y = device.tensor_from_candle(dense.forward(&device.tensor_to_candle(&x))?)?;
//! assert_eq!(y.to_vec()?, [3.5, 7.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::Candle;
use crate::array::{Array, Indices, error};
use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;
use elman::{Error, Result, Shape};
use std::collections::HashMap;

impl Candle {
    /// The array as candle's tensor, over the same memory. It never changes: from now on an update in place of the
    /// array copies first. A GPU's work goes on behind the call: before another device takes the tensor,
    /// `tensor.device().synchronize()` waits for it.
    pub fn to_candle(&self, a: &Array) -> Tensor {
        a.export()
    }

    /// Candle's tensor as an array, over the same memory where it is of type `f32` and on this device; other floating
    /// types are converted, tensors elsewhere are moved. It is cut off from candle's backpropagation. Do not change the
    /// tensor in place afterwards: arrays are values.
    ///
    /// Errors: a type that is not of floating point (for whole numbers see [`Candle::indices_from_candle`]), or more
    /// axes than elman has.
    pub fn from_candle(&self, tensor: Tensor) -> Result<Array> {
        let shape = Shape::new(tensor.dims())?;
        let place = "from_candle";
        match tensor.dtype() {
            DType::F32 | DType::F64 | DType::F16 | DType::BF16 => {}
            other => return Err(Error::invalid(place, "a tensor of f32, f64, f16 or bf16", other.as_str())),
        }
        #[cfg(feature = "cuda")]
        if let crate::Kernels::Cuda(_) = &self.kernels {
            crate::cuda::check_count(place, shape)?;
        }
        Ok(Array::imported(self.moved(&tensor).map_err(error(place))?.detach(), shape))
    }

    /// The tensor on this device, of type `f32`.
    fn moved(&self, tensor: &Tensor) -> candle_core::Result<Tensor> {
        let moved = |tensor: &Tensor| tensor.to_device(&self.device)?.to_dtype(DType::F32);
        if tensor.device().is_cpu() || tensor.device().same_device(&self.device) {
            return moved(tensor);
        }
        // Another GPU, or the same one by another handle, has a stream of its own: what it was asked for must be done before this
        // copy, and this copy before its memory may be given back.
        tensor.device().synchronize()?;
        let moved = moved(tensor)?;
        self.device.synchronize()?;
        Ok(moved)
    }

    /// The indices as candle's tensor of `u32`.
    pub fn indices_to_candle(&self, a: &Indices) -> Tensor {
        a.tensor().clone()
    }

    /// Candle's tensor of `u32`, `u8` or `i64` as indices, copied through the host. Errors: another type; a negative
    /// index, or one beyond `u32`.
    pub fn indices_from_candle(&self, tensor: &Tensor) -> Result<Indices> {
        let place = "indices_from_candle";
        let shape = Shape::new(tensor.dims())?;
        let wide = match tensor.dtype() {
            DType::U32 | DType::U8 | DType::I64 => tensor.to_dtype(DType::I64),
            other => return Err(Error::invalid(place, "a tensor of u32, u8 or i64", other.as_str())),
        };
        let wide: Vec<i64> = wide.and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1()).map_err(error(place))?;
        let narrow = |i: i64| u32::try_from(i).map_err(|_| Error::invalid(place, "indices from 0 to 2^32 - 1", i));
        elman::Backend::upload_indices(self, wide.into_iter().map(narrow).collect::<Result<_>>()?, shape)
    }

    /// The value of elman's tensor as candle's. See [`Candle::to_candle`].
    pub fn tensor_to_candle(&self, tensor: &elman::Tensor<Candle>) -> Tensor {
        self.to_candle(tensor.value())
    }

    /// Candle's tensor as a constant of elman's. See [`Candle::from_candle`].
    pub fn tensor_from_candle(&self, tensor: Tensor) -> Result<elman::Tensor<Candle>> {
        Ok(elman::Tensor::constant(self, self.from_candle(tensor)?))
    }

    /// Named weights from candle (a `VarMap`'s data, a file of safetensors), sorted by name. Errors name the weight.
    pub fn weights_from_candle(&self, weights: HashMap<String, Tensor>) -> Result<Vec<(String, Array)>> {
        let mut named: Vec<(String, Tensor)> = weights.into_iter().collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        let convert = |(name, tensor): (String, Tensor)| match self.from_candle(tensor) {
            Ok(array) => Ok((name, array)),
            Err(e) => Err(e.in_layer(&name)),
        };
        named.into_iter().map(convert).collect()
    }
}

/// Named arrays as candle's tensors, over the same memory.
pub fn weights_to_candle<'a>(named: impl IntoIterator<Item = (&'a str, &'a Array)>) -> HashMap<String, Tensor> {
    named.into_iter().map(|(name, array)| (name.to_string(), array.export())).collect()
}

/// Named arrays as the `VarBuilder` that candle's modules are built from. Names are taken as they are (`vb.pp("lstm")`
/// finds `lstm.*`); layouts too, so transpose what candle keeps the other way round.
pub fn var_builder<'a>(device: &Candle, named: impl IntoIterator<Item = (&'a str, &'a Array)>) -> VarBuilder<'static> {
    VarBuilder::from_tensors(weights_to_candle(named), DType::F32, &device.device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use elman::Backend;

    #[test]
    fn tensors_go_out_and_come_back() {
        let device = Candle::cpu();
        let a = device.upload(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3].into()).unwrap();
        let turned = device.permute(&a, &[1, 0]).unwrap();
        let out = device.to_candle(&turned);
        assert_eq!(out.to_vec2::<f32>().unwrap(), [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]);
        let back = device.from_candle(out).unwrap();
        assert_eq!(device.download(&back).unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(back.shape(), turned.shape());
    }

    #[test]
    fn other_floating_types_are_converted_and_whole_numbers_refused() {
        let device = Candle::cpu();
        for dtype in [DType::F64, DType::F16, DType::BF16] {
            let tensor = Tensor::new(&[0.5f32, -2.0], &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            assert_eq!(device.download(&device.from_candle(tensor).unwrap()).unwrap(), [0.5, -2.0]);
        }
        let whole = Tensor::new(&[1i64], &Device::Cpu).unwrap();
        let message = device.from_candle(whole).unwrap_err().to_string();
        assert!(message.contains("i64") && message.contains("f32"), "{message}");
        let seven = Tensor::zeros(&[1; 7], DType::F32, &Device::Cpu).unwrap();
        assert!(device.from_candle(seven).is_err());
    }

    #[test]
    fn indices_go_out_and_come_back() {
        let device = Candle::cpu();
        let tensor = Tensor::new(&[[3i64, 0], [7, 1]], &Device::Cpu).unwrap();
        let indices = device.indices_from_candle(&tensor).unwrap();
        assert_eq!(device.indices_to_candle(&indices).to_vec2::<u32>().unwrap(), [[3, 0], [7, 1]]);
        assert!(device.indices_from_candle(&Tensor::new(&[-1i64], &Device::Cpu).unwrap()).is_err());
        assert!(device.indices_from_candle(&Tensor::new(&[1f32], &Device::Cpu).unwrap()).is_err());
    }

    #[test]
    fn weights_go_to_a_var_builder_and_come_back_sorted() {
        let device = Candle::cpu();
        let (w, b) = (device.fill([2, 3].into(), 2.0).unwrap(), device.fill([3].into(), 1.0).unwrap());
        let builder = var_builder(&device, [("out.kernel", &w), ("out.bias", &b)]);
        assert_eq!(builder.pp("out").get((2, 3), "kernel").unwrap().to_vec2::<f32>().unwrap(), [[2.0; 3]; 2]);
        assert!(builder.get((3, 2), "out.kernel").is_err());

        let back = device.weights_from_candle(weights_to_candle([("out.kernel", &w), ("out.bias", &b)])).unwrap();
        let names: Vec<&str> = back.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["out.bias", "out.kernel"]);
        let whole = HashMap::from([("words".to_string(), Tensor::new(&[1u32], &Device::Cpu).unwrap())]);
        assert!(device.weights_from_candle(whole).unwrap_err().to_string().contains("words"));
    }

    #[test]
    fn a_variable_of_candles_is_not_changed_by_an_update() {
        let device = Candle::cpu();
        let var = Var::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        let mut a = device.from_candle(var.as_tensor().clone()).unwrap();
        let one = device.fill([2].into(), 1.0).unwrap();
        device.add_assign(&mut a, &one).unwrap();
        assert_eq!(device.download(&a).unwrap(), [2.0, 3.0]);
        assert_eq!(var.as_tensor().to_vec1::<f32>().unwrap(), [1.0, 2.0]);
    }
}
