//! [`Exact`]: a number in JSON that comes back to the bit.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An `f64` that JSON gives back to the bit: a string of the shortest digits that mean it (`"0.1"`, `"-inf"`), or of a
/// NaN's bits (`"0x7ff8000000000000"`). JSON itself has neither infinities nor NaN, and readers round its numbers.
///
/// ```
/// use elman::checkpoint::Exact;
/// let text = serde_json::to_string(&[Exact(0.1), Exact(f64::NEG_INFINITY)])?;
/// assert_eq!(text, r#"["0.1","-inf"]"#);
/// let back: Vec<Exact> = serde_json::from_str(&text)?;
/// assert_eq!(back, [Exact(0.1), Exact(f64::NEG_INFINITY)]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.is_nan() {
            true => serializer.collect_str(&format_args!("{:#018x}", self.0.to_bits())),
            false => serializer.collect_str(&format_args!("{:?}", self.0)),
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = match text.strip_prefix("0x") {
            Some(bits) => u64::from_str_radix(bits, 16).ok().map(f64::from_bits),
            None => text.parse().ok(),
        };
        number.map(Exact).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"a number as a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_comes_back_to_the_bit(bits: u64) {
            let text = serde_json::to_string(&Exact(f64::from_bits(bits))).unwrap();
            let back: Exact = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back.0.to_bits(), bits);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["\"\"", "\"0x\"", "\"0xg\"", "\"one\"", "1.5", "null"] {
            assert!(serde_json::from_str::<Exact>(text).is_err(), "{text}");
        }
        // Those that the law above seldom meets.
        for bits in [0, 1, 1 << 63, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, 0xfff8_0000_0000_0001] {
            let text = serde_json::to_string(&Exact(f64::from_bits(bits))).unwrap();
            assert_eq!(serde_json::from_str::<Exact>(&text).unwrap().0.to_bits(), bits, "{text}");
        }
    }
}
