//! What a program prints and how it ends: an error that is told and no panic, whatever standard output is.

// Each example uses its part of them.
#![allow(unused_macros)]

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// `println!` whose failure is an error that names the place: standard output may be a pipe that is closed, or a full disk.
macro_rules! say {
    ($($arguments:tt)*) => {
        anyhow::Context::context(
            std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($arguments)*))),
            "standard output",
        )
    };
}
pub(crate) use say;

/// Tells of a training, which goes on if nobody listens any more.
macro_rules! tell {
    ($($arguments:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($arguments)*))).unwrap_or(())
    };
}
pub(crate) use tell;

/// A note beside the results, on standard error, which may be closed or full too.
macro_rules! note {
    ($($arguments:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("note: {}\n", format_args!($($arguments)*)))
            .unwrap_or(())
    };
}
pub(crate) use note;

/// The end of a program: its error on standard error, and a status.
pub fn exit(result: anyhow::Result<()>) -> ExitCode {
    // What was printed without a line's end.
    let result = result.and_then(|()| anyhow::Context::context(io::stdout().flush(), "standard output"));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has read enough (`| head`): no failure to tell of, and nobody to tell.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "error: {error:#}").unwrap_or(());
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|error| {
        let of_library = error.downcast_ref().and_then(|error| match error {
            elman::Error::Io { error, .. } => Some(error),
            _ => None,
        });
        let of_system = error.downcast_ref::<io::Error>().or(of_library);
        of_system.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    })
}

/// An error for options that are wrong: all of them at once.
pub fn refuse(problems: Vec<String>) -> anyhow::Result<()> {
    match &problems[..] {
        [] => Ok(()),
        [problem] => anyhow::bail!("{problem}"),
        all => anyhow::bail!("{} options are wrong:\n  {}", all.len(), all.join("\n  ")),
    }
}
