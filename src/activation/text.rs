//! Activations as text: what they are printed as and read from.

use super::Activation;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// All of them, those that take a number with the one that is meant where none stands.
const ALL: [Activation; 21] = [
    Activation::Linear,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::HardSigmoidKeras1,
    Activation::Tanh,
    Activation::Relu,
    // What is meant by none differs: it must stand there.
    Activation::LeakyRelu(f64::NAN),
    Activation::Elu(1.0),
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Softplus,
    Activation::Selu,
    Activation::Celu(1.0),
    Activation::Mish,
    Activation::HardSwish,
    Activation::Softsign,
    Activation::Relu6,
    Activation::LogSigmoid,
    Activation::Softmax,
    Activation::LogSoftmax,
];

impl Activation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Sigmoid => "sigmoid",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::HardSigmoidKeras1 => "hard_sigmoid_keras1",
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Elu(_) => "elu",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_tanh",
            Activation::Silu => "silu",
            Activation::Softplus => "softplus",
            Activation::Selu => "selu",
            Activation::Celu(_) => "celu",
            Activation::Mish => "mish",
            Activation::HardSwish => "hard_swish",
            Activation::Softsign => "softsign",
            Activation::Relu6 => "relu6",
            Activation::LogSigmoid => "log_sigmoid",
            Activation::Softmax => "softmax",
            Activation::LogSoftmax => "log_softmax",
        }
    }

    /// The number that it takes, if it does.
    fn number(self) -> Option<f64> {
        match self {
            Activation::LeakyRelu(x) | Activation::Elu(x) | Activation::Celu(x) => Some(x),
            _ => None,
        }
    }

    /// The same with another number; `None` for one that takes none.
    fn with_number(self, x: f64) -> Option<Activation> {
        match self {
            Activation::LeakyRelu(_) => Some(Activation::LeakyRelu(x)),
            Activation::Elu(_) => Some(Activation::Elu(x)),
            Activation::Celu(_) => Some(Activation::Celu(x)),
            _ => None,
        }
    }
}

/// `tanh`, `leaky_relu(0.2)`.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            None => f.pad(self.name()),
            Some(x) => f.pad(&format!("{}({x})", self.name())),
        }
    }
}

/// What it is printed as; `elu` and `celu` without a number are those of 1, and for `leaky_relu`, of which Keras' is 0.2 and
/// PyTorch's 0.01, it must stand there. Errors: a name that is none of those that the message lists, a number that
/// is none or not allowed.
impl FromStr for Activation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let place = "activation";
        let (name, number) = match text.split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
            None => (text, None),
        };
        let Some(found) = ALL.into_iter().find(|activation| activation.name() == name) else {
            let names = ALL.map(|activation| match activation.number() {
                Some(x) if x.is_nan() => format!("{}(0.2)", activation.name()),
                _ => activation.to_string(),
            });
            return Err(Error::invalid(place, format!("one of {}", names.join(", ")), format!("`{text}`")));
        };
        let example = || format!("`{name}(0.2)`, a number in parentheses");
        let wrong = |expected: String| Err(Error::invalid(place, expected, format!("`{text}`")));
        let found = match number {
            None if found.number().is_some_and(f64::is_nan) => return wrong(example()),
            None => found,
            Some(_) if !text.ends_with(')') => return wrong(example()),
            Some(number) => match (found.number(), number.parse()) {
                (None, _) => return wrong(format!("`{name}`, which takes no number")),
                (_, Ok(x)) => found.with_number(x).unwrap_or(found),
                (_, Err(_)) => return wrong(example()),
            },
        };
        found.check()?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for activation in ALL {
            let numbers = [0.2, 1.0, 1e-300, 1.5e300, 0.1 + 0.2];
            for each in numbers.map(|x| activation.with_number(x).unwrap_or(activation)) {
                assert_eq!(each.to_string().parse::<Activation>().unwrap(), each, "{each}");
                // The name in a description, too.
                let described = serde_json::to_value(each).unwrap();
                let name = described.as_str().or_else(|| described.as_object()?.keys().next().map(String::as_str));
                assert_eq!(name, Some(each.name()));
            }
        }
        assert_eq!("leaky_relu(-0.2)".parse::<Activation>().unwrap(), Activation::LeakyRelu(-0.2));
        assert_eq!("elu".parse::<Activation>().unwrap(), Activation::Elu(1.0));
        assert_eq!("celu".parse::<Activation>().unwrap(), Activation::Celu(1.0));
        assert_eq!(format!("[{:>6}]", Activation::Tanh), "[  tanh]");
        assert_eq!(Activation::LeakyRelu(0.2).to_string(), "leaky_relu(0.2)");
    }

    #[test]
    fn what_is_none_is_told() {
        let error = |text: &str| text.parse::<Activation>().unwrap_err().to_string();
        let unknown = error("rleu");
        assert!(unknown.ends_with("found `rleu`") && unknown.contains("one of linear, sigmoid, "), "{unknown}");
        for activation in ALL {
            assert!(unknown.contains(activation.name()), "{activation}");
        }
        assert!(unknown.contains("leaky_relu(0.2), elu(1), "), "{unknown}");
        assert_eq!(error("tanh(1)"), "activation: expected `tanh`, which takes no number, found `tanh(1)`");
        for text in ["leaky_relu", "leaky_relu()", "leaky_relu(x)", "leaky_relu(0.2", "leaky_relu(0.2))", "elu(1)x"] {
            assert!(error(text).contains("a number in parentheses, found `"), "{text}: {}", error(text));
        }
        assert!(error("leaky_relu(inf)").contains("a finite number") && error("celu(-1)").contains("above 0"));
        assert!(error("").ends_with("found ``") && error("Tanh").ends_with("found `Tanh`"));
    }
}
