//! The directory that layers are applied to. One that was made for the purpose is
//! removed again unless all went well, also when a signal ends the tool.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use common::cleanup::{self, Guard};
use common::cli::Failure;
use common::name::show_path;
use common::root::{self, Root};

/// How often the removal is begun again while another thread is still writing.
const MAX_RACES: usize = 1000;

/// The open directory.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    root: Root,
    /// Removes it, if it was made here.
    guard: Option<Guard>,
}

impl Directory {
    /// Opens the directory, made if it is missing.
    ///
    /// # Errors
    /// What is no directory, or cannot be made.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        Self::open_or_make(path).map_err(|error| Failure::about(show_path(path), error))
    }

    fn open_or_make(path: &Path) -> io::Result<Self> {
        let guard = match DirBuilder::new().mode(0o755).create(path) {
            Ok(()) => Some(remove_later(path)?),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.into(), root: Root::open(path)?, guard })
    }

    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// A directory that cannot be listed.
    pub(crate) fn is_empty(&self) -> Result<bool, Failure> {
        match fs::read_dir(&self.path) {
            Ok(mut entries) => Ok(entries.next().is_none()),
            Err(error) => Err(Failure::about(show_path(&self.path), error)),
        }
    }

    /// A failure about the directory.
    pub(crate) fn failure(&self, text: &str) -> Failure {
        Failure::new(format!("{}: {text}", show_path(&self.path)))
    }

    /// All went well.
    pub(crate) fn keep(self) {
        if let Some(guard) = self.guard {
            guard.forget();
        }
    }
}

/// Registers the removal of the directory that was just made at `path`, by a
/// descriptor of the one it was made in.
fn remove_later(path: &Path) -> io::Result<Guard> {
    // `a/b/.` and `a/b/` were made as `b` in `a`.
    let made = fs::canonicalize(path)?;
    let (Some(above), Some(name)) = (made.parent(), made.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (above, name) = (File::open(above)?, name.as_bytes().to_vec());
    Ok(cleanup::register(move || {
        for _ in 0..MAX_RACES {
            match root::remove(above.as_fd(), &name) {
                // A signal's clean-up runs beside the threads that still write.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                _ => return,
            }
        }
    }))
}
