//! Texts in JSON objects, one on each line.

use super::{Found, TextColumns};
use crate::error::Result;
use crate::file::{Lines, Source};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

pub(super) fn read(source: Source, columns: &TextColumns, found: &mut Found) -> Result<()> {
    let mut lines = Lines::new(source);
    loop {
        let number = lines.number() + 1;
        let Some(line) = lines.next_line()? else { return Ok(()) };
        // Where files were put together, marks stand in their midst.
        let line = line.trim_start_matches('\u{feff}');
        if line.trim_ascii().is_empty() {
            continue;
        }
        let mut json = serde_json::Deserializer::from_str(line);
        let record = Fields(columns).deserialize(&mut json).and_then(|record| json.end().map(|()| record));
        let (label, text) = record.map_err(|error| {
            // The line within this line is always 1; the column says more.
            let why = error.to_string().replace(" at line 1 column ", " at column ");
            let array = matches!(line.trim_ascii(), "{" | "[") || line.trim_ascii_start().starts_with('[');
            let cure = if array { "; each object stands on one line of its own, without brackets around" } else { "" };
            found.error(number, format!("expected a JSON object with a label and a text, found {why}{cure}"))
        })?;
        found.add(number, &label, text)?;
    }
}

/// Takes the two fields out of an object; the others are passed over without being kept.
struct Fields<'a>(&'a TextColumns);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = (String, String);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = (String, String);

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "an object with the fields `{}` and `{}`", self.0.label, self.0.text)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut label, mut text) = (None, None);
        while let Some(name) = fields.next_key::<String>()? {
            let twice = || A::Error::custom(format!("the field `{name}` a second time"));
            if name == self.0.label {
                let Label(value) = fields.next_value()?;
                if label.replace(value).is_some() {
                    return Err(twice());
                }
            } else if name == self.0.text {
                if text.replace(fields.next_value::<String>()?).is_some() {
                    return Err(twice());
                }
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        let missing = |name: &str| A::Error::custom(format!("no field `{name}`"));
        Ok((label.ok_or_else(|| missing(&self.0.label))?, text.ok_or_else(|| missing(&self.0.text))?))
    }
}

/// A label: a name, a whole number or a boolean.
struct Label(String);

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(LabelVisitor).map(Label)
    }
}

struct LabelVisitor;

impl Visitor<'_> for LabelVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("text, a whole number or a boolean as the label")
    }

    fn visit_str<E>(self, name: &str) -> Result<String, E> {
        Ok(name.to_string())
    }

    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    /// A whole number is one, however it is written: `1.0` is `1`.
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<String, E> {
        // Above this not every whole number is an `f64`: what was meant is not known.
        const EXACT: f64 = (1u64 << 53) as f64;
        if number.fract() == 0.0 && number.abs() < EXACT {
            return Ok((number as i64).to_string());
        }
        Err(E::invalid_type(Unexpected::Float(number), &self))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<String, E> {
        Ok(truth.to_string())
    }
}
