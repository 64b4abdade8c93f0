//! Files and symbolic links.

use std::fs::File;
use std::io::{self, BufRead, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{Mode, OFlags};

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::small;
use crate::root::DirId;
use crate::root::attributes::{self, Target};
use crate::tar::{Content, Entry};

/// A new file, and nothing but a new file: no link is followed, nothing truncated.
const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Engine<'_> {
    pub(super) fn put_file<R: BufRead>(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
        content: &mut Content<'_, R>,
    ) -> Result<(), Problem> {
        // Optimistic: in a first layer nothing is ever in the way.
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        let file = self.make(at, name, "create it", |fd| {
            rustix::fs::openat(fd, name, NEW, mode).map(File::from)
        })?;
        let is_small = content.left_bytes() <= small::MAX_LEN_BYTES && !content.is_sparse();
        let lacking = if is_small { self.lacking(at, file.as_fd(), entry)? } else { None };
        match lacking {
            Some(lacking) => self.small_files.push(&entry.path, file, lacking, |bytes| {
                copy_run(content, content.left_bytes(), |run, _| {
                    bytes.extend_from_slice(run);
                    Ok(())
                })
            })?,
            None => {
                copy(content, &file)?;
                self.finish_file(at, file.as_fd(), entry)?;
            }
        }
        self.made(at, name);
        Ok(())
    }

    /// Owner, mode, extended attributes, times: in the order that keeps them all.
    pub(super) fn finish_file(
        &mut self,
        at: DirId,
        file: BorrowedFd<'_>,
        entry: &Entry,
    ) -> Result<(), Problem> {
        let target = Target::Open(file);
        self.own(at, target, entry)?;
        self.disinherit(at, target)?;
        let dropped = self.dropped_bits(entry);
        let mode = entry.mode & !dropped;
        // An attribute of one's own file takes permission to write it, unless one is root.
        let has_own = dropped != 0
            || self.records_owner(entry)
            || entry.xattrs.keys().any(|name| name.starts_with(b"user."));
        let lend_write = mode & 0o200 == 0 && has_own;
        if lend_write {
            attributes::set_mode(target, mode | 0o200).tried("set its mode")?;
        } else if self.mode_is_masked(at, mode) {
            attributes::set_mode(target, mode).tried("set its mode")?;
        }
        if dropped != 0 {
            self.record(target, entry)?;
        }
        self.set_xattrs(target, entry, true)?;
        self.record_owner(target, entry)?;
        if lend_write {
            attributes::set_mode(target, mode).tried("set its mode")?;
        }
        attributes::set_mtime(target, entry.mtime, true).tried("set its time")
    }

    pub(super) fn put_symlink(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
        link_target: &[u8],
    ) -> Result<(), Problem> {
        self.make(at, name, "create a symbolic link", |fd| {
            rustix::fs::symlinkat(link_target, fd, name)
        })?;
        let fd = self.prepare(at)?;
        let target = Target::Name(fd.as_fd(), name);
        self.own(at, target, entry)?;
        self.set_xattrs(target, entry, false)?;
        attributes::set_mtime(target, entry.mtime, true).tried("set its time")?;
        self.record_link_owner(target, entry)?;
        self.made(at, name);
        Ok(())
    }
}

/// Writes the content, and leaves holes where the archive has them.
fn copy<R: BufRead>(content: &mut Content<'_, R>, file: &File) -> Result<(), Problem> {
    if !content.is_sparse() {
        return copy_run(content, content.left_bytes(), |bytes, _| {
            let mut file = file;
            file.write_all(bytes)
        });
    }
    let len_bytes = content.left_bytes();
    while let Some(segment) = content.next_segment().map_err(Problem::Content)? {
        copy_run(content, segment.len_bytes, |bytes, done| {
            file.write_all_at(bytes, segment.offset + done)
        })?;
    }
    rustix::fs::ftruncate(file, len_bytes).tried("set its length")
}

/// Hands `len_bytes` of the content to `write`, from the archive's own buffer,
/// each time with the number of bytes before.
fn copy_run<R: BufRead>(
    content: &mut Content<'_, R>,
    len_bytes: u64,
    mut write: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> Result<(), Problem> {
    let mut done = 0;
    while done < len_bytes {
        let available = content.fill_buf().map_err(Problem::Content)?;
        if available.is_empty() {
            return Err(Problem::Content(io::ErrorKind::UnexpectedEof.into()));
        }
        let most = usize::try_from(len_bytes - done).unwrap_or(usize::MAX);
        let bytes = available.get(..most).unwrap_or(available);
        write(bytes, done).map_err(|source| Problem::System { action: "write it", source })?;
        let len = bytes.len();
        content.consume(len);
        done += len as u64;
    }
    Ok(())
}
