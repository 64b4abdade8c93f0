//! COPY and ADD as functions of trees, in parts that need no store and no cache.

pub(crate) mod chmod;
pub(crate) mod owner;
pub(crate) mod transfer;
pub(crate) mod unpack;
