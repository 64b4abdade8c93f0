//! The instructions that change files, each in its own module: what comes in is a
//! stage, what comes out is a layer or the news that nothing changed.

pub(crate) mod chmod;
pub(crate) mod files;
pub(crate) mod mounts;
pub(crate) mod owner;
pub(crate) mod run;
pub(crate) mod transfer;
mod unpack;
