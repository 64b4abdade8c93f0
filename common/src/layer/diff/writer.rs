//! The sink that writes the layer itself.

use std::io::Write;

use super::{Change, Sink, SinkError};
use crate::tar;

/// Writes each change as a member of a layer.
#[derive(Debug)]
pub struct LayerWriter<W>(tar::Writer<W>);

impl<W: Write> LayerWriter<W> {
    /// Begins a layer. What is written is the uncompressed layer, whose digest is
    /// the DiffID.
    pub fn new(stream: W) -> Self {
        Self(tar::Writer::new(stream))
    }

    /// Ends the layer and gives the stream back. Without changes this is an empty
    /// but valid archive: two zero blocks.
    ///
    /// # Errors
    /// A stream that fails.
    pub fn finish(self) -> Result<W, tar::Error> {
        self.0.finish()
    }
}

impl<W: Write> Sink for LayerWriter<W> {
    fn reads_content(&self) -> bool {
        true
    }

    fn change(&mut self, change: Change<'_>) -> Result<(), SinkError> {
        Ok(self.0.append(change.entry, change.content)?)
    }
}
