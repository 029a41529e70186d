//! What a text costs, as people in the field say it.

use serde_json::{Value, json};
use std::f64::consts::LN_2;
use std::fmt;

/// The mean cost of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    nats: f64,
    unit: &'static str,
}

impl Figures {
    pub fn new(nats: f64, unit: &'static str) -> Self {
        Figures { nats, unit }
    }

    pub fn json(&self) -> Value {
        json!({ "unit": self.unit, "nats": self.nats, "bits": self.nats / LN_2, "perplexity": self.nats.exp() })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { nats, unit } = self;
        write!(f, "{nats:.4} nats a {unit}, {:.4} bits, perplexity {:.3}", nats / LN_2, nats.exp())
    }
}
