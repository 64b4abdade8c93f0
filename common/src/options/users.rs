//! The options `--users` and `--map-users`.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::cli::{Failure, arguments};
use crate::sandbox::Users;
use crate::status::Status;

impl ValueEnum for Users {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Map, Self::Single, Self::Root]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Auto => PossibleValue::new("auto")
                .help("The first of root, map and single that is possible"),
            Self::Map => PossibleValue::new("map").help("The caller's subordinate ids"),
            Self::Single => PossibleValue::new("single").help("The caller's one id"),
            Self::Root => PossibleValue::new("root").help("The host's own, which takes root"),
        })
    }
}

/// The options that choose whose ids the users of an image are.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct UserOptions {
    /// Have the users of images as: root's, subordinate ids, or the caller's one id
    #[arg(long, value_name = "HOW", default_value = "auto")]
    users: Users,

    /// As --users map
    #[arg(long, conflicts_with = "users")]
    map_users: bool,
}

impl UserOptions {
    fn users(self) -> Users {
        if self.map_users { Users::Map } else { self.users }
    }

    /// Returns true for the default.
    #[must_use]
    pub fn is_automatic(self) -> bool {
        self.users() == Users::Auto
    }

    /// Runs the whole tool again with subordinate ids where that is the choice, and
    /// returns its status. `None`: this process goes on.
    ///
    /// # Errors
    /// The system refuses the tier that was asked for.
    pub fn apply(self) -> Result<Option<Status>, Failure> {
        Ok(self.users().apply(arguments())?)
    }
}
