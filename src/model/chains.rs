//! The scores of paths that a model with a [`Crf`](crate::layers::Crf) gives, for what is decoded on the host.

use super::Model;
use super::evaluate::by_length;
use crate::backend::Backend;
use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::layers::{Chain, Mask, Mode, Value};

impl<B: Backend> Model<B> {
    /// Calls `each` with the scores of each batch of inputs and which of the inputs they are of. Errors when these do not fit, and
    /// unless the model, or the output of this name, ends in a field.
    pub(crate) fn chains(
        &self,
        output: Option<&str>,
        inputs: &Inputs,
        batch_size: usize,
        mut each: impl FnMut(&[usize], Chain<B>, Option<Mask<B>>) -> Result<()>,
    ) -> Result<()> {
        let place = "inputs to decode";
        self.input.check_inputs(place, inputs)?;
        self.check_indices(place, inputs)?;
        for rows in &by_length(inputs, batch_size)? {
            let mut pass = self.pass(Mode::Evaluation);
            let (z, _) = self.root.forward_linear(Value::new(&self.backend, inputs.select(rows)?)?, &mut pass)?;
            match z.part(output).cloned().map(Value::split) {
                Some((Value::Chain(chain), mask)) => each(rows, *chain, mask)?,
                _ => {
                    let expected = match output {
                        Some(name) => format!("an output `{name}` that ends in a `Crf`"),
                        None => "a model of one output that ends in a `Crf`".into(),
                    };
                    return Err(Error::invalid("trellis", expected, &self.output));
                }
            }
        }
        Ok(())
    }
}
