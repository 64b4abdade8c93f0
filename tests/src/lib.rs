//! What the tests of the layerutils tools share.
//!
//! | module | owns |
//! |---|---|
//! | [`binaries`] | which binaries are under test |
//! | [`place`] | a store with images and one tool, for the tests beside a tool |
//! | [`registry`] | a registry, Debian's |
//! | [`sandbox`] | a folder and an environment of its own for each test |
//! | [`run`] | a command, its outcome, and what is asserted of it |
//! | [`requirement`] | privileges and peers, and skipping loudly without them |
//! | [`tree`] | directory trees: generated, written, read back, compared |
//! | [`tool`] | the table of tools and of what each can do |
//! | [`fixture`] | the folder in which the table's command lines work |
//! | [`kill`] | SIGKILL at random moments, and what it leaves |
//! | [`stand_in`] | scripts in place of programs that a test cannot have |
//! | [`completion`] | completion scripts |
//!
//! The code here panics where it cannot go on: that is how a test fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

pub mod binaries;
pub mod completion;
pub mod fixture;
pub mod kill;
pub mod place;
pub mod registry;
pub mod requirement;
pub mod run;
pub mod sandbox;
pub mod stand_in;
pub mod tool;
pub mod tree;
