//! Options that several tools share, as clap derives them, and what they mean: the only
//! place beside the tools themselves where the library's types meet the command line.

mod allowed;
mod capabilities;
mod drivers;
mod format;
mod layer;
mod layers;
mod store;
mod users;

pub use allowed::AllowedOptions;
pub use capabilities::CapabilityOptions;
pub use drivers::{Drivers, Trial};
pub use layer::{Compress, CompressOptions, OutputFile};
pub use layers::{BareLayers, SizeLimit};
pub use users::UserOptions;
