//! [`Backend`] for [`Candle`]: checks, and the choice between the kernels of [`crate::cpu`] and [`crate::portable`].

use crate::Candle;
use crate::array::{Array, Indices, error};
use crate::portable;
use candle_core::{DType, Device, Tensor};
use elman::backend::recurrent::{self, Cell, Outcome, Projected, Sequence, Sizes, Upstream};
use elman::backend::{Backend, Map, Reach, Update, Zip, bags, check, linear, loss, norm, rows, update};
use elman::data::Bags;
use elman::{Activation, Key, Result, Shape, activation};

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
}

impl Backend for Candle {
    type Elem = f32;
    type Array = Array;
    type Indices = Indices;

    fn name(&self) -> String {
        match (&self.device, &self.cpu) {
            (Device::Cpu, Some(cpu)) => format!("candle cpu, {} threads", cpu.threads.count()),
            (Device::Cpu, None) => "candle cpu, candle's kernels".to_string(),
            (Device::Cuda(_), _) => "candle cuda".to_string(),
            (Device::Metal(_), _) => "candle metal".to_string(),
        }
    }

    fn upload(&self, data: Vec<f32>, shape: Shape) -> Result<Array> {
        check::upload(data.len(), shape)?;
        match &self.cpu {
            Some(cpu) => cpu.array(cpu.memory.aligned(data), shape),
            None => self.compute("upload", shape, || Tensor::from_vec(data, &shape[..], &self.device)),
        }
    }

    fn download(&self, a: &Array) -> Result<Vec<f32>> {
        match &self.cpu {
            Some(_) => Ok(a.numbers()?.to_vec()),
            None => a.tensor().flatten_all().and_then(|flat| flat.to_vec1()).map_err(error("download")),
        }
    }

    fn upload_indices(&self, data: Vec<u32>, shape: Shape) -> Result<Indices> {
        check::upload(data.len(), shape)?;
        let bound = data.iter().max().map_or(0, |&greatest| greatest as usize + 1);
        self.compute_indices("upload_indices", (shape, bound), || Tensor::from_vec(data, &shape[..], &self.device))
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
        match &self.cpu {
            Some(cpu) => cpu.fill(shape, value as f32),
            None => self.compute("fill", shape, || Tensor::full(value as f32, &shape[..], &self.device)),
        }
    }

    fn map(&self, op: Map, a: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.map(op, a),
            None => self.compute("map", a.shape(), || portable::map(op, a.tensor())),
        }
    }

    fn zip(&self, op: Zip, a: &Array, b: &Array) -> Result<Array> {
        let shape = a.shape().broadcast("zip", b.shape())?;
        match &self.cpu {
            Some(cpu) => cpu.zip(op, a, b),
            None => self.compute("zip", shape, || portable::zip(op, a.tensor(), b.tensor())),
        }
    }

    fn select(&self, mask: &Array, a: &Array, b: &Array) -> Result<Array> {
        let shape = mask.shape().broadcast("select", a.shape())?.broadcast("select", b.shape())?;
        let spread = |x: &Array| x.tensor().broadcast_as(&shape[..]);
        match &self.cpu {
            Some(cpu) => cpu.select(mask, a, b, shape),
            None => self.compute("select", shape, || portable::select(&spread(mask)?, &spread(a)?, &spread(b)?)),
        }
    }

    fn sum_to(&self, a: &Array, shape: Shape) -> Result<Array> {
        check::sum_to(a.shape(), shape)?;
        if a.shape().elements() == shape.elements() {
            return self.reshape(a, shape);
        }
        if a.shape().elements() == 0 {
            return self.fill(shape, 0.0);
        }
        match &self.cpu {
            Some(cpu) => cpu.sum_to(a, shape),
            None => self.compute("sum_to", shape, || portable::sum_to(a.tensor(), shape)),
        }
    }

    fn max(&self, a: &Array, axis: usize) -> Result<Array> {
        check::max("max", a.shape(), axis)?;
        let mut sizes = a.shape().to_vec();
        sizes[axis] = 1;
        let shape = Shape::new(&sizes)?;
        match &self.cpu {
            Some(cpu) => cpu.max(a, axis, shape),
            None => self.compute("max", shape, || portable::max(a.tensor(), axis)),
        }
    }

    fn argmax(&self, a: &Array, axis: usize) -> Result<Indices> {
        check::max("argmax", a.shape(), axis)?;
        let mut sizes = a.shape().to_vec();
        let bound = sizes.remove(axis);
        let shape = Shape::new(&sizes)?;
        match &self.cpu {
            Some(cpu) => cpu.argmax(a, axis, shape),
            None => self.compute_indices("argmax", (shape, bound), || portable::argmax(a.tensor(), axis)),
        }
    }

    fn matmul(&self, a: &Array, at: bool, b: &Array, bt: bool) -> Result<Array> {
        let product = check::matmul(a.shape(), at, b.shape(), bt)?;
        if product.k == 0 {
            return self.fill(product.shape, 0.0);
        }
        match &self.cpu {
            Some(cpu) => cpu.matmul(a, at, b, bt, &product),
            None => {
                self.compute("matmul", product.shape, || portable::matmul(a.tensor(), at, b.tensor(), bt, &product))
            }
        }
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
        if shape.elements() == 0 {
            // A view of nothing at the end of its storage would begin beyond it, where candle panics.
            return self.compute("slice", shape, || portable::empty(shape, DType::F32, &self.device));
        }
        Ok(a.view(a.tensor().narrow(axis, start, length).map_err(error("slice"))?, shape))
    }

    fn concat(&self, parts: &[&Array], axis: usize) -> Result<Array> {
        let shapes: Vec<Shape> = parts.iter().map(|part| part.shape()).collect();
        let shape = check::concat(&shapes, axis)?;
        if let Some(cpu) = &self.cpu {
            return cpu.concat(parts, axis, shape);
        }
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
        match &self.cpu {
            Some(cpu) => cpu.gather(table, rows, shape),
            None => self.compute("gather", shape, || portable::gather(table.tensor(), rows.tensor(), shape)),
        }
    }

    fn scatter_add(&self, values: &Array, rows: &Indices, n: usize) -> Result<Array> {
        let shape = check::scatter_add(values.shape(), rows.shape(), n)?;
        rows.check("scatter_add", n)?;
        if values.shape().elements() == 0 {
            return self.fill(shape, 0.0);
        }
        match &self.cpu {
            Some(cpu) => cpu.scatter_add(values, rows, shape),
            None => self.compute("scatter_add", shape, || portable::scatter_add(values.tensor(), rows.tensor(), shape)),
        }
    }

    fn one_hot(&self, a: &Indices, classes: usize) -> Result<Array> {
        let shape = a.shape().and(classes)?;
        a.check("one_hot", classes)?;
        match &self.cpu {
            Some(cpu) => cpu.one_hot(a, shape),
            None => self.compute("one_hot", shape, || portable::one_hot(a.tensor(), shape)),
        }
    }

    fn add_assign(&self, a: &mut Array, b: &Array) -> Result<()> {
        check::same_shape("add_assign", a.shape(), b.shape())?;
        match &self.cpu {
            Some(cpu) => cpu.add_assign(a, b)?,
            None => *a = self.zip(Zip::Add, a, b)?,
        }
        Ok(())
    }

    fn update(&self, rule: &Update, w: &mut Array, g: &Array, state: &mut [Array]) -> Result<()> {
        match &self.cpu {
            Some(cpu) => {
                update::check_shapes(self, rule, w, g, state)?;
                cpu.update(rule, w, g, state)
            }
            None => update::update(self, rule, w, g, state),
        }
    }

    fn update_rows(
        &self,
        rule: &Update,
        reach: Reach,
        w: &mut Array,
        (rows, g): (&Indices, &Array),
        state: &mut [Array],
    ) -> Result<()> {
        let Some(cpu) = &self.cpu else { return rows::update_rows(self, rule, reach, w, (rows, g), state) };
        rows.check("update_rows", rows::check_shapes(self, w, rows, g)?)?;
        update::check_shapes(self, rule, w, w, state)?;
        cpu.update_rows(rule, reach, w, (rows, g), state)
    }

    fn linear(&self, x: &Array, w: &Array, bias: Option<&Array>) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.linear(x, w, bias),
            None => linear::linear(self, x, w, bias),
        }
    }

    fn linear_grad(&self, x: &Array, w: &Array, dy: &Array, wanted: [bool; 3]) -> Result<[Option<Array>; 3]> {
        match &self.cpu {
            Some(cpu) => cpu.linear_grad(x, w, dy, wanted),
            None => linear::linear_grad(self, x, w, dy, wanted),
        }
    }

    fn linear_steps(&self, x: &Array, w: &Array, bias: Option<&Array>, mask: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.linear_steps(x, w, bias, mask),
            None => linear::linear_steps(self, x, w, bias, mask),
        }
    }

    fn linear_steps_grad(
        &self,
        x: &Array,
        w: &Array,
        dy: &Array,
        mask: &Array,
        wanted: [bool; 3],
    ) -> Result<[Option<Array>; 3]> {
        match &self.cpu {
            Some(cpu) => cpu.linear_steps_grad(x, w, dy, mask, wanted),
            None => linear::linear_steps_grad(self, x, w, dy, mask, wanted),
        }
    }

    fn bag_linear(&self, x: &Bags, w: &Array, bias: Option<&Array>) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.bag_linear(x, w, bias),
            None => bags::bag_linear(self, x, w, bias),
        }
    }

    fn bag_linear_grad(&self, x: &Bags, dy: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.bag_linear_grad(x, dy),
            None => bags::bag_linear_grad(self, x, dy),
        }
    }

    fn activate(&self, f: Activation, x: &Array) -> Result<Array> {
        let fused = self.cpu.as_ref().map_or(Ok(None), |cpu| cpu.activate(f, x))?;
        fused.map_or_else(|| activation::activate(self, f, x), Ok)
    }

    fn activate_grad(&self, f: Activation, x: &Array, y: &Array, dy: &Array) -> Result<Array> {
        let fused = self.cpu.as_ref().map_or(Ok(None), |cpu| cpu.activate_grad(f, x, y, dy))?;
        fused.map_or_else(|| activation::activate_grad(self, f, x, y, dy), Ok)
    }

    fn softmax(&self, x: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.softmax(x),
            None => norm::softmax(self, x),
        }
    }

    fn softmax_grad(&self, y: &Array, dy: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.softmax_grad(y, dy),
            None => norm::softmax_grad(self, y, dy),
        }
    }

    fn log_softmax(&self, x: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.log_softmax(x),
            None => norm::log_softmax(self, x),
        }
    }

    fn log_softmax_grad(&self, y: &Array, dy: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.log_softmax_grad(y, dy),
            None => norm::log_softmax_grad(self, y, dy),
        }
    }

    fn layer_norm(&self, x: &Array, gamma: &Array, beta: &Array, epsilon: f64) -> Result<Array> {
        match &self.cpu {
            Some(cpu) if x.shape().elements() > 0 => cpu.layer_norm(x, gamma, beta, epsilon as f32),
            _ => norm::layer_norm(self, x, gamma, beta, epsilon),
        }
    }

    fn layer_norm_grad(
        &self,
        x: &Array,
        gamma: &Array,
        epsilon: f64,
        dy: &Array,
        wanted: [bool; 3],
    ) -> Result<[Option<Array>; 3]> {
        match &self.cpu {
            Some(cpu) if x.shape().elements() > 0 => cpu.layer_norm_grad(x, gamma, epsilon as f32, dy, wanted),
            _ => norm::layer_norm_grad(self, x, gamma, epsilon, dy, wanted),
        }
    }

    fn dropout(&self, x: &Array, rate: f64, key: Key) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.dropout(x, rate, key),
            None => norm::dropout(self, x, rate, key),
        }
    }

    fn sparse_cross_entropy(&self, logits: &Array, labels: &Indices, smoothing: f64) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.sparse_cross_entropy(logits, labels, smoothing),
            None => loss::sparse_cross_entropy(self, logits, labels, smoothing),
        }
    }

    fn sparse_cross_entropy_grad(&self, logits: &Array, labels: &Indices, smoothing: f64, d: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.sparse_cross_entropy_grad(logits, labels, smoothing, d),
            None => loss::sparse_cross_entropy_grad(self, logits, labels, smoothing, d),
        }
    }

    fn cross_entropy(&self, logits: &Array, targets: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.cross_entropy(logits, targets),
            None => loss::cross_entropy(self, logits, targets),
        }
    }

    fn cross_entropy_grad(&self, logits: &Array, targets: &Array, d: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.cross_entropy_grad(logits, targets, d),
            None => loss::cross_entropy_grad(self, logits, targets, d),
        }
    }

    fn binary_cross_entropy(&self, logits: &Array, targets: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.binary_cross_entropy(logits, targets),
            None => loss::binary_cross_entropy(self, logits, targets),
        }
    }

    fn binary_cross_entropy_grad(&self, logits: &Array, targets: &Array, d: &Array) -> Result<Array> {
        match &self.cpu {
            Some(cpu) => cpu.binary_cross_entropy_grad(logits, targets, d),
            None => loss::binary_cross_entropy_grad(self, logits, targets, d),
        }
    }

    fn recurrent(&self, cell: Cell, x: &Sequence<'_, Self>) -> Result<Outcome<Self>> {
        let sizes = Sizes::of(self, cell, x)?;
        let fused = self.cpu.as_ref().map_or(Ok(None), |cpu| cpu.recurrent(cell, x, None, sizes))?;
        fused.map_or_else(|| recurrent::recurrent(self, cell, x), Ok)
    }

    fn recurrent_grad(
        &self,
        cell: Cell,
        x: &Sequence<'_, Self>,
        y: &Outcome<Self>,
        d: &Upstream<'_, Self>,
        wanted: [bool; 5],
    ) -> Result<[Option<Array>; 5]> {
        let sizes = Sizes::of_grad(self, cell, x, d)?;
        let [z, u, bias, h, c] = wanted;
        let all = [z, false, false, u, bias, h, c];
        let fused = self.cpu.as_ref().map_or(Ok(None), |cpu| cpu.recurrent_grad(cell, x, None, sizes, (y, d), all))?;
        match fused {
            Some([z, _, _, u, bias, h, c]) => Ok([z, u, bias, h, c]),
            None => recurrent::recurrent_grad(self, cell, x, y, d, wanted),
        }
    }

    fn projected_recurrent(&self, cell: Cell, x: &Projected<'_, Self>) -> Result<Outcome<Self>> {
        let sizes = x.sizes(self, cell)?;
        let fused = self.cpu.as_ref().map_or(Ok(None), |cpu| cpu.recurrent(cell, &x.rest, Some(x), sizes))?;
        fused.map_or_else(|| recurrent::projected_recurrent(self, cell, x), Ok)
    }

    fn projected_recurrent_grad(
        &self,
        cell: Cell,
        x: &Projected<'_, Self>,
        y: &Outcome<Self>,
        d: &Upstream<'_, Self>,
        wanted: [bool; 7],
    ) -> Result<[Option<Array>; 7]> {
        let sizes = x.sizes(self, cell)?.with_upstream(self, d)?;
        let grad = |cpu: &crate::cpu::Cpu| cpu.recurrent_grad(cell, &x.rest, Some(x), sizes, (y, d), wanted);
        let fused = self.cpu.as_ref().map_or(Ok(None), grad)?;
        fused.map_or_else(|| recurrent::projected_recurrent_grad(self, cell, x, y, d, wanted), Ok)
    }
}
