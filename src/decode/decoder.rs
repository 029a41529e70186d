//! [`Decoder`]: a model that is stepped.

use super::{Scores, Stepper, check_rows, check_tokens, no_prompt};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::data::Inputs;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layers::{Carry, Mask, Spec, Value};
use crate::loss::Scale;
use crate::model::Model;
use crate::record::Record;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A model with the state of the sequences that it reads token by token. The model is only borrowed: several decoders of one model
/// read texts of their own, also in several threads; a clone goes on from the same place.
///
/// The model takes indices `[batch, steps]` of any number of steps ([`Spec::Indices(None)`](Spec::Indices)) and gives a number for
/// each token of its vocabulary, `[batch, steps, tokens]` or after the last step alone `[batch, tokens]`: logits (a last layer
/// without activation), probabilities (softmax) or their logarithms. Which of them is known from its last activation, or where that
/// is not known from the loss that it is compiled with; of neither it is taken for logits. Of several outputs one is named
/// ([`Decoder::output`]).
///
/// ```
/// use elman::Spec;
/// use elman::decode::{Decoder, Stepper};
/// use elman::layers::{Dense, Embedding, Lstm, Sequential};
/// use elman_reference::Reference;
///
/// let model = Sequential::new()
///     .add(Embedding::new(5, 3))
///     .add(Lstm::new(4).return_sequences())
///     .add(Dense::new(5))
///     .build(&Reference::<f64>::new(), Spec::Indices(None), 0)?;
/// let mut whole = Decoder::new(&model)?;
/// let mut steps = Decoder::new(&model)?;
/// let scores = whole.prime(&[1, 4, 2])?; // in one call
/// steps.step(&[1])?;
/// steps.step(&[4])?;
/// assert_eq!(steps.step(&[2])?, scores);
/// assert_eq!(whole.verify(&[[1, 4, 2, 0, 3]])?, 0.0); // so it is however the text is cut
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder<'m, B: Backend> {
    pub(super) model: &'m Model<B>,
    carry: Carry<B>,
    rows: usize,
    /// Whether any token has been read.
    begun: bool,
    /// Of a model of several inputs that of the tokens, and the others, which are read with the first token.
    pub(super) context: Option<(String, Record<Value<B>>)>,
    /// Of a model of several outputs that of the tokens.
    pub(super) output: Option<String>,
}

impl<B: Backend> Clone for Decoder<'_, B> {
    fn clone(&self) -> Self {
        Decoder { carry: self.carry.clone(), context: self.context.clone(), output: self.output.clone(), ..*self }
    }
}

impl<'m, B: Backend> Decoder<'m, B> {
    /// One sequence, of which nothing is read yet. Errors when the model does not take indices of any number of steps, or does not
    /// give a number for each of several tokens, or gives what is neither logits nor probabilities (a sigmoid's numbers). A layer
    /// that looks at whole sequences is an error of the first step, by its path.
    pub fn new(model: &'m Model<B>) -> Result<Self> {
        Self::of_rows(model, 1)
    }

    /// The same of several sequences side by side, at least one.
    pub fn of_rows(model: &'m Model<B>, rows: usize) -> Result<Self> {
        Self::checked(model, model.input(), rows, None)
    }

    /// A decoder of a model of several inputs: `part` is that of the tokens, `context` are all others, a row for each sequence, such as
    /// the sources of translations. They are read with the first token: what depends on them is to be computed once a sequence
    /// ([`Graph::once`](crate::layers::Graph::once), [`Pass::once`](crate::layers::Pass::once)).
    ///
    /// Greedy translations of two sources, word by word:
    ///
    /// ```
    /// use elman::decode::{Decoder, Stepper};
    /// use elman::layers::{Dense, Embedding, Graph, Gru};
    /// use elman::{Record, Spec, data::Inputs};
    /// use elman_reference::Reference;
    ///
    /// let translator = Graph::new()
    ///     .node("source_words", Embedding::new(9, 4).padding(0), "source")
    ///     .node("encoder", Gru::new(8), "source_words")
    ///     .node("target_words", Embedding::new(7, 4), "target")
    ///     .node("decoder", Gru::new(8).return_sequences(), [("input", "target_words"), ("h", "encoder")])
    ///     .node("words", Dense::new(7), "decoder")
    ///     .output("words")
    ///     .once(["encoder"]);
    /// let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))])?;
    /// let model = translator.build(&Reference::<f32>::new(), input, 0)?;
    ///
    /// let sources = Inputs::record([("source", Inputs::indices(&[vec![3, 8, 5], vec![2, 1]])?)])?;
    /// let mut decoder = Decoder::with_context(&model, "target", &sources)?;
    /// let (mut words, mut texts) = (vec![1; 2], [vec![], vec![]]); // 1 begins a text
    /// for _ in 0..4 {
    ///     words = decoder.step(&words)?.best();
    ///     texts.iter_mut().zip(&words).for_each(|(text, word)| text.push(*word));
    /// }
    /// # Ok::<(), elman::Error>(())
    /// ```
    ///
    /// Errors: those of [`Decoder::new`]; parts that are not those of the model's input.
    pub fn with_context(model: &'m Model<B>, part: &str, context: &Inputs) -> Result<Self> {
        let place = "decoder";
        let parts = model.input().parts().map_err(|e| e.at(place))?;
        let tokens = parts.part(part).map_err(|e| e.at(place))?;
        model.check_context(part, context).map_err(|e| e.at(place))?;
        let rows = context.len();
        let context = Value::new(model.backend(), context.clone())?.record()?;
        Self::checked(model, tokens, rows, Some((part.to_string(), context)))
    }

    fn checked(
        model: &'m Model<B>,
        input: &Spec,
        rows: usize,
        context: Option<(String, Record<Value<B>>)>,
    ) -> Result<Self> {
        if rows == 0 {
            return Err(Error::invalid("rows", "at least 1", 0));
        }
        if !matches!(input, Spec::Indices(None)) {
            let expected = "a model for indices of any number of steps (built for `Spec::Indices(None)`)";
            return Err(Error::invalid("decoder", expected, format!("one that takes {input}")));
        }
        if !matches!(model.output(), Spec::Record(_)) {
            check_output(model, None, model.output())?;
        }
        Ok(Decoder { model, carry: Carry::stepping(), rows, begun: false, context, output: None })
    }

    /// The same of a model that gives a record, such as words and their tags: the scores are those of this output, the others are not
    /// looked at.
    ///
    /// ```
    /// use elman::Spec;
    /// use elman::decode::{Decoder, Stepper};
    /// use elman::layers::{Dense, Embedding, Graph, Gru};
    /// use elman_reference::Reference;
    ///
    /// let network = Graph::new()
    ///     .node("table", Embedding::new(6, 4), "input")
    ///     .node("read", Gru::new(4).return_sequences(), "table")
    ///     .node("words", Dense::new(6), "read")
    ///     .node("tags", Dense::new(3), "read")
    ///     .outputs(["words", "tags"]);
    /// let model = network.build(&Reference::<f32>::new(), Spec::Indices(None), 0)?;
    /// let mut decoder = Decoder::new(&model)?.output("words")?;
    /// assert_eq!(decoder.step(&[1])?.vocabulary(), 6);
    /// # Ok::<(), elman::Error>(())
    /// ```
    ///
    /// Errors: no output of this name; one that gives no scores of several tokens ([`Decoder::new`]).
    pub fn output(self, name: &str) -> Result<Self> {
        let output = self.model.output().parts().and_then(|parts| parts.part(name)).map_err(|e| e.at("decoder"))?;
        check_output(self.model, Some(name), output)?;
        Ok(Decoder { output: Some(name.into()), ..self })
    }

    /// Forgets what was read: the sequences, as many as there are, begin anew.
    pub fn restart(&mut self) {
        self.carry.clear();
        self.begun = false;
    }

    /// Puts a prompt of its own, of at least one token, behind each sequence, in one call, and gives the scores of what may follow
    /// it. The prompts may have different lengths. Errors, and nothing is changed then, unless there are as many prompts as rows.
    pub fn prime_each<P: AsRef<[u32]>>(&mut self, prompts: &[P]) -> Result<Scores> {
        let prompts: Vec<&[u32]> = prompts.iter().map(AsRef::as_ref).collect();
        if prompts.len() != self.rows {
            let expected = format!("a prompt for each of {} rows", self.rows);
            return Err(Error::invalid("prompts", expected, format!("{} prompts", prompts.len())));
        }
        let steps = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or_default();
        let mut tokens = Vec::with_capacity(steps * self.rows);
        for prompt in &prompts {
            // Padding is under a mask; any token will do.
            let last = *prompt.last().ok_or_else(no_prompt)?;
            tokens.extend_from_slice(prompt);
            tokens.resize(tokens.len() + steps - prompt.len(), last);
        }
        let lengths: Vec<usize> = prompts.iter().map(|prompt| prompt.len()).collect();
        let b = self.model.backend();
        let mask = lengths.iter().any(|&length| length < steps).then(|| Mask::from_lengths(b, &lengths, steps));
        let input = self.indices(tokens, steps)?.with_mask(mask.transpose()?);
        self.scores(input, |y| match y.shape()[..] {
            [n, steps, tokens] => {
                let last = lengths.iter().enumerate().map(|(row, length)| (row * steps + length - 1) as u32);
                let last = b.upload_indices(last.collect(), Shape::new(&[n])?)?;
                y.reshape(&[n * steps, tokens])?.gather(&last)
            }
            _ => Ok(y),
        })
    }

    fn indices(&self, tokens: Vec<u32>, steps: usize) -> Result<Value<B>> {
        let shape = Shape::new(&[tokens.len() / steps.max(1), steps])?;
        Ok(Value::Indices(self.model.backend().upload_indices(tokens, shape)?))
    }

    /// What goes into the model with these tokens: at the beginning the context, too.
    pub(super) fn input(&self, tokens: Value<B>, begins: bool) -> Result<Value<B>> {
        let Some((part, context)) = &self.context else { return Ok(tokens) };
        let others = context.iter().filter(|_| begins).map(|(name, value)| (name.to_string(), value.clone()));
        Record::new(others.chain([(part.clone(), tokens)])).map(Value::Record)
    }

    /// Reads on, and gives the scores after the last step, which `last` picks from `[rows, steps, tokens]`.
    fn scores(&mut self, input: Value<B>, last: impl FnOnce(Tensor<B>) -> Result<Tensor<B>>) -> Result<Scores> {
        let input = self.input(input, !self.begun)?;
        let (y, scale) = logits(self.model, self.output.as_deref(), input, &mut self.carry)?;
        self.begun = true;
        let y = last(y)?;
        let rows = y.shape()[0];
        let number = |x: B::Elem| x.to_f64() as f32;
        let data = y.to_vec()?.into_iter().map(number);
        Scores::new(if scale == Scale::Probabilities { data.map(f32::ln).collect() } else { data.collect() }, rows)
    }
}

/// The model's numbers for steps that go on where those before ended, as much before the last activation as they can be had, and
/// what they are.
pub(super) fn logits<B: Backend>(
    model: &Model<B>,
    output: Option<&str>,
    input: Value<B>,
    carry: &mut Carry<B>,
) -> Result<(Tensor<B>, Scale)> {
    if let (Spec::Record(parts), None) = (model.output(), output) {
        let names: Vec<&str> = parts.names().collect();
        let expected = format!("the name of one of the outputs {} (`Decoder::output`)", names.join(", "));
        return Err(Error::invalid("decoder", expected, "none"));
    }
    let (z, last, pending) = model.logits_carried(input, output, carry)?;
    let scale = match last {
        Some(Activation::Softmax) if !pending => Scale::Probabilities,
        Some(last) if is_logarithm(last) || last == Activation::Softmax => Scale::Logits,
        Some(last) => return Err(not_a_distribution(last)),
        None => model.scale(output).unwrap_or(Scale::Logits),
    };
    Ok((z, scale))
}

/// Errors for what are no scores of several tokens.
fn check_output<B: Backend>(model: &Model<B>, name: Option<&str>, output: &Spec) -> Result<()> {
    let fits = matches!(output, Spec::Dense(sizes) if matches!(sizes[..], [Some(n)] | [_, Some(n)] if n > 1));
    if !fits {
        let expected = "a model that gives a number for each of several tokens, [batch, steps, tokens]";
        return Err(Error::invalid("decoder", expected, output));
    }
    match model.last(name).filter(|&last| !is_logarithm(last) && last != Activation::Softmax) {
        Some(last) => Err(not_a_distribution(last)),
        None => Ok(()),
    }
}

/// Whether its numbers are logits, which logarithms of probabilities are too.
fn is_logarithm(last: Activation) -> bool {
    matches!(last, Activation::Linear | Activation::LogSoftmax)
}

fn not_a_distribution(last: Activation) -> Error {
    let expected = "a model that ends in logits (no activation), softmax or log_softmax over its tokens";
    Error::invalid("decoder", expected, last)
}

impl<B: Backend> Stepper for Decoder<'_, B> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn step(&mut self, tokens: &[u32]) -> Result<Scores> {
        check_tokens(self.rows, tokens)?;
        let input = self.indices(tokens.to_vec(), 1)?;
        self.scores(input, last_step)
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        check_rows(self.rows, rows)?;
        if !self.begun && self.context.is_some() {
            let expected = "a token of each sequence before rows are chosen, as its context is read with it";
            return Err(Error::invalid("decoder", expected, "none so far"));
        }
        self.carry.select(self.model.backend(), rows)?;
        self.rows = rows.len();
        Ok(())
    }

    // In one call; where all sequences begin, once for all of them.
    fn prime(&mut self, prompt: &[u32]) -> Result<Scores> {
        if prompt.is_empty() {
            return Err(no_prompt());
        }
        if self.begun || self.rows == 1 || self.context.is_some() {
            let input = self.indices(prompt.repeat(self.rows), prompt.len())?;
            return self.scores(input, last_step);
        }
        let output = self.output.clone();
        let mut one = Decoder { rows: 1, carry: Carry::stepping(), context: None, output, ..*self };
        let scores = one.prime(prompt)?;
        let scores = Scores::new(scores.row(0).repeat(self.rows), self.rows)?;
        one.select(&vec![0; self.rows])?;
        *self = one;
        Ok(scores)
    }
}

/// `[rows, tokens]` of `[rows, steps, tokens]` after the last step.
fn last_step<B: Backend>(y: Tensor<B>) -> Result<Tensor<B>> {
    match y.shape()[..] {
        [rows, 1, tokens] => y.reshape(&[rows, tokens]),
        [rows, steps, tokens] => y.slice(1, steps - 1, 1)?.reshape(&[rows, tokens]),
        _ => Ok(y),
    }
}
