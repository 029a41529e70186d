//! [`Backend`] for [`Candle`]: checks, and the choice between elman's kernels for a device and [`crate::portable`].

use crate::array::{Array, Indices, error};
use crate::{Candle, Kernels, portable};
use candle_core::{DType, Device, Tensor};
use elman::backend::recurrent::{self, Cell, Outcome, Projected, Sequence, Sizes, Upstream};
use elman::backend::{
    Backend, CrfWanted, LayerNormWanted, LinearWanted, Map, PathLoss, Potentials, ProjectedWanted, Reach,
    RecurrentWanted, Transcripts, Update, WeightStep, Windows, Zip, activate, bags, check, crf, ctc, finite, linear,
    loss, negative_sampling, norm, rows, update,
};
use elman::data::Bags;
use elman::{Activation, Key, Result, Shape};

/// What elman's kernels for the device give, whichever these are; without any, the last expression.
macro_rules! on {
    ($self:ident, $kernels:ident => $ours:expr, $otherwise:expr) => {
        match &$self.kernels {
            Kernels::Cpu($kernels) => $ours,
            #[cfg(feature = "cuda")]
            Kernels::Cuda($kernels) => $ours,
            Kernels::Candle => $otherwise,
        }
    };
}

impl Candle {
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

    /// Indices below `bound`, likewise.
    fn compute_indices(
        &self,
        op: &'static str,
        (shape, bound): (Shape, usize),
        compute: impl FnOnce() -> candle_core::Result<Tensor>,
    ) -> Result<Indices> {
        let tensor = match shape.elements() {
            0 => portable::empty(shape, DType::U32, &self.device),
            _ => compute(),
        };
        Ok(Indices::new(tensor.map_err(error(op))?, shape, bound))
    }

    /// The array as candle may take it for a copy: in row-major order where elman's kernels make one from a view.
    fn in_order(&self, a: &Array) -> Result<Array> {
        match &self.kernels {
            #[cfg(feature = "cuda")]
            Kernels::Cuda(cuda) => cuda.packed(a),
            _ => Ok(a.clone()),
        }
    }
}

impl Backend for Candle {
    type Elem = f32;
    type Array = Array;
    type Indices = Indices;

    fn name(&self) -> String {
        let kind = match &self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Metal(_) => "metal",
        };
        match &self.kernels {
            Kernels::Cpu(cpu) => format!("candle {kind}, {} threads", cpu.threads.count()),
            #[cfg(feature = "cuda")]
            Kernels::Cuda(gpu) => format!("candle {kind}, {}", gpu.precision()),
            Kernels::Candle => format!("candle {kind}, candle's kernels"),
        }
    }

    fn upload(&self, data: Vec<f32>, shape: Shape) -> Result<Array> {
        check::upload(data.len(), shape)?;
        match &self.kernels {
            Kernels::Cpu(cpu) => cpu.array(cpu.memory.aligned(data), shape),
            #[cfg(feature = "cuda")]
            Kernels::Cuda(cuda) => cuda.upload(&data, shape),
            Kernels::Candle => self.compute("upload", shape, || Tensor::from_vec(data, &shape[..], &self.device)),
        }
    }

    fn download(&self, a: &Array) -> Result<Vec<f32>> {
        match self.cpu_kernels() {
            Some(_) => Ok(a.numbers()?.to_vec()),
            None => self.in_order(a)?.tensor().flatten_all().and_then(|flat| flat.to_vec1()).map_err(error("download")),
        }
    }

    fn upload_indices(&self, data: Vec<u32>, shape: Shape) -> Result<Indices> {
        check::upload(data.len(), shape)?;
        let bound = data.iter().max().map_or(0, |&greatest| greatest as usize + 1);
        match &self.kernels {
            #[cfg(feature = "cuda")]
            Kernels::Cuda(cuda) => cuda.upload_indices(data.into(), shape, bound),
            _ => {
                let upload = || Tensor::from_vec(data, &shape[..], &self.device);
                self.compute_indices("upload_indices", (shape, bound), upload)
            }
        }
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
        on!(self, kernels => kernels.fill(shape, value as f32),
            self.compute("fill", shape, || Tensor::full(value as f32, &shape[..], &self.device)))
    }

    fn map(&self, op: Map, a: &Array) -> Result<Array> {
        on!(self, kernels => kernels.map(op, a), self.compute("map", a.shape(), || portable::map(op, a.tensor())))
    }

    fn zip(&self, op: Zip, a: &Array, b: &Array) -> Result<Array> {
        let shape = a.shape().broadcast("zip", b.shape())?;
        on!(self, kernels => kernels.zip(op, a, b),
            self.compute("zip", shape, || portable::zip(op, a.tensor(), b.tensor())))
    }

    fn select(&self, mask: &Array, a: &Array, b: &Array) -> Result<Array> {
        let shape = mask.shape().broadcast("select", a.shape())?.broadcast("select", b.shape())?;
        let spread = |x: &Array| x.tensor().broadcast_as(&shape[..]);
        on!(self, kernels => kernels.select(mask, a, b, shape),
            self.compute("select", shape, || portable::select(&spread(mask)?, &spread(a)?, &spread(b)?)))
    }

    fn sum_to(&self, a: &Array, shape: Shape) -> Result<Array> {
        check::sum_to(a.shape(), shape)?;
        if a.shape().elements() == shape.elements() {
            return self.reshape(a, shape);
        }
        if a.shape().elements() == 0 {
            return self.fill(shape, 0.0);
        }
        on!(self, kernels => kernels.sum_to(a, shape),
            self.compute("sum_to", shape, || portable::sum_to(a.tensor(), shape)))
    }

    fn max(&self, a: &Array, axis: usize) -> Result<Array> {
        check::max("max", a.shape(), axis)?;
        let mut sizes = a.shape().to_vec();
        sizes[axis] = 1;
        let shape = Shape::new(&sizes)?;
        on!(self, kernels => kernels.max(a, axis, shape),
            self.compute("max", shape, || portable::max(a.tensor(), axis)))
    }

    fn argmax(&self, a: &Array, axis: usize) -> Result<Indices> {
        check::max("argmax", a.shape(), axis)?;
        let mut sizes = a.shape().to_vec();
        let bound = sizes.remove(axis);
        let shape = Shape::new(&sizes)?;
        on!(self, kernels => kernels.argmax(a, axis, shape),
            self.compute_indices("argmax", (shape, bound), || portable::argmax(a.tensor(), axis)))
    }

    fn matmul(&self, a: &Array, at: bool, b: &Array, bt: bool) -> Result<Array> {
        let product = check::matmul(a.shape(), at, b.shape(), bt)?;
        if product.k == 0 || product.shape.elements() == 0 {
            return self.fill(product.shape, 0.0);
        }
        on!(self, kernels => kernels.matmul(a, at, b, bt, &product),
            self.compute("matmul", product.shape, || portable::matmul(a.tensor(), at, b.tensor(), bt, &product)))
    }

    fn reshape(&self, a: &Array, shape: Shape) -> Result<Array> {
        check::reshape(a.shape(), shape)?;
        let a = self.in_order(a)?;
        Ok(a.view(a.tensor().reshape(&shape[..]).map_err(error("reshape"))?, shape))
    }

    fn permute(&self, a: &Array, axes: &[usize]) -> Result<Array> {
        let shape = check::permute(a.shape(), axes)?;
        Ok(a.view(a.tensor().permute(axes).map_err(error("permute"))?, shape))
    }

    fn slice(&self, a: &Array, axis: usize, start: usize, length: usize) -> Result<Array> {
        let shape = check::slice(a.shape(), axis, start, length)?;
        if shape.elements() == 0 {
            // A view of nothing at the end of its storage would begin beyond it, where candle panics.
            return self.compute("slice", shape, || portable::empty(shape, DType::F32, &self.device));
        }
        Ok(a.view(a.tensor().narrow(axis, start, length).map_err(error("slice"))?, shape))
    }

    fn concat(&self, parts: &[&Array], axis: usize) -> Result<Array> {
        let shapes: Vec<Shape> = parts.iter().map(|part| part.shape()).collect();
        let shape = check::concat(&shapes, axis)?;
        on!(self, kernels => return kernels.concat(parts, axis, shape), {});
        let parts: Vec<&&Array> = parts.iter().filter(|part| part.shape().elements() > 0).collect();
        if let [only] = parts[..] {
            // Candle would give the part itself back.
            return Ok((*only).clone());
        }
        let tensors: Vec<&Tensor> = parts.iter().map(|part| part.tensor()).collect();
        self.compute("concat", shape, || Tensor::cat(&tensors, axis))
    }

    fn gather(&self, table: &Array, rows: &Indices) -> Result<Array> {
        let shape = check::gather(table.shape(), rows.shape())?;
        rows.check("gather", table.shape()[0])?;
        on!(self, kernels => kernels.gather(table, rows, shape),
            self.compute("gather", shape, || portable::gather(table.tensor(), rows.tensor(), shape)))
    }

    fn scatter_add(&self, values: &Array, rows: &Indices, n: usize) -> Result<Array> {
        let shape = check::scatter_add(values.shape(), rows.shape(), n)?;
        rows.check("scatter_add", n)?;
        if values.shape().elements() == 0 {
            return self.fill(shape, 0.0);
        }
        on!(self, kernels => kernels.scatter_add(values, rows, shape),
            self.compute("scatter_add", shape, || portable::scatter_add(values.tensor(), rows.tensor(), shape)))
    }

    fn one_hot(&self, a: &Indices, classes: usize) -> Result<Array> {
        let shape = a.shape().and(classes)?;
        a.check("one_hot", classes)?;
        on!(self, kernels => kernels.one_hot(a, shape),
            self.compute("one_hot", shape, || portable::one_hot(a.tensor(), shape)))
    }

    fn add_assign(&self, a: &mut Array, b: &Array) -> Result<()> {
        check::same_shape("add_assign", a.shape(), b.shape())?;
        on!(self, kernels => kernels.add_assign(a, b)?, *a = self.zip(Zip::Add, a, b)?);
        Ok(())
    }

    fn update(&self, rule: &Update, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<()> {
        update::check_shapes(self, rule, w, g, state)?;
        on!(self, kernels => kernels.update(rule, w, g, state), update::update(self, rule, w, g, state))
    }

    fn update_all(&self, steps: &mut [WeightStep<'_, Self>], when: Option<&Array>) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Kernels::Cuda(cuda) = &self.kernels {
            update::check_all(self, steps, when)?;
            return cuda.update_all(steps, when);
        }
        update::update_all(self, steps, when)
    }

    fn update_rows(
        &self,
        rule: &Update,
        reach: Reach,
        w: &mut Array,
        (rows, g): (&Indices, &Array),
        state: &mut [Array],
        when: Option<&Array>,
    ) -> Result<()> {
        rows.check("update_rows", rows::check_shapes(self, w, rows, g)?)?;
        update::check_shapes(self, rule, w, w, state)?;
        update::check_when(self, when)?;
        on!(self, kernels => kernels.update_rows(rule, reach, w, (rows, g), state, when),
            rows::update_rows(self, rule, reach, w, (rows, g), state, when))
    }

    fn finite(&self, arrays: &[&Array]) -> Result<Array> {
        on!(self, kernels => kernels.finite(arrays), finite::finite(self, arrays))
    }

    /// Candle's kernels alone stand for a device's, wherever they run.
    fn is_on_host(&self) -> bool {
        self.cpu_kernels().is_some()
    }

    fn linear(&self, x: &Array, w: &Array, bias: Option<&Array>) -> Result<Array> {
        on!(self, kernels => kernels.linear(x, w, bias), linear::linear(self, x, w, bias))
    }

    fn linear_grad(&self, x: &Array, w: &Array, dy: &Array, wanted: LinearWanted) -> Result<[Option<Array>; 3]> {
        on!(self, kernels => kernels.linear_grad(x, w, dy, wanted), linear::linear_grad(self, x, w, dy, wanted))
    }

    fn linear_steps(&self, x: &Array, w: &Array, bias: Option<&Array>, mask: &Array) -> Result<Array> {
        on!(self, kernels => kernels.linear_steps(x, w, bias, mask), linear::linear_steps(self, x, w, bias, mask))
    }

    fn linear_steps_grad(
        &self,
        x: &Array,
        w: &Array,
        dy: &Array,
        mask: &Array,
        wanted: LinearWanted,
    ) -> Result<[Option<Array>; 3]> {
        on!(self, kernels => kernels.linear_steps_grad(x, w, dy, mask, wanted),
            linear::linear_steps_grad(self, x, w, dy, mask, wanted))
    }

    fn bag_linear(&self, x: &Bags, w: &Array, bias: Option<&Array>) -> Result<Array> {
        on!(self, kernels => kernels.bag_linear(x, w, bias), bags::bag_linear(self, x, w, bias))
    }

    fn bag_linear_grad(&self, x: &Bags, dy: &Array) -> Result<Array> {
        on!(self, kernels => kernels.bag_linear_grad(x, dy), bags::bag_linear_grad(self, x, dy))
    }

    fn activate(&self, f: Activation, x: &Array) -> Result<Array> {
        let fused = on!(self, kernels => kernels.activate(f, x)?, None);
        fused.map_or_else(|| activate::activate(self, f, x), Ok)
    }

    fn activate_grad(&self, f: Activation, x: &Array, y: &Array, dy: &Array) -> Result<Array> {
        let fused = on!(self, kernels => kernels.activate_grad(f, x, y, dy)?, None);
        fused.map_or_else(|| activate::activate_grad(self, f, x, y, dy), Ok)
    }

    fn softmax(&self, x: &Array) -> Result<Array> {
        on!(self, kernels => kernels.softmax(x), norm::softmax(self, x))
    }

    fn softmax_grad(&self, y: &Array, dy: &Array) -> Result<Array> {
        on!(self, kernels => kernels.softmax_grad(y, dy), norm::softmax_grad(self, y, dy))
    }

    fn log_softmax(&self, x: &Array) -> Result<Array> {
        on!(self, kernels => kernels.log_softmax(x), norm::log_softmax(self, x))
    }

    fn log_softmax_grad(&self, y: &Array, dy: &Array) -> Result<Array> {
        on!(self, kernels => kernels.log_softmax_grad(y, dy), norm::log_softmax_grad(self, y, dy))
    }

    fn layer_norm(&self, x: &Array, gamma: &Array, beta: &Array, epsilon: f64) -> Result<Array> {
        if x.shape().elements() > 0 {
            on!(self, kernels => return kernels.layer_norm(x, gamma, beta, epsilon as f32), {});
        }
        norm::layer_norm(self, x, gamma, beta, epsilon)
    }

    fn layer_norm_grad(
        &self,
        x: &Array,
        gamma: &Array,
        epsilon: f64,
        dy: &Array,
        wanted: LayerNormWanted,
    ) -> Result<[Option<Array>; 3]> {
        if x.shape().elements() > 0 {
            on!(self, kernels => return kernels.layer_norm_grad(x, gamma, epsilon as f32, dy, wanted), {});
        }
        norm::layer_norm_grad(self, x, gamma, epsilon, dy, wanted)
    }

    fn dropout(&self, x: &Array, rate: f64, key: Key) -> Result<Array> {
        on!(self, kernels => kernels.dropout(x, rate, key), norm::dropout(self, x, rate, key))
    }

    fn row_keep_mask(&self, rows: &Indices, rate: f64, key: Key) -> Result<Array> {
        match &self.kernels {
            #[cfg(feature = "cuda")]
            Kernels::Cuda(cuda) => cuda.row_keep_mask(rows, rate, key),
            _ => norm::row_keep_mask(self, rows, rate, key),
        }
    }

    fn sparse_cross_entropy(&self, logits: &Array, labels: &Indices, smoothing: f64) -> Result<Array> {
        on!(self, kernels => kernels.sparse_cross_entropy(logits, labels, smoothing),
            loss::sparse_cross_entropy(self, logits, labels, smoothing))
    }

    fn sparse_cross_entropy_grad(&self, logits: &Array, labels: &Indices, smoothing: f64, d: &Array) -> Result<Array> {
        on!(self, kernels => kernels.sparse_cross_entropy_grad(logits, labels, smoothing, d),
            loss::sparse_cross_entropy_grad(self, logits, labels, smoothing, d))
    }

    fn cross_entropy(&self, logits: &Array, targets: &Array) -> Result<Array> {
        on!(self, kernels => kernels.cross_entropy(logits, targets), loss::cross_entropy(self, logits, targets))
    }

    fn cross_entropy_grad(&self, logits: &Array, targets: &Array, d: &Array) -> Result<Array> {
        on!(self, kernels => kernels.cross_entropy_grad(logits, targets, d),
            loss::cross_entropy_grad(self, logits, targets, d))
    }

    fn binary_cross_entropy(&self, logits: &Array, targets: &Array) -> Result<Array> {
        on!(self, kernels => kernels.binary_cross_entropy(logits, targets),
            loss::binary_cross_entropy(self, logits, targets))
    }

    fn binary_cross_entropy_grad(&self, logits: &Array, targets: &Array, d: &Array) -> Result<Array> {
        on!(self, kernels => kernels.binary_cross_entropy_grad(logits, targets, d),
            loss::binary_cross_entropy_grad(self, logits, targets, d))
    }

    fn crf(&self, x: &Potentials<'_, Self>, labels: &Indices) -> Result<PathLoss<Self>> {
        match &self.kernels {
            Kernels::Cpu(cpu) => cpu.crf(self, x, labels),
            _ => crf::crf(self, x, labels),
        }
    }

    fn crf_grad(
        &self,
        x: &Potentials<'_, Self>,
        labels: &Indices,
        y: &PathLoss<Self>,
        d: &Array,
        wanted: CrfWanted,
    ) -> Result<[Option<Array>; 4]> {
        match &self.kernels {
            Kernels::Cpu(cpu) => cpu.crf_grad(self, x, labels, y, d, wanted),
            _ => crf::crf_grad(self, x, labels, y, d, wanted),
        }
    }

    fn crf_path(&self, x: &Potentials<'_, Self>) -> Result<Array> {
        match &self.kernels {
            Kernels::Cpu(cpu) => cpu.crf_path(self, x),
            _ => crf::crf_path(self, x),
        }
    }

    fn ctc(&self, x: &Transcripts<'_, Self>) -> Result<PathLoss<Self>> {
        match &self.kernels {
            Kernels::Cpu(cpu) => cpu.ctc(self, x),
            _ => ctc::ctc(self, x),
        }
    }

    fn ctc_grad(&self, x: &Transcripts<'_, Self>, y: &PathLoss<Self>, d: &Array) -> Result<Array> {
        match &self.kernels {
            Kernels::Cpu(cpu) => cpu.ctc_grad(self, x, d),
            _ => ctc::ctc_grad(self, x, y, d),
        }
    }

    fn negative_sampling(&self, x: &Windows<'_>, input: &mut Array, output: &mut Array, rate: f64) -> Result<Array> {
        match self.cpu_kernels() {
            Some(cpu) => cpu.negative_sampling(x, input, output, rate),
            None => negative_sampling::negative_sampling(self, x, input, output, rate),
        }
    }

    fn recurrent(&self, cell: Cell, x: &Sequence<'_, Self>) -> Result<Outcome<Self>> {
        let sizes = Sizes::of(self, cell, x)?;
        let fused = on!(self, kernels => kernels.recurrent(cell, x, None, sizes), Ok(None))?;
        fused.map_or_else(|| recurrent::recurrent(self, cell, x), Ok)
    }

    fn recurrent_grad(
        &self,
        cell: Cell,
        x: &Sequence<'_, Self>,
        y: &Outcome<Self>,
        d: &Upstream<'_, Self>,
        wanted: RecurrentWanted,
    ) -> Result<[Option<Array>; 5]> {
        let sizes = Sizes::of_grad(self, cell, x, d)?;
        let RecurrentWanted { z, u, bias: recurrent_bias, h, c } = wanted;
        let all = ProjectedWanted { x: z, u, recurrent_bias, h, c, ..ProjectedWanted::NONE };
        let fused = on!(self, kernels => kernels.recurrent_grad(cell, x, None, sizes, (y, d), all), Ok(None))?;
        match fused {
            Some([z, _, _, u, bias, h, c]) => Ok([z, u, bias, h, c]),
            None => recurrent::recurrent_grad(self, cell, x, y, d, wanted),
        }
    }

    fn projected_recurrent(&self, cell: Cell, x: &Projected<'_, Self>) -> Result<Outcome<Self>> {
        let sizes = x.sizes(self, cell)?;
        let fused = on!(self, kernels => kernels.recurrent(cell, &x.rest, Some(x), sizes), Ok(None))?;
        fused.map_or_else(|| recurrent::projected_recurrent(self, cell, x), Ok)
    }

    fn projected_recurrent_grad(
        &self,
        cell: Cell,
        x: &Projected<'_, Self>,
        y: &Outcome<Self>,
        d: &Upstream<'_, Self>,
        wanted: ProjectedWanted,
    ) -> Result<[Option<Array>; 7]> {
        let sizes = x.sizes(self, cell)?.with_upstream(self, d)?;
        let fused =
            on!(self, kernels => kernels.recurrent_grad(cell, &x.rest, Some(x), sizes, (y, d), wanted), Ok(None))?;
        fused.map_or_else(|| recurrent::projected_recurrent_grad(self, cell, x, y, d, wanted), Ok)
    }
}
