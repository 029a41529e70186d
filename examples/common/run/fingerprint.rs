//! What a training sees of its files, as hashes: by them it knows its data again, wherever they lie.

use std::path::Path;

/// A hash of what a training goes through (FNV-1a, 64 bits), to know it again; not proof against malice.
pub struct Fingerprint(u64);

impl Fingerprint {
    pub fn new() -> Self {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in some bytes, told apart from those before and after.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    pub fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}

/// A part of the data as the network sees it.
#[derive(Clone, Debug)]
pub struct Part {
    /// In `run.json`.
    pub name: &'static str,
    /// What it is to the user (`texts to train on`).
    pub what: &'static str,
    /// Flag and file that it came from.
    pub from: String,
    /// Its fingerprint; empty where there is no such part.
    pub print: String,
}

impl Part {
    /// A part out of the file of a flag, if there is one.
    pub fn new(name: &'static str, what: &'static str, flag: &str, path: Option<&Path>, print: String) -> Self {
        let path = path.map_or("none".into(), |path| path.display().to_string());
        Part { name, what, from: format!("{flag} {path}"), print }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(parts: &[&str]) -> String {
        let mut print = Fingerprint::new();
        parts.iter().for_each(|part| print.add(part.as_bytes()));
        print.text()
    }

    #[test]
    fn the_fingerprint_sees_order_and_borders() {
        assert_eq!(print(&["good", "film"]), print(&["good", "film"]));
        for other in [&["film", "good"][..], &["goodf", "ilm"], &["good"], &["good", "film", ""]] {
            assert_ne!(print(&["good", "film"]), print(other), "{other:?}");
        }
    }
}
