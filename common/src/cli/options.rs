//! The options that every tool has.

use clap::{ArgMatches, Args, FromArgMatches as _, ValueEnum};

use crate::message::Manner;

/// What is said on standard error, and how.
#[derive(Debug, Clone, Args)]
pub struct OutputOptions {
    /// Show no progress and no notes; errors and warnings remain
    #[arg(long, global = true)]
    pub quiet: bool,

    /// Say what is being done
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,

    /// When to colour diagnostics
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is `dumb`
    Auto,
    /// Also in a pipe
    Always,
    /// Not at all
    Never,
}

impl OutputOptions {
    pub(super) fn manner(&self) -> Manner {
        Manner {
            quiet: self.quiet,
            verbose: self.verbose,
            color: match self.color {
                ColorChoice::Auto => None,
                ColorChoice::Always => Some(true),
                ColorChoice::Never => Some(false),
            },
        }
    }

    pub(super) fn from_matches(matches: &ArgMatches) -> Self {
        Self::from_arg_matches(matches).unwrap_or(Self {
            quiet: false,
            verbose: false,
            color: ColorChoice::Auto,
        })
    }
}
