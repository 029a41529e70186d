//! A safetensors file with something changed in its header, its length told right; or in its arrays.

use super::json;
use crate::random::Random;
use serde_json::{Value, json as value};

/// Header and arrays of a file; `None` of what is none.
pub(crate) fn unpack(file: &[u8]) -> Option<(Value, &[u8])> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    let (header, arrays) = rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
    Some((serde_json::from_slice(header).ok()?, arrays))
}

pub(crate) fn pack(header: &Value, arrays: &[u8]) -> Vec<u8> {
    let mut header = header.to_string();
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), arrays].concat()
}

/// A file of arrays of `f32` with these shapes, whose numbers tell their places.
pub(crate) fn file(arrays: &[(&str, &[usize])]) -> Vec<u8> {
    let (mut header, mut bytes) = (value!({}), Vec::new());
    for (name, shape) in arrays {
        let (start, count) = (bytes.len(), shape.iter().product::<usize>());
        bytes.extend((0..count).flat_map(|i| (i as f32 / 64.0).to_le_bytes()));
        header[name] = value!({"dtype": "F32", "shape": shape, "data_offsets": [start, bytes.len()]});
    }
    pack(&header, &bytes)
}

/// The file as it was before there were checksums, so that changes get past them.
pub(crate) fn without_checksums(file: &[u8]) -> Option<Vec<u8>> {
    let (mut header, arrays) = unpack(file)?;
    let metadata = header.get_mut("__metadata__")?.as_object_mut()?;
    metadata.remove("elman.checksum");
    metadata.insert("elman.format".into(), value!("1"));
    Some(pack(&header, arrays))
}

pub(crate) fn mutate(input: &mut Vec<u8>, words: &[&str], random: &mut Random) {
    let Some((mut header, arrays)) = unpack(input) else {
        return super::bytes(input, &[], words, random);
    };
    let mut arrays = arrays.to_vec();
    match random.below(8) {
        0 => super::bytes(&mut arrays, &[], words, random),
        // Types and shapes that still add up.
        1 => retyped(&mut header, random),
        _ => json::change(&mut header, words, random),
    }
    *input = pack(&header, &arrays);
}

/// An array of the same bytes with another shape or type.
fn retyped(header: &mut Value, random: &mut Random) {
    let Some(fields) = header.as_object_mut() else { return };
    let names: Vec<String> = fields.keys().filter(|name| *name != "__metadata__").cloned().collect();
    if names.is_empty() {
        return;
    }
    let info = &mut fields[&names[random.below(names.len())]];
    if !info.is_object() {
        return;
    }
    let bytes = |end: usize| info["data_offsets"][end].as_u64().unwrap_or(0);
    let bytes = bytes(1).saturating_sub(bytes(0));
    let (dtype, size) = random.pick(&[("F32", 4), ("F64", 8), ("F16", 2), ("BF16", 2), ("U8", 1), ("I64", 8)]);
    let count = bytes / size;
    info["dtype"] = value!(dtype);
    info["shape"] = match random.below(5) {
        0 => value!([count]),
        1 => value!([1, count]),
        2 => value!([count, 1, 1]),
        3 => value!([2, count / 2]),
        _ => value!([]),
    };
}
