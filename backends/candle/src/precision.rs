//! [`Precision`]: what a GPU multiplies matrices with.

use elman::Error;
use std::fmt;
use std::str::FromStr;

/// The numbers that a GPU's matrix products multiply; their sums are of `f32` always, and so is all that is stored.
///
/// Fewer bits go through a GPU's tensor cores, at several times the speed: on an H100 67, 495 and 989 thousand million
/// operations a millisecond at the best. A product of `k` numbers of size 1 is off by about `√k` times the relative error.
///
/// ```
/// use elman_candle::Precision;
/// assert_eq!("tf32".parse::<Precision>()?, Precision::Tf32);
/// assert_eq!(Precision::default(), Precision::F32);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// All 24 bits of an `f32`: relative errors of 6e-8. The default, and the numbers of the CPU. (PyTorch's recurrent networks
    /// take TF32 unless they are told otherwise.)
    #[default]
    F32,
    /// TensorFloat-32: 11 bits, relative errors of 5e-4, the range of an `f32`.
    Tf32,
    /// bfloat16: 8 bits, relative errors of 4e-3, the range of an `f32`.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "f32" => Ok(Precision::F32),
            "tf32" => Ok(Precision::Tf32),
            "bf16" => Ok(Precision::Bf16),
            other => Err(Error::invalid("precision", "f32, tf32 or bf16", other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            assert_eq!(precision.to_string().parse::<Precision>().unwrap(), precision);
        }
        let message = "f16".parse::<Precision>().unwrap_err().to_string();
        assert!(message.contains("f16") && message.contains("bf16"), "{message}");
    }
}
