//! What PyTorch, ONNX, Keras and scikit-learn test themselves with, run on every backend. README.md says where the cases come
//! from and what is in the files; disabled.toml says what is not run, and why.

mod compare;
mod cross_entropy;
mod disabled;
mod heads;
mod keras_losses;
mod keras_metrics;
mod keras_recurrent;
mod metrics;
mod onnx_attention;
mod onnx_layers;
mod onnx_ops;
mod recurrent;
mod several_labels;
mod sklearn_metrics;
mod suite;
mod torch_activations;
mod torch_layers;
mod torch_likelihoods;
mod torch_losses;
mod torch_optimizers;
mod torch_recurrent;

use anyhow::{Result, bail};
use disabled::Disabled;
use elman::Backend;
use elman_candle::Candle;
use elman_candle::candle_core::Device;
use elman_reference::Reference;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use suite::{Case, Suite};

/// The names that patterns are given for; metrics need no backend.
const BACKENDS: [&str; 4] = ["reference f64", "reference f32", "candle f32", "portable f32"];
const METRICS: &str = "metrics";

#[test]
fn on_reference_f64() {
    on_backend(&Reference::<f64>::new(), BACKENDS[0]);
}

#[test]
fn on_reference_f32() {
    on_backend(&Reference::<f32>::new(), BACKENDS[1]);
}

#[test]
fn on_candle() {
    on_backend(&Candle::cpu(), BACKENDS[2]);
}

#[test]
fn on_portable_candle() {
    on_backend(&Candle::portable(Device::Cpu), BACKENDS[3]);
}

#[cfg(feature = "cuda")]
#[test]
fn on_cuda() {
    on_backend(&Candle::cuda(0).unwrap(), "cuda f32");
}

#[test]
fn metrics() {
    check(
        METRICS,
        |suite| suite.name.ends_with("_metrics"),
        |case| match case.name() {
            _ if case.kind() != "metric" => bail!("no metric"),
            _ if !case.option("function").is_null() => sklearn_metrics::check(case),
            _ => keras_metrics::check(case),
        },
    );
}

/// Every pattern is needed by some case, and what is not recorded is told the reason of too.
#[test]
fn what_is_disabled_is_there() {
    let disabled = Disabled::read();
    let titles: Vec<&str> = suites().iter().flat_map(|suite| suite.cases.iter().map(|case| &*case.title)).collect();
    let others: Vec<&str> = suites().iter().flat_map(|suite| suite.others.iter().map(String::as_str)).collect();
    let silent: Vec<&&str> = others.iter().filter(|title| disabled.of(title, "").is_none()).collect();
    assert!(silent.is_empty(), "{} without a reason: {:#?}", silent.len(), &silent[..silent.len().min(40)]);
    let backends = [&BACKENDS[..], &[METRICS]].concat();
    let idle = disabled.idle(&[&titles[..], &others].concat(), &backends);
    assert!(idle.is_empty(), "patterns that nothing needs: {idle:#?}");
    // A file that lost cases would pass otherwise.
    let run = titles.iter().filter(|title| disabled.of(title, BACKENDS[0]).is_none()).count();
    assert!(run >= 1000, "only {run} cases are run");
}

fn suites() -> &'static [Suite] {
    static SUITES: OnceLock<Vec<Suite>> = OnceLock::new();
    SUITES.get_or_init(Suite::all)
}

fn on_backend<B: Backend>(b: &B, name: &str) {
    check(name, |suite| !suite.name.ends_with("_metrics"), |case| run(b, case));
}

fn run<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    match (case.suite(), case.kind()) {
        ("torch_modules", "activation") => torch_activations::check(b, case),
        ("torch_modules", "layer") => torch_layers::check(b, case),
        ("torch_modules", "recurrent") => torch_recurrent::check(b, case),
        ("torch_modules", "loss") => torch_losses::check(b, case),
        ("torch_optimizers", _) => torch_optimizers::check(b, case),
        ("onnx_nodes", "map") => onnx_ops::map(b, case),
        ("onnx_nodes", "zip") => onnx_ops::zip(b, case),
        ("onnx_nodes", "reduce") => onnx_ops::reduce(b, case),
        ("onnx_nodes", "product") => onnx_ops::product(b, case),
        ("onnx_nodes", "rearrange") => onnx_ops::rearrange(b, case),
        ("onnx_nodes", "recurrent") => onnx_layers::recurrent(b, case),
        ("onnx_nodes", "norm") => onnx_layers::norm(b, case),
        ("onnx_nodes", "attention") => onnx_attention::attention(b, case),
        ("onnx_nodes", "loss") => onnx_layers::loss(b, case),
        ("keras_losses", _) => keras_losses::check(b, case),
        ("keras_recurrent", _) => keras_recurrent::check(b, case),
        (suite, kind) => bail!("nothing runs {kind} of {suite}"),
    }
}

/// Runs all cases of some suites. One that fails must be disabled, one that is disabled must fail: otherwise it is to be
/// enabled.
fn check(backend: &str, of: impl Fn(&Suite) -> bool, run: impl Fn(&Case<'_>) -> Result<()>) {
    let disabled = Disabled::read();
    let (mut wrong, mut passed) = (Vec::new(), 0);
    for suite in suites().iter().filter(|suite| of(suite)) {
        for told in &suite.cases {
            let case = Case::new(suite, told);
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&case).and_then(|()| case.finish())));
            let outcome = outcome.unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                bail!("a panic: {}", text.unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap_or(&"?").to_string()))
            });
            match (outcome, disabled.of(&told.title, backend)) {
                (Ok(()), None) => passed += 1,
                (Err(_), Some(_)) => {}
                (Ok(()), Some((pattern, _))) => {
                    wrong.push(format!("{}: passes, but {pattern} disables it", told.title));
                }
                (Err(error), None) => wrong.push(format!("{}: {error:#}", told.title)),
            }
        }
    }
    println!("{backend}: {passed} cases passed");
    assert!(wrong.is_empty(), "{backend}: {} wrong, {passed} passed\n{}", wrong.len(), wrong.join("\n"));
}
