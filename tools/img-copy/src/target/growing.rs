//! A file without a name that is read while it is being written.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The file, and how much of it is there.
#[derive(Debug)]
pub(super) struct Growing {
    file: Arc<File>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    len_bytes: u64,
    /// Nothing more will come: all of it is there, or its writer has given up.
    is_whole: Option<bool>,
}

impl Growing {
    pub(super) fn new(file: File) -> Self {
        Self { file: Arc::new(file), state: Mutex::default(), changed: Condvar::new() }
    }

    /// The file, which is whole only once its writer says so.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The one that writes. Dropped before [`Writer::finish`], it has given up, which is an
    /// error for who reads.
    pub(super) fn writer(&self) -> Writer<'_> {
        Writer(self)
    }

    /// Reads from the beginning, and waits for what is not there yet.
    pub(super) fn reader(&self) -> impl Read + '_ {
        Reader { growing: self, offset: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, is_whole: bool) {
        self.state().is_whole.get_or_insert(is_whole);
        self.changed.notify_all();
    }
}

/// See [`Growing::writer`].
#[derive(Debug)]
pub(super) struct Writer<'g>(&'g Growing);

impl Writer<'_> {
    pub(super) fn finish(self) {
        self.0.end(true);
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.0.end(false);
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = (&*self.0.file).write(bytes)?;
        self.0.state().len_bytes += written as u64;
        self.0.changed.notify_all();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Reader<'g> {
    growing: &'g Growing,
    offset: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let waiting =
            |state: &mut State| state.len_bytes == self.offset && state.is_whole.is_none();
        let state = self.growing.changed.wait_while(self.growing.state(), waiting);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if state.len_bytes == self.offset {
            return match state.is_whole {
                Some(false) => Err(io::Error::other("what was to be sent is not to be had")),
                _ => Ok(0),
            };
        }
        let there = usize::try_from(state.len_bytes - self.offset).unwrap_or(usize::MAX);
        drop(state);
        let wanted = buffer.len().min(there);
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        let len = self.growing.file.read_at(buffer, self.offset)?;
        self.offset += len as u64;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::Growing;

    #[test]
    fn it_is_read_to_the_end_that_its_writer_gives_it() {
        for whole in [true, false] {
            let growing = Growing::new(tempfile::tempfile().unwrap());
            std::thread::scope(|scope| {
                let reading = scope.spawn(|| {
                    let mut bytes = Vec::new();
                    growing.reader().read_to_end(&mut bytes).map(|_| bytes)
                });
                let mut writer = growing.writer();
                for number in 0..100_u8 {
                    writer.write_all(&[number; 1000]).unwrap();
                }
                if whole {
                    writer.finish();
                } else {
                    drop(writer);
                }
                let read = reading.join().unwrap();
                assert_eq!(read.map(|bytes| bytes.len()).ok(), whole.then_some(100_000));
            });
        }
    }
}
