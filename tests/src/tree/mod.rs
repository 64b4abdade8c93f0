//! Directory trees: what they hold ([`model`]), how they get on a file system
//! ([`mod@write`]) and back ([`mod@read`]), how they are compared ([`dump`]) and where
//! they come from ([`strategy`], [`change`]).
//!
//! Written apart from the tools' own code, as their judge: everything goes
//! through `/proc/self/fd`, so that depth is not limited by PATH_MAX.

pub mod change;
pub mod dump;
pub mod model;
pub mod read;
pub mod strategy;
pub mod write;

pub use dump::assert_same;
pub use model::{Attributes, Kind, Node, Tree};
pub use read::read;
pub use write::write;
