//! [`Predictions`]: what a model gives, and the classes or labels that it means.

use crate::error::{Error, Result};
use crate::loss::Outputs;

/// A model's values for inputs, on the host, and what they are by the loss that the model was compiled with, or where it was
/// not by its last activation. Two of them are equal when their numbers are.
///
/// ```
/// use elman::data::{Dataset, Inputs, Targets};
/// use elman::layers::{Dense, Sequential};
/// use elman::loss::BinaryCrossEntropy;
/// use elman::optim::Sgd;
/// use elman::{Init, Spec};
/// use elman::layers::Weight;
/// use elman_reference::Reference;
///
/// let mut model = Sequential::new()
///     .add(Dense::new(1).kernel(Weight::new(Init::Ones)))
///     .build(&Reference::<f32>::new(), Spec::dense(&[1]), 0)?;
/// model.compile(Sgd::new(0.1), BinaryCrossEntropy::from_logits());
/// let logits = model.predict(&Inputs::rows(&[[0.3], [-0.3]])?, 32)?;
/// assert_eq!(logits.classes()?, [1, 0], "a logit above 0 means yes");
/// assert_eq!(logits.threshold(0.4).classes()?, [0, 0]);
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "predict_proba")]
#[derive(Clone, Debug)]
pub struct Predictions {
    data: Vec<f32>,
    shape: Vec<usize>,
    read_as: Option<Outputs>,
    threshold: Option<f32>,
}

impl Predictions {
    pub(super) fn new(data: Vec<f32>, shape: Vec<usize>, read_as: Option<Outputs>) -> Self {
        Predictions { data, shape, read_as, threshold: None }
    }

    /// All numbers in row-major order.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The shape: samples first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What the numbers are, for metrics of one's own making ([`Scores::read_as`](crate::metrics::Scores::read_as)).
    pub fn read_as(&self) -> Outputs {
        self.read_as.unwrap_or_default()
    }

    /// Sets what a single output, or that of a label, must exceed to mean yes. Unless it is set the loss says: 0 for logits and
    /// margins, else 1/2.
    #[must_use]
    pub fn threshold(self, threshold: f32) -> Self {
        Predictions { threshold: Some(threshold), ..self }
    }

    /// The numbers of one sample after another.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        let row = self.shape[1..].iter().product::<usize>().max(1);
        self.data.chunks_exact(row)
    }

    /// The class of each row of outputs, so of each sample or, where there is an output at every step, of each step:
    /// the greatest output (the first of equals), or, of a single one, whether it is above the threshold.
    ///
    /// Errors where the loss takes each of several outputs for a label of its own (binary cross-entropy and hinges, unless
    /// the model ends in softmax): a row may have several of them, or none; see [`Predictions::labels`]. Errors too for a single
    /// output of a model that is not compiled and does not end in a sigmoid, unless a threshold is set: it may be a logit.
    pub fn classes(&self) -> Result<Vec<usize>> {
        if matches!(self.read_as(), Outputs::Labels(_)) && self.outputs() > 1 {
            let expected = "one class a row (each output is a label of its own: `labels` gives the set of each row)";
            return Err(Error::invalid("classes", expected, format!("{} labels a row", self.outputs())));
        }
        let threshold = if self.outputs() == 1 { self.cut()? } else { 0.0 };
        let class = |row: &[f32]| match *row {
            [single] => usize::from(single > threshold),
            _ => (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }),
        };
        Ok(self.data.chunks_exact(self.outputs()).map(class).collect())
    }

    /// The labels of each row of outputs, in rising order: the numbers of all outputs above the threshold, none of them in a row
    /// without a label. Errors where the loss takes the outputs for classes of which a row has one.
    pub fn labels(&self) -> Result<Vec<Vec<usize>>> {
        if matches!(self.read_as(), Outputs::Class(_)) {
            return Err(Error::invalid("labels", "several labels a row", "one class a row: see `classes`"));
        }
        let threshold = self.cut()?;
        let above = |row: &[f32]| (0..row.len()).filter(|&label| row[label] > threshold).collect();
        Ok(self.data.chunks_exact(self.outputs()).map(above).collect())
    }

    /// Numbers in a row of outputs.
    fn outputs(&self) -> usize {
        self.shape[1..].last().copied().unwrap_or(1).max(1)
    }

    fn cut(&self) -> Result<f32> {
        self.threshold.or(self.read_as.map(Outputs::threshold)).ok_or_else(|| {
            let expected = "a compiled model, whose loss says where yes begins, or a threshold (0 for logits, 0.5 for probabilities)";
            Error::invalid("predictions", expected, "neither")
        })
    }
}

impl PartialEq for Predictions {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data && self.shape == other.shape
    }
}
