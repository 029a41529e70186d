//! Collects losses and predictions of batches without waiting for the device at each of them.

use super::counted::Counted;
use super::outcome::{Scored, StepOutcome};
use super::steps::Steps;
use super::told::Told;
use super::{Evaluation, TallyState, same};
use crate::backend::Backend;
use crate::data::{Dataset, Targets};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::exact::Exact;
use crate::loss::{Count, Outputs};
use crate::metrics::Metric;
use crate::optim::Verdict;

/// What is pending is read back when so many predicted numbers, or so many batches, have piled up: often enough to keep
/// memory small, seldom enough that a GPU does not wait.
pub(super) const NUMBERS: usize = 1 << 18;
const BATCHES: usize = 1 << 12;

/// The running loss and metrics of an epoch.
pub(crate) struct Tally<B: Backend> {
    backend: B,
    /// Those of each objective.
    counted: Vec<Counted<B>>,
    pending: Vec<Pending<B>>,
    /// Predicted numbers among them.
    numbers: usize,
    /// The penalties of batches times their samples.
    penalties: f64,
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
    /// The loss of all objectives, with penalties.
    loss: B::Array,
    of: Vec<PendingOf<B>>,
    samples: usize,
    /// Whether its gradients were finite; `None` where that is known.
    counts: Option<B::Array>,
    /// The update that ends with it, and its learning rate, where the losses up to it are an entry of the log.
    logged: Option<(u64, f64)>,
}

/// What it is of one objective.
struct PendingOf<B: Backend> {
    /// The loss without penalties, where it is asked for.
    loss: Option<B::Array>,
    /// What it is a mean over.
    count: Count<B>,
    /// With their targets, which never left the host; `None` where no metric asks for them.
    predictions: Option<(Told<B>, Truth)>,
    /// The steps that count, of predictions at every step.
    mask: Option<B::Array>,
}

/// What metrics are told of a batch besides the predictions, as it was on the host.
pub(crate) struct Truth {
    targets: Targets,
    /// Of samples or rows, where a metric asks for them.
    weights: Option<Vec<f32>>,
}

impl Truth {
    pub(super) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Whether a row has several labels, as [`Scores::is_multilabel`](crate::metrics::Scores::is_multilabel) has it of several outputs.
    pub(super) fn is_multilabel(&self, read_as: Outputs) -> bool {
        matches!(read_as, Outputs::Labels(_))
            && matches!(self.targets, Targets::Values { .. } | Targets::RaggedValues(_))
    }

    /// How much each of so many rows counts: 0 where the mask leaves it out.
    pub(super) fn weights(&self, rows: usize, mask: Option<&[f32]>) -> Option<Vec<f32>> {
        let weights = self.weights.as_ref()?;
        let sharing = rows / weights.len().max(1);
        let there = |row: usize| mask.is_none_or(|mask| mask.get(row) != Some(&0.0));
        let weight = |row: usize| if there(row) { weights.get(row / sharing.max(1)).copied() } else { None };
        Some((0..rows).map(|row| weight(row).unwrap_or(0.0)).collect())
    }
}

impl<B: Backend> Tally<B> {
    /// A new tally of objectives.
    pub(super) fn new(backend: &B, counted: Vec<Counted<B>>) -> Self {
        Tally {
            backend: backend.clone(),
            counted,
            pending: Vec::new(),
            numbers: 0,
            penalties: 0.0,
            samples: 0,
            skipped: 0,
            steps: None,
            astray: false,
        }
    }

    /// Whether the outputs are named, so that each has a loss of its own.
    fn is_of_several(&self) -> bool {
        self.counted.iter().any(|counted| counted.output.is_some())
    }

    /// What [`Tally::add`] is to be given with a batch's predictions, of each objective.
    pub(crate) fn truth(&self, part: &Dataset) -> Vec<Option<Truth>> {
        let truth = |counted: &Counted<B>| {
            let targets = part.targets().part(counted.output.as_deref()).filter(|_| counted.needs_rows())?;
            let output = counted.output.as_deref();
            let weights = counted.needs_weights().then(|| part.weights_in_block(output)).flatten();
            Some(Truth { targets: targets.in_block().into_owned(), weights })
        };
        self.counted.iter().map(truth).collect()
    }

    /// The number of samples added.
    pub(crate) fn samples(&self) -> usize {
        self.samples + self.pending.iter().map(|batch| batch.samples).sum::<usize>()
    }

    /// Adds a batch, unless its gradients were not finite; reads back only when much has piled up.
    pub(crate) fn add(&mut self, samples: usize, outcome: StepOutcome<B>, truth: Vec<Option<Truth>>) -> Result<()> {
        let StepOutcome { loss, scored, verdict, .. } = outcome;
        let counts = match verdict {
            Verdict::Finite => None,
            Verdict::NotFinite => return Ok(()),
            Verdict::Unread(finite) => Some(finite),
        };
        let several = self.is_of_several();
        let of = self.counted.iter_mut().zip(scored).zip(truth).map(|((counted, scored), truth)| {
            let Scored { loss, count, predictions, mask } = scored;
            let mask = mask.filter(|_| truth.is_some()).map(|mask| mask.array().clone());
            let predictions = truth.map(|truth| {
                let told = counted.told(&self.backend, predictions.value(), &truth)?;
                self.numbers += self.backend.shape(&told.numbers).elements();
                Ok((told, truth))
            });
            let loss = (several || counted.needs_loss()).then(|| loss.value().clone());
            Ok(PendingOf { loss, count, predictions: predictions.transpose()?, mask })
        });
        let of = of.collect::<Result<_>>()?;
        self.pending.push(Pending { loss: loss.value().clone(), of, samples, counts, logged: None });
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
        let (pending, several) = (std::mem::take(&mut self.pending), self.is_of_several());
        self.numbers = 0;
        let each = || pending.iter().flat_map(|batch| &batch.of);
        let over = each().filter_map(|of| match &of.count {
            Count::OnDevice(count) => Some(count.value()),
            Count::Known(_) => None,
        });
        let (losses, counts) =
            (each().filter_map(|of| of.loss.as_ref()), pending.iter().filter_map(|batch| batch.counts.as_ref()));
        let all = pending.iter().map(|batch| &batch.loss).chain(losses.clone()).chain(over.clone()).chain(counts);
        let mut together_losses = together(b, all)?;
        let mut losses_there = together_losses.split_off(pending.len());
        let mut over_there = losses_there.split_off(losses.count());
        let counts = over_there.split_off(over.count());
        let numbers =
            to_f32(together(b, each().filter_map(|of| of.predictions.as_ref().map(|(told, _)| &told.numbers)))?);
        let masks = to_f32(together(b, each().filter_map(|of| of.mask.as_ref()))?);
        let (mut rest, mut masks, mut counts) = (&numbers[..], &masks[..], counts.into_iter());
        let (mut over_there, mut losses) = (over_there.into_iter(), losses_there.into_iter());
        for (batch, whole) in pending.iter().zip(together_losses) {
            let whole = whole.to_f64();
            let counts = batch.counts.is_none() || counts.next() != Some(B::Elem::ZERO);
            if counts {
                self.samples += batch.samples;
            }
            if counts && !whole.is_finite() {
                // The run is lost; what its callbacks and its user make of that is their business.
                self.astray = true;
            }
            let (mut penalty, mut logged) = (whole, (whole * batch.samples as f64, batch.samples as f64));
            for (of, counted) in batch.of.iter().zip(&mut self.counted) {
                let over = match of.count {
                    Count::Known(count) => count,
                    Count::OnDevice(_) => over_there.next().map_or(0.0, Element::to_f64),
                };
                let mean = of.loss.as_ref().and_then(|_| losses.next()).map(Element::to_f64);
                let scored = of.predictions.as_ref().map(|(told, truth)| {
                    let numbers;
                    (numbers, rest) = rest.split_at(b.shape(&told.numbers).elements());
                    (told, numbers, truth)
                });
                if !several {
                    logged = (whole * over, over);
                }
                let mask = of.mask.as_ref().map(|mask| {
                    let there;
                    (there, masks) = masks.split_at(b.shape(mask).elements());
                    there
                });
                if !counts {
                    continue;
                }
                if let Some(mean) = mean {
                    counted.add_loss(mean, over);
                }
                // Of a single output the penalties are in its own loss.
                counted.sum += over * mean.filter(|_| several).unwrap_or(whole);
                counted.over += over;
                penalty -= counted.weigh(mean.unwrap_or(0.0));
                if let Some((told, numbers, truth)) = scored.filter(|_| whole.is_finite()) {
                    counted.add_rows((told, numbers), truth, mask)?;
                }
            }
            if let Some(steps) = &mut self.steps {
                let (sum, over) = if counts { logged } else { (0.0, 0.0) };
                steps.add(sum, over);
                batch.logged.into_iter().for_each(|(step, learning_rate)| steps.log(step, learning_rate));
            }
            if counts {
                self.penalties += penalty * batch.samples as f64;
            }
        }
        Ok(())
    }

    /// Loss and metrics of the samples read back so far; the metrics are NaN once a loss was not finite, the loss where no
    /// sample counts.
    pub(crate) fn values(&self) -> Evaluation {
        let value = |metric: &dyn Metric| if self.astray || self.samples == 0 { f64::NAN } else { metric.value() };
        let several = self.is_of_several();
        let loss = match &self.counted[..] {
            [only] if !several => only.loss(),
            // One of which nothing counted adds nothing.
            all => {
                let there = all.iter().filter(|counted| counted.over != 0.0);
                let sum = there.map(Counted::weighed_loss).reduce(|one, other| one + other);
                sum.map_or(f64::NAN, |sum| sum + self.penalties / self.samples as f64)
            }
        };
        let mut values = vec![("loss".to_string(), loss)];
        for counted in &self.counted {
            values.extend(counted.output.as_ref().map(|output| (format!("{output}_loss"), counted.loss())));
            values.extend(counted.metrics().map(|(name, metric)| (name.to_string(), value(metric))));
        }
        Evaluation { values }
    }

    /// What has been counted so far. Waits for the device. Errors when a metric cannot be kept.
    pub(crate) fn state(&mut self) -> Result<TallyState> {
        self.flush()?;
        let state = |(name, metric): (&str, &dyn Metric)| metric.state().ok_or_else(|| not_kept(name));
        let [first, others @ ..] = &self.counted[..] else {
            return Err(Error::invalid("checkpoint", "an objective", "none"));
        };
        let sums = others.iter().map(|counted| (Exact(counted.sum), Exact(counted.over))).collect();
        Ok(TallyState {
            loss_sum: Exact(first.sum),
            counted: Some(Exact(first.over)),
            others: sums,
            penalties: self.is_of_several().then_some(Exact(self.penalties)),
            samples: self.samples,
            skipped: self.skipped,
            astray: self.astray,
            steps: self.steps.clone(),
            metrics: self.names(),
            counts: self.counted.iter().flat_map(Counted::metrics).map(state).collect::<Result<_>>()?,
        })
    }

    /// Goes on from a state. Errors when it is one of other metrics or outputs.
    pub(crate) fn restore(&mut self, state: &TallyState) -> Result<()> {
        same("metrics", &state.metrics, &self.names())?;
        same("outputs", &(state.others.len() + 1), &self.counted.len())?;
        let metrics = self.counted.iter_mut().flat_map(Counted::metrics_mut);
        for (metric, counts) in metrics.zip(&state.counts) {
            metric.restore(counts)?;
        }
        let first = state.counted.map_or(state.samples as f64, |counted| counted.0);
        let sums =
            std::iter::once((state.loss_sum.0, first)).chain(state.others.iter().map(|(sum, over)| (sum.0, over.0)));
        for (counted, (sum, over)) in self.counted.iter_mut().zip(sums) {
            (counted.sum, counted.over) = (sum, over);
        }
        (self.samples, self.astray) = (state.samples, state.astray);
        self.penalties = state.penalties.map_or(0.0, |penalties| penalties.0);
        self.skipped = state.skipped;
        self.steps = state.steps.clone().or(self.steps.take());
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.counted.iter().flat_map(Counted::metrics).map(|(name, _)| name.to_string()).collect()
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
