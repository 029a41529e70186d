//! A JSON value with something changed in it.

use super::NUMBERS;
use crate::random::Random;
use serde_json::{Map, Value, json};

/// Changes the text of a JSON value; one that is none becomes one byte different.
pub(crate) fn mutate(input: &mut Vec<u8>, words: &[&str], random: &mut Random) {
    let Ok(mut value) = serde_json::from_slice::<Value>(input) else {
        return super::bytes(input, &[], words, random);
    };
    change(&mut value, words, random);
    *input = value.to_string().into_bytes();
}

/// Changes a part of a value, wherever it lies.
pub(crate) fn change(value: &mut Value, words: &[&str], random: &mut Random) {
    let count = parts(value);
    let mut at = random.below(count);
    let whole = value.clone();
    if let Some(part) = part(value, &mut at) {
        alter(part, &whole, words, random);
    }
}

fn parts(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(parts).sum(),
        Value::Object(fields) => fields.values().map(parts).sum(),
        _ => 0,
    }
}

/// The part of this number, in the order of the text.
fn part<'a>(value: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(values) => values.iter_mut().find_map(|value| part(value, at)),
        Value::Object(fields) => fields.values_mut().find_map(|value| part(value, at)),
        _ => None,
    }
}

fn alter(value: &mut Value, whole: &Value, words: &[&str], random: &mut Random) {
    // JSON within a text, as checkpoints have it.
    if let Value::String(text) = value
        && random.below(4) > 0
        && let Ok(mut inner) = serde_json::from_str::<Value>(text)
        && (inner.is_object() || inner.is_array())
    {
        change(&mut inner, words, random);
        *text = inner.to_string();
        return;
    }
    let chosen = random.below(6);
    match value {
        Value::Object(fields) if chosen < 4 && !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = names[random.below(names.len())].clone();
            match chosen {
                0 => drop(fields.remove(&name)),
                1 => {
                    let moved = fields.remove(&name).unwrap_or_default();
                    fields.insert(word(words, random), moved);
                }
                2 => {
                    let copied = fields[&name].clone();
                    let other = random.below(names.len());
                    fields.insert(names[other].clone(), copied);
                }
                _ => drop(fields.insert(word(words, random), any(whole, words, random))),
            }
        }
        Value::Array(values) if chosen < 4 && !values.is_empty() => {
            let at = random.below(values.len());
            match chosen {
                0 => drop(values.remove(at)),
                1 => values.insert(at, values[at].clone()),
                2 => {
                    let other = random.below(values.len());
                    values.swap(at, other);
                }
                _ => values.insert(at, any(whole, words, random)),
            }
        }
        Value::String(text) if chosen < 4 => {
            let mut bytes = std::mem::take(text).into_bytes();
            super::bytes(&mut bytes, b"", words, random);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        Value::Number(number) if chosen < 3 => {
            let near = number.as_i64().map(|number| number.wrapping_add(random.below(5) as i64 - 2));
            *value = near.map_or(json!(0), |near| json!(near));
        }
        _ => *value = any(whole, words, random),
    }
}

/// Another value: a part of the whole, or one of every kind.
fn any(whole: &Value, words: &[&str], random: &mut Random) -> Value {
    match random.below(9) {
        0 => Value::Null,
        1 => json!(random.one_in(2)),
        2 | 3 => serde_json::from_str(random.pick(NUMBERS)).unwrap_or(json!(1.5e300)),
        4 => json!(word(words, random)),
        5 => json!([]),
        6 => Value::Object(Map::new()),
        _ => {
            let mut whole = whole.clone();
            let mut at = random.below(parts(&whole));
            part(&mut whole, &mut at).map(|part| part.take()).unwrap_or_default()
        }
    }
}

fn word(words: &[&str], random: &mut Random) -> String {
    if words.is_empty() || random.one_in(6) {
        return "x".repeat(random.below(3));
    }
    random.pick(words).to_string()
}
