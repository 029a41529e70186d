//! What files of texts give, and what is said of them: the helpers of these tests.

use elman::data::{TextColumns, Texts, read_texts};

/// Writes `bytes` to a file of that name and hands it to `read`; errors come back as text that begins after the file's
/// name.
pub fn of_file<T>(
    name: &str,
    bytes: impl AsRef<[u8]>,
    read: impl FnOnce(&std::path::Path) -> elman::Result<T>,
) -> Result<T, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&path).map_err(|error| {
        let (text, name) = (error.to_string(), path.display().to_string());
        text.strip_prefix(&name).map(str::to_string).unwrap_or(text)
    })
}

/// Reads a file of texts with the columns `label` and `text`.
pub fn texts(name: &str, bytes: impl AsRef<[u8]>) -> Result<Texts, String> {
    of_file(name, bytes, |path| read_texts(path, &TextColumns::default()))
}

/// A file's labels and texts, label by label.
pub fn pairs(name: &str, bytes: impl AsRef<[u8]>) -> Vec<(String, String)> {
    let found = texts(name, bytes).unwrap_or_else(|error| panic!("{name}{error}"));
    let label = |&class: &u32| found.labels.name(class).unwrap().to_string();
    found.classes.iter().map(label).zip(found.texts.clone()).collect()
}

/// Whether these are a file's labels and texts.
pub fn holds(name: &str, bytes: impl AsRef<[u8]>, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(label, text)| (label.to_string(), text.to_string())).collect();
    assert_eq!(pairs(name, bytes), expected, "{name}");
}

/// What is said of a file that is refused.
pub fn error(name: &str, bytes: impl AsRef<[u8]>) -> String {
    texts(name, bytes).map(|found| panic!("{name} was read: {found:?}")).unwrap_err()
}
