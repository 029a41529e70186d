//! [`Biaffine`]: which word is the head of each word of a sentence, and what the one is to the other.

use super::{Built, Last, Layer, Mask, Module, Pass, Scope, Spec, Value, Weight};
use crate::activation::Activation;
use crate::backend::{Backend, Zip};
use crate::description::{Description, describe};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::init::Init;
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// The scores of a dependency parser: takes words `[batch, time, features]`, from a bidirectional network, and gives for every word the
/// logarithm of the probability of each head with each label, `ln p(head) + ln p(label | head)`, as `[batch, time, (time + 1) · labels]`. Head 0
/// is the root of the sentence, head `j` its word number `j`, counted from 1 as in CoNLL-U; the class of a head with a label is
/// `head · labels + label`, so that padding behind a sentence moves no class. One
/// [`SparseCategoricalCrossEntropy::from_logits`](crate::loss::SparseCategoricalCrossEntropy) (or, without smoothing,
/// [`NegativeLogLikelihood`](crate::loss::NegativeLogLikelihood)) trains heads and labels; accuracy is that of both together.
///
/// With `d = f(W_d x + b_d)` of a word as a dependent and `h = f(W_h x + b_h)` of a word, or of a learned vector in the place of the root, as
/// a head, each in two parts of [`arcs`](Biaffine::units) and [`label units`](Biaffine::units):
///
/// | | score | parameters |
/// | --- | --- | --- |
/// | head | `[d; 1]ᵀ U h` | `arcs.kernel [arcs, arcs + 1]` |
/// | label of a head | `[d; 1]ᵀ U_l [h; 1]` | `labels.kernel [units, labels · (units + 1)]`, `labels.bias` |
///
/// besides `root [features]`, `dependents.kernel [features, arcs + units]`, `dependents.bias`, and `heads.kernel`, `heads.bias` of the same shapes. The
/// kernels of the scores begin at 0, so that all heads and all labels are alike.
///
/// What cannot be a head, a step that the mask leaves out and the word itself, has the logarithm -∞, a probability of exactly 0. Such
/// classes take no part in a cross-entropy, nor in its smoothing, which is shared among those that are possible: losses and gradients
/// do not depend on the padding. As targets they are errors ([`Module::check_class`]). Sentences may be of any length; as the width depends on the longest, [`Model::predict`](crate::Model::predict)
/// takes those of one length, or few enough for one batch. The mask goes through. Nothing keeps the most probable heads from forming a cycle:
/// that is for whoever makes a tree of them.
///
/// Dozat, Manning, "Deep Biaffine Attention for Neural Dependency Parsing", ICLR 2017, whose sizes and activation are the defaults.
///
/// ```
/// use elman::Spec;
/// use elman::layers::{Bidirectional, Biaffine, Embedding, Lstm, Sequential};
/// use elman_reference::Reference;
///
/// let parser = Sequential::new()
///     .add(Embedding::new(50, 8).padding(0))
///     .add(Bidirectional::new(Lstm::new(8).return_sequences()))
///     .add(Biaffine::new(37).units(16, 8).dropout(0.33))
///     .build(&Reference::<f32>::new(), Spec::Indices(None), 0)?;
/// let words = elman::data::Inputs::indices(&[vec![3, 1, 4]])?;
/// assert_eq!(parser.predict(&words, 1)?.shape(), [1, 3, (3 + 1) * 37]);
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "parser")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default = "Biaffine::of_no_labels", deny_unknown_fields)]
#[must_use]
pub struct Biaffine {
    labels: usize,
    arc_units: usize,
    label_units: usize,
    activation: Activation,
    dropout: f64,
    kernel: Weight,
}

impl Biaffine {
    /// A parser of so many labels.
    pub fn new(labels: usize) -> Self {
        Biaffine {
            labels,
            arc_units: 500,
            label_units: 100,
            activation: Activation::LeakyRelu(0.1),
            dropout: 0.0,
            kernel: Weight::new(Init::GlorotUniform),
        }
    }

    fn of_no_labels() -> Self {
        Biaffine::new(0)
    }

    /// How many numbers stand for a word where heads are scored, and where labels are: 500 and 100 unless said otherwise.
    pub fn units(self, arcs: usize, labels: usize) -> Self {
        Biaffine { arc_units: arcs, label_units: labels, ..self }
    }

    /// The function `f`: a leaky ReLU of slope 0.1 unless said otherwise.
    pub fn activation(self, activation: Activation) -> Self {
        Biaffine { activation, ..self }
    }

    /// Drops numbers of `d` and of `h` with this probability while training, of a sentence the same ones in all words.
    pub fn dropout(self, rate: f64) -> Self {
        Biaffine { dropout: rate, ..self }
    }

    /// How the kernels of dependents and heads start and what is asked of them.
    pub fn kernel(self, kernel: Weight) -> Self {
        Biaffine { kernel, ..self }
    }
}

impl<B: Backend> Layer<B> for Biaffine {
    fn kind(&self) -> &'static str {
        "biaffine"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let (time, features) = input.sequence()?;
        if self.labels == 0 || self.arc_units == 0 || self.label_units == 0 {
            let found = format!("{}, {} and {}", self.labels, self.arc_units, self.label_units);
            return Err(Error::invalid("labels and units", "at least 1 of each", found));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::invalid("dropout", "a rate in [0, 1)", self.dropout));
        }
        let (arcs, units) = (self.arc_units, self.label_units);
        self.activation.check_units(&Spec::dense(&[arcs + units]))?;
        let root = scope.param("root", [features].into(), &Weight::new(Init::Normal { mean: 0.0, std: 0.05 }))?;
        let mut side = |name: &str| -> Result<[ParamId; 2]> {
            let kernel =
                scope.param(&format!("{name}.kernel"), Shape::new(&[features, arcs + units])?, &self.kernel)?;
            Ok([kernel, scope.param(&format!("{name}.bias"), [arcs + units].into(), &Weight::zeros())?])
        };
        let (dependents, heads) = (side("dependents")?, side("heads")?);
        let of_arcs = scope.param("arcs.kernel", Shape::new(&[arcs, arcs + 1])?, &Weight::zeros())?;
        let wide = self.labels * (units + 1);
        let of_labels = [
            scope.param("labels.kernel", Shape::new(&[units, wide])?, &Weight::zeros())?,
            scope.param("labels.bias", [wide].into(), &Weight::zeros())?,
        ];
        let module = BiaffineModule { layer: self.clone(), root, dependents, heads, of_arcs, of_labels };
        Ok(Built::new(module, Spec::Dense(vec![time, time.map(|time| (time + 1) * self.labels)])))
    }
}

#[derive(Debug)]
struct BiaffineModule {
    layer: Biaffine,
    root: ParamId,
    dependents: [ParamId; 2],
    heads: [ParamId; 2],
    of_arcs: ParamId,
    of_labels: [ParamId; 2],
}

impl BiaffineModule {
    /// What stands for each word where heads are scored, and where labels are.
    fn side<B: Backend>(
        &self,
        x: &Tensor<B>,
        [kernel, bias]: [ParamId; 2],
        pass: &mut Pass<'_, B>,
    ) -> Result<[Tensor<B>; 2]> {
        let y = x.linear(&pass.param(kernel), Some(&pass.param(bias)))?.activate(self.layer.activation)?;
        let y = match pass.key().filter(|_| self.layer.dropout > 0.0) {
            Some(key) => {
                let kept = Tensor::full(pass.backend(), &[y.shape()[0], 1, y.shape()[2]], 1.0)?;
                y.mul(&kept.dropout(self.layer.dropout, key)?)?
            }
            None => y,
        };
        let Biaffine { arc_units, label_units, .. } = self.layer;
        Ok([y.slice(2, 0, arc_units)?, y.slice(2, arc_units, label_units)?])
    }
}

/// `[d; 1] wᵀ` of each sentence: `d [batch, time, n]` and `w [batch, m, n + 1]` give `[batch, time, m]`. Nothing is transposed.
fn products<B: Backend>(d: &Tensor<B>, w: &Tensor<B>) -> Result<Tensor<B>> {
    let (b, shape) = (d.backend().clone(), d.shape());
    let d = Tensor::concat(&[d, &Tensor::full(&b, &[shape[0], shape[1], 1], 1.0)?], 2)?;
    let (x, y) = (d.value().clone(), w.value().clone());
    let value = b.matmul(&x, false, &y, true)?;
    Ok(Tensor::record("biaffine", d.backend(), value, &[&d, w], move |dy, wanted| {
        let dx = wanted[0].then(|| b.matmul(dy, false, &y, false)).transpose()?;
        let dw = wanted[1].then(|| b.matmul(dy, true, &x, false)).transpose()?;
        Ok(vec![dx, dw])
    }))
}

/// Which heads each word may have, `[batch or 1, time, time + 1]` of 0 and 1: the root and the other words that there are.
fn possible<B: Backend>(b: &B, mask: Option<&Mask<B>>, [batch, time]: [usize; 2]) -> Result<B::Array> {
    let other = |i: usize| B::Elem::from_f64(f64::from(u8::from(i % (time + 1) != i / (time + 1) + 1)));
    let others = b.upload((0..time * (time + 1)).map(other).collect(), Shape::new(&[1, time, time + 1])?)?;
    let Some(mask) = mask else { return Ok(others) };
    let there = b.concat(&[&b.fill(Shape::new(&[batch, 1])?, 1.0)?, mask.array()], 1)?;
    b.zip(Zip::Mul, &others, &b.reshape(&there, Shape::new(&[batch, 1, time + 1])?)?)
}

impl<B: Backend> Module<B> for BiaffineModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        pass.whole("biaffine")?;
        let (x, mask) = input.sequence(pass)?;
        let (b, labels) = (pass.backend(), self.layer.labels);
        let (batch, time, features) = (x.shape()[0], x.shape()[1], x.shape()[2]);
        let root = Tensor::zeros(b, &[batch, 1, features])?.add(&pass.param(self.root))?;
        let [of_arcs, of_labels] = self.side(&x, self.dependents, pass)?;
        let [to_arcs, to_labels] = self.side(&Tensor::concat(&[&root, &x], 1)?, self.heads, pass)?;
        drop(x);

        let arcs = products(&of_arcs, &to_arcs.linear(&pass.param(self.of_arcs), None)?)?;
        let possible = Tensor::constant(b, possible(b, mask.as_ref(), [batch, time])?);
        let arcs = arcs.select(&possible, &Tensor::full(b, &[], f64::NEG_INFINITY)?)?.log_softmax()?;

        let [kernel, bias] = self.of_labels.map(|id| pass.param(id));
        let heads = to_labels.linear(&kernel, Some(&bias))?;
        let heads = heads.reshape(&[batch, (time + 1) * labels, self.layer.label_units + 1])?;
        let each = products(&of_labels, &heads)?.reshape(&[batch, time, time + 1, labels])?.log_softmax()?;
        let both = each.add(&arcs.reshape(&[batch, time, time + 1, 1])?)?;
        // What cannot be is infinite in steps that do not count, too.
        Ok(Value::Tensor(both.reshape(&[batch, time, (time + 1) * labels])?).with_mask(mask))
    }

    fn last_activation(&self, _: Last) -> Last {
        Activation::LogSoftmax.into()
    }

    fn check_class(&self, _: Option<&str>, class: u32, step: usize, steps: usize) -> Result<(), String> {
        let (labels, word) = (self.layer.labels, step + 1);
        let head = class as usize / labels;
        if head <= steps && head != word {
            return Ok(());
        }
        Err(format!(
            "a head that is the root, 0, or another of {steps} words, times {labels} and with a label below {labels} added to it, \
             and not head {head} of word {word}"
        ))
    }
}
