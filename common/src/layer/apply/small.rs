//! Small files: the engine makes their names, another thread writes the rest.
//!
//! The order in which names are made is what a layer means. When a file that is
//! open gets its content and its attributes means nothing: it may be linked to or
//! removed before or after. So that half of the kernel's work is done beside the
//! other half. Files are passed on in batches, since waking a thread takes longer
//! than writing one.

use std::fs::File;
use std::io::Write as _;
use std::mem;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use super::error::{Error, Problem};
use super::lacking::Lacking;
use crate::root::attributes::Target;

/// The longest file that is passed on; the content of longer ones is written from
/// the archive's own buffer, without a copy.
pub(super) const MAX_LEN_BYTES: u64 = 32 << 10;

/// When a batch is passed on: it holds this many open files, or bytes.
const BATCH_FILES: usize = 32;
const BATCH_LEN_BYTES: usize = 256 << 10;

/// How many batches wait. With the one being filled and the one being written, they
/// bound the memory and the open files.
const BATCHES_WAITING: usize = 2;

/// Files that have their names, and wait for the rest.
#[derive(Debug, Default)]
pub(super) struct SmallFiles {
    batch: Batch,
    /// Started with the first full batch: a small layer needs none.
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    batches: SyncSender<Batch>,
    /// Batches whose memory is free again.
    written: Receiver<Batch>,
    thread: JoinHandle<Result<(), Error>>,
}

#[derive(Debug, Default)]
struct Batch {
    files: Vec<SmallFile>,
    /// Path and content of one file after the other.
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct SmallFile {
    file: File,
    path_len: usize,
    content_len: usize,
    lacking: Lacking,
}

impl SmallFiles {
    /// Takes a new file. `read` appends its content to what it is given.
    pub(super) fn push(
        &mut self,
        path: &[u8],
        file: File,
        lacking: Lacking,
        read: impl FnOnce(&mut Vec<u8>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let Batch { files, bytes } = &mut self.batch;
        bytes.extend_from_slice(path);
        let before = bytes.len();
        read(bytes)?;
        let content_len = bytes.len() - before;
        files.push(SmallFile { file, path_len: path.len(), content_len, lacking });
        Ok(())
    }

    /// Passes a full batch on.
    ///
    /// # Errors
    /// Those of files before it.
    pub(super) fn pass_on(&mut self) -> Result<(), Error> {
        if self.batch.files.len() < BATCH_FILES && self.batch.bytes.len() < BATCH_LEN_BYTES {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(Writer::start()?),
        };
        let empty = writer.written.try_recv().unwrap_or_default();
        match writer.batches.send(mem::replace(&mut self.batch, empty)) {
            Ok(()) => Ok(()),
            // It ends early for an error only.
            Err(_) => self.finish(),
        }
    }

    /// Writes all that waits.
    ///
    /// # Errors
    /// The first file that cannot be written, or described.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        mem::take(&mut self.batch).write()
    }
}

impl Drop for SmallFiles {
    /// Nothing is written any more once the layer has failed and its caller knows.
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            let _ = writer.finish();
        }
    }
}

impl Writer {
    fn start() -> Result<Self, Error> {
        let (batches, waiting) = sync_channel(BATCHES_WAITING);
        let (emptied, written) = channel();
        let thread = thread::Builder::new()
            .name("small-files".into())
            .spawn(move || write_all(&waiting, &emptied))
            .map_err(Error::Thread)?;
        Ok(Self { batches, written, thread })
    }

    fn finish(self) -> Result<(), Error> {
        drop(self.batches);
        let panicked = |_| Error::Thread(std::io::Error::other("a thread has panicked"));
        self.thread.join().map_err(panicked)?
    }
}

fn write_all(batches: &Receiver<Batch>, emptied: &Sender<Batch>) -> Result<(), Error> {
    for mut batch in batches {
        batch.write()?;
        // Nobody waits for the last ones.
        let _ = emptied.send(batch);
    }
    Ok(())
}

impl Batch {
    /// Writes its files, and is empty then.
    fn write(&mut self) -> Result<(), Error> {
        let mut bytes = self.bytes.as_slice();
        for file in self.files.drain(..) {
            let (path, rest) = bytes.split_at(file.path_len);
            let (content, rest) = rest.split_at(file.content_len);
            file.write(content).map_err(|problem| problem.at(path))?;
            bytes = rest;
        }
        self.bytes.clear();
        Ok(())
    }
}

impl SmallFile {
    fn write(mut self, content: &[u8]) -> Result<(), Problem> {
        let written = self.file.write_all(content);
        written.map_err(|source| Problem::System { action: "write it", source })?;
        self.lacking.give(Target::Open(self.file.as_fd()))
    }
}
