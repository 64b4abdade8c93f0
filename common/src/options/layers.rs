//! Options of the tools that read layers: how large one may grow, and what shows that it
//! is whole.

use clap::Args;

use crate::compression::MaxSize;
use crate::tar::Whole;

/// The limit on what a layer grows to; flatten it into a tool's arguments.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct SizeLimit {
    /// Refuse a layer that grows to more than SIZE [default: 64G, or 1,100 times its stored size]
    #[arg(long, value_name = "SIZE")]
    max_size: Option<MaxSize>,
}

impl SizeLimit {
    /// The limit.
    #[must_use]
    pub fn max_size(self) -> MaxSize {
        self.max_size.unwrap_or_default()
    }
}

/// The options for layers that are files or streams, of which no digest is known.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct BareLayers {
    #[command(flatten)]
    limit: SizeLimit,

    /// Accept a layer that stops without its end-of-archive marker
    #[arg(long)]
    allow_missing_end: bool,
}

impl BareLayers {
    /// The most that a layer may grow to.
    #[must_use]
    pub fn max_size(self) -> MaxSize {
        self.limit.max_size()
    }

    /// Returns the sign that a layer is whole.
    #[must_use]
    pub fn whole(self) -> Whole {
        if self.allow_missing_end { Whole::Assumed } else { Whole::ByMarker }
    }
}
