//! Groups of parameters: some of a network's move by another rate, decay otherwise, or stay.

use super::{Optimizer, from_zero};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::param::Param;
use serde::{Deserialize, Serialize};

/// The parameters at and below a path (`dense_1`, `dense_1.kernel`, as in [`Model::freeze`](crate::Model::freeze)), and how they move
/// otherwise than the rest: for [`Optimizer::group`].
///
/// A parameter belongs to one group at most, the one with the longest path, and takes nothing from others.
///
/// The rate is a factor and not a rate of its own (timm's `lr_scale`, mmengine's `lr_mult`; PyTorch's groups have rates): so there
/// is one base rate that the schedule, [`ReduceOnPlateau`](crate::training::callbacks::ReduceOnPlateau),
/// [`Optimizer::set_learning_rate`] and checkpoints speak of, and groups keep their proportion to it.
///
/// ```
/// use elman::optim::{Adam, Group, Optimizer};
/// # use elman_reference::Reference;
///
/// // A pretrained table moves slowly and does not decay, the projection behind it stays, all else decays but for biases and norms.
/// let optimizer = Optimizer::new(Adam::new(1e-3).weight_decay(0.01))
///     .group(Group::new("embedding").learning_rate_factor(0.1).weight_decay(0.0))
///     .group(Group::new("dense").frozen())
///     .decay_only_kernels();
/// # let optimizer: Optimizer<Reference<f32>> = optimizer;
/// ```
#[doc(alias("param_groups", "lr_scale", "lr_mult"))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "give it to `Optimizer::group`"]
pub struct Group {
    path: String,
    #[serde(default = "one")]
    learning_rate_factor: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight_decay: Option<f64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    frozen: bool,
}

fn one() -> f64 {
    1.0
}

impl Group {
    /// The parameters at and below a path, moved as all others so far.
    pub fn new(path: impl Into<String>) -> Self {
        Group { path: path.into(), learning_rate_factor: 1.0, weight_decay: None, frozen: false }
    }

    /// What the learning rate of each update, with the schedule in it, is multiplied by. A finite number from 0 on.
    pub fn learning_rate_factor(self, learning_rate_factor: f64) -> Self {
        Group { learning_rate_factor, ..self }
    }

    /// Decoupled weight decay in the place of the rule's, multiplied by the group's rate as the rule's is. A finite number from 0 on;
    /// above 0 the rule must be one that decays weights ([`Rule::weight_decay`](super::Rule::weight_decay)).
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Group { weight_decay: Some(weight_decay), ..self }
    }

    /// The optimiser does not move them and makes no state for them. Their gradients are computed all the same and then dropped,
    /// before clipping; whether they are finite nobody asks. [`Model::freeze`](crate::Model::freeze) says of the model what this says
    /// of an optimiser: frozen there, a parameter has no gradient at all, which costs less, and its penalty does not count. Choose
    /// this where a model is trained by several optimisers in turn, or where the optimiser's description is to tell it.
    pub fn frozen(self) -> Self {
        Group { frozen: true, ..self }
    }
}

/// Which parameters do not decay, whatever group they belong to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Exempt {
    /// Last components of paths.
    pub(super) names: Vec<String>,
    /// Vectors and biases.
    pub(super) all_but_kernels: bool,
}

impl Exempt {
    fn holds<B: Backend>(&self, param: &Param<B>) -> bool {
        let last = last(param.name());
        let is_kernel = || param.shape().rank() > 1 && !last.ends_with("bias");
        self.names.iter().any(|name| name == last) || (self.all_but_kernels && !is_kernel())
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// How one parameter is moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Own {
    /// Of the learning rate.
    pub(super) factor: f64,
    pub(super) weight_decay: f64,
    pub(super) frozen: bool,
}

impl<B: Backend> Optimizer<B> {
    /// With a group of parameters that move otherwise than the rest. Where paths of several groups fit, the longest one counts.
    ///
    /// Errors at the first step, and in [`Model::fit`](crate::Model::fit) before it: a path that no parameter has, or that two groups
    /// have; numbers out of range; a decay that the rule does not have; groups that leave nothing to move.
    ///
    /// ```
    /// use elman::optim::{Group, Optimizer, Sgd};
    /// use elman::{Param, Tensor};
    /// use elman_reference::Reference;
    ///
    /// let b = Reference::<f64>::new();
    /// let param = |name: &str| Tensor::full(&b, &[], 0.0).map(|zero| Param::new(name, zero, true));
    /// let mut params = [param("table.embeddings")?, param("dense.kernel")?];
    /// let mut optimizer = Optimizer::new(Sgd::new(1.0)).group(Group::new("table").learning_rate_factor(0.25));
    /// let loss = params[0].tensor().add(params[1].tensor())?;
    /// optimizer.step(&mut params, loss.backward()?)?;
    /// assert_eq!((params[0].tensor().to_scalar()?, params[1].tensor().to_scalar()?), (-0.25, -1.0));
    /// # Ok::<(), elman::Error>(())
    /// ```
    #[doc(alias = "param_groups")]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        // What each parameter has of its own is settled anew.
        self.enrolled = false;
        self
    }

    /// Without weight decay of the parameters with one of these last components of their paths, whatever group they are in: Keras'
    /// method of this name (which searches for parts of names). Errors at the first step when no parameter has one of them.
    ///
    /// `exclude_from_weight_decay(["bias", "gamma", "beta"])` leaves out the biases and the norms of the library's layers.
    #[doc(alias = "no_decay")]
    pub fn exclude_from_weight_decay<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.exempt.names.extend(names.into_iter().map(Into::into));
        self.enrolled = false;
        self
    }

    /// Without weight decay of vectors and biases, whatever group they are in: of all parameters with one axis or none (norms' scales
    /// and shifts among them), and of those whose name ends in `bias`. Kernels and tables of embeddings decay. It is what GPT-2's
    /// followers and timm do.
    pub fn decay_only_kernels(mut self) -> Self {
        self.exempt.all_but_kernels = true;
        self.enrolled = false;
        self
    }

    /// Errors when groups alone, without parameters, cannot be.
    pub(super) fn check_groups(&self) -> Result<()> {
        let decays = self.rule.weight_decay().is_some();
        for (i, group) in self.groups.iter().enumerate() {
            let place = format!("optimizer: group `{}`", group.path);
            if self.groups[..i].iter().any(|before| before.path == group.path) {
                return Err(Error::invalid(place, "one group of this path", "two"));
            }
            from_zero(&place, "learning rate factor", group.learning_rate_factor)?;
            let Some(decay) = group.weight_decay else { continue };
            from_zero(&place, "weight decay", decay)?;
            if decay > 0.0 && !decays {
                let expected = "a rule that decays weights (`Rule::weight_decay`)";
                return Err(Error::invalid(format!("{place}: weight decay"), expected, self.rule.name()));
            }
        }
        Ok(())
    }

    /// How each of these parameters is moved. Errors when groups are not theirs.
    pub(crate) fn check_params(&self, params: &[Param<B>]) -> Result<()> {
        self.own(params).map(drop)
    }

    pub(super) fn own(&self, params: &[Param<B>]) -> Result<Vec<Own>> {
        let names = || params.iter().map(Param::name).collect::<Vec<_>>().join(", ");
        let nobodys = |place: &str, nobodys: Vec<&str>, expected: &str| match nobodys.is_empty() {
            true => Ok(()),
            false => {
                Err(Error::invalid(place, format!("{expected} ({})", names()), format!("`{}`", nobodys.join("`, `"))))
            }
        };
        let paths = self.groups.iter().map(|group| &*group.path);
        let paths = paths.filter(|path| !params.iter().any(|param| param.is_at_or_below(path))).collect();
        nobodys("optimizer: groups", paths, "paths of layers or parameters")?;
        let ends = self.exempt.names.iter().map(String::as_str);
        let ends: Vec<&str> = ends.filter(|end| !params.iter().any(|param| last(param.name()) == *end)).collect();
        // One list for several networks: not each of them has all that is in it.
        if ends.len() == self.exempt.names.len() {
            nobodys("optimizer: exclude from weight decay", ends, "last components of parameters' paths")?;
        }
        let usual = self.rule.weight_decay().unwrap_or(0.0);
        let own = |param: &Param<B>| {
            let groups = self.groups.iter().filter(|group| param.is_at_or_below(&group.path));
            let group = groups.max_by_key(|group| group.path.len());
            let decay = group.and_then(|group| group.weight_decay).unwrap_or(usual);
            Own {
                factor: group.map_or(1.0, |group| group.learning_rate_factor),
                weight_decay: if self.exempt.holds(param) { 0.0 } else { decay },
                frozen: group.is_some_and(|group| group.frozen),
            }
        };
        let all: Vec<Own> = params.iter().map(own).collect();
        let mut trained = params.iter().zip(&all).filter(|(param, _)| param.is_trainable()).peekable();
        if trained.peek().is_some() && trained.all(|(_, own)| own.frozen) {
            return Err(Error::invalid("optimizer: groups", "a parameter to train", "none that is not frozen"));
        }
        Ok(all)
    }
}
