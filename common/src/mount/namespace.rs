//! The two namespaces of extended attributes in which overlayfs keeps its marks.

use serde::{Deserialize, Serialize};

use crate::privilege;

/// Where overlayfs keeps its marks (opaque, redirect, origin).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Namespace {
    /// `trusted.overlay.*`: only the machine's root can write or read them.
    Trusted,
    /// `user.overlay.*`, mounted with `userxattr`: for user namespaces.
    User,
}

impl Namespace {
    /// The one that this process can both write and mount.
    #[must_use]
    pub fn native() -> Self {
        if privilege::can_mount() && privilege::in_initial_user_namespace() {
            Self::Trusted
        } else {
            Self::User
        }
    }

    /// Returns the beginning of the attributes' names.
    #[must_use]
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Trusted => b"trusted.overlay.",
            Self::User => b"user.overlay.",
        }
    }

    /// The whole name of the attribute `name`.
    #[must_use]
    pub fn attribute(self, name: &[u8]) -> Vec<u8> {
        [self.prefix(), name].concat()
    }
}
