//! gzip (RFC 1952): members framed by us, deflated and inflated by flate2.

mod block;
mod reader;
mod writer;

pub(super) use reader::GzipReader;
pub(super) use writer::GzipWriter;
