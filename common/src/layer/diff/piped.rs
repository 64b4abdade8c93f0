//! The sink that writes a layer into a pipe: large files are passed on by the kernel,
//! which copies nothing.
//!
//! What is in the pipe is then still the file's own, and what is written to the file
//! changes it there. So the last look at such a file, which says that it is of one
//! moment, is taken when it has left the pipe. Where what reads the pipe does not read but
//! passes it on too, as some do, it may look too early.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::thread;
use std::time::Duration;

use super::change::Bytes;
use super::content::Passed;
use super::{Change, Content, Error, Sink, SinkError};
use crate::stream::Pipe;
use crate::tar;

/// How long the end waits until it looks again whether all has left the pipe.
const PATIENCE: Duration = Duration::from_millis(1);

/// Writes each change as a member of a layer.
pub struct PipedLayer<'a, W> {
    writer: tar::Writer<W>,
    pipe: Pipe,
    /// Is told how much went past the stream.
    told: Box<dyn FnMut(u64) + 'a>,
    /// Files that may be in the pipe, with where in the layer they end.
    passed: VecDeque<(u64, Passed)>,
}

impl<W> fmt::Debug for PipedLayer<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipedLayer").finish_non_exhaustive()
    }
}

impl<'a, W: Write> PipedLayer<'a, W> {
    /// Begins a layer. `stream` writes into `pipe`, all of it when it is flushed; `told`
    /// is told of what goes past it.
    pub fn new(stream: W, pipe: Pipe, told: impl FnMut(u64) + 'a) -> Self {
        let (writer, told) = (tar::Writer::new(stream), Box::new(told));
        Self { writer, pipe, told, passed: VecDeque::new() }
    }

    /// Ends the layer, waits until all files that were passed on have left the pipe, and
    /// gives the stream back.
    ///
    /// # Errors
    /// A stream that fails; a file that has changed.
    pub fn finish(mut self) -> Result<W, Error> {
        let end = self.writer.len_bytes() + tar::END_LEN as u64;
        let stream = self.writer.finish()?;
        if let Some(&(last, _)) = self.passed.back() {
            // What follows the files may stay: not every reader wants the end of an archive.
            while self.pipe.unread_bytes().is_some_and(|unread| end.saturating_sub(unread) < last) {
                thread::sleep(PATIENCE);
            }
        }
        self.passed.drain(..).try_for_each(|(_, passed)| passed.check())?;
        Ok(stream)
    }

    /// Looks at the files that have left the pipe, when what was written has reached it, but
    /// for padding.
    fn check_passed(&mut self) -> Result<(), Error> {
        let held = self.pipe.len_bytes() + tar::BLOCK_LEN as u64;
        let left = self.writer.len_bytes().saturating_sub(held);
        while let Some((_, passed)) = self.passed.front().filter(|(end, _)| *end <= left) {
            passed.check()?;
            self.passed.pop_front();
        }
        Ok(())
    }
}

impl<W: Write> Sink for PipedLayer<'_, W> {
    fn reads_content(&self) -> bool {
        true
    }

    fn change(&mut self, change: Change<'_>) -> Result<(), SinkError> {
        let Change { entry, content, .. } = change;
        let Content(Bytes::File(content)) = content else {
            return Ok(self.writer.append(entry, content)?);
        };
        if !content.is_unread() {
            return Ok(self.writer.append(entry, content)?);
        }
        let mut passed = None;
        self.writer.append_past(entry, content, |content| {
            passed = content.pass(&self.pipe)?;
            Ok::<_, Error>(passed.is_some())
        })?;
        if let Some(passed) = passed {
            (self.told)(entry.len_bytes);
            self.passed.push_back((self.writer.len_bytes(), passed));
            self.check_passed()?;
        }
        Ok(())
    }
}
