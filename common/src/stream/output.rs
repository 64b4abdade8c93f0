//! An output: standard output, a file that appears whole or not at all, or a
//! pipe or device that is written through. Text for a terminal is escaped on its way.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::NamedTempFile;

use super::{Error, Payload, Pipe, is_standard};
use crate::cleanup::{self, Guard};
use crate::sys;
use crate::terminal::Escaper;

/// Large enough that a layer's headers cost no system call each.
const BUFFER_LEN_BYTES: usize = 128 * 1024;

static PIPE_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether the reader of our output has gone away. The driver then ends the tool
/// as SIGPIPE would, whatever error the failed write has turned into on its way up.
pub fn output_pipe_closed() -> bool {
    PIPE_CLOSED.load(Ordering::Relaxed)
}

/// Notes it where that is what an error says.
pub(super) fn note_closed(error: &io::Error) {
    if error.kind() == io::ErrorKind::BrokenPipe {
        PIPE_CLOSED.store(true, Ordering::Relaxed);
    }
}

/// An open output. What is not committed is not there: see [`Output::commit`].
#[derive(Debug)]
pub struct Output {
    writer: BufWriter<Target>,
    kind: Kind,
    /// Of text for a terminal.
    escaper: Option<Escaper>,
}

#[derive(Debug)]
enum Kind {
    Standard,
    Through(PathBuf),
    Atomic {
        temporary: NamedTempFile,
        path: PathBuf,
        guard: Guard,
        /// Set if it may replace a file of this name.
        replaces: bool,
    },
}

/// The descriptor, with closed pipes noted.
#[derive(Debug)]
struct Target(File);

impl Write for Target {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer).inspect_err(note_closed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Output {
    /// Opens the file named by `-o`, or standard output for none or `-`.
    ///
    /// # Errors
    /// An output that cannot be opened, or a terminal for binary data.
    pub fn open(destination: Option<&OsStr>, payload: Payload) -> Result<Self, Error> {
        match destination {
            Some(path) if !is_standard(path) => Self::file(Path::new(path), payload),
            _ => Self::standard(payload),
        }
    }

    /// Makes a new file: [`Output::commit`] fails if there is a file or link of this name.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.into(), source };
        let mut output = Self::atomic(path.into(), None).map_err(failed)?;
        if let Kind::Atomic { replaces, .. } = &mut output.kind {
            *replaces = false;
        }
        Ok(output)
    }

    /// Standard output.
    ///
    /// # Errors
    /// A standard output that was closed, or a terminal for binary data.
    ///
    /// # Streams
    /// Writes standard output, buffered until [`Output::commit`].
    pub fn standard(payload: Payload) -> Result<Self, Error> {
        if sys::stdout_was_closed() {
            let closed = io::Error::from_raw_os_error(libc::EBADF);
            return Err(Error::StandardOutput(closed));
        }
        let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let file = file.map_err(Error::StandardOutput)?;
        Self::new(file, Kind::Standard).carry(payload)
    }

    fn file(path: &Path, payload: Payload) -> Result<Self, Error> {
        Self::open_file(path, payload)
            .map_err(|source| Error::File { path: path.into(), source })?
    }

    fn open_file(path: &Path, payload: Payload) -> io::Result<Result<Self, Error>> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path)?;
                Ok(Self::new(file, Kind::Through(path.into())).carry(payload))
            }
            Ok(metadata) => {
                // A link keeps pointing where it points: its target is replaced.
                let target = fs::canonicalize(path)?;
                let mode = metadata.permissions().mode() & 0o777;
                Self::atomic(target, Some(mode)).map(Ok)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::atomic(path.into(), None).map(Ok)
            }
            Err(error) => Err(error),
        }
    }

    /// A new file beside `path`; `mode` is that of the file it will replace.
    fn atomic(path: PathBuf, mode: Option<u32>) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = tempfile::Builder::new()
            .prefix(".layerutils-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        if let Some(mode) = mode {
            temporary.as_file().set_permissions(Permissions::from_mode(mode))?;
        }
        let leftover = temporary.path().to_path_buf();
        let guard = cleanup::register(move || {
            let _ = fs::remove_file(leftover);
        });
        let file = temporary.as_file().try_clone()?;
        Ok(Self::new(file, Kind::Atomic { temporary, path, guard, replaces: true }))
    }

    fn new(file: File, kind: Kind) -> Self {
        let writer = BufWriter::with_capacity(BUFFER_LEN_BYTES, Target(file));
        Self { writer, kind, escaper: None }
    }

    /// Fits the output to what will go through it.
    fn carry(mut self, payload: Payload) -> Result<Self, Error> {
        match payload {
            Payload::Binary if self.is_terminal() => return Err(Error::OutputIsTerminal),
            Payload::Binary => {
                // It is made large.
                let _ = self.pipe();
            }
            Payload::Text => self.escaper = self.is_terminal().then(Escaper::default),
        }
        Ok(self)
    }

    /// The pipe that this is, for what goes past what is buffered here.
    #[must_use]
    pub fn pipe(&self) -> Option<Pipe> {
        Pipe::of(&self.writer.get_ref().0)
    }

    /// Whether a person reads this directly.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.writer.get_ref().0.is_terminal()
    }

    /// Writes out what is buffered and, for a file, makes it appear under its name.
    ///
    /// # Errors
    /// A write that failed, now or when it is synced or renamed.
    pub fn commit(mut self) -> Result<(), Error> {
        let rest = self.escaper.take().map(|mut escaper| escaper.rest()).unwrap_or_default();
        let flushed = self.writer.write_all(rest.as_bytes()).and_then(|()| self.writer.flush());
        match self.kind {
            Kind::Standard => flushed.map_err(Error::StandardOutput),
            Kind::Through(path) => flushed.map_err(|source| Error::File { path, source }),
            Kind::Atomic { temporary, path, guard, replaces } => {
                let rename = |temporary: NamedTempFile| match replaces {
                    true => temporary.persist(&path),
                    false => temporary.persist_noclobber(&path),
                };
                let renamed = flushed
                    .and_then(|()| temporary.as_file().sync_all())
                    .and_then(|()| rename(temporary).map_err(|error| error.error));
                guard.forget();
                renamed.map(drop).map_err(|source| Error::File { path, source })
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let Some(escaper) = &mut self.escaper else { return self.writer.write(buffer) };
        self.writer.write_all(escaper.piece(buffer).as_bytes())?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, Payload};
    use std::fs;
    use std::io::Write as _;

    #[test]
    fn a_new_file_takes_no_name_that_another_took_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        for is_link in [false, true] {
            let path = folder.path().join(format!("out{is_link}"));
            let target = folder.path().join("target");
            let mut output = Output::create(&path).unwrap();
            output.write_all(b"new").unwrap();
            match is_link {
                true => std::os::unix::fs::symlink(&target, &path).unwrap(),
                false => fs::write(&path, "other").unwrap(),
            }
            assert!(output.commit().is_err());
            assert!(fs::symlink_metadata(&target).is_err());
            assert_eq!(fs::symlink_metadata(&path).unwrap().is_symlink(), is_link);
        }
        // Nothing temporary is left.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_appears_only_when_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "old").unwrap();
        let mut dropped = Output::open(Some(path.as_os_str()), Payload::Binary).unwrap();
        dropped.write_all(b"new").unwrap();
        drop(dropped);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let mut kept = Output::open(Some(path.as_os_str()), Payload::Binary).unwrap();
        kept.write_all(b"new").unwrap();
        kept.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
