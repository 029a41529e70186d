//! What has been compiled, on the disk.

use super::sources::Source;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Between the source and the image in a file.
const MARK: &str = "\n//// compiled\n";

/// The image of a source by the compiler that `by` tells (its version and its target), if it is in the folder.
pub(super) fn read(folder: &Path, source: Source, by: &str) -> Option<Vec<u8>> {
    let mut file = std::fs::read(path(folder, source, by)).ok()?;
    // The whole source is compared: names are short, and a wrong image would compute wrong numbers.
    let begin = begin(source, by);
    file.starts_with(begin.as_bytes()).then(|| file.split_off(begin.len()))
}

/// Keeps an image. Nobody minds if that fails.
pub(super) fn write(folder: &Path, source: Source, by: &str, image: &[u8]) {
    let path = path(folder, source, by);
    let beside = path.with_extension(std::process::id().to_string());
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&beside, [begin(source, by).as_bytes(), image].concat()))
        .and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(beside);
    }
}

fn path(folder: &Path, source: Source, by: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (source, by).hash(&mut hasher);
    folder.join(format!("{}-{:016x}.image", source.name, hasher.finish()))
}

fn begin(Source { text, .. }: Source, by: &str) -> String {
    format!("// {by}\n{text}{MARK}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Source = Source { name: "one", text: "a text" };

    #[test]
    fn an_image_is_found_again_by_its_source_and_compiler_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = &folder.path().join("new");
        assert_eq!(read(folder, ONE, "a compiler"), None);
        write(folder, ONE, "a compiler", b"its image");
        assert_eq!(read(folder, ONE, "a compiler"), Some(b"its image".to_vec()));
        assert_eq!(read(folder, ONE, "another"), None);
        assert_eq!(read(folder, Source { text: "another text", ..ONE }, "a compiler"), None);
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_the_source_s_own_image_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let other = Source { text: "another text", ..ONE };
        write(folder.path(), other, "a compiler", b"another image");
        std::fs::rename(path(folder.path(), other, "a compiler"), path(folder.path(), ONE, "a compiler")).unwrap();
        assert_eq!(read(folder.path(), ONE, "a compiler"), None);
        // A folder that cannot be is no error.
        write(Path::new("/dev/null/none"), ONE, "a compiler", b"an image");
    }
}
