//! Collects losses and predictions of batches without waiting for the device at each of them.

use super::step::Outcome;
use super::steps::Steps;
use super::told::{Counting, Told};
use super::{Evaluation, TallyState, same};
use crate::backend::Backend;
use crate::data::{Dataset, Targets};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::exact::Exact;
use crate::loss::{Count, Outputs};
use crate::metrics::{Metric, Needs, Scores};
use crate::optim::Verdict;

/// What is pending is read back when so many predicted numbers, or so many batches, have piled up: often enough to keep
/// memory small, seldom enough that a GPU does not wait.
pub(super) const NUMBERS: usize = 1 << 18;
const BATCHES: usize = 1 << 12;

/// The running loss and metrics of an epoch.
pub(crate) struct Tally<B: Backend> {
    backend: B,
    metrics: Vec<Box<dyn Metric>>,
    /// Which of them count rows by their weights.
    weighted: Vec<bool>,
    /// The class that the loss leaves out.
    ignored: Option<u32>,
    /// What the loss takes the predictions for.
    read_as: Outputs,
    counting: Counting<B>,
    pending: Vec<Pending<B>>,
    /// Predicted numbers among them.
    numbers: usize,
    /// The losses times what they are means over, and the sum of that.
    loss_sum: f64,
    counted: f64,
    samples: usize,
    /// Updates of the epoch that were skipped.
    pub(crate) skipped: u64,
    /// The epoch's losses by update, where they are asked for.
    pub(crate) steps: Option<Steps>,
    /// A loss was not finite, so that its predictions could not be scored.
    astray: bool,
}

/// A batch whose numbers are still on the device.
struct Pending<B: Backend> {
    loss: B::Array,
    /// The loss without penalties, where a metric asks for it.
    unpenalised: Option<B::Array>,
    /// What it is a mean over.
    count: Count<B>,
    samples: usize,
    /// With their targets, which never left the host; `None` where no metric asks for them.
    predictions: Option<(Told<B>, Truth)>,
    /// The steps that count, of predictions at every step.
    mask: Option<B::Array>,
    /// Whether its gradients were finite; `None` where that is known.
    counts: Option<B::Array>,
    /// The update that ends with it, and its learning rate, where the losses up to it are an entry of the log.
    logged: Option<(u64, f64)>,
}

/// What metrics are told of a batch besides the predictions, as it was on the host.
pub(crate) struct Truth {
    targets: Targets,
    /// Of samples or rows, where a metric asks for them.
    weights: Option<Vec<f32>>,
}

impl Truth {
    /// Whether a row has several labels, as [`Scores::is_multilabel`] has it of several outputs.
    fn is_multilabel(&self, read_as: Outputs) -> bool {
        matches!(read_as, Outputs::Labels(_))
            && matches!(self.targets, Targets::Values { .. } | Targets::RaggedValues(_))
    }

    /// How much each of so many rows counts: 0 where the mask leaves it out.
    fn weights(&self, rows: usize, mask: Option<&[f32]>) -> Option<Vec<f32>> {
        let weights = self.weights.as_ref()?;
        let sharing = rows / weights.len().max(1);
        let there = |row: usize| mask.is_none_or(|mask| mask.get(row) != Some(&0.0));
        let weight = |row: usize| if there(row) { weights.get(row / sharing.max(1)).copied() } else { None };
        Some((0..rows).map(|row| weight(row).unwrap_or(0.0)).collect())
    }
}

impl<B: Backend> Tally<B> {
    /// A new tally, with metrics of its own. `ignored` is the class that the loss leaves out, `read_as` what it takes the
    /// predictions for.
    pub(super) fn new(
        backend: &B,
        (mut metrics, weighted): (Vec<Box<dyn Metric>>, Vec<bool>),
        ignored: Option<u32>,
        read_as: Outputs,
    ) -> Self {
        metrics.iter_mut().for_each(|metric| metric.reset());
        Tally {
            backend: backend.clone(),
            metrics,
            weighted,
            ignored,
            read_as,
            counting: Counting::default(),
            pending: Vec::new(),
            numbers: 0,
            loss_sum: 0.0,
            counted: 0.0,
            samples: 0,
            skipped: 0,
            steps: None,
            astray: false,
        }
    }

    /// What [`Tally::add`] is to be given with a batch's predictions.
    pub(crate) fn truth(&self, part: &Dataset) -> Option<Truth> {
        let weighted = self.weighted.contains(&true);
        self.metrics.iter().any(|metric| metric.needs() != Needs::Loss).then(|| Truth {
            targets: part.targets().in_block().into_owned(),
            weights: weighted.then(|| part.weights_in_block()).flatten(),
        })
    }

    /// The number of samples added.
    pub(crate) fn samples(&self) -> usize {
        self.samples + self.pending.iter().map(|batch| batch.samples).sum::<usize>()
    }

    /// Adds a batch, unless its gradients were not finite; reads back only when much has piled up.
    pub(crate) fn add(&mut self, samples: usize, outcome: Outcome<B>, truth: Option<Truth>) -> Result<()> {
        let Outcome { loss, unpenalised, count, predictions, mask, verdict } = outcome;
        let counts = match verdict {
            Verdict::Finite => None,
            Verdict::NotFinite => return Ok(()),
            Verdict::Unread(finite) => Some(finite),
        };
        let mask = mask.filter(|_| truth.is_some()).map(|mask| mask.array().clone());
        let predictions = truth.map(|truth| {
            let all = self.metrics.iter().any(|metric| metric.needs() == Needs::Predictions);
            let one_class = !(all || truth.is_multilabel(self.read_as));
            let told = self.counting.told(&self.backend, predictions.value(), one_class)?;
            self.numbers += self.backend.shape(&told.numbers).elements();
            Ok((told, truth))
        });
        let predictions = predictions.transpose()?;
        let asked = self.metrics.iter().any(|metric| metric.needs() == Needs::Loss);
        let unpenalised = asked.then(|| unpenalised.value().clone());
        let loss = loss.value().clone();
        self.pending.push(Pending { loss, unpenalised, count, samples, predictions, mask, counts, logged: None });
        if self.numbers > NUMBERS || self.pending.len() >= BATCHES { self.flush() } else { Ok(()) }
    }

    /// How many of `updates` there were since the last entry of the log of losses.
    pub(crate) fn updates_logged(&self, updates: u64) -> u64 {
        self.steps.as_ref().map_or(0, |steps| updates.saturating_sub(steps.before))
    }

    /// Ends an entry of the log of losses with the batch added last, which made the update `step`.
    pub(crate) fn log_step(&mut self, step: u64, learning_rate: f64) {
        let Some(steps) = &mut self.steps else { return };
        steps.before = step;
        match self.pending.last_mut() {
            Some(last) => last.logged = Some((step, learning_rate)),
            None => steps.log(step, learning_rate),
        }
    }

    /// Reads back what is still on the device: all losses (and which of them count) in one transfer, all predictions in
    /// another.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let b = &self.backend;
        let pending = std::mem::take(&mut self.pending);
        self.numbers = 0;
        let counts = pending.iter().filter_map(|batch| batch.counts.as_ref());
        let over = pending.iter().filter_map(|batch| match &batch.count {
            Count::OnDevice(count) => Some(count.value()),
            Count::Known(_) => None,
        });
        let unpenalised = pending.iter().filter_map(|batch| batch.unpenalised.as_ref());
        let all = pending.iter().map(|batch| &batch.loss).chain(unpenalised.clone()).chain(over.clone()).chain(counts);
        let mut losses = together(b, all)?;
        let mut unpenalised_there = losses.split_off(pending.len());
        let mut over_there = unpenalised_there.split_off(unpenalised.count());
        let counts = over_there.split_off(over.count());
        let numbers = to_f32(together(
            b,
            pending.iter().filter_map(|batch| batch.predictions.as_ref()).map(|(told, _)| &told.numbers),
        )?);
        let masks = to_f32(together(b, pending.iter().filter_map(|batch| batch.mask.as_ref()))?);
        let (mut rest, mut masks, mut counts) = (&numbers[..], &masks[..], counts.into_iter());
        let (mut over_there, mut unpenalised) = (over_there.into_iter(), unpenalised_there.into_iter());
        for (batch, loss) in pending.iter().zip(losses) {
            let loss = loss.to_f64();
            let counts = batch.counts.is_none() || counts.next() != Some(B::Elem::ZERO);
            let over = match batch.count {
                Count::Known(count) => count,
                Count::OnDevice(_) => over_there.next().map_or(0.0, Element::to_f64),
            };
            let unpenalised = batch.unpenalised.as_ref().and_then(|_| unpenalised.next());
            if counts {
                if let Some(mean) = unpenalised {
                    let of_loss = self.metrics.iter_mut().filter(|metric| metric.needs() == Needs::Loss);
                    of_loss.for_each(|metric| metric.update_loss(mean.to_f64(), over));
                }
                self.loss_sum += loss * over;
                self.counted += over;
                self.samples += batch.samples;
            }
            if let Some(steps) = &mut self.steps {
                steps.add(if counts { loss * over } else { 0.0 }, if counts { over } else { 0.0 });
                batch.logged.into_iter().for_each(|(step, learning_rate)| steps.log(step, learning_rate));
            }
            let Some((told, truth)) = &batch.predictions else { continue };
            let numbers;
            (numbers, rest) = rest.split_at(b.shape(&told.numbers).elements());
            let mask = batch.mask.as_ref().map(|mask| {
                let there;
                (there, masks) = masks.split_at(b.shape(mask).elements());
                there
            });
            if !counts {
                continue;
            }
            if !loss.is_finite() {
                // The run is lost; what its callbacks and its user make of that is their business.
                self.astray = true;
                continue;
            }
            // Sample and class weights weigh the loss and the metrics that ask for them; masked steps count in neither.
            let classes = told.classes(numbers);
            let scores = Scores::new(numbers, told.outputs, &truth.targets);
            let scores = match &classes {
                Some(classes) => Scores { predictions: &[], decided: Some(classes.decided()), ..scores },
                None => scores,
            };
            let scores = Scores { ignore: self.ignored, read_as: self.read_as, weights: mask, ..scores };
            let weights = truth.weights(scores.rows(), mask);
            let weighted = Scores { weights: weights.as_deref().or(mask), ..scores };
            let metrics = self.metrics.iter_mut().zip(&self.weighted);
            for (metric, by_weight) in metrics.filter(|(metric, _)| metric.needs() != Needs::Loss) {
                metric.update(if *by_weight { &weighted } else { &scores })?;
            }
        }
        Ok(())
    }

    /// Loss and metrics of the samples read back so far; the metrics are NaN once a loss was not finite, the loss where no
    /// sample counts.
    pub(crate) fn values(&self) -> Evaluation {
        let value = |metric: &dyn Metric| if self.astray || self.samples == 0 { f64::NAN } else { metric.value() };
        let mut values = vec![("loss".to_string(), self.loss_sum / self.counted)];
        values.extend(self.metrics.iter().map(|metric| (metric.name().to_string(), value(&**metric))));
        Evaluation { values }
    }

    /// What has been counted so far. Waits for the device. Errors when a metric cannot be kept.
    pub(crate) fn state(&mut self) -> Result<TallyState> {
        self.flush()?;
        let state = |metric: &dyn Metric| metric.state().ok_or_else(|| not_kept(metric.name()));
        Ok(TallyState {
            loss_sum: Exact(self.loss_sum),
            counted: Some(Exact(self.counted)),
            samples: self.samples,
            skipped: self.skipped,
            astray: self.astray,
            steps: self.steps.clone(),
            metrics: self.names(),
            counts: self.metrics.iter().map(|metric| state(&**metric)).collect::<Result<_>>()?,
        })
    }

    /// Goes on from a state. Errors when it is one of other metrics.
    pub(crate) fn restore(&mut self, state: &TallyState) -> Result<()> {
        same("metrics", &state.metrics, &self.names())?;
        for (metric, counts) in self.metrics.iter_mut().zip(&state.counts) {
            metric.restore(counts)?;
        }
        (self.loss_sum, self.samples, self.astray) = (state.loss_sum.0, state.samples, state.astray);
        self.counted = state.counted.map_or(state.samples as f64, |counted| counted.0);
        self.skipped = state.skipped;
        self.steps = state.steps.clone().or(self.steps.take());
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.metrics.iter().map(|metric| metric.name().to_string()).collect()
    }

    /// Loss and metrics of all samples.
    pub(crate) fn close(mut self) -> Result<Evaluation> {
        self.flush()?;
        Ok(self.values())
    }
}

fn not_kept(metric: &str) -> Error {
    let expected = "metrics that have a state where checkpoints are written within epochs";
    Error::invalid("checkpoint: every_steps", expected, format!("`{metric}` without"))
}

/// The numbers of several arrays, one after the other, in one transfer.
pub(super) fn together<'a, B: Backend>(b: &B, arrays: impl Iterator<Item = &'a B::Array>) -> Result<Vec<B::Elem>> {
    let flat = arrays.map(|array| b.reshape(array, [b.shape(array).elements()].into()));
    let flat: Vec<B::Array> = flat.collect::<Result<_>>()?;
    match &flat[..] {
        [] => Ok(Vec::new()),
        [one] => b.download(one),
        several => b.download(&b.concat(&several.iter().collect::<Vec<_>>(), 0)?),
    }
}

pub(super) fn to_f32<E: Element>(data: Vec<E>) -> Vec<f32> {
    data.into_iter().map(|x| x.to_f64() as f32).collect()
}
