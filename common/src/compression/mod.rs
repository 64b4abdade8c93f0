//! Compressed streams: what a layer comes in, told apart by its first bytes.
//!
//! A stream is read to its end: every gzip member (RFC 1952), every zstd frame,
//! skippable ones among them (RFC 8878), every xz and bzip2 stream. One that
//! ends too early, or has something else after it, is an error. Memory is
//! bounded whatever the stream asks for, and so is what it inflates to.
//!
//! Compressed bytes depend on the format and the level alone, never on the number
//! of threads or the size of writes.

mod decoder;
mod encoder;
mod format;
mod growth;
mod gzip;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use format::Format;
pub use growth::{Growth, InvalidSize, MaxSize, TooLarge};
