//! burn's side of the workloads, on its `flex` backend for processors: burn's layers, LSTM, Elman network and optimisers.
//!
//! burn's recurrent layers have no masks: texts run all steps, and a one-hot row takes the output at the last word. At
//! batch 1 only inference is timed.

#[path = "../../rust-common/harness.rs"]
mod harness;

use burn::module::Module;
use burn::nn::loss::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig};
use burn::nn::{
    Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig, Rnn, RnnConfig,
};
use burn::optim::{AdamConfig, GradientsParams, RmsPropConfig};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData, activation};
use harness::*;
use std::hint::black_box;

fn numbers<const D: usize>(data: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data, shape), device)
}

fn indices<const D: usize>(data: Vec<u32>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(data.into_iter().map(i64::from).collect::<Vec<_>>(), shape), device)
}

#[derive(Module, Debug)]
struct Reuters {
    first: Linear,
    dropout: Dropout,
    second: Linear,
}

impl Reuters {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.second.forward(self.dropout.forward(activation::relu(self.first.forward(x))))
    }
}

fn reuters(options: &Options) {
    let device = Device::flex().autodiff();
    let (n, words, topics) = (8982, 1000, 46);
    let (x, y) = bags(&mut Rng(1), n, words, topics);
    let (x, y) = (numbers(x, [n, words], &device), indices(y, [n], &device));
    let mut model = Some(Reuters {
        first: LinearConfig::new(words, 512).init(&device),
        dropout: DropoutConfig::new(0.5).init(),
        second: LinearConfig::new(512, topics).init(&device),
    });
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut adam = AdamConfig::new().with_epsilon(1e-7).init();
    let mut step = |i: usize, length: usize| {
        let m = model.take().unwrap();
        let (x, y) = (x.clone().slice([i..i + length]), y.clone().slice([i..i + length]));
        let gradients = GradientsParams::from_grads(loss.forward(m.forward(x), y).backward(), &m);
        model = Some(adam.step(1e-3, m, gradients));
    };
    let (batch, mut i) = (options.batch, 0);
    options.report("train", || {
        step(i, batch);
        i = if i + 2 * batch <= n { i + batch } else { 0 };
    });
    options.report("epoch", || (0..n).step_by(batch).for_each(|i| step(i, batch.min(n - i))));
}

#[derive(Module, Debug)]
struct Imdb {
    embedding: Embedding,
    dropout: Dropout,
    lstm: Lstm,
    head: Linear,
}

impl Imdb {
    fn new(words: usize, device: &Device) -> Self {
        Imdb {
            embedding: EmbeddingConfig::new(words, 128).init(device),
            dropout: DropoutConfig::new(0.2).init(),
            lstm: LstmConfig::new(128, 128, true).init(device),
            head: LinearConfig::new(128, 1).init(device),
        }
    }

    /// `last`: one-hot rows of the last words, `[batch, steps, 1]`; `None` where all texts are full.
    fn forward(&self, ids: Tensor<2, Int>, last: Option<Tensor<3>>) -> Tensor<1> {
        let (outputs, state) = self.lstm.forward(self.dropout.forward(self.embedding.forward(ids)), None);
        let h = match last {
            None => state.hidden,
            Some(last) => (outputs * last).sum_dim(1).squeeze_dim::<2>(1),
        };
        self.head.forward(h).squeeze_dim(1)
    }
}

/// Indices, one-hot rows of the last words, labels.
type Batch = (Tensor<2, Int>, Tensor<3>, Tensor<1, Int>);

/// Batches of texts of `shortest..=steps` words.
fn batches(
    count: usize,
    batch: usize,
    [shortest, steps]: [usize; 2],
    [words, classes]: [usize; 2],
    device: &Device,
) -> Vec<Batch> {
    let mut rng = Rng(2);
    let next = |_| {
        let texts = texts(&mut rng, batch, [shortest, steps], words, classes);
        let last = numbers(texts.last, [batch, steps, 1], device);
        (indices(texts.ids, [batch, steps], device), last, indices(texts.labels, [batch], device))
    };
    (0..count).map(next).collect()
}

fn imdb(options: &Options, words: usize, shortest: usize) {
    let (plain, masked) = (Device::flex(), shortest < 80);
    let device = plain.clone().autodiff();
    let mut model = Imdb::new(words, &device);
    if options.batch > 1 {
        let data = batches(8, options.batch, [shortest, 80], [words, 2], &device);
        let loss = BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device);
        let mut adam = AdamConfig::new().with_epsilon(1e-7).init();
        let (mut held, mut data) = (Some(model), data.iter().cycle());
        options.report("train", || {
            let (ids, last, y) = data.next().unwrap().clone();
            let m = held.take().unwrap();
            let loss = loss.forward(m.forward(ids, masked.then_some(last)), y);
            let gradients = GradientsParams::from_grads(loss.backward(), &m);
            held = Some(adam.step(1e-3, m, gradients));
        });
        model = held.unwrap();
    }
    if options.workload != "vocabulary" {
        let model = model.valid();
        let data = batches(8, options.batch, [shortest, 80], [words, 2], &plain);
        let mut data = data.iter().cycle();
        options.report("infer", || {
            let (ids, last, _) = data.next().unwrap().clone();
            black_box(activation::sigmoid(model.forward(ids, masked.then_some(last))).into_data());
        });
    }
}

#[derive(Module, Debug)]
struct Tweets {
    rnn: Rnn,
    head: Linear,
}

impl Tweets {
    fn forward(&self, table: &Tensor<2>, ids: Tensor<2, Int>, last: Tensor<3>) -> Tensor<2> {
        let [batch, steps] = ids.dims();
        let x = table.clone().select(0, ids.reshape([batch * steps])).reshape([batch, steps, 200]);
        let (outputs, _) = self.rnn.forward(x, None);
        self.head.forward((outputs * last).sum_dim(1).squeeze_dim::<2>(1))
    }
}

fn tweets(options: &Options) {
    let (words, dim, lengths) = (50_000, 200, [5, 32]);
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let table: Tensor<2> = Tensor::random([words, dim], Distribution::Normal(0.0, 0.4), &device);
    let (rnn, head) = (RnnConfig::new(dim, 128, true).init(&device), LinearConfig::new(128, 3).init(&device));
    let mut model = Tweets { rnn, head };
    if options.batch > 1 {
        let data = batches(8, options.batch, lengths, [words, 3], &device);
        let loss = CrossEntropyLossConfig::new().init(&device);
        let mut rule = RmsPropConfig::new().with_alpha(0.9).with_momentum(0.0).with_epsilon(1e-7).init();
        let (mut held, mut data) = (Some(model), data.iter().cycle());
        options.report("train", || {
            let (ids, last, y) = data.next().unwrap().clone();
            let m = held.take().unwrap();
            let loss = loss.forward(m.forward(&table, ids, last), y);
            let gradients = GradientsParams::from_grads(loss.backward(), &m);
            held = Some(rule.step(1e-3, m, gradients));
        });
        model = held.unwrap();
    }
    let (model, table) = (model.valid(), table.inner());
    let data = batches(8, options.batch, lengths, [words, 3], &plain);
    let mut data = data.iter().cycle();
    options.report("infer", || {
        let (ids, last, _) = data.next().unwrap().clone();
        black_box(activation::softmax(model.forward(&table, ids, last), 1).into_data());
    });
}

fn long(options: &Options) {
    let device = Device::flex().autodiff();
    let shape = [options.batch, options.extra, 128];
    let x: Tensor<3> = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device).require_grad();
    let lstm = LstmConfig::new(128, 128, true).init(&device);
    options.report("train", || {
        let (_, state) = lstm.forward(x.clone(), None);
        black_box(x.grad(&state.hidden.sum().backward()).unwrap());
    });
}

fn start_up(options: &Options) {
    let device = Device::flex().autodiff();
    let (ids, last, y) = batches(1, options.batch, [20, 80], [20_000, 2], &device).remove(0);
    let model = Imdb::new(20_000, &device);
    let loss = BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device);
    let loss = loss.forward(model.forward(ids, Some(last)), y);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    black_box(AdamConfig::new().init().step(1e-3, model, gradients));
    println!("{{\"loss\": {}}}", loss.into_scalar::<f32>());
}

fn main() {
    let options = Options::parse();
    match options.workload.as_str() {
        "reuters" => reuters(&options),
        "imdb_full" => imdb(&options, 20_000, 80),
        "imdb_masked" => imdb(&options, 20_000, 20),
        "tweets" => tweets(&options),
        "long" => long(&options),
        "vocabulary" => imdb(&options, options.extra, 20),
        "start_up" => start_up(&options),
        other => panic!("unknown workload {other}"),
    }
}
