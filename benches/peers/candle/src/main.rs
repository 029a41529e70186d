//! candle's side of the workloads, as its users write it: candle-nn's layers, LSTM and AdamW without decay.
//!
//! candle has no masks: texts run all steps, and a one-hot row takes the output at the last word. It has no Elman network
//! and no RMSProp either: both are written here. At batch 1 only inference is timed.

#[path = "../../rust-common/harness.rs"]
mod harness;

use candle_core::{D, DType, Device, Module, Result, Tensor, Var};
use candle_nn::rnn::{LSTM, RNN};
use candle_nn::{AdamW, Dropout, Embedding, Linear, Optimizer, ParamsAdamW, VarBuilder, VarMap, loss, ops};
use harness::*;
use std::hint::black_box;

const CPU: Device = Device::Cpu;

fn builder(map: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(map, DType::F32, &CPU)
}

fn adam(map: &VarMap) -> Result<AdamW> {
    AdamW::new(map.all_vars(), ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..Default::default() })
}

/// Variables and the running means of their squared gradients.
struct RmsProp(Vec<(Var, Var)>);

impl RmsProp {
    fn new(vars: Vec<Var>) -> Result<Self> {
        vars.into_iter()
            .map(|v| Ok((v.clone(), Var::zeros(v.shape(), v.dtype(), &CPU)?)))
            .collect::<Result<_>>()
            .map(Self)
    }

    fn step(&mut self, loss: &Tensor) -> Result<()> {
        let gradients = loss.backward()?;
        for (v, mean) in &self.0 {
            if let Some(g) = gradients.get(v) {
                mean.set(&((mean.as_tensor() * 0.9)? + (g.sqr()? * 0.1)?)?)?;
                let step = (g / (mean.as_tensor().sqrt()? + 1e-7)?)?;
                v.set(&v.sub(&(step * 1e-3)?)?)?;
            }
        }
        Ok(())
    }
}

fn reuters(options: &Options) -> Result<()> {
    let (n, words, topics) = (8982, 1000, 46);
    let (x, y) = bags(&mut Rng(1), n, words, topics);
    let (x, y) = (Tensor::from_vec(x, (n, words), &CPU)?, Tensor::from_vec(y, n, &CPU)?);
    let map = VarMap::new();
    let first = candle_nn::linear(words, 512, builder(&map).pp("first"))?;
    let second = candle_nn::linear(512, topics, builder(&map).pp("second"))?;
    let dropout = Dropout::new(0.5);
    let mut adam = adam(&map)?;
    let mut step = |i: usize, length: usize| {
        let (x, y) = (x.narrow(0, i, length)?, y.narrow(0, i, length)?);
        let hidden = dropout.forward(&first.forward(&x)?.relu()?, true)?;
        adam.backward_step(&loss::cross_entropy(&second.forward(&hidden)?, &y)?)
    };
    let (batch, mut i) = (options.batch, 0);
    options.report("train", || {
        step(i, batch).unwrap();
        i = if i + 2 * batch <= n { i + batch } else { 0 };
    });
    options.report("epoch", || (0..n).step_by(batch).for_each(|i| step(i, batch.min(n - i)).unwrap()));
    Ok(())
}

struct Imdb {
    embedding: Embedding,
    dropout: Dropout,
    lstm: LSTM,
    head: Linear,
}

impl Imdb {
    fn new(map: &VarMap, words: usize) -> Result<Self> {
        let vb = builder(map);
        Ok(Imdb {
            embedding: candle_nn::embedding(words, 128, vb.pp("embedding"))?,
            dropout: Dropout::new(0.2),
            lstm: candle_nn::lstm(128, 128, Default::default(), vb.pp("lstm"))?,
            head: candle_nn::linear(128, 1, vb.pp("head"))?,
        })
    }

    /// `last`: one-hot rows of the last words, `[batch, steps, 1]`; `None` where all texts are full.
    fn forward(&self, ids: &Tensor, last: Option<&Tensor>, train: bool) -> Result<Tensor> {
        let states = self.lstm.seq(&self.dropout.forward(&self.embedding.forward(ids)?, train)?)?;
        let h = match last {
            None => states[states.len() - 1].h().clone(),
            Some(last) => self.lstm.states_to_tensor(&states)?.broadcast_mul(last)?.sum(1)?,
        };
        self.head.forward(&h)?.squeeze(1)
    }
}

/// Indices, one-hot rows of the last words, labels.
type Batch = [Tensor; 3];

fn batches(count: usize, batch: usize, lengths: [usize; 2], words: usize, classes: usize) -> Result<Vec<Batch>> {
    let (mut rng, steps) = (Rng(2), lengths[1]);
    let next = |_| {
        let texts = texts(&mut rng, batch, lengths, words, classes);
        let ids = Tensor::from_vec(texts.ids, (batch, steps), &CPU)?;
        let last = Tensor::from_vec(texts.last, (batch, steps, 1), &CPU)?;
        Ok([ids, last, Tensor::from_vec(texts.labels, batch, &CPU)?])
    };
    (0..count).map(next).collect()
}

fn imdb_step(model: &Imdb, adam: &mut AdamW, [ids, last, y]: &Batch, masked: bool) -> Result<Tensor> {
    let logits = model.forward(ids, masked.then_some(last), true)?;
    let loss = loss::binary_cross_entropy_with_logit(&logits, &y.to_dtype(DType::F32)?)?;
    adam.backward_step(&loss)?;
    Ok(loss)
}

fn imdb(options: &Options, words: usize, shortest: usize) -> Result<()> {
    let (data, map, masked) = (batches(8, options.batch, [shortest, 80], words, 2)?, VarMap::new(), shortest < 80);
    let (model, mut batches) = (Imdb::new(&map, words)?, data.iter().cycle());
    let mut adam = adam(&map)?;
    if options.batch > 1 {
        options.report("train", || drop(imdb_step(&model, &mut adam, batches.next().unwrap(), masked).unwrap()));
    }
    if options.workload != "vocabulary" {
        options.report("infer", || {
            let [ids, last, _] = batches.next().unwrap();
            let y = ops::sigmoid(&model.forward(ids, masked.then_some(last), false).unwrap()).unwrap();
            black_box(y.to_vec1::<f32>().unwrap());
        });
    }
    Ok(())
}

fn tweets(options: &Options) -> Result<()> {
    let (batch, steps, words, dim, units) = (options.batch, 32, 50_000, 200, 128);
    let data = batches(8, batch, [5, steps], words, 3)?;
    let (table, map) = (Tensor::randn(0f32, 0.4, (words, dim), &CPU)?, VarMap::new());
    let kernel = candle_nn::linear(dim, units, builder(&map).pp("kernel"))?;
    let recurrent = candle_nn::linear_no_bias(units, units, builder(&map).pp("recurrent"))?;
    let head = candle_nn::linear(units, 3, builder(&map).pp("head"))?;
    let forward = |ids: &Tensor, last: &Tensor| {
        let x = table.index_select(&ids.flatten_all()?, 0)?.reshape((batch, steps, dim))?;
        let mut h = Tensor::zeros((batch, units), DType::F32, &CPU)?;
        let mut outputs = vec![];
        for step in 0..steps {
            let x = x.narrow(1, step, 1)?.squeeze(1)?.contiguous()?;
            h = (kernel.forward(&x)? + recurrent.forward(&h)?)?.tanh()?;
            outputs.push(h.clone());
        }
        head.forward(&Tensor::stack(&outputs, 1)?.broadcast_mul(last)?.sum(1)?)
    };
    let (mut rule, mut batches) = (RmsProp::new(map.all_vars())?, data.iter().cycle());
    if batch > 1 {
        options.report("train", || {
            let [ids, last, y] = batches.next().unwrap();
            rule.step(&loss::cross_entropy(&forward(ids, last).unwrap(), y).unwrap()).unwrap();
        });
    }
    options.report("infer", || {
        let [ids, last, _] = batches.next().unwrap();
        let y = ops::softmax(&forward(ids, last).unwrap(), D::Minus1).unwrap();
        black_box(y.to_vec2::<f32>().unwrap());
    });
    Ok(())
}

fn long(options: &Options) -> Result<()> {
    let (x, map) = (Var::randn(0f32, 1.0, (options.batch, options.extra, 128), &CPU)?, VarMap::new());
    let lstm = candle_nn::lstm(128, 128, Default::default(), builder(&map))?;
    options.report("train", || {
        let states = lstm.seq(x.as_tensor()).unwrap();
        black_box(states[states.len() - 1].h().sum_all().unwrap().backward().unwrap());
    });
    Ok(())
}

fn start_up(options: &Options) -> Result<()> {
    let (data, map) = (batches(1, options.batch, [20, 80], 20_000, 2)?, VarMap::new());
    let model = Imdb::new(&map, 20_000)?;
    let loss = imdb_step(&model, &mut adam(&map)?, &data[0], true)?;
    println!("{{\"loss\": {}}}", loss.to_scalar::<f32>()?);
    Ok(())
}

fn main() -> Result<()> {
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
