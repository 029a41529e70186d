//! An evaluation of many classes: what it costs to know how many are right.

use super::{Options, STEPS, peak_memory, texts};
use elman::data::{Dataset, Targets};
use elman::layers::{Dense, Embedding, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Metric, Perplexity, Scores};
use elman::optim::Sgd;
use elman::{Activation, Backend, Result, Spec};

const CLASSES: usize = 10_000;

/// Accuracy that asks for all predictions.
#[derive(Clone, Debug)]
struct Whole(Accuracy);

impl Metric for Whole {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn reset(&mut self) {
        self.0.reset();
    }
    fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        self.0.update(batch)
    }
    fn value(&self) -> f64 {
        self.0.value()
    }
    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

/// Evaluates by the loss alone, by the classes, and by all predictions.
pub fn run<B: Backend>(backend: &B, options: &Options) -> Result<()> {
    let (inputs, _, _) = texts(8 * options.batch, [STEPS[0]; 2], CLASSES, 2)?.into_parts();
    let row = |row: usize| (0..STEPS[0]).map(|step| ((row * 31 + step * 7) % CLASSES) as u32).collect::<Vec<_>>();
    let rows: Vec<_> = (0..inputs.len()).map(row).collect();
    let data = Dataset::new(inputs, Targets::classes_per_step(&rows)?)?;
    let mut model = Sequential::new()
        .add(Embedding::new(CLASSES, 64))
        .add(Dense::new(CLASSES).activation(Activation::Softmax))
        .build(backend, Spec::indices(STEPS[0]), 0)?;
    for by in ["loss", "classes", "predictions"] {
        let compiled = model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::new());
        match by {
            "loss" => compiled.metric(Perplexity::new()),
            "classes" => compiled.metric(Accuracy::new()),
            _ => compiled.metric(Whole(Accuracy::new())),
        };
        let [median, least, greatest] = super::common::time(|| model.evaluate(&data, options.batch).map(drop))?;
        let line = serde_json::json!({
            "peer": "elman", "workload": "many_classes", "what": by, "batch": options.batch, "threads": options.threads,
            "median_ms": median, "min_ms": least, "max_ms": greatest, "rss_mb": peak_memory(),
        });
        println!("{line}");
    }
    Ok(())
}
