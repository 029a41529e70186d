//! [`MultiHeadAttention`]: every step attends to all steps of its sequence, or of another.

use super::super::{Built, Last, Layer, Mask, Module, Pass, Place, Scope, Slot, Spec, Value, Weight};
use super::taken::{self, Taken};
use crate::activation::Activation;
use crate::backend::{Attention, Backend};
use crate::description::{Description, describe};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::init::Init;
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Self-attention of several heads (L26): each projects the steps to queries, keys and values and attends by their products,
/// `softmax(q kᵀ / √key_dim) v`; the heads' results side by side are projected to the output. Takes
/// `[batch, time, features]`, gives `[batch, time, outputs]`.
///
/// Given a record of `query [batch, queries, features]` and `memory [batch, steps, width]`, the queries attend to the memory in the place
/// of their own sequence: cross-attention, as a decoder's to what an encoder has read; see [`CrossAttention`](super::CrossAttention) for
/// the forms of recurrent networks. It may be stepped then, the memory computed [once](crate::layers::Graph::once).
///
/// The record may have two more parts, and lack the memory (the queries attend to their own sequence then), each `[batch, queries, steps]`,
/// or `[batch, heads, queries, steps]` for each head: `mask`, 1 where a query may look at a step and 0 where it may not (Keras'
/// `attention_mask`), and `bias`, numbers that are added to the scores before the softmax, such as some by distance; they may come out
/// of layers that are trained, and -∞ shuts a step out. Both hold together with masks of steps and with
/// [`causal`](MultiHeadAttention::causal). Attention to the own sequence cannot be stepped with them.
///
/// Steps that the mask leaves out are not attended to; where there is no step to attend to, the heads give 0. The mask goes
/// through: what stands in masked steps of the output counts for nothing.
///
/// Defaults as in Keras: values as wide as keys, as many outputs as features, biases, no dropout; kernels Glorot uniform (with
/// Keras' fans of a kernel with three axes), biases zeros. Parameters, for the three of `query`, `key` and `value`:
/// `query.kernel [features, heads, key_dim]`, `query.bias [heads, key_dim]`; then
/// `attention_output.kernel [heads, key_dim, outputs]`, `attention_output.bias [outputs]`.
///
/// Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
///
/// ```
/// use elman::Spec;
/// use elman::layers::{GlobalAveragePooling, MultiHeadAttention, Sequential};
/// use elman_reference::Reference;
///
/// let network = Sequential::new().add(MultiHeadAttention::new(4, 16).dropout(0.1)).add(GlobalAveragePooling);
/// let model = network.build(&Reference::<f32>::new(), Spec::Dense(vec![None, Some(64)]), 0)?;
/// assert_eq!(model.count_params(), 4 * (64 * 64 + 64));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default = "MultiHeadAttention::of_no_heads", deny_unknown_fields)]
#[must_use]
pub struct MultiHeadAttention {
    heads: usize,
    key_dim: usize,
    value_dim: Option<usize>,
    outputs: Option<usize>,
    dropout: f64,
    causal: bool,
    kernel: Weight,
    bias: Option<Weight>,
}

impl MultiHeadAttention {
    /// `heads` heads with queries and keys of `key_dim` numbers each.
    pub fn new(heads: usize, key_dim: usize) -> Self {
        let (kernel, bias) = (Weight::new(Init::GlorotUniform), Some(Weight::zeros()));
        MultiHeadAttention { heads, key_dim, value_dim: None, outputs: None, dropout: 0.0, causal: false, kernel, bias }
    }

    /// The options that a description leaves out.
    fn of_no_heads() -> Self {
        MultiHeadAttention::new(0, 0)
    }

    /// How many numbers the values of a head have.
    pub fn value_dim(self, value_dim: usize) -> Self {
        MultiHeadAttention { value_dim: Some(value_dim), ..self }
    }

    /// How many numbers come out for a step.
    pub fn outputs(self, outputs: usize) -> Self {
        MultiHeadAttention { outputs: Some(outputs), ..self }
    }

    /// Drops attention weights with this probability while training.
    pub fn dropout(self, rate: f64) -> Self {
        MultiHeadAttention { dropout: rate, ..self }
    }

    /// Lets every step attend to itself and those before it only. Such a layer may be [stepped](crate::layers::Carry::stepping): keys and
    /// values of the steps so far are carried on.
    pub fn causal(self) -> Self {
        MultiHeadAttention { causal: true, ..self }
    }

    /// How the four kernels start and what is asked of them.
    pub fn kernel(self, kernel: Weight) -> Self {
        MultiHeadAttention { kernel, ..self }
    }

    /// How the four biases start and what is asked of them.
    pub fn bias(self, bias: Weight) -> Self {
        MultiHeadAttention { bias: Some(bias), ..self }
    }

    /// Leaves the biases out.
    pub fn without_bias(self) -> Self {
        MultiHeadAttention { bias: None, ..self }
    }
}

impl<B: Backend> Layer<B> for MultiHeadAttention {
    fn kind(&self) -> &'static str {
        "multi_head_attention"
    }

    fn describe(&self) -> Result<Description> {
        describe(Layer::<B>::kind(self), self)
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let (of_query, of_memory) = match input {
            Spec::Record(parts) => {
                taken::check_parts(parts, self.heads)?;
                let query = parts.part("query")?;
                (query, parts.get("memory").unwrap_or(query))
            }
            own => (own, own),
        };
        let (_, features) = of_query.sequence()?;
        let (_, remembered) = of_memory.sequence()?;
        let (width, outputs) = (self.value_dim.unwrap_or(self.key_dim), self.outputs.unwrap_or(features));
        let sizes = [("heads", self.heads), ("key_dim", self.key_dim), ("value_dim", width), ("outputs", outputs)];
        if let Some((name, _)) = sizes.into_iter().find(|&(_, size)| size == 0) {
            return Err(Error::invalid(name, "at least 1", 0));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::invalid("dropout", "a number in [0, 1)", self.dropout));
        }
        let mut projection = |name: &str, kernel: &[usize], bias: &[usize]| -> Result<Projection> {
            let kernel = scope.param(&format!("{name}.kernel"), Shape::new(kernel)?, &self.kernel)?;
            let shape = Shape::new(bias)?;
            let bias = self.bias.as_ref().map(|bias| scope.param(&format!("{name}.bias"), shape, bias)).transpose()?;
            Ok(Projection { kernel, bias })
        };
        let mut heads =
            |name, inputs, of_head| projection(name, &[inputs, self.heads, of_head], &[self.heads, of_head]);
        let query = heads("query", features, self.key_dim)?;
        let inputs = [query, heads("key", remembered, self.key_dim)?, heads("value", remembered, width)?];
        let output = projection("attention_output", &[self.heads, width, outputs], &[outputs])?;
        let module = MultiHeadModule { layer: self.clone(), inputs, output, slot: scope.slot() };
        Ok(Built::new(module, of_query.with_features(outputs)))
    }
}

/// An affine map whose kernel's axes on one side are heads and what belongs to each.
#[derive(Debug)]
struct Projection {
    kernel: ParamId,
    bias: Option<ParamId>,
}

impl Projection {
    /// `x W + b`, with the heads of the kernel `[inputs, outputs]` side by side.
    fn apply<B: Backend>(&self, x: &Tensor<B>, pass: &Pass<'_, B>) -> Result<Tensor<B>> {
        let kernel = pass.param(self.kernel);
        let (inputs, all) = (x.shape().last(), kernel.shape().elements());
        let outputs = all / inputs.max(1);
        let bias = self.bias.map(|bias| pass.param(bias).reshape(&[outputs])).transpose()?;
        x.linear(&kernel.reshape(&[inputs, outputs])?, bias.as_ref())
    }
}

#[derive(Debug)]
struct MultiHeadModule {
    layer: MultiHeadAttention,
    inputs: [Projection; 3],
    output: Projection,
    /// Where the keys and values of the steps so far are, where sequences come in pieces.
    slot: Slot,
}

impl MultiHeadModule {
    fn scale(&self) -> f64 {
        1.0 / (self.layer.key_dim as f64).sqrt()
    }

    /// Causal attention where sequences come in pieces: the queries of this piece see its steps and all before it, whose keys and values
    /// were left at `place`. All of them `[batch, heads, steps, ..]`.
    fn gone_on<B: Backend>(
        &self,
        [query, key, value]: [Tensor<B>; 3],
        mask: Option<&Mask<B>>,
        place: Place,
        pass: &mut Pass<'_, B>,
    ) -> Result<Tensor<B>> {
        let (b, shape) = (pass.backend(), query.shape());
        let (batch, queries) = (shape[0], shape[2]);
        let there = mask.map_or_else(|| Tensor::ones(b, &[batch, queries]), |mask| Ok(mask.tensor(b)))?;
        let (key, value, there) = match &pass.carried(&place, batch)?[..] {
            [keys, values, before] => (
                Tensor::concat(&[keys, &key], 2)?,
                Tensor::concat(&[values, &value], 2)?,
                Tensor::concat(&[before, &there], 1)?,
            ),
            _ => (key, value, there),
        };
        let keys = key.shape()[2];
        let sees = |query: usize| (0..keys).map(move |key| f64::from(u8::from(key <= query + keys - queries)));
        let earlier = (0..queries).flat_map(sees).map(B::Elem::from_f64).collect();
        let seen = there.reshape(&[batch, 1, 1, keys])?.mul(&Tensor::new(b, earlier, &[queries, keys])?)?;
        let scores = query.matmul(&key.transpose()?)?.affine(self.scale(), 0.0)?;
        let mut weights = scores.masked_softmax(seen.value())?;
        pass.carry(place, [key, value.clone(), there])?;
        if let Some(draws) = pass.key().filter(|_| self.layer.dropout > 0.0) {
            weights = weights.dropout(self.layer.dropout, draws)?;
        }
        weights.matmul(&value)
    }
}

impl<B: Backend> Module<B> for MultiHeadModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let Taken { query, memory, pairs, bias } = Taken::of(input, pass)?;
        if memory.is_none() && !self.layer.causal {
            pass.whole("attention that is not causal")?;
        }
        if memory.is_none() && (pairs.is_some() || bias.is_some()) {
            pass.whole("attention with a mask or a bias of pairs")?;
        }
        let (x, mask) = query.sequence(pass)?;
        let memory = memory.map(|memory| memory.sequence(pass)).transpose()?;
        let place = if self.layer.causal && memory.is_none() { pass.place(self.slot) } else { None };
        let (memory, of_memory) = memory.unwrap_or_else(|| (x.clone(), mask.clone()));
        let (batch, time, heads) = (x.shape()[0], x.shape()[1], self.layer.heads);
        let of_heads = |projection: &Projection, x: &Tensor<B>| {
            let y = projection.apply(x, pass)?;
            y.reshape(&[batch, x.shape()[1], heads, y.shape().last() / heads])?.permute(&[0, 2, 1, 3])
        };
        let [query, key, value] = &self.inputs;
        let (query, key, value) = (of_heads(query, &x)?, of_heads(key, &memory)?, of_heads(value, &memory)?);
        let y = match place {
            Some(place) => self.gone_on([query, key, value], mask.as_ref(), place, pass)?,
            None => {
                let dropped = self.layer.dropout > 0.0;
                let how = Attention {
                    mask: taken::both(pass.backend(), of_memory.as_ref(), pairs)?,
                    causal: self.layer.causal,
                    dropout: if dropped { pass.key().map(|key| (self.layer.dropout, key)) } else { None },
                    ..Attention::new(self.scale())
                };
                match bias {
                    Some(bias) => query.biased_attention(&key, &value, &taken::of_all_heads(bias)?, how)?,
                    None => query.attention(&key, &value, how)?,
                }
            }
        };
        let y = y.permute(&[0, 2, 1, 3])?;
        let y = y.reshape(&[batch, time, heads * y.shape().last()])?;
        Ok(Value::from(self.output.apply(&y, pass)?).with_clean_mask(mask))
    }

    // Numbers of any size and either sign.
    fn last_activation(&self, _: Last) -> Last {
        Activation::Linear.into()
    }
}
