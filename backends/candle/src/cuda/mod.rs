//! Kernels on a GPU of NVIDIA's: the required operations, and the fused ones that are hot.
//!
//! A kernel is CUDA C (`kernels/*.cu`), compiled at its first use ([`program`]) and launched on the device's one stream
//! ([`launch`]). All work of a device goes through that stream in the order in which it was asked for, so that nothing here
//! waits: memory that is given back is reused after the work that reads it. Work is cut by outputs, never by what is summed
//! over, or summed in a fixed order, so that the same call gives the same bits.

mod gemm;
mod launch;
mod program;

use crate::array::{Array, error};
use crate::{Precision, portable};
use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaStream, DriverError, result, sys};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, DType, Device, Storage, Tensor};
use elman::{Error, Result, Shape};
pub(crate) use gemm::Matrix;
pub(crate) use launch::{Arg, Grid, Layout};
use program::Programs;
pub(crate) use program::source;
use std::fmt;
use std::sync::Arc;

/// What kernels need besides their operands. A clone is the same device.
#[derive(Clone)]
pub(crate) struct Cuda {
    device: CudaDevice,
    stream: Arc<CudaStream>,
    programs: Arc<Programs>,
    precision: Precision,
    /// Streaming multiprocessors.
    processors: u32,
}

impl Cuda {
    /// The device `ordinal` with a stream of its own. Errors when there is none, or its driver is too old.
    pub(crate) fn open(ordinal: usize) -> Result<(Device, Self)> {
        check_driver(ordinal)?;
        let device = Device::new_cuda_with_stream(ordinal).map_err(error("cuda"))?;
        let kernels = Cuda::new(device.as_cuda_device().map_err(error("cuda"))?)?;
        Ok((device, kernels))
    }

    /// The kernels for a device of candle's, on its stream.
    #[allow(unsafe_code)]
    pub(crate) fn new(device: &CudaDevice) -> Result<Self> {
        // SAFETY: events order the work of several streams. This device has one, and nothing of its memory is handed to
        // another stream: user's tensors of other devices are copied (`Candle::from_candle`).
        unsafe { device.disable_event_tracking() };
        let stream = device.cuda_stream();
        let context = stream.context().clone();
        keep_memory(context.cu_device()).w().map_err(error("cuda"))?;
        let attribute = |which| context.attribute(which).w().map_err(error("cuda"));
        let processors = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let capability = context.compute_capability().w().map_err(error("cuda"))?;
        Ok(Cuda {
            device: device.clone(),
            programs: Arc::new(Programs::new(context, capability)),
            stream,
            precision: Precision::F32,
            processors: processors.unsigned_abs(),
        })
    }

    pub(crate) fn with_precision(self, precision: Precision) -> Self {
        Cuda { precision, ..self }
    }

    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// An array whose numbers are to be written: they are whatever the memory held.
    #[allow(unsafe_code)]
    pub(crate) fn fresh(&self, op: &'static str, shape: Shape) -> Result<Array> {
        // Kernels count elements in 32 bits.
        if shape.elements() > i32::MAX as usize {
            return Err(Error::invalid(op, "less than 2^31 numbers in an array on a GPU", shape));
        }
        if shape.elements() == 0 {
            let empty = portable::empty(shape, DType::F32, &Device::Cuda(self.device.clone()));
            return Ok(Array::new(empty.map_err(error(op))?, shape));
        }
        // SAFETY: the kernel that the caller launches next writes every number before any work reads one.
        let memory = unsafe { self.device.alloc::<f32>(shape.elements()) }.map_err(error(op))?;
        let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(memory, self.device.clone()));
        Ok(Array::new(Tensor::from_storage(storage, &shape[..], BackpropOp::none(), false), shape))
    }

    /// The array with its numbers in row-major order.
    pub(crate) fn packed(&self, a: &Array) -> Result<Array> {
        if a.tensor().is_contiguous() {
            return Ok(a.clone());
        }
        Ok(Array::new(a.tensor().contiguous().map_err(error("copy"))?, a.shape()))
    }

    /// Makes an array one that may be changed in place: packed, and seen by nobody else. Copies it if it is not.
    pub(crate) fn own(&self, a: &mut Array) -> Result<()> {
        if !(a.is_alone() && a.tensor().is_contiguous()) && a.shape().elements() > 0 {
            *a = Array::new(a.tensor().force_contiguous().map_err(error("copy"))?, a.shape());
        }
        Ok(())
    }

    /// Whether a tensor's memory is this device's.
    pub(crate) fn has(&self, tensor: &Tensor) -> bool {
        matches!(tensor.device(), Device::Cuda(device) if device.same_device(&self.device))
    }
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({:?}, {})", self.device.location(), self.precision)
    }
}

/// Errors that say what is missing: a driver, a driver that is new enough, a device of that number.
fn check_driver(ordinal: usize) -> Result<()> {
    /// CUDA 13.0, which the crate is built for.
    const NEEDED: i32 = 13_000;
    let missing = |expected: String, found: String| Error::invalid(format!("cuda:{ordinal}"), expected, found);
    let version = driver_version().unwrap_or(0);
    // A driver without a device may not tell its version, so that the devices are asked for first.
    let devices = result::init().and_then(|()| result::device::get_count());
    match devices {
        _ if version != 0 && version < NEEDED => {
            let name = |version: i32| format!("{}.{}", version / 1000, version % 1000 / 10);
            let expected = format!("a driver for CUDA {} or newer (580 or newer)", name(NEEDED));
            Err(missing(expected, format!("one for CUDA {}", name(version))))
        }
        Err(e) => Err(missing("a GPU of NVIDIA's with its driver".to_string(), e.to_string())),
        Ok(count) if ordinal >= count.unsigned_abs() as usize => {
            let expected = match count {
                0 => "a GPU of NVIDIA's".to_string(),
                1 => "0, as there is one GPU".to_string(),
                _ => format!("a number from 0 to {}", count - 1),
            };
            Err(missing(expected, if count == 0 { "none".to_string() } else { ordinal.to_string() }))
        }
        Ok(_) => Ok(()),
    }
}

#[allow(unsafe_code)]
fn driver_version() -> Result<i32, DriverError> {
    let mut version = 0;
    // SAFETY: it writes a number to the place given.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result()?;
    Ok(version)
}

/// Memory that is given back stays with the process, for the next arrays; otherwise the driver hands it to the system whenever
/// the host waits for the device, and fetches it again.
#[allow(unsafe_code)]
fn keep_memory(device: sys::CUdevice) -> Result<(), DriverError> {
    let mut threshold = u64::MAX;
    // SAFETY: the pool is the device's own, and the attribute is a `u64`, as documented.
    unsafe {
        let pool = result::device::get_default_mem_pool(device)?;
        let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        result::mem_pool::set_attribute(pool, attribute, (&raw mut threshold).cast())
    }
}
