//! [`Optimizer`]: the one walk over a model's parameters, and what happens around it.

use super::accumulate::Moved;
use super::enrol::Entry;
use super::finite::{Call, Verdict, Watch};
use super::group::{Exempt, Group, Own};
use super::{Clip, Reach, Rule, Schedule, Step, from_zero};
use crate::backend::update::made_when;
use crate::backend::{Backend, WeightStep};
use crate::error::{Error, Result};
use crate::loss::Count;
use crate::param::Param;
use crate::tensor::{Gradient, Gradients};

/// A [`Rule`] with its schedule, clipping, gradient accumulation and state.
///
/// State is made when a parameter has its first update; a frozen parameter costs nothing. Everything happens on the
/// device, in place, and nothing is read back. A gradient that is infinite or not a number never reaches weights or state: it is
/// an error, or its update is skipped ([`Optimizer::skip_not_finite`]).
///
/// ```
/// use elman::optim::{Adam, Optimizer, Schedule};
/// use elman::{Param, Tensor};
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let mut params = [Param::new("w", Tensor::new(&b, vec![3.0, -4.0], &[2])?, true)];
/// let mut optimizer = Optimizer::new(Adam::new(0.1)).schedule(Schedule::cosine(200, 0.0)).clip_global_norm(1.0);
/// for _ in 0..200 {
///     let loss = params[0].tensor().square()?.sum()?;
///     optimizer.step(&mut params, loss.backward()?)?;
/// }
/// assert!(params[0].tensor().square()?.sum()?.to_scalar()? < 1e-3);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Optimizer<B: Backend> {
    pub(super) rule: Box<dyn Rule<B>>,
    pub(super) schedule: Schedule,
    pub(super) clips: Vec<Clip>,
    pub(super) every: usize,
    pub(super) reach: Reach,
    pub(super) groups: Vec<Group>,
    pub(super) exempt: Exempt,
    /// The base rate.
    pub(super) learning_rate: f64,
    /// Calls of `step` made.
    pub(super) calls: u64,
    /// Updates made.
    pub(super) iteration: u64,
    /// Calls since the last update, and what their gradients are sums over.
    pub(super) accumulated: usize,
    pub(super) counted: Count<B>,
    /// One a parameter, in the model's order once enrolled; before that, what was restored.
    pub(super) entries: Vec<Entry<B>>,
    pub(super) enrolled: bool,
    pub(super) watch: Watch<B>,
}

impl<B: Backend> Optimizer<B> {
    /// An optimiser with a constant learning rate, no clipping and no accumulation.
    pub fn new(rule: impl Rule<B> + 'static) -> Self {
        Self::of_rule(Box::new(rule))
    }

    pub(super) fn of_rule(rule: Box<dyn Rule<B>>) -> Self {
        Optimizer {
            learning_rate: rule.learning_rate(),
            rule,
            schedule: Schedule::Constant,
            clips: Vec::new(),
            every: 1,
            reach: Reach::Exact,
            groups: Vec::new(),
            exempt: Exempt::default(),
            calls: 0,
            iteration: 0,
            accumulated: 0,
            counted: Count::Known(0.0),
            entries: Vec::new(),
            enrolled: false,
            watch: Watch::new(),
        }
    }

    /// With a course for the learning rate.
    pub fn schedule(self, schedule: Schedule) -> Self {
        Optimizer { schedule, ..self }
    }

    /// With every gradient's elements held within `±bound`. Several clips are applied in the order given (Keras allows
    /// one).
    pub fn clip_value(self, bound: f64) -> Self {
        self.clip(Clip::Value(bound))
    }

    /// With each parameter's gradient shortened to a norm.
    pub fn clip_norm(self, bound: f64) -> Self {
        self.clip(Clip::Norm(bound))
    }

    /// With all gradients shortened together to a common norm: the usual cure for recurrent networks (L20).
    pub fn clip_global_norm(self, bound: f64) -> Self {
        self.clip(Clip::GlobalNorm(bound))
    }

    fn clip(mut self, clip: Clip) -> Self {
        self.clips.push(clip);
        self
    }

    /// With one update for every `calls` calls of [`Optimizer::step`]: a batch of `calls` times the size in the memory of one.
    /// Clipping sees the gradient of them all, as in Keras.
    ///
    /// [`Model::fit`](crate::Model::fit) and [`Model::train_step`](crate::Model::train_step) weigh each batch by the rows or steps
    /// that count in it, so that the update is that of one batch of them all, penalties too, whatever is masked; what is left over at
    /// the end of an epoch is an update of its own ([`Optimizer::finish`]). Calls of [`Optimizer::step`] weigh alike;
    /// [`Optimizer::step_of`] says how much each weighs. Of several outputs whose losses are means over different rows, such as steps and
    /// samples, `fit` counts the batches of an update before the first of them runs, in a pass without tape each; `train_step`, which
    /// sees one at a time, is an error there.
    pub fn accumulate(self, calls: usize) -> Self {
        Optimizer { every: calls, ..self }
    }

    /// With tables of which only some rows have a gradient (embeddings) moved so far: [`Reach::Lazy`] costs nothing for the
    /// rest of the table, and is another rule than the default, [`Reach::Exact`], for all but plain gradient descent: the
    /// running means of a rare word wait for the word. Gradients that are accumulated are whole ones.
    pub fn reach(self, reach: Reach) -> Self {
        Optimizer { reach, ..self }
    }

    /// A copy with all that it has counted and summed up, where the rule can be copied ([`Rule::boxed_clone`]).
    pub fn copy(&self) -> Option<Self> {
        Some(Optimizer {
            rule: self.rule.boxed_clone()?,
            counted: self.counted.clone(),
            schedule: self.schedule.clone(),
            clips: self.clips.clone(),
            groups: self.groups.clone(),
            exempt: self.exempt.clone(),
            entries: self.entries.clone(),
            watch: self.watch.clone(),
            ..*self
        })
    }

    /// The rule.
    pub fn rule(&self) -> &dyn Rule<B> {
        &*self.rule
    }

    /// Updates made so far.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// Calls of [`Optimizer::step`] so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// The learning rate of the next call of [`Optimizer::step`]: the base rate times the schedule's factor.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate * self.schedule.at(self.calls)
    }

    /// The learning rate without the schedule's factor: the rule's, unless it was set.
    pub fn base_learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Sets the *base* learning rate, which the schedule goes on multiplying. A callback that halves the rate says
    /// `set_learning_rate(base_learning_rate() / 2.0)`. Errors when it is negative or not finite.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        from_zero("optimizer", "learning rate", learning_rate)?;
        self.learning_rate = learning_rate;
        Ok(())
    }

    /// Errors when a hyper-parameter of the rule, the schedule, the clips or the groups is out of range. The first step does it by
    /// itself.
    pub fn check(&self) -> Result<()> {
        self.rule.check()?;
        self.schedule.check()?;
        self.clips.iter().try_for_each(Clip::check)?;
        self.check_groups()?;
        if self.every == 0 {
            return Err(Error::invalid("optimizer: accumulate", "at least 1 call", 0));
        }
        Ok(())
    }

    /// Moves all trainable parameters by their gradients, then projects them onto their constraints. `false` while
    /// gradients are only being accumulated, and where the update was skipped.
    ///
    /// Errors before anything has changed: hyper-parameters out of range, other parameters than those of the first
    /// step, [`Error::MissingGradient`] with the names of all trainable parameters that no gradient reached, and
    /// [`Error::NotFinite`] with those whose gradient is infinite or not a number. That last one comes at once where arrays are
    /// in the host's memory ([`Backend::is_on_host`]); a device holds back that update and all later ones, and it is told by
    /// [`Optimizer::settle`]. (Gradients that are finite one by one and overflow where they are accumulated cost the
    /// accumulation.)
    pub fn step(&mut self, params: &mut [Param<B>], gradients: Gradients<B>) -> Result<bool> {
        self.call(params, gradients, Count::Known(1.0)).map(|call| call.updated)
    }

    /// [`Optimizer::step`] by the gradients of a mean over `count` rows: those that are accumulated are weighed by their counts, so
    /// that uneven batches make the update of one batch of them all. Errors also when the count is negative or not finite.
    ///
    /// ```
    /// use elman::optim::{Optimizer, Sgd};
    /// use elman::{Param, Tensor};
    /// use elman_reference::Reference;
    ///
    /// let b = Reference::<f64>::new();
    /// let mut params = [Param::new("w", Tensor::new(&b, vec![0.0], &[1])?, true)];
    /// let mut optimizer = Optimizer::new(Sgd::new(1.0)).accumulate(2);
    /// // Three rows whose mean has the gradient 1, and one with the gradient 5.
    /// for (gradient, rows) in [(1.0, 3.0), (5.0, 1.0)] {
    ///     let loss = params[0].tensor().affine(gradient, 0.0)?.sum()?;
    ///     optimizer.step_of(&mut params, loss.backward()?, rows)?;
    /// }
    /// assert_eq!(params[0].tensor().to_vec()?, [-(3.0 * 1.0 + 5.0) / 4.0]);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn step_of(&mut self, params: &mut [Param<B>], gradients: Gradients<B>, count: f64) -> Result<bool> {
        from_zero("optimizer", "count", count)?;
        let gradients = if self.accumulates() { gradients.scaled(count)? } else { gradients };
        self.call(params, gradients, Count::Known(count)).map(|call| call.updated)
    }

    /// A step by the gradients of a sum over so much, where they are accumulated; else of a mean.
    pub(crate) fn call(
        &mut self,
        params: &mut [Param<B>],
        mut gradients: Gradients<B>,
        count: Count<B>,
    ) -> Result<Call<B>> {
        if self.watch.is_full() {
            self.settle()?;
        }
        self.enrol(params)?;
        let learning_rate = self.learning_rate();
        from_zero("optimizer", &format!("learning rate by the schedule {:?}", self.schedule), learning_rate)?;
        let taken: Vec<_> = params.iter().map(|p| gradients.take_gradient(p.tensor())).collect();
        let moves = self.entries.iter().map(|entry| !entry.own.frozen);
        let all = params.iter().zip(&taken).zip(moves.clone());
        let without = all.filter(|((param, gradient), moves)| *moves && param.is_trainable() && gradient.is_none());
        let names: Vec<String> = without.map(|((param, _), _)| param.name().to_string()).collect();
        if !names.is_empty() {
            return Err(Error::MissingGradient { names });
        }
        let taken = taken.into_iter().zip(moves).enumerate();
        let present = taken.filter_map(|(i, (gradient, moves))| Some((i, gradient.filter(|_| moves)?)));
        let (places, gradients): (Vec<usize>, Vec<Gradient<B>>) = present.unzip();
        let Some(b) = places.first().map(|&i| params[i].tensor().backend().clone()) else {
            self.calls += 1;
            return Ok(Call { updated: true, verdict: Verdict::Finite });
        };
        let call = self.calls + 1;
        if self.every > 1 {
            return self.accumulate_call(&b, params, (places, gradients), count, learning_rate);
        }
        let moved = Moved::new(&b, places, gradients)?;
        let verdict = self.watch.look(&b, &self.entries, (&moved.params, &moved.numbers), (call, true))?;
        self.calls = call;
        let updated = !matches!(verdict, Verdict::NotFinite);
        if updated {
            self.update(&b, params, moved, learning_rate, verdict.when())?;
        }
        Ok(Call { updated, verdict })
    }

    /// The update itself, unless `when` is 0.
    pub(super) fn update(
        &mut self,
        b: &B,
        params: &mut [Param<B>],
        moved: Moved<B>,
        learning_rate: f64,
        when: Option<&B::Array>,
    ) -> Result<()> {
        let Moved { params: moved, mut numbers, rows } = moved;
        for clip in &self.clips {
            clip.apply(b, &mut numbers)?;
        }
        self.iteration += 1;
        let weight_decay = self.rule.weight_decay().unwrap_or(0.0);
        self.rule.begin(Step { iteration: self.iteration, learning_rate, weight_decay })?;
        let slots = self.rule.slots();
        let pairs = params.iter_mut().zip(&mut self.entries).enumerate();
        let pairs = pairs.filter_map(|(i, pair)| moved.binary_search(&i).is_ok().then_some(pair));
        let mut together = Vec::with_capacity(moved.len());
        for (((param, entry), gradient), rows) in pairs.zip(&numbers).zip(&rows) {
            if entry.updates == 0 {
                let made = slots.iter().map(|&(_, value)| b.fill(entry.shape, value));
                entry.slots = made.collect::<Result<_>>()?;
            }
            entry.updates += 1;
            let Own { factor, weight_decay, .. } = entry.own;
            let at = Step { iteration: entry.updates, learning_rate: learning_rate * factor, weight_decay };
            let (w, state) = (param.value_mut(), &mut entry.slots[..]);
            match (rows, self.rule.fused(at)) {
                (None, Some(rule)) => together.push(WeightStep { rule, w, g: gradient, state }),
                (None, None) => made_when(b, when, w, state, |w, state| self.rule.update(at, b, w, gradient, state))?,
                (Some(rows), Some(rule)) => b.update_rows(&rule, self.reach, w, (rows, gradient), state, when)?,
                (Some(rows), None) => {
                    let whole = b.scatter_add(gradient, rows, entry.shape[0])?;
                    made_when(b, when, w, state, |w, state| self.rule.update(at, b, w, &whole, state))?;
                }
            }
        }
        b.update_all(&mut together, when)?;
        for &i in &moved {
            if let Some(constraint) = params[i].constraint() {
                made_when(b, when, params[i].value_mut(), &mut [], |w, _| {
                    *w = constraint.project(b, w)?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}
