//! The option `--store`.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::store::Location;

/// The option that names the store: [`Location`] is flattened into a tool's arguments.
#[derive(Debug, Args)]
struct StoreOption {
    /// Keep images in DIR, an OCI image layout
    #[arg(long = "store", value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Args for Location {
    fn augment_args(command: Command) -> Command {
        StoreOption::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        StoreOption::augment_args_for_update(command)
    }
}

impl FromArgMatches for Location {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        StoreOption::from_arg_matches(matches)
            .map(|option| option.dir.map_or_else(Self::default, Self::at))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
