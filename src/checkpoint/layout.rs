//! Which layout a file has, and who wrote it: what readers and writers have in common.

/// Key and value in the file's metadata that say in which version of the layout it is.
pub(super) const FORMAT: (&str, &str) = ("elman.format", "2");
/// The version before there were checksums; otherwise the same.
pub(super) const WITHOUT_CHECKSUMS: &str = "1";
/// Key of the version of the library that wrote a file.
pub(super) const WRITTEN_BY: &str = "elman.version";
/// The version of this library.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The longest header that readers of the format take.
pub(super) const MOST_HEADER: usize = 100_000_000;
