//! [`Elman`]: the simple recurrent network.

use super::{CellKind, Rnn};
use crate::activation::Activation;
use crate::backend::Cell;
use crate::init::Init;
use serde::{Deserialize, Serialize};

/// Elman's network: `h_t = f(x_t W + h_{t-1} U + b)`, `h_0 = 0` (L16; Elman, 1990). Keras' `SimpleRNN`, PyTorch's `nn.RNN`.
///
/// Parameters: `kernel W [features, units]`, `recurrent_kernel U [units, units]`, `bias b [units]`. `f` is tanh unless
/// another one is chosen. For what is read off the state (`y_t = f_y(h_t V + c)`) put a [`Dense`](crate::layers::Dense)
/// behind it, which works on every step.
#[doc(alias = "SimpleRNN")]
#[doc(alias = "RNN")]
pub type Elman = Rnn<ElmanCell>;

/// The cell of an [`Elman`] network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElmanCell {
    activation: Activation,
}

impl Default for ElmanCell {
    /// That of [`Elman::new`].
    fn default() -> Self {
        Elman::new(0).cell
    }
}

impl Elman {
    /// A network of so many units.
    ///
    /// ```
    /// use elman::layers::Elman;
    /// let tagger = Elman::new(32).return_sequences();
    /// ```
    pub fn new(units: usize) -> Self {
        Rnn::with_cell(units, ElmanCell { activation: Activation::Tanh })
    }

    /// The activation function `f`, which must be elementwise.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.cell.activation = activation;
        self
    }

    /// What Keras 1 meant by `SimpleRNN`: as now, with a recurrent kernel of 1.1 times an orthogonal matrix.
    pub fn keras1(self) -> Self {
        let recurrent_kernel = self.recurrent_kernel.clone().with_init(Init::Orthogonal { gain: 1.1 });
        self.recurrent_kernel(recurrent_kernel)
    }
}

impl CellKind for ElmanCell {
    const KIND: &'static str = "elman";

    fn cell(&self) -> Cell {
        Cell::Elman { activation: self.activation }
    }
}
