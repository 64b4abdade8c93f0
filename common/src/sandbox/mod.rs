//! A command in namespaces of its own, with an image's tree as its root.
//!
//! Owns isolation: namespaces, ids, mounts inside the root, capabilities, the
//! init process, the command's life and its status. The tree comes from
//! [`crate::mount`]; what to run and why is the tool's.
//!
//! Four processes take part, each in its own file:
//!
//! | process | file | does |
//! |---|---|---|
//! | the caller | `parent`, `terminal` | passes signals on, prints what is reported, waits |
//! | the supervisor | `child` | our binary anew: enters the user namespace, makes and removes what must not stay behind, dies when the caller does |
//! | init | `init` | process 1 inside: mounts, reaps, passes signals on |
//! | the command | `process` | gives up privileges and executes |

mod attached;
mod bpf;
mod bundle;
mod capabilities;
mod channel;
mod child;
mod command;
mod dev;
mod emulate;
mod error;
mod etc;
mod ids;
mod init;
mod inside;
mod leftovers;
mod limits;
mod mounts;
mod parent;
mod plan;
mod privileges;
mod process;
mod program;
mod runtime;
mod seccomp;
mod signals;
mod stub;
mod subordinate;
mod surroundings;
mod syscalls;
mod system;
mod target;
mod terminal;
mod tier;
mod tree;
mod user;
mod users;

pub use capabilities::{Capabilities, UnknownCapability};
pub use child::main_of_child;
pub use command::Command;
pub use emulate::is_possible as emulates_users;
pub use error::Error;
pub use limits::Limits;
pub use parent::check;
pub use surroundings::{
    Access, Exit, Isolation, Measure, Mount, Network, Privileges, Programs, Root, Source, Stream,
    Terminal, Tmpfs, Writable,
};
pub use tier::Users;
pub use users::again_with_many_ids;
