//! Every reader of the library against files made at random: of sound ones, bytes and structure are changed, again and
//! again. A target says what must hold of a file, whatever is in it (`targets`); the driver makes files, and catches
//! panics, calls that take too long and memory beyond what the file's length explains (`driver`).
//!
//! `scripts/fuzz.sh` runs it; the README here says how.

mod coverage;
mod driver;
mod memory;
mod mutate;
mod place;
mod random;
mod targets;

use driver::{Options, Until};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: fuzz TARGET|all [--inputs N | --seconds S | --minutes M] [--seed S] [--keep]\n\
                     \x20      fuzz TARGET FILE...    what a target says of files";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(found) => {
            eprintln!("{found} findings");
            ExitCode::FAILURE
        }
        Err(why) => {
            let names: Vec<&str> = targets::ALL.iter().map(|target| target.name).collect();
            eprintln!("{why}\n{USAGE}\ntargets: {}", names.join(", "));
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Vec<String>) -> Result<usize, String> {
    let mut arguments = arguments.into_iter();
    let name = arguments.next().ok_or("which target?")?;
    let chosen: Vec<_> = targets::ALL.iter().filter(|target| name == "all" || name == target.name).collect();
    if chosen.is_empty() {
        return Err(format!("there is no target `{name}`"));
    }
    let (mut options, mut files) = (Options { until: Until::Inputs(20_000), seed: 0, keep: false }, Vec::new());
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64, String> {
            let text = arguments.next().ok_or_else(|| format!("{argument}: a number is missing"))?;
            text.replace('_', "").parse().map_err(|_| format!("{argument} {text}: not a number"))
        };
        match argument.as_str() {
            "--inputs" => options.until = Until::Inputs(number()?),
            "--seconds" => options.until = Until::Time(Duration::from_secs(number()?)),
            "--minutes" => options.until = Until::Time(Duration::from_secs(60 * number()?)),
            "--seed" => options.seed = number()?,
            "--keep" => options.keep = true,
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            file => files.push(file.to_string()),
        }
    }
    match &files[..] {
        [] => Ok(chosen.into_iter().map(|target| driver::run(target, &options)).sum()),
        files => {
            let of = |file: &String| std::fs::read(file).map_err(|error| format!("{file}: {error}"));
            let files = files.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            Ok(chosen.into_iter().map(|target| driver::replay(target, files.clone())).sum())
        }
    }
}
