//! A command in namespaces of its own, with an image's tree as its root.
//!
//! Owns isolation: namespaces, ids, mounts inside the root, capabilities, the
//! init process, the terminal, the command's life and its status. The tree comes
//! from [`crate::mount`]; what to run and why is the tool's.

mod command;
mod error;

pub use command::{
    Access, Command, Exit, Isolation, Mount, Network, Root, Source, Stream, Writable,
};
pub use error::Error;
