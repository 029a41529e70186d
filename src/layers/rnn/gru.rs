//! [`Gru`]: the gated recurrent unit.

use super::{CellKind, Rnn};
use crate::activation::Activation;
use crate::backend::Cell;
use crate::init::Init;
use serde::{Deserialize, Serialize};

/// The gated recurrent unit (L26; Cho and others, 2014):
///
/// ```text
/// z = σ(x W_z + h₋ U_z + b_z)   r = σ(x W_r + h₋ U_r + b_r)   h = z ⊙ h₋ + (1 - z) ⊙ h̃
/// h̃ = tanh(x W_h + r ⊙ (h₋ U_h + c_h) + b_h)   reset after the product: the default, as in Keras, PyTorch and cuDNN
/// h̃ = tanh(x W_h + (r ⊙ h₋) U_h + b_h)         reset before it: the paper's first version
/// ```
///
/// Parameters, with the gates in the order z, r, h: `kernel [features, 3 units]`, `recurrent_kernel [units, 3 units]`, `bias
/// [3 units]`, and with the reset after the product `recurrent_bias c [3 units]`, which Keras keeps as the second row of
/// its bias.
pub type Gru = Rnn<GruCell>;

/// The cell of a [`Gru`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GruCell {
    #[serde(rename = "gate_activation")]
    gates: Activation,
    activation: Activation,
    reset_after: bool,
}

impl Default for GruCell {
    /// That of [`Gru::new`].
    fn default() -> Self {
        Gru::new(0).cell
    }
}

impl Gru {
    /// A network of so many units, with the reset after the product.
    ///
    /// ```
    /// use elman::layers::Gru;
    /// let encoder = Gru::new(64).return_sequences();
    /// ```
    pub fn new(units: usize) -> Self {
        let (gates, activation) = (Activation::Sigmoid, Activation::Tanh);
        Rnn::with_cell(units, GruCell { gates, activation, reset_after: true })
    }

    /// The function of the candidate, tanh in the formula; it must be elementwise.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.cell.activation = activation;
        self
    }

    /// The function of the two gates, σ in the formula (Keras' `recurrent_activation`); it must be elementwise.
    pub fn gate_activation(mut self, gates: Activation) -> Self {
        self.cell.gates = gates;
        self
    }

    /// Resets the state before the product with the recurrent kernel.
    pub fn reset_before(mut self) -> Self {
        self.cell.reset_after = false;
        self
    }

    /// What Keras 1 meant by `GRU`: gates `clip(0.2 x + 0.5, 0, 1)`, the reset before the product, kernels drawn gate by
    /// gate, recurrent ones 1.1 times orthogonal.
    pub fn keras1(self) -> Self {
        let recurrent_kernel = self.recurrent_kernel.clone().with_init(Init::Orthogonal { gain: 1.1 });
        let gru = self.gate_activation(Activation::HardSigmoidKeras1).reset_before();
        gru.recurrent_kernel(recurrent_kernel).init_by_gate()
    }
}

impl CellKind for GruCell {
    const KIND: &'static str = "gru";

    fn cell(&self) -> Cell {
        Cell::Gru { gates: self.gates, activation: self.activation, reset_after: self.reset_after }
    }

    fn has_recurrent_bias(&self) -> bool {
        self.reset_after
    }
}
