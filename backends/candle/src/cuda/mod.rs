//! Kernels on a GPU of NVIDIA's: the required operations, and the fused ones that are hot.
//!
//! A kernel is CUDA C (`kernels/*.cu`), compiled at its first use ([`program`]) and launched on the device's one stream
//! ([`launch`]). All work of a device goes through that stream in the order in which it was asked for, so that nothing here
//! waits: memory that is given back is reused after the work that reads it. Work is cut by outputs, never by what is summed
//! over, or summed in a fixed order, so that the same call gives the same bits.

mod bags;
mod cache;
mod compile;
mod dropout;
mod elementwise;
mod gemm;
mod launch;
mod layer_norm;
mod linear;
mod loss;
mod program;
mod recurrent;
mod reduce;
mod rows;
mod rules;
mod segments;
mod softmax;
mod sources;
mod update;
mod upload;

use crate::array::{Array, Indices, error};
use crate::{Precision, portable};
use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaStream, DeviceRepr, DriverError, result, sys};
use candle_core::cuda_backend::{CudaDType, CudaDevice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, Device, Storage, Tensor, WithDType};
use elman::{Error, Result, Shape};
pub(crate) use gemm::Matrix;
pub(crate) use launch::{Arg, Grid, Layout};
use program::Programs;
use recurrent::{Limits, Way};
use std::fmt;
use std::sync::Arc;
use upload::Staging;

/// What kernels need besides their operands. A clone is the same device.
#[derive(Clone)]
pub(crate) struct Cuda {
    device: CudaDevice,
    stream: Arc<CudaStream>,
    programs: Arc<Programs>,
    staging: Arc<Staging>,
    precision: Precision,
    limits: Limits,
    way: Way,
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
        // another stream: tensors of other devices are waited for and copied (`Candle::from_candle`).
        unsafe { device.disable_event_tracking() };
        let stream = device.cuda_stream();
        let context = stream.context().clone();
        keep_memory(context.cu_device()).w().map_err(error("cuda"))?;
        let attribute = |which| {
            let value = context.attribute(which).w().map_err(error("cuda"))?;
            Ok::<_, Error>(value.unsigned_abs() as usize)
        };
        let processors = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let shared = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let capability = context.compute_capability().w().map_err(error("cuda"))?;
        Ok(Cuda {
            device: device.clone(),
            programs: Arc::new(Programs::new(context, capability)),
            staging: Arc::default(),
            stream,
            precision: Precision::F32,
            // A driver may count the 1 KB that it keeps for itself.
            limits: Limits { processors, shared: shared - 1024 },
            way: Way::from_environment(),
        })
    }

    pub(crate) fn with_precision(self, precision: Precision) -> Self {
        Cuda { precision, ..self }
    }

    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// An array whose numbers are to be written: they are whatever the memory held.
    pub(crate) fn fresh(&self, op: &'static str, shape: Shape) -> Result<Array> {
        Ok(Array::new(self.memory::<f32>(op, shape)?, shape))
    }

    /// Likewise indices, all of which are to be below `bound`.
    pub(crate) fn fresh_indices(&self, op: &'static str, shape: Shape, bound: usize) -> Result<Indices> {
        Ok(Indices::new(self.memory::<u32>(op, shape)?, shape, bound))
    }

    #[allow(unsafe_code)]
    fn memory<T: CudaDType + DeviceRepr + WithDType>(&self, op: &'static str, shape: Shape) -> Result<Tensor> {
        check_count(op, shape)?;
        if shape.elements() == 0 {
            return portable::empty(shape, T::DTYPE, &Device::Cuda(self.device.clone())).map_err(error(op));
        }
        // SAFETY: the kernel that the caller launches next writes every number before any work reads one.
        let memory = unsafe { self.stream.alloc::<T>(shape.elements()) };
        let memory = memory.map_err(|e| self.refused(op, size_of::<T>() * shape.elements(), e))?;
        let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(memory, self.device.clone()));
        Ok(Tensor::from_storage(storage, &shape[..], BackpropOp::none(), false))
    }

    /// What to say when memory is refused.
    fn refused(&self, op: &'static str, bytes: usize, e: DriverError) -> Error {
        match (e.0, self.stream.context().mem_get_info()) {
            (sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY, Ok((free, total))) => Error::invalid(
                op,
                format!("{} MiB of free memory on the GPU; smaller batches need less", bytes.div_ceil(1 << 20)),
                format!("{} MiB of {} free", free >> 20, total >> 20),
            ),
            _ => error(op)(candle_core::Error::wrap(e)),
        }
    }

    /// The array with its numbers in row-major order.
    pub(crate) fn packed(&self, a: &Array) -> Result<Array> {
        if a.tensor().is_contiguous() { Ok(a.clone()) } else { self.spread(a, a.shape()) }
    }

    /// Makes an array one that may be changed in place: packed, and seen by nobody else. Copies it if it is not.
    pub(crate) fn own(&self, a: &mut Array) -> Result<()> {
        if !(a.is_alone() && a.tensor().is_contiguous()) && a.shape().elements() > 0 {
            *a = self.spread(a, a.shape())?;
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

/// Kernels count elements in 32 bits: more of them are an error.
pub(crate) fn check_count(op: &'static str, shape: Shape) -> Result<()> {
    match shape.elements() > i32::MAX as usize {
        true => Err(Error::invalid(op, "less than 2^31 numbers in an array on a GPU", shape)),
        false => Ok(()),
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
        Err(e) => {
            let told = e.error_string().map(|told| told.to_string_lossy().into_owned());
            Err(missing("a GPU of NVIDIA's with its driver".to_string(), told.unwrap_or_else(|_| e.to_string())))
        }
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
