//! [`Lstm`]: long short-term memory.

use super::{CellKind, Rnn};
use crate::activation::Activation;
use crate::backend::Cell;
use crate::init::Init;
use serde::{Deserialize, Serialize};

/// Long short-term memory (L22; Hochreiter and Schmidhuber, 1997; with forget gates, Gers and others, 2000):
///
/// ```text
/// i = σ(x W_i + h U_i + b_i)      f = σ(x W_f + h U_f + b_f)      o = σ(x W_o + h U_o + b_o)
/// c̃ = tanh(x W_c + h U_c + b_c)   c = f ⊙ c₋ + i ⊙ c̃              h = o ⊙ tanh(c)
/// ```
///
/// Parameters, with the gates in the order i, f, c, o: `kernel [features, 4 units]`, `recurrent_kernel [units, 4 units]`,
/// `bias [4 units]`, whose forget part starts at 1, so that an untrained cell remembers.
pub type Lstm = Rnn<LstmCell>;

/// The cell of an [`Lstm`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LstmCell {
    #[serde(rename = "gate_activation")]
    gates: Activation,
    activation: Activation,
    forget_bias: Option<f64>,
    /// Of the norms within each step, if there are any.
    norm_epsilon: Option<f64>,
}

impl Default for LstmCell {
    /// That of [`Lstm::new`].
    fn default() -> Self {
        Lstm::new(0).cell
    }
}

impl Lstm {
    /// A network of so many units.
    ///
    /// ```
    /// use elman::layers::Lstm;
    /// let imdb_lstm = Lstm::new(128).dropout(0.2).recurrent_dropout(0.2);
    /// ```
    pub fn new(units: usize) -> Self {
        let (gates, activation) = (Activation::Sigmoid, Activation::Tanh);
        Rnn::with_cell(units, LstmCell { gates, activation, forget_bias: Some(1.0), norm_epsilon: None })
    }

    /// The function of candidate and output, tanh in the formula; it must be elementwise.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.cell.activation = activation;
        self
    }

    /// The function of the three gates, σ in the formula (Keras' `recurrent_activation`); it must be elementwise.
    pub fn gate_activation(mut self, gates: Activation) -> Self {
        self.cell.gates = gates;
        self
    }

    /// Where the forget gate's bias starts: at 1 unless said otherwise; `None` for where the rest of the bias starts.
    pub fn forget_bias(mut self, forget_bias: impl Into<Option<f64>>) -> Self {
        self.cell.forget_bias = forget_bias.into();
        self
    }

    /// Normalises within each step (Ba, Kiros, Hinton, 2016): the inputs' and the state's parts of the pre-activations each
    /// over all gates, and the cell state on its way to the output. More parameters: `kernel_gamma [4 units]`,
    /// `recurrent_gamma [4 units]`, `state_gamma [units]`, `state_beta [units]`. It costs several times what the plain LSTM
    /// costs.
    ///
    /// The inputs' norm adds 1e-3 to its variances, as in Keras; those of the state add 1 ([`Lstm::norm_epsilon`]).
    pub fn layer_norm(self) -> Self {
        self.norm_epsilon(1.0)
    }

    /// [`Lstm::layer_norm`] with another number, above 0, that is added to the variances of the state's part of the
    /// pre-activations and of the cell state.
    ///
    /// A norm multiplies what has no variance by `1 / √ε`. With the 1e-3 of Keras' layer normalisation a gradient grows over a
    /// hundredfold in each step in which the state has none, such as steps of zeros in front of a text: twenty of them and
    /// nothing is learned. With 1, the default, it does not grow: at zeros the network is the plain LSTM.
    pub fn norm_epsilon(mut self, epsilon: f64) -> Self {
        self.cell.norm_epsilon = Some(epsilon);
        self
    }

    /// What Keras 1 meant by `LSTM`, the lecture's programs: gates `clip(0.2 x + 0.5, 0, 1)`, kernels drawn gate by gate,
    /// recurrent ones 1.1 times orthogonal.
    pub fn keras1(self) -> Self {
        let recurrent_kernel = self.recurrent_kernel.clone().with_init(Init::Orthogonal { gain: 1.1 });
        self.gate_activation(Activation::HardSigmoidKeras1).recurrent_kernel(recurrent_kernel).init_by_gate()
    }
}

impl CellKind for LstmCell {
    const KIND: &'static str = "lstm";

    fn cell(&self) -> Cell {
        Cell::Lstm { gates: self.gates, activation: self.activation }
    }

    fn norm_epsilon(&self) -> Option<f64> {
        self.norm_epsilon
    }

    fn init_bias(&self, units: usize, values: &mut [f64]) {
        if let Some(forget_bias) = self.forget_bias {
            values[units..2 * units].fill(forget_bias);
        }
    }
}
