//! Layers of several inputs of one shape, or of shapes alike but for the features: Keras' merging layers.

use super::{Built, Last, Layer, Mask, Module, Pass, Scope, Spec, Value};
use crate::backend::Backend;
use crate::description::{Description, describe};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

macro_rules! merging {
    ($($(#[$doc:meta])* $name:ident $kind:literal $how:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[must_use]
        pub struct $name;

        impl $name {
            /// The layer; it has no options.
            pub fn new() -> Self {
                $name
            }
        }

        impl<B: Backend> Layer<B> for $name {
            fn kind(&self) -> &'static str {
                $kind
            }

            fn describe(&self) -> Result<Description> {
                describe($kind, self)
            }

            fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
                let output = $how.output($kind, input.parts()?)?;
                Ok(Built::new(MergeModule { kind: $kind, how: $how }, output))
            }
        }
    )*};
}

merging! {
    /// The sum of several inputs of one shape, elementwise: a residual connection, say. Takes a record of any names.
    ///
    /// The mask of the sum, as of the others here, says which steps count in all inputs that have one.
    ///
    /// ```
    /// use elman::layers::{Add, Dense, Graph};
    /// use elman::Spec;
    /// use elman_reference::Reference;
    /// let block = Graph::new()
    ///     .node("change", Dense::new(8), "input")
    ///     .node("sum", Add::new(), ["input", "change"])
    ///     .output("sum");
    /// let model = block.build(&Reference::<f32>::new(), Spec::dense(&[8]), 0)?;
    /// assert_eq!(model.output(), &Spec::dense(&[8]));
    /// # Ok::<(), elman::Error>(())
    /// ```
    Add "add" How::Each(Operation::Add);
    /// The first of two inputs less the second, elementwise.
    Subtract "subtract" How::Two;
    /// The product of several inputs of one shape, elementwise: one gates the other.
    Multiply "multiply" How::Each(Operation::Multiply);
    /// The mean of several inputs of one shape, elementwise.
    Average "average" How::Each(Operation::Average);
    /// The greatest of several inputs of one shape, elementwise.
    Maximum "maximum" How::Each(Operation::Maximum);
    /// The features of several inputs side by side, in their order; all other sizes are alike.
    Concatenate "concatenate" How::SideBySide;
}

/// How several inputs become one.
#[derive(Clone, Copy, Debug)]
enum How {
    Each(Operation),
    Two,
    SideBySide,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Add,
    Multiply,
    Average,
    Maximum,
}

impl How {
    /// What comes out of such inputs. Errors where they do not go together.
    fn output(self, kind: &str, parts: &Record<Spec>) -> Result<Spec> {
        let (least, most) = if matches!(self, How::Two) { (2, 2) } else { (1, usize::MAX) };
        if parts.len() < least || parts.len() > most {
            return Err(Error::invalid(kind, "two inputs", parts.len()));
        }
        let mut sizes: Option<(&str, Vec<Option<usize>>)> = None;
        let mut features = 0;
        for (name, spec) in parts.iter() {
            let Spec::Dense(own) = spec.numbers()? else { return Err(Error::invalid(kind, "numbers", spec)) };
            if matches!(self, How::SideBySide) {
                features += spec.features()?;
            }
            let Some((first, before)) = &mut sizes else {
                sizes = Some((name, own));
                continue;
            };
            let alike = own.len() - usize::from(matches!(self, How::SideBySide)).min(own.len());
            let fits = |(a, b): (&Option<usize>, &Option<usize>)| a.is_none() || b.is_none() || a == b;
            if own.len() != before.len() || !own[..alike].iter().zip(&before[..alike]).all(fits) {
                let expected = format!("sizes like those of `{first}`, {}", Spec::Dense(before.clone()));
                return Err(Error::invalid(format!("{kind}, input `{name}`"), expected, Spec::Dense(own)));
            }
            // One of them may know what another leaves open.
            before.iter_mut().zip(own).for_each(|(before, own)| *before = before.or(own));
        }
        let spec = Spec::Dense(sizes.map(|(_, sizes)| sizes).unwrap_or_default());
        Ok(if matches!(self, How::SideBySide) { spec.with_features(features) } else { spec })
    }
}

#[derive(Debug)]
struct MergeModule {
    kind: &'static str,
    how: How,
}

impl MergeModule {
    fn merged<B: Backend>(&self, parts: &[Tensor<B>]) -> Result<Tensor<B>> {
        let [first, others @ ..] = parts else { return Err(Error::invalid(self.kind, "an input", "none")) };
        if let Some(other) = others.iter().find(|other| {
            let alike = first.shape().rank() - usize::from(matches!(self.how, How::SideBySide));
            other.shape().rank() != first.shape().rank() || other.shape()[..alike] != first.shape()[..alike]
        }) {
            return Err(Error::shapes(self.kind, first.shape(), other.shape(), "inputs are alike"));
        }
        let fold = |f: fn(&Tensor<B>, &Tensor<B>) -> Result<Tensor<B>>| {
            others.iter().try_fold(first.clone(), |so_far, other| f(&so_far, other))
        };
        match self.how {
            How::Two => fold(Tensor::sub),
            How::Each(Operation::Add) => fold(Tensor::add),
            How::Each(Operation::Multiply) => fold(Tensor::mul),
            How::Each(Operation::Maximum) => fold(Tensor::maximum),
            How::Each(Operation::Average) => fold(Tensor::add)?.affine(1.0 / parts.len() as f64, 0.0),
            How::SideBySide => Tensor::concat(&parts.iter().collect::<Vec<_>>(), first.shape().rank() - 1),
        }
    }
}

impl<B: Backend> Module<B> for MergeModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (mut parts, mut all): (Vec<Tensor<B>>, Option<Mask<B>>) = (Vec::new(), None);
        for (_, part) in input.record()? {
            let (value, mask) = part.cleared(pass)?;
            parts.push(value.tensor(pass)?);
            all = match (all, mask) {
                (Some(one), Some(other)) => Some(one.and(pass.backend(), &other)?),
                (one, other) => one.or(other),
            };
        }
        Ok(Value::Tensor(self.merged(&parts)?).with_clean_mask(all))
    }

    // Sums, products and means of what comes out of one activation are within its bounds or not; side by side they are.
    fn last_activation(&self, input: Last) -> Last {
        let Last::Record(parts) = input else { return Last::Unknown };
        let mut each = parts.iter().map(|(_, part)| part.known());
        let first = each.next().flatten();
        let same = each.all(|other| other == first);
        let kept = first.filter(|last| {
            same && last.is_elementwise()
                && matches!(self.how, How::SideBySide | How::Each(Operation::Average | Operation::Maximum))
        });
        kept.into()
    }
}
