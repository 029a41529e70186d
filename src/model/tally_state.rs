//! What the tally of an epoch has counted, as a checkpoint within the epoch keeps it.

use super::steps::Steps;
use crate::error::{Error, Result};
use crate::exact::Exact;
use serde::{Deserialize, Serialize};

/// What the running loss and metrics of an epoch have counted; the metrics' numbers are at `@metric/number`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TallyState {
    pub(crate) loss_sum: Exact,
    /// What the loss is a mean over; before it was there it was one over samples.
    #[serde(default)]
    pub(crate) counted: Option<Exact>,
    /// Both of the objectives after the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) others: Vec<(Exact, Exact)>,
    /// The penalties times samples, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) penalties: Option<Exact>,
    pub(crate) samples: usize,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) skipped: u64,
    pub(crate) astray: bool,
    /// Losses by update, where they are logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<Steps>,
    /// Names of the metrics.
    pub(crate) metrics: Vec<String>,
    #[serde(skip)]
    pub(crate) counts: Vec<Vec<f64>>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a training was saved with and goes on with must be the same.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, saved: &T, now: &T) -> Result<()> {
    if saved == now {
        return Ok(());
    }
    Err(Error::invalid(format!("checkpoint: {what}"), format!("{saved:?}, as it was saved"), format!("{now:?}")))
}
