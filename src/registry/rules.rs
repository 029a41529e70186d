//! The library's rules by kind.

use super::Registry;
use crate::backend::Backend;
use crate::optim::*;

pub(super) fn add<B: Backend>(registry: Registry<B>) -> Registry<B> {
    registry
        .with_rule::<AdaDelta>("adadelta")
        .with_rule::<AdaGrad>("adagrad")
        .with_rule::<Adam>("adam")
        .with_rule::<Adamax>("adamax")
        .with_rule::<Nadam>("nadam")
        .with_rule::<RAdam>("radam")
        .with_rule::<RmsProp>("rmsprop")
        .with_rule::<Sgd>("sgd")
}
