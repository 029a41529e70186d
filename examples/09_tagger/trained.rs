//! A tagger with what the program keeps in its file besides.

use super::common::run::{CURE, RunSettings};
use super::settings::Settings;
use anyhow::Context;
use elman::Backend;
use elman::checkpoint::Extras;
use elman::pipeline::Tagger;
use std::path::Path;

/// Names of the extras: how it was trained, and how many columns the files had, if they were columns.
const SETTINGS: &str = "settings";
const COLUMNS: &str = "columns";

/// All that its file holds besides the model.
pub fn extras<B: Backend>(tagger: &Tagger<B>, settings: &Settings, columns: Option<usize>) -> anyhow::Result<Extras> {
    Ok(tagger.extras()?.with(SETTINGS, &settings.with_bare_names()?)?.with(COLUMNS, &columns)?)
}

/// The tagger of a file, and the columns of the files that it was trained on, if they are columns.
pub fn load<B: Backend>(backend: &B, path: &Path) -> anyhow::Result<(Tagger<B>, Option<usize>)> {
    let tagger = Tagger::load(backend, path).map_err(|error| {
        let diverged = error.to_string().contains("the training diverged");
        let cure = if diverged { format!("; {CURE}") } else { String::new() };
        anyhow::anyhow!("{error}{cure}")
    })?;
    let columns = Extras::read(path)?.get(COLUMNS);
    Ok((tagger, columns.with_context(|| format!("{}: not written by this program", path.display()))?))
}
