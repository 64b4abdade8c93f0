//! Directories that commands filled as users with subordinate ids, and that rm(1) cannot
//! remove.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use common::cli::{Failure, Status};
use common::name::show_path;
use common::options::UserOptions;
use common::root;
use common::stream::{self, Output, Payload};

use crate::cli::Cli;

/// Removes the directories of `--upper`, or with `--dry-run` only checks them.
///
/// # Errors
/// Subordinate ids are granted and cannot be used. A directory that cannot be removed
/// does not keep the others.
///
/// # Streams
/// Writes the directories to standard output.
pub(crate) fn remove(cli: &Cli) -> Result<Status, Failure> {
    // The status of a runner is for tools that run a command.
    let again = UserOptions::default().apply();
    if let Some(status) = again.map_err(|failure| failure.with_status(Status::FAILED))? {
        return Ok(status);
    }
    let mut output = Output::standard(Payload::Text)?;
    let end: &[u8] = if cli.null { b"\0" } else { b"\n" };
    let mut status = Status::DONE;
    for dir in &cli.upper {
        match remove_one(dir, cli.dry_run) {
            Ok(()) => output
                .write_all(&[dir.as_os_str().as_bytes(), end].concat())
                .map_err(stream::Error::StandardOutput)?,
            Err(error) => {
                Failure::about(show_path(dir), error).report();
                status = Status::FAILED;
            }
        }
    }
    output.commit()?;
    Ok(status)
}

fn remove_one(dir: &Path, only_look: bool) -> std::io::Result<()> {
    // A link to a directory is not the directory.
    if !std::fs::symlink_metadata(dir)?.is_dir() {
        return Err(std::io::ErrorKind::NotADirectory.into());
    }
    // With its links resolved it has a parent and a name, which `..` has not.
    let dir = std::fs::canonicalize(dir)?;
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else {
        return Err(std::io::Error::other("the root of everything is not removed"));
    };
    if !only_look {
        root::remove(File::open(parent)?.as_fd(), name.as_bytes())?;
    }
    Ok(())
}
