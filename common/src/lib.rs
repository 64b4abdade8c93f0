//! What the layerutils tools share.
//!
//! A module lives here when two tools need it, or when it must be right once:
//! paths that cannot leave their root, digests, tar, the store, the sandbox.
//! What only one tool needs lives in that tool's own crate.
//!
//! One concern a module:
//!
//! | module | owns |
//! |---|---|
//! | [`cli`] | argv, help, errors as messages |
//! | [`options`] | options that tools share |
//! | [`message`] | diagnostics on standard error |
//! | [`errors`] | an error as a line of text |
//! | [`status`] | exit statuses |
//! | [`signal`], [`cleanup`] | what is undone however a tool ends |
//! | [`privilege`] | what this process may do |
//! | [`stream`] | `-`, files, atomic outputs, terminals refused |
//! | [`parallel`] | a list of jobs done by several threads |
//! | [`progress`] | bars on a terminal |
//! | [`time`] | timestamps, `SOURCE_DATE_EPOCH`, now |
//! | [`human`] | sizes, ages and columns as docker words them |
//! | [`template`] | docker's `--format` |
//! | [`name`] | names that are bytes, shown safely |
//! | [`descriptors`] | how many files may be open |
//! | [`json`] | bytes in JSON |
//! | [`digest`] | digests, DiffIDs, ChainIDs, hashing readers and writers |
//! | [`compression`] | gzip, zstd, xz and bzip2 streams |
//! | [`tar`] | archive entries, their reader and writer |
//! | [`root`] | a directory that nothing reached through it can leave |
//! | [`document`] | small files that others wrote, read whole and bounded |
//! | [`layer`] | whiteouts, overlay forms, a changeset applied or computed |
//! | [`cache`] | the folder of what can be made again |
//! | [`scratch`] | directories that vanish with the processes that use them |
//! | [`codec`] | files of the cache that are read on every build |
//! | [`oci`] | descriptor, manifest, index, config |
//! | [`store`] | the OCI layout that holds our images |
//! | [`image`] | references, and images wherever they are |
//! | [`inside`] | what images hold, seen without unpacking |
//! | [`unpacked`] | layers unpacked in the cache |
//! | [`mount`] | overlay mounts |
//! | [`sandbox`] | a command in namespaces of its own |
//! | [`containerfile`] | instructions, and what they do to a config |
//! | [`sys`] | the only unsafe code |

pub mod cache;
pub mod cleanup;
pub mod cli;
pub mod codec;
pub mod compression;
pub mod containerfile;
pub mod descriptors;
pub mod digest;
mod directories;
pub mod document;
pub mod errors;
pub mod glob;
pub mod human;
pub mod image;
pub mod inside;
pub mod json;
pub mod layer;
pub mod lock;
pub mod message;
pub mod mount;
pub mod name;
pub mod oci;
pub mod options;
pub mod parallel;
pub mod privilege;
pub mod progress;
pub mod root;
pub mod sandbox;
pub mod scratch;
pub mod signal;
pub mod status;
pub mod store;
pub mod stream;
pub mod sys;
pub mod tar;
pub mod template;
mod terminal;
#[cfg(test)]
mod testing;
pub mod time;
pub mod unpacked;
