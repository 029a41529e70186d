//! Checksums in a file's metadata: what a disk, a copy or a bad cable has changed is told and not loaded.
//!
//! `elman.checksum` is the first entry of the metadata: `crc32 H A B ...`, each eight hexadecimal digits. `H` is the
//! CRC-32 (as in gzip and PNG) of the header, whose eight digits of `H` count as zeros; the others are those of the
//! arrays' bytes, in the order of their names. So a flipped bit is found in the header when a file is opened, in an
//! array when that array is read: nothing is read twice, and what only looks at the metadata need not read the arrays.

use super::layout::{FORMAT, WITHOUT_CHECKSUMS};
use safetensors::tensor::Metadata;
use std::collections::{BTreeMap, BTreeSet};

/// Key of the checksums in the metadata.
const KEY: &str = "elman.checksum";
/// What a header begins with that has checksums; the first of them follows.
const BEGINNING: &str = "{\"__metadata__\":{\"elman.checksum\":\"crc32 ";
/// The digits of a checksum.
const DIGITS: usize = 8;

/// The beginning of a header for so many arrays, up to the metadata's next entry, with room for the checksums.
pub(super) fn beginning(arrays: usize) -> String {
    format!("{BEGINNING}{}\"", vec!["0".repeat(DIGITS); arrays + 1].join(" "))
}

/// Puts the checksums in their place: those of the arrays, in the order of their names, and that of the header.
pub(super) fn seal(header: &mut String, arrays: &BTreeMap<String, u32>) {
    let all: String = arrays.values().map(|sum| format!(" {sum:08x}")).collect();
    let after = BEGINNING.len() + DIGITS;
    header.replace_range(after..after + all.len(), &all);
    let sum = of_header(header);
    header.replace_range(BEGINNING.len()..after, &format!("{sum:08x}"));
}

/// The checksum of a header that begins as [`BEGINNING`] says.
fn of_header(header: &str) -> u32 {
    let (before, rest) = header.split_at(BEGINNING.len());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(before.as_bytes());
    hasher.update(&[b'0'; DIGITS]);
    hasher.update(rest.get(DIGITS..).unwrap_or_default().as_bytes());
    hasher.finalize()
}

/// What the arrays of a file must have: their checksums by name, none of them where the file has none. Errors with what
/// is wrong with the header.
pub(super) fn of_arrays(header: &str, parsed: &Metadata) -> Result<BTreeMap<String, u32>, String> {
    let metadata = |key: &str| parsed.metadata().as_ref().and_then(|all| all.get(key)).map(String::as_str);
    let found = match (metadata(FORMAT.0), metadata(KEY)) {
        // Of others, or from before there were checksums.
        (None | Some(WITHOUT_CHECKSUMS), None) => return Ok(BTreeMap::new()),
        (None | Some(WITHOUT_CHECKSUMS), found) => found,
        (Some(version), found) if version == FORMAT.1 => found,
        // Of a version that is refused by whoever needs to know it.
        (Some(_), _) => return Ok(BTreeMap::new()),
    };
    let (Some(found), true) = (found, header.starts_with(BEGINNING)) else {
        let why = "the header is damaged: its checksum is not where it was written (a program that writes the file anew \
                   must leave `elman.checksum` and `elman.format` out of the metadata)";
        return Err(why.into());
    };
    let sum = format!("{:08x}", of_header(header));
    let mut sums = found.split(' ').skip(1);
    let written = sums.next().unwrap_or_default();
    if written != sum {
        return Err(damaged("the header", &sum, written));
    }
    // Whatever follows was written so: the header is whole.
    let names: BTreeSet<String> = parsed.offset_keys().into_iter().collect();
    let sums: Vec<u32> = sums.filter_map(|sum| u32::from_str_radix(sum, 16).ok()).collect();
    if sums.len() != names.len() {
        return Err(format!("{} checksums for {} arrays", sums.len(), names.len()));
    }
    Ok(names.into_iter().zip(sums).collect())
}

/// Errors with what is wrong with an array whose bytes do not have their checksum.
pub(super) fn check(name: &str, bytes: &[u8], written: u32) -> Result<(), String> {
    let sum = crc32fast::hash(bytes);
    if sum == written {
        return Ok(());
    }
    Err(damaged(&format!("`{name}`"), &format!("{sum:08x}"), &format!("{written:08x}")))
}

fn damaged(what: &str, sum: &str, written: &str) -> String {
    format!("{what} is damaged: its checksum is {sum}, what was written had {written}")
}
