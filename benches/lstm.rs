//! Times the training step of an LSTM on random words, on the CPU or on a GPU, at all combinations of sizes.
//!
//! `cargo bench --bench lstm -- [--device cpu|cuda:N] [--precision f32|tf32|bf16] [--units 128,512] [--steps 80] [...]` prints a
//! line of JSON for each point. `scripts/cuda_check.sh` sets it beside PyTorch (`benches/peers/python/torch_cuda.py`), which
//! takes the same options and times by the same rule.

#[path = "common/device.rs"]
mod device;

use clap::Parser;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Embedding, Lstm, Sequential};
use elman::loss::BinaryCrossEntropy;
use elman::model::Batch;
use elman::optim::Adam;
use elman::{Backend, Key, Model, Spec};
use elman_candle::{Candle, Precision};
use serde_json::json;
use std::io::Write;

/// Numbers of a word's vector.
const DIM: usize = 128;
/// The step goes round so many batches.
const BATCHES: usize = 4;

/// Times the training step of an LSTM
#[derive(Parser)]
struct Options {
    /// cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// How numbers are multiplied: f32, tf32, bf16
    #[arg(long, default_value = "f32")]
    precision: Precision,
    #[arg(long, value_delimiter = ',', default_value = "128,512,1024")]
    units: Vec<usize>,
    #[arg(long, value_delimiter = ',', default_value = "80,320")]
    steps: Vec<usize>,
    #[arg(long, value_delimiter = ',', default_value = "32,256,1024")]
    batch: Vec<usize>,
    /// Read the points from standard input instead, a line each: UNITS STEPS BATCH PRECISION
    #[arg(long)]
    ask: bool,
    #[arg(long, default_value_t = 20_000)]
    vocabulary: usize,
    /// How often a point is timed
    #[arg(long, default_value_t = 5)]
    blocks: usize,
    /// How long each time
    #[arg(long, default_value_t = 0.3)]
    seconds: f64,
    /// Threads on the CPU
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Multiplications and additions that the device can do, 10^12 a second [default: an H100's]
    #[arg(long)]
    peak_tflops: Option<f64>,
    /// 10^9 bytes a second between the device and its memory: an H100's
    #[arg(long, default_value_t = 3350.0)]
    bandwidth_gbs: f64,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

struct Point {
    units: usize,
    steps: usize,
    batch: usize,
    precision: Precision,
}

impl Point {
    fn read(line: &str) -> anyhow::Result<Point> {
        let [units, steps, batch, precision] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            anyhow::bail!("`{line}`: expected UNITS STEPS BATCH PRECISION");
        };
        Ok(Point { units: units.parse()?, steps: steps.parse()?, batch: batch.parse()?, precision: precision.parse()? })
    }

    /// Milliseconds that the device needs at least. It can multiply while it moves activations; the optimiser comes after.
    ///
    /// Products: of the input and (but for the first step) of the state with their weights, both again for their own
    /// gradients and for those of the weights. Activations, each written once and read once: the word's vector and its
    /// gradient, the four gates and their gradients, the cell and the output. Adam: 28 bytes a parameter, 24 a number of the
    /// embedding, as its gradient holds few rows. That one step waits for the one before it is not counted.
    fn floor(&self, options: &Options) -> f64 {
        let [units, steps, batch] = [self.units, self.steps, self.batch].map(|size| size as f64);
        let (dim, vocabulary) = (DIM as f64, options.vocabulary as f64);
        let peak = options.peak_tflops.unwrap_or(match self.precision {
            Precision::F32 => 67.0,
            Precision::Tf32 => 495.0,
            Precision::Bf16 => 989.0,
        });
        let products = 3.0 * 2.0 * batch * 4.0 * units * (steps * dim + (steps - 1.0) * units) / (peak * 1e9);
        let activations = 2.0 * 4.0 * batch * steps * (2.0 * dim + 10.0 * units) / (options.bandwidth_gbs * 1e6);
        let parameters = 28.0 * (4.0 * units * (dim + units + 1.0) + units + 1.0) + 24.0 * vocabulary * dim;
        products.max(activations) + parameters / (options.bandwidth_gbs * 1e6)
    }

    /// Times the step; what it gives besides is the last loss.
    fn time<B: Backend>(&self, backend: &B, options: &Options) -> elman::Result<([f64; 3], f64)> {
        let data = self.data(options.vocabulary)?;
        let mut model: Model<B> = Sequential::new()
            .add(Embedding::new(options.vocabulary, DIM))
            .add(Lstm::new(self.units))
            .add(Dense::new(1))
            .build(backend, Spec::indices(self.steps), 0)?;
        model.compile(Adam::new(1e-3), BinaryCrossEntropy::from_logits());
        let (mut at, mut loss) = (0, f64::NAN);
        let times = device::time(options.blocks, options.seconds, |last| {
            at = (at + 1) % BATCHES;
            let rows: Vec<usize> = (at * self.batch..(at + 1) * self.batch).collect();
            // Gathering the rows and bringing them to the device is part of a step, as `fit` does it.
            let (value, _) = model.train_step(&Batch::new(backend, data.select(&rows)?)?)?;
            if last {
                // Comes when all that was asked for before has been done.
                loss = value.to_scalar()?;
            }
            Ok(())
        })?;
        Ok((times, loss))
    }

    fn data(&self, vocabulary: usize) -> elman::Result<Dataset> {
        let count = (BATCHES * self.batch) as u64;
        let text = |text: u64| -> Vec<u32> {
            (0..self.steps as u64).map(|i| Key::new(1).fold(text).below(i, vocabulary) as u32).collect()
        };
        let labels = (0..count).map(|i| Key::new(2).below(i, 2) as u32).collect();
        Dataset::new(Inputs::indices(&(0..count).map(text).collect::<Vec<_>>())?, Targets::classes(labels)?)
    }

    /// Times the step and prints the line: with the error, such as too little memory, where there is one.
    fn report(&self, options: &Options) -> anyhow::Result<()> {
        let mut line = json!({
            "peer": "elman", "workload": "lstm", "what": "train", "device": options.device,
            "precision": self.precision.to_string(),
            "units": self.units, "steps": self.steps, "batch": self.batch, "floor_ms": self.floor(options),
        });
        let timed = backend(options, self.precision).and_then(|backend| Ok(self.time(&backend, options)?));
        let more = match timed {
            Ok(([median, least, greatest], loss)) => {
                json!({ "median_ms": median, "min_ms": least, "max_ms": greatest, "loss": loss })
            }
            Err(error) => json!({ "error": format!("{error:#}") }),
        };
        if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        println!("{line}");
        Ok(std::io::stdout().flush()?)
    }
}

/// The device, multiplying in this precision.
fn backend(options: &Options, precision: Precision) -> anyhow::Result<Candle> {
    let backend = device::candle(&options.device, options.threads)?;
    anyhow::ensure!(
        options.device != "cpu" || precision == Precision::F32,
        "--precision {precision}: the CPU has f32 alone"
    );
    Ok(backend.with_precision(precision))
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.ask {
        return std::io::stdin().lines().try_for_each(|line| Point::read(&line?)?.report(&options));
    }
    for &units in &options.units {
        for &steps in &options.steps {
            for &batch in &options.batch {
                Point { units, steps, batch, precision: options.precision }.report(&options)?;
            }
        }
    }
    Ok(())
}
