//! The arguments of `img-du`. No I/O here.

use std::ffi::OsString;

use clap::{Parser, ValueEnum};
use common::cli::OutputOptions;
use common::human::parse_size;
use common::oci::Platform;
use common::options::SizeLimit;
use common::store::Location;
use registry::RegistryOptions;

/// Show what takes up room in images, and what is wasted
#[derive(Debug, Parser)]
#[command(name = "img-du", version, override_usage = "img-du [OPTION]... IMAGE...")]
pub(crate) struct Cli {
    /// Images: names, digests, oci:DIR, oci-archive:FILE, docker-archive:FILE, '-'
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<OsString>,

    /// Show directories down to this depth
    #[arg(short, long, value_name = "N", default_value_t = 1, conflicts_with_all = ["html", "svg"])]
    pub(crate) depth: usize,

    /// The order of directories
    #[arg(long, value_name = "KEY", default_value = "size", conflicts_with_all = ["html", "svg"])]
    pub(crate) sort: Sort,

    /// Show the N largest of what is wasted, or all for 0
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        conflicts_with_all = ["null", "json", "html", "svg"]
    )]
    pub(crate) top: usize,

    /// Show sizes in bytes
    #[arg(short, long, conflicts_with_all = ["null", "json", "html", "svg"])]
    pub(crate) bytes: bool,

    /// Print directories only, as du -b -0 does: bytes, a tab, the name, and a zero byte
    #[arg(short = '0', long, conflicts_with = "json")]
    pub(crate) null: bool,

    /// Show all there is to know, as one JSON object a line for each image
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a page to FILE: the tree as rectangles coloured by layer, the history, the waste
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "null"])]
    pub(crate) html: Option<OsString>,

    /// Write the rectangles alone to FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "null", "html"])]
    pub(crate) svg: Option<OsString>,

    /// Return 1 if an image wastes more than LIMIT: bytes, or with '%' a share of all it holds
    #[arg(long, value_name = "LIMIT", value_parser = limit)]
    pub(crate) max_waste: Option<Limit>,

    /// Return 1 if an image's efficiency, as dive counts it, is below PERCENT
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) min_efficiency: Option<f64>,

    /// Check every layer that is read, also those of the store that were checked before
    #[arg(long)]
    pub(crate) verify: bool,

    /// The platform to take from an image for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) limit: SizeLimit,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// The order of directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// The largest first
    Size,
    /// By name
    Name,
    /// The one with the most files first
    Files,
}

/// The limit on waste.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    /// So many bytes.
    Bytes(u64),
    /// So many in a hundred bytes.
    Percent(f64),
}

fn limit(text: &str) -> Result<Limit, String> {
    match text.strip_suffix('%') {
        Some(number) => share(number).map(Limit::Percent),
        None => parse_size(text).map(Limit::Bytes).ok_or(
            "neither a number of bytes (K, M, G and T are understood) nor a percentage".into(),
        ),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    share(text.strip_suffix('%').unwrap_or(text))
}

fn share(number: &str) -> Result<f64, String> {
    let number = number.parse::<f64>();
    number
        .ok()
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or("not a number from 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Cli, Limit, limit, percent};
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_option_that_would_be_ignored_is_refused() {
        let is_taken = |args: &[&str]| {
            Cli::command().try_get_matches_from([&["img-du"], args, &["a"]].concat()).is_ok()
        };
        for form in ["--json", "-0", "--html=f", "--svg=f"] {
            assert!(is_taken(&[form]), "{form}");
            for option in ["--top=3", "-b"] {
                assert!(!is_taken(&[form, option]), "{form} {option}");
            }
            for option in ["--depth=2", "--sort=name"] {
                let obeys = ["--json", "-0"].contains(&form);
                assert_eq!(is_taken(&[form, option]), obeys, "{form} {option}");
            }
        }
    }

    #[test]
    fn limits_are_bytes_or_percentages() {
        assert_eq!(limit("20M"), Ok(Limit::Bytes(20 << 20)));
        assert_eq!(limit("0"), Ok(Limit::Bytes(0)));
        assert_eq!(limit("2.5%"), Ok(Limit::Percent(2.5)));
        for bad in ["", "%", "-1", "101%", "NaN%", "x", "1e400%", "20%%"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
        assert_eq!(percent("95"), Ok(95.0));
        assert_eq!(percent("95%"), Ok(95.0));
        assert!(percent("95%%").is_err());
    }
}
