//! Vanishing and exploding gradients (L20): how far back a recurrent network feels, and what that means for learning.
//!
//! `∂h_t/∂h_{t-1} = diag(f') Uᵀ`: over a distance in time the gradient is multiplied by so many such matrices. The first
//! task measures what is left of it in untrained networks; the other two cannot be done without a long memory.

mod common;

use clap::{Parser, ValueEnum};
use common::files::{Files, output_problem};
use common::gradient_flow::{
    BOUND, Candidate, FEATURES, TOO_MUCH, UNITS, candidates, gradient_norms, small_inputs, step_length,
};
use common::plot::{Chart, Line};
use common::race::{Course, lines, race, results};
use common::{Options, Program, limits, memory, say};
use elman::layers::{Dense, Elman, Embedding, Gru, Lstm, Sequential, Weight};
use elman::loss::{Loss, MeanSquaredError, SparseCategoricalCrossEntropy};
use elman::optim::{Adam, Optimizer, Sgd};
use elman::{Activation, Backend, Init, Key, Spec};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Vanishing and exploding gradients, measured and in their consequences (L20)
#[derive(Parser)]
#[command(version)]
struct Vanishing {
    #[command(flatten)]
    options: Options,
    /// What to do
    #[arg(long, value_enum, default_value = "all")]
    task: Task,
    /// Greatest distance of gradients; length of the adding problem
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    steps: u32,
    /// Blanks over which the copy task has to remember
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    blanks: u32,
    /// Training steps on the adding problem, each on sequences never seen before
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    adding_updates: u64,
    /// Training steps on the copy task
    #[arg(long, default_value_t = 1200, value_parser = clap::value_parser!(u64).range(1..))]
    copy_updates: u64,
    /// Units of the networks that are trained
    #[arg(long, default_value_t = 32)]
    units: usize,
    /// Sequences a mini-batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Adam's learning rate
    #[arg(long, default_value_t = 2e-2)]
    rate: f64,
    /// Gradients are shortened to this norm, all parameters together
    #[arg(long, default_value_t = 1.0)]
    clip: f64,
    /// Forget bias of the LSTM that is to copy
    #[arg(long, default_value_t = 3.0)]
    forget_bias: f64,
    /// Write the curves to this folder: gradients.svg, adding.svg, copy.svg
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Task {
    /// The gradient's norm against distance in time
    Gradients,
    /// The sum of two marked numbers of a hundred
    Adding,
    /// Ten symbols, repeated after a pause
    Copy,
    /// All three
    All,
}

/// The curves, each a file.
const PLOTS: [&str; 3] = ["gradients", "adding", "copy"];

/// The distances that the table shows.
const DISTANCES: [usize; 7] = [1, 2, 5, 10, 20, 50, 100];

impl Vanishing {
    fn does(&self, task: Task) -> bool {
        self.task == Task::All || self.task == task
    }

    fn gradients<B: Backend>(&self, backend: &B, key: Key) -> anyhow::Result<Value> {
        let steps = self.steps as usize + 1;
        let distances: Vec<usize> = DISTANCES.into_iter().filter(|&distance| distance < steps).collect();
        say!("The gradient of the last output for the input some steps before it, in untrained networks:\n")?;
        let cells = |cells: Vec<String>| cells.iter().map(|cell| format!("{cell:>10}")).collect::<String>();
        say!("{:<26}{}", "distance", cells(distances.iter().map(usize::to_string).collect()))?;
        let x = small_inputs(backend, steps, key.named("inputs"))?;
        let (mut lines, mut results) = (Vec::new(), json!({}));
        for Candidate { name, colour, dashed, network } in candidates() {
            let model = network.build(backend, Spec::dense(&[steps, FEATURES]), self.options.seed)?;
            let norms = gradient_norms(&model, &x, key.named("direction"))?;
            say!("{name:<26}{}", cells(distances.iter().map(|&distance| scientific(norms[distance])).collect()))?;
            results[&name] =
                distances.iter().map(|&d| (d.to_string(), json!(norms[d]))).collect::<serde_json::Map<_, _>>().into();
            let points = norms.iter().enumerate().map(|(distance, &norm)| (distance as f64, norm)).collect();
            lines.push(Line { name, points, colour, dashed });
        }
        say!("(inputs uniform in ±{BOUND}, {UNITS} units; a 0 is less than the numbers can hold)\n")?;

        let exploding = Elman::new(UNITS)
            .activation(Activation::Relu)
            .recurrent_kernel(Weight::new(Init::Orthogonal { gain: TOO_MUCH }));
        let network = Sequential::new().add(exploding);
        let move_by = |optimizer| {
            let mut model = network.build(backend, Spec::dense(&[steps, FEATURES]), self.options.seed)?;
            step_length(&mut model, &x, optimizer, key.named("direction"))
        };
        let free = move_by(Optimizer::new(Sgd::new(1.0)))?;
        let clipped = move_by(Optimizer::new(Sgd::new(1.0)).clip_global_norm(self.clip))?;
        say!(
            "A step of gradient descent (rate 1) moves the weights of the network that explodes by {}, with the\n\
             gradients' common norm clipped at {} by {clipped:.3}.\n",
            scientific(free),
            self.clip
        )?;
        self.plot(
            "gradients",
            "Gradient of the last output for earlier inputs",
            "distance in time",
            "norm",
            1e-20,
            lines,
        )?;
        Ok(json!({ "norms": results, "step_without_clipping": free, "step_with_clipping": clipped }))
    }

    fn course<B: Backend>(
        &self,
        backend: &B,
        name: &'static str,
        network: Sequential<B>,
        input: Spec,
        loss: impl Loss<B> + 'static,
    ) -> anyhow::Result<Course<B>> {
        let mut model = network.build(backend, input, self.options.seed)?;
        model.compile(Optimizer::new(Adam::new(self.rate)).clip_global_norm(self.clip), loss);
        Ok(Course { name, model, losses: Vec::new(), seconds: 0.0 })
    }

    fn adding<B: Backend>(&self, backend: &B, key: Key) -> anyhow::Result<Value> {
        let steps = self.steps as usize;
        say!(
            "The adding problem over {steps} steps; mean squared error, {:.3} for who always says 1:\n",
            memory::ADDING_BASELINE
        )?;
        let course = |name, recurrent: Sequential<B>| {
            let network = recurrent.add(Dense::new(1));
            self.course(backend, name, network, Spec::dense(&[steps, 2]), MeanSquaredError)
        };
        let courses = vec![
            course("elman", Sequential::new().add(Elman::new(self.units)))?,
            course("gru", Sequential::new().add(Gru::new(self.units)))?,
            course("lstm", Sequential::new().add(Lstm::new(self.units)))?,
        ];
        let test = memory::adding(500, steps, key.named("test"))?;
        let draw = |update| memory::adding(self.batch_size, steps, key.named("train").fold(update));
        let courses = race(courses, self.adding_updates, &test, draw)?;
        let lines = lines(&courses, memory::ADDING_BASELINE);
        self.plot("adding", "Adding problem", "updates", "mean squared error", 0.0, lines)?;
        Ok(results(&courses, memory::ADDING_BASELINE))
    }

    fn copy<B: Backend>(&self, backend: &B, key: Key) -> anyhow::Result<Value> {
        let blanks = self.blanks as usize;
        let baseline = memory::copy_baseline(blanks);
        say!("The copy task over {blanks} blanks; cross-entropy, {baseline:.4} for who guesses the symbols:\n")?;
        let one_hot = (0..memory::WORDS * memory::WORDS).map(|i| f32::from(u8::from(i % (memory::WORDS + 1) == 0)));
        let one_hot = Embedding::from_vectors(one_hot.collect(), memory::WORDS)?.frozen();
        let one_hot = || Sequential::new().add(one_hot.clone());
        let lstm = Lstm::new(self.units).forget_bias(self.forget_bias).return_sequences();
        let course = |name, recurrent: Sequential<B>| {
            let dense = Dense::new(memory::SYMBOLS + 1).activation(Activation::Softmax);
            let network = recurrent.add(dense);
            let input = Spec::indices(blanks + 2 * memory::REMEMBERED);
            self.course(backend, name, network, input, SparseCategoricalCrossEntropy::new())
        };
        let courses = vec![
            course("elman", one_hot().add(Elman::new(self.units).return_sequences()))?,
            course("lstm", one_hot().add(lstm))?,
        ];
        let test = memory::copy(200, blanks, key.named("test"))?;
        let draw = |update| memory::copy(self.batch_size, blanks, key.named("train").fold(update));
        let courses = race(courses, self.copy_updates, &test, draw)?;
        self.plot("copy", "Copy task", "updates", "cross-entropy", 0.0, lines(&courses, baseline))?;
        Ok(results(&courses, baseline))
    }

    fn plot(&self, file: &str, title: &str, x: &str, y: &str, floor: f64, lines: Vec<Line>) -> anyhow::Result<()> {
        let Some(folder) = &self.plots else { return Ok(()) };
        let path = folder.join(file).with_extension("svg");
        Chart { title, x, y, floor, lines }.write(&path)?;
        say!("curves written to {}\n", path.display())?;
        Ok(())
    }
}

/// A number in the width of a column: `3.1e-12`.
fn scientific(x: f64) -> String {
    if x == 0.0 { "0".to_string() } else { format!("{x:.1e}") }
}

impl Program for Vanishing {
    fn files(&self) -> Files {
        let plots =
            |folder: &PathBuf| PLOTS.map(|name| ("--plots".to_string(), folder.join(name).with_extension("svg")));
        self.plots.iter().flat_map(plots).collect()
    }

    fn problems(&self) -> Vec<String> {
        let plots = self.files().into_iter().filter_map(|(option, path)| output_problem(&option, &path, &Files::new()));
        let (units, steps) = (self.units, self.steps.max(self.blanks) as usize);
        let sizes = limits::Sizes { units, dim: 1, steps, gates: 4, batch: self.batch_size, rate: self.rate };
        // Drawn anew for each update, unlike texts.
        let batch = self.batch_size as f64 * steps as f64 * (1.0 + units as f64) * 4.0;
        let batch = limits::memory_problem("--batch-size and --units", batch);
        let clip = limits::range_problem("--clip", self.clip, f64::MIN_POSITIVE, 1e6);
        let bias = limits::range_problem("--forget-bias", self.forget_bias, -100.0, 100.0);
        plots.chain(sizes.problems()).chain(batch).chain(clip).chain(bias).collect()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let key = Key::new(options.seed);
        let mut results = json!({});
        if self.does(Task::Gradients) {
            results["gradients"] = self.gradients(backend, key.named("gradients"))?;
        }
        if self.does(Task::Adding) {
            results["adding"] = self.adding(backend, key.named("adding"))?;
        }
        if self.does(Task::Copy) {
            results["copy"] = self.copy(backend, key.named("copy"))?;
        }
        Ok(json!({ "metrics": results }))
    }
}

fn main() -> ExitCode {
    common::main("06_vanishing_gradient", |program: &Vanishing| &program.options)
}
