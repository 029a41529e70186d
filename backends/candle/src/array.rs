//! [`Array`] and [`Indices`]: candle tensors, with what candle does not tell: whether their memory is shared.
//!
//! A candle tensor is a view (shape, strides, offset) of reference-counted storage, and nothing public says how many
//! views of one storage there are. So every array carries an *owner token*: a clone and a view share it, a fresh array
//! has its own. Only an array whose token is alone may be changed in place. Tensors that a user has seen, going out or
//! coming in, can have views that no token knows of; their tokens say so for ever, and an update in place copies first.

use crate::cpu::nest;
use crate::memory::{Buffer, Memory};
use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Storage, StorageRef, Tensor, WithDType};
use elman::{Error, Result, Shape};
use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An array of `f32` on a candle device.
#[derive(Clone)]
pub struct Array {
    tensor: Tensor,
    shape: Shape,
    owner: Arc<Owner>,
    /// Whether it is known that no number is infinite or NaN.
    finite: bool,
}

/// What the arrays over one storage have in common; their number is the token's count.
struct Owner {
    /// Whether tensors beyond elman's sight may share the storage.
    exported: AtomicBool,
    /// Where the storage goes when its last array is dropped, on a CPU.
    home: Option<Memory>,
}

impl Array {
    /// An array over storage that nobody else has.
    pub(crate) fn new(tensor: Tensor, shape: Shape) -> Self {
        let owner = Owner { exported: AtomicBool::new(false), home: None };
        Array { tensor, shape, owner: Arc::new(owner), finite: false }
    }

    /// An array over numbers in host memory, which goes to `home` at the end.
    pub(crate) fn on_cpu(data: Buffer, shape: Shape, home: &Memory) -> Result<Self> {
        let (data, range) = data.into_parts();
        let tensor = match data.len() == range.len() {
            true => Tensor::from_vec(data, &shape[..], &Device::Cpu),
            false => {
                let all = data.len();
                let whole = Tensor::from_vec(data, all, &Device::Cpu);
                whole.and_then(|whole| whole.narrow(0, range.start, range.len())?.reshape(&shape[..]))
            }
        };
        let tensor = tensor.map_err(error("upload"))?;
        let owner = Owner { exported: AtomicBool::new(false), home: Some(home.clone()) };
        Ok(Array { tensor, shape, owner: Arc::new(owner), finite: false })
    }

    /// An array over a tensor that a user brought, of type `f32`.
    pub(crate) fn imported(tensor: Tensor, shape: Shape) -> Self {
        let owner = Owner { exported: AtomicBool::new(true), home: None };
        Array { tensor, shape, owner: Arc::new(owner), finite: false }
    }

    /// An array that shares, or may share, the storage of this one.
    pub(crate) fn view(&self, tensor: Tensor, shape: Shape) -> Self {
        Array { tensor, shape, owner: self.owner.clone(), finite: self.finite }
    }

    /// The same, of which it is known whether all numbers are finite. What changes them makes another array
    /// ([`Array::put`]).
    pub(crate) fn known_finite(mut self, finite: bool) -> Self {
        self.finite = finite;
        self
    }

    /// Whether nobody has to look if all numbers are finite. A user may have changed those that they have seen.
    pub(crate) fn is_known_finite(&self) -> bool {
        self.finite && !self.owner.exported.load(Ordering::Relaxed)
    }

    /// Some rows of a matrix, which are not none: they share its storage.
    pub(crate) fn rows(&self, rows: Range<usize>) -> Result<Self> {
        let shape = Shape::new(&[rows.len(), self.shape.last()])?;
        Ok(self.view(self.tensor.narrow(0, rows.start, rows.len()).map_err(error("slice"))?, shape))
    }

    /// The tensor for use inside the crate: clones and views of it must not outlive the operation that takes them.
    pub(crate) fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The tensor for a user, who may keep it for ever.
    pub(crate) fn export(&self) -> Tensor {
        self.owner.exported.store(true, Ordering::Relaxed);
        self.tensor.clone()
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The numbers of an array in host memory, in row-major order: copied only when a view has put them out of order.
    pub(crate) fn numbers(&self) -> Result<Numbers<'_, f32>> {
        let (storage, layout) = self.tensor.storage_and_layout();
        if layout.is_contiguous() {
            return Numbers::held(storage, layout);
        }
        let n = self.shape.elements();
        let mut copy = self.owner.home.as_ref().map_or_else(|| vec![0.0; n].into(), |home| home.take(n));
        nest::copy_strided(host_slice(&storage)?, layout, &mut copy);
        Ok(Numbers::Copied(copy))
    }

    /// Errors when the numbers are not in host memory, or of another type: what [`Array::take`] can fail for.
    pub(crate) fn check_host(&self) -> Result<()> {
        host_slice::<f32>(&self.tensor.storage_and_layout().0).map(|_| ())
    }

    /// Takes the numbers of an array in host memory out, to be changed: without a copy when no one else can see them.
    /// The array is empty then, whatever its shape says, and waits for [`Array::put`].
    pub(crate) fn take(&mut self) -> Result<Buffer> {
        let range = {
            let (storage, layout) = self.tensor.storage_and_layout();
            // A small part of something large would keep all of it.
            let most = |&(start, end): &(usize, usize)| {
                host_slice::<f32>(&storage).is_ok_and(|all| end <= all.len() && 2 * (end - start) >= all.len())
            };
            layout.contiguous_offsets().filter(most)
        };
        // Candle takes the strides of an array without elements for a stretched one's and refuses.
        if let Some((start, end)) = range
            && self.shape.elements() > 0
            && self.is_alone()
        {
            return Ok(Buffer::new(steal(&self.tensor)?, start..end));
        }
        Ok(self.numbers()?.to_vec().into())
    }

    /// Puts numbers in the place of those taken.
    pub(crate) fn put(&mut self, data: Buffer, home: &Memory) -> Result<()> {
        *self = Array::on_cpu(data, self.shape, home)?;
        Ok(())
    }

    /// Whether no other array, and no tensor of a user's, shares the storage. Exclusive access to the token is what
    /// makes the answer last: nobody can clone an array that is borrowed mutably.
    pub(crate) fn is_alone(&mut self) -> bool {
        Arc::get_mut(&mut self.owner).is_some_and(|owner| !*owner.exported.get_mut())
    }
}

/// The memory of large arrays goes back to where the next ones come from.
impl Drop for Array {
    fn drop(&mut self) {
        if self.is_alone()
            && let Some(home) = &self.owner.home
            && let Ok(data) = steal(&self.tensor)
        {
            home.give(data);
        }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({} {:?} on {:?})", self.shape, self.tensor.dtype(), self.tensor.device().location())
    }
}

/// Numbers in row-major order.
pub(crate) enum Numbers<'a, T> {
    /// Where they lie.
    Held { storage: StorageRef<'a>, range: Range<usize> },
    /// In a copy.
    Copied(Buffer<T>),
}

impl<'a, T: WithDType> Numbers<'a, T> {
    /// Those of a contiguous layout. Errors when they are not in host memory, or of another type.
    fn held(storage: StorageRef<'a>, layout: &Layout) -> Result<Self> {
        host_slice::<T>(&storage)?;
        let start = layout.start_offset();
        Ok(Numbers::Held { storage, range: start..start + layout.shape().elem_count() })
    }
}

impl<T: WithDType> Deref for Numbers<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            // `held` has seen that this is no error.
            Numbers::Held { storage, range } => host_slice(storage).map_or(&[], |all| &all[range.clone()]),
            Numbers::Copied(copy) => copy,
        }
    }
}

/// All that a storage in host memory holds.
fn host_slice<T: WithDType>(storage: &Storage) -> Result<&[T]> {
    match storage {
        Storage::Cpu(storage) => T::cpu_storage_as_slice(storage).map_err(error("read")),
        _ => Err(Error::invalid("candle cpu", "an array in host memory", "an array on another device")),
    }
}

/// Takes the buffer out of a tensor in host memory. The caller knows that no one else looks at it.
fn steal(tensor: &Tensor) -> Result<Vec<f32>> {
    /// The only safe way to mutable storage that candle has.
    struct Steal(Cell<Vec<f32>>);

    impl InplaceOp1 for Steal {
        fn name(&self) -> &'static str {
            "steal"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
            match storage {
                CpuStorage::F32(data) => self.0.set(std::mem::take(data)),
                _ => candle_core::bail!("an array of f32 expected"),
            }
            Ok(())
        }
    }

    let stolen = Steal(Cell::new(Vec::new()));
    tensor.inplace_op1(&stolen).map_err(error("take"))?;
    Ok(stolen.0.into_inner())
}

/// An array of indices (`u32`) on a candle device.
#[derive(Clone)]
pub struct Indices {
    tensor: Tensor,
    shape: Shape,
    /// Every index is below it: known from the host at upload, so that no check has to wait for the device.
    bound: usize,
    /// The indices on the host too, if they came from there to another device: nobody waits to know them.
    kept: Option<Arc<[u32]>>,
}

impl Indices {
    pub(crate) fn new(tensor: Tensor, shape: Shape, bound: usize) -> Self {
        Indices { tensor, shape, bound, kept: None }
    }

    /// The same, which the host keeps; for indices on another device.
    #[cfg(feature = "cuda")]
    pub(crate) fn kept_on_host(self, indices: Arc<[u32]>) -> Self {
        Indices { kept: Some(indices), ..self }
    }

    /// Indices below `bound` in host memory.
    pub(crate) fn on_cpu(data: Vec<u32>, shape: Shape, bound: usize) -> Result<Self> {
        let tensor = Tensor::from_vec(data, &shape[..], &Device::Cpu).map_err(error("upload_indices"))?;
        Ok(Indices::new(tensor, shape, bound))
    }

    pub(crate) fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The indices where they lie in host memory; those on other devices are an error.
    pub(crate) fn numbers(&self) -> Result<Numbers<'_, u32>> {
        // Indices are never viewed, so their layout is contiguous.
        let (storage, layout) = self.tensor.storage_and_layout();
        Numbers::held(storage, layout)
    }

    /// Every index is below `n`.
    pub(crate) fn check(&self, op: &'static str, n: usize) -> Result<()> {
        if self.bound <= n { Ok(()) } else { elman::backend::check::indices(op, &self.to_vec()?, n) }
    }

    /// The indices on the host. Waits for the device if the host has not kept them.
    pub(crate) fn to_vec(&self) -> Result<Vec<u32>> {
        match &self.kept {
            Some(kept) => Ok(kept.to_vec()),
            None => self.tensor.flatten_all().and_then(|flat| flat.to_vec1()).map_err(error("download_indices")),
        }
    }

    /// Likewise without a copy, if the host has kept them.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_host(&self) -> Result<Arc<[u32]>> {
        self.kept.clone().map_or_else(|| self.to_vec().map(Arc::from), Ok)
    }
}

impl fmt::Debug for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Indices({} below {} on {:?})", self.shape, self.bound, self.tensor.device().location())
    }
}

/// A candle error as elman's, with the operation's name.
pub(crate) fn error(op: &'static str) -> impl FnOnce(candle_core::Error) -> Error {
    move |e| Error::Backend { backend: "candle", op, error: Box::new(e) }
}

#[cfg(test)]
mod tests;
