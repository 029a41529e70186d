//! Most of the generic code that a program asks for, asked for once.
//!
//! Generic code is compiled where it is first used with a backend. In builds that are not optimised rustc takes it from a crate further
//! down, if one has it already (`-Z share-generics`, which is on there): so a backend that calls [`instances`] is compiled for longer, once,
//! and every program, example and test over it for less time each. In an optimised build nothing calls it, and no code is made of it.

use crate::backend::Backend;
use crate::checkpoint::{Checkpoint, Extras};
use crate::data::{Dataset, Inputs, Targets};
use crate::decode::{Beam, Decoder, Sampler, generate};
use crate::error::Result;
use crate::gradcheck::{Tolerance, gradcheck};
use crate::layers::{Mode, Sequential};
use crate::loss::SparseCategoricalCrossEntropy;
use crate::model::{Batch, Model, Objective};
use crate::optim::Adam;
use crate::training::Fit;
use crate::training::callbacks::{EarlyStopping, ReduceOnPlateau, StopOnNan, WeightAverage};
use crate::{Key, Registry, Spec};
use std::path::Path;

/// Builds, trains, saves and steps a network of every layer, loss and optimiser that the registry names: code to be compiled, not to be
/// run.
pub fn instances<B: Backend>(backend: &B, path: &Path) -> Result<()> {
    let registry = Registry::<B>::new();
    let mut model = Sequential::<B>::new().build(backend, Spec::Indices(None), 0)?;
    model.compile(Adam::new(1e-3), SparseCategoricalCrossEntropy::new());
    model.compile_outputs(Adam::new(1e-3), [Objective::new("output", SparseCategoricalCrossEntropy::new())]);
    let data = Dataset::new(Inputs::indices(&[[0]])?, Targets::classes(vec![0])?)?;
    let fit = Fit::new().validation_data(&data).checkpoint(Checkpoint::new(path)).resume_from(path);
    let fit = fit.callback(EarlyStopping::new("loss").restore_best()).callback(WeightAverage::<B>::ema(0.9));
    let fit = fit.callback(ReduceOnPlateau::new("loss")).callback(StopOnNan::new());
    let history = model.fit(&data, fit)?;
    model.evaluate(&data, 1)?;
    model.predict(data.inputs(), 1)?;
    model.predict_outputs(data.inputs(), 1)?;
    let batch = Batch::new(backend, data)?;
    model.train_step(&batch)?;
    model.loss(&batch, Mode::Evaluation)?.loss.backward()?;
    model.save(path)?;
    model.save_weights(path)?;
    model.load_weights(path)?;
    model.save_checkpoint(path, &history, &Extras::new())?;
    model.load_checkpoint(path)?;
    let model: Model<B> = registry.load(backend, path)?.clone();
    model.summary();
    generate(Decoder::new(&model)?, &[0], &Sampler::greedy(), Key::new(0))?.next();
    Beam::new(2).search(Decoder::new(&model)?, &[0])?;
    Decoder::new(&model)?.verify(&[[0]])?;
    gradcheck(backend, &[], Tolerance::default(), |x| x[0].sum())
}
