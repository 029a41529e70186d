//! [`Lambda`]: a layer without parameters from two closures.

use super::{Built, Layer, Module, Pass, Scope, Spec, Value};
use crate::backend::Backend;
use crate::error::Result;
use std::fmt;
use std::sync::Arc;

type Output = dyn Fn(&Spec) -> Result<Spec> + Send + Sync;
type Compute<B> = dyn Fn(Value<B>, &mut Pass<'_, B>) -> Result<Value<B>> + Send + Sync;

/// A layer without parameters that computes what a closure says; another says what comes out of what input. A closure cannot be
/// described: a model with one is trained and predicts, and [`Model::save`](crate::Model::save) is an error that names it. A layer of
/// one's own ([`Layer`]) costs a few lines more and has no such limits.
///
/// ```
/// use elman::layers::{Dense, Graph, Lambda};
/// use elman::Spec;
/// use elman_reference::Reference;
/// type B = Reference<f32>;
///
/// let distance = Lambda::<B>::new(
///     |input| Ok(input.parts()?.part("left")?.clone()),
///     |input, pass| {
///         let [left, right] = input.parts(["left", "right"])?;
///         Ok(left.tensor(pass)?.sub(&right.tensor(pass)?)?.abs()?.into())
///     },
/// );
/// let network = Graph::new().node("distance", distance, ["left", "right"]).node("same", Dense::new(1), "distance").output("same");
/// let input = Spec::record([("left", Spec::dense(&[3])), ("right", Spec::dense(&[3]))])?;
/// assert_eq!(network.build(&B::new(), input, 0)?.output(), &Spec::dense(&[1]));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Lambda<B: Backend> {
    output: Arc<Output>,
    compute: Arc<Compute<B>>,
}

impl<B: Backend> Lambda<B> {
    /// A layer whose input, of this kind and shape, gives what `output` says and has the value that `compute` makes of it.
    pub fn new(
        output: impl Fn(&Spec) -> Result<Spec> + Send + Sync + 'static,
        compute: impl Fn(Value<B>, &mut Pass<'_, B>) -> Result<Value<B>> + Send + Sync + 'static,
    ) -> Self {
        Lambda { output: Arc::new(output), compute: Arc::new(compute) }
    }
}

impl<B: Backend> fmt::Debug for Lambda<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lambda")
    }
}

impl<B: Backend> Layer<B> for Lambda<B> {
    fn kind(&self) -> &'static str {
        "lambda"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        let output = (self.output)(input)?;
        Ok(Built::new(LambdaModule { compute: self.compute.clone(), output: output.clone() }, output))
    }
}

struct LambdaModule<B: Backend> {
    compute: Arc<Compute<B>>,
    output: Spec,
}

impl<B: Backend> fmt::Debug for LambdaModule<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaModule").field("output", &self.output).finish_non_exhaustive()
    }
}

impl<B: Backend> Module<B> for LambdaModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let value = (self.compute)(input, pass)?;
        self.output.check_value("value of the closure", &value, pass.backend())?;
        Ok(value)
    }
}
