//! How often training waits for the device: a backend that counts what is read back.

use super::toy::{classifier, points};
use elman::backend::{Backend, Map, Zip};
use elman::data::Dataset;
use elman::layers::{Dense, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Average, F1, TopK};
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Activation, Model, Result, Shape, Spec};
use elman_reference::{Array, Indices, Reference};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The reference backend, counting its downloads.
#[derive(Clone, Debug, Default)]
struct Counting {
    inner: Reference<f32>,
    downloads: Arc<AtomicUsize>,
    /// All that they brought.
    numbers: Arc<AtomicUsize>,
}

impl Counting {
    /// The downloads since the last call.
    fn take(&self) -> usize {
        self.numbers.store(0, Ordering::Relaxed);
        self.downloads.swap(0, Ordering::Relaxed)
    }
}

type A = Array<f32>;

impl Backend for Counting {
    type Elem = f32;
    type Array = A;
    type Indices = Indices;

    fn download(&self, a: &A) -> Result<Vec<f32>> {
        self.downloads.fetch_add(1, Ordering::Relaxed);
        self.numbers.fetch_add(a.shape().elements(), Ordering::Relaxed);
        self.inner.download(a)
    }

    fn download_indices(&self, a: &Indices) -> Result<Vec<u32>> {
        self.downloads.fetch_add(1, Ordering::Relaxed);
        self.inner.download_indices(a)
    }

    fn name(&self) -> String {
        format!("counting {}", self.inner.name())
    }

    fn upload(&self, data: Vec<f32>, shape: Shape) -> Result<A> {
        self.inner.upload(data, shape)
    }

    fn upload_indices(&self, data: Vec<u32>, shape: Shape) -> Result<Indices> {
        self.inner.upload_indices(data, shape)
    }

    fn shape(&self, a: &A) -> Shape {
        self.inner.shape(a)
    }

    fn indices_shape(&self, a: &Indices) -> Shape {
        self.inner.indices_shape(a)
    }

    fn fill(&self, shape: Shape, value: f64) -> Result<A> {
        self.inner.fill(shape, value)
    }

    fn map(&self, op: Map, a: &A) -> Result<A> {
        self.inner.map(op, a)
    }

    fn zip(&self, op: Zip, a: &A, b: &A) -> Result<A> {
        self.inner.zip(op, a, b)
    }

    fn select(&self, mask: &A, a: &A, b: &A) -> Result<A> {
        self.inner.select(mask, a, b)
    }

    fn sum_to(&self, a: &A, shape: Shape) -> Result<A> {
        self.inner.sum_to(a, shape)
    }

    fn max(&self, a: &A, axis: usize) -> Result<A> {
        self.inner.max(a, axis)
    }

    fn argmax(&self, a: &A, axis: usize) -> Result<Indices> {
        self.inner.argmax(a, axis)
    }

    fn matmul(&self, a: &A, at: bool, b: &A, bt: bool) -> Result<A> {
        self.inner.matmul(a, at, b, bt)
    }

    fn reshape(&self, a: &A, shape: Shape) -> Result<A> {
        self.inner.reshape(a, shape)
    }

    fn permute(&self, a: &A, axes: &[usize]) -> Result<A> {
        self.inner.permute(a, axes)
    }

    fn slice(&self, a: &A, axis: usize, start: usize, length: usize) -> Result<A> {
        self.inner.slice(a, axis, start, length)
    }

    fn concat(&self, parts: &[&A], axis: usize) -> Result<A> {
        self.inner.concat(parts, axis)
    }

    fn gather(&self, table: &A, rows: &Indices) -> Result<A> {
        self.inner.gather(table, rows)
    }

    fn scatter_add(&self, values: &A, rows: &Indices, n: usize) -> Result<A> {
        self.inner.scatter_add(values, rows, n)
    }

    fn one_hot(&self, a: &Indices, classes: usize) -> Result<A> {
        self.inner.one_hot(a, classes)
    }
}

/// A model and how often it was read back while building it, which does not count.
fn built(accuracy: bool) -> (Counting, Model<Counting>) {
    let backend = Counting::default();
    let mut model = classifier(&backend, 0);
    let compiled = model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::new());
    if accuracy {
        compiled.metric(Accuracy::new());
    }
    backend.take();
    (backend, model)
}

#[test]
fn an_epoch_reads_back_three_times_however_many_batches_it_has() {
    let (backend, mut model) = built(true);
    let mut epoch = |data: &Dataset, batch_size| {
        model.fit(data, Fit::new().batch_size(batch_size).quiet()).unwrap();
        backend.take()
    };
    // All losses in one transfer, all predictions in another, and which gradients were finite in a third.
    assert_eq!([epoch(&points(8), 8), epoch(&points(80), 8), epoch(&points(800), 8)], [3, 3, 3]);
    model.fit(&points(100), Fit::new().epochs(3).batch_size(8).validation_split(0.5).quiet()).unwrap();
    assert_eq!(backend.take(), 3 * (3 + 2));
    model.evaluate(&points(100), 8).unwrap();
    assert_eq!(backend.take(), 2);
    model.predict(points(100).inputs(), 8).unwrap();
    assert_eq!(backend.take(), 1);
}

#[test]
fn predictions_are_not_read_back_where_no_metric_wants_them() {
    let (backend, mut model) = built(false);
    model.fit(&points(100), Fit::new().batch_size(8).quiet()).unwrap();
    assert_eq!(backend.take(), 2);
}

/// Losses by update are read back with the epoch's.
#[test]
fn a_log_of_steps_reads_nothing_back() {
    let (backend, mut model) = built(true);
    model.fit(&points(800), Fit::new().batch_size(8).log_steps(2).quiet()).unwrap();
    assert_eq!(backend.take(), 3);
}

/// Of a class of many there leave two numbers a row, however many classes there are; with a metric of all outputs, all do.
#[test]
fn a_class_is_read_back_as_two_numbers() {
    let backend = Counting::default();
    let network = Sequential::new().add(Dense::new(60).activation(Activation::Softmax));
    let mut model = network.build(&backend, Spec::dense(&[2]), 1).unwrap();
    let mut read = |whole: bool| {
        let compiled = model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::new());
        compiled.metric(Accuracy::new()).metric(F1::new(Average::Macro));
        if whole {
            compiled.metric(TopK::new(2).unwrap());
        }
        backend.take();
        model.evaluate(&points(40), 8).unwrap();
        backend.numbers.load(Ordering::Relaxed)
    };
    // A loss a batch besides.
    assert_eq!([read(false), read(true)], [5 + 40 * 2, 5 + 40 * 60]);
}

#[test]
fn what_is_kept_on_the_device_is_bounded() {
    let (backend, mut model) = built(false);
    // More batches than the losses of which are kept, and than those whose gradients are not known to be finite.
    model.fit(&points(4100), Fit::new().batch_size(1).quiet()).unwrap();
    assert_eq!(backend.take(), 2 + 2);
}
