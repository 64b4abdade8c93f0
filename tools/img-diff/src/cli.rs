//! The arguments of `img-diff`. No I/O here.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Parser, ValueEnum};
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::SizeLimit;
use common::store::Location;
use registry::RegistryOptions;

/// Compare two images: config, history, layers, files and packages
#[derive(Debug, Parser)]
#[command(name = "img-diff", version, override_usage = "img-diff [OPTION]... OLD NEW")]
pub(crate) struct Cli {
    /// Two images: names, digests, docker://HOST/NAME[:TAG], oci:DIR, oci-archive:FILE, docker-archive:FILE, '-'
    #[arg(value_name = "IMAGE", required = true, num_args = 2)]
    pub(crate) images: Vec<OsString>,

    /// Compare one part only; repeatable
    #[arg(long, value_name = "PART")]
    pub(crate) only: Vec<Part>,

    /// Ignore times, the order of variables, and how layers are cut and stored
    #[arg(long)]
    pub(crate) semantic: bool,

    /// Leave names that match PATTERN out, and all below them; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) ignore: Vec<OsString>,

    /// Show how the text of small files changed
    #[arg(long, conflicts_with = "json")]
    pub(crate) content: bool,

    /// Sum up directories down to this depth
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    pub(crate) depth: usize,

    /// Show N files at most, or all for 0
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "json")]
    pub(crate) top: usize,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Return 1 if the images differ
    #[arg(long)]
    pub(crate) exit_code: bool,

    /// Check every layer that is read, also those of the store that were checked before
    #[arg(long)]
    pub(crate) verify: bool,

    /// The platform to take from images for several
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

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The config
    Config,
    /// The steps of the history
    History,
    /// The layers, by DiffID
    Layers,
    /// The files of the final tree
    Files,
    /// The packages that are installed in it
    Packages,
}

/// The options that are about some parts only.
const OF_PARTS: [(&str, &[Part]); 6] = [
    ("content", &[Part::Files]),
    ("depth", &[Part::Files]),
    ("top", &[Part::Files]),
    ("ignore", &[Part::Files, Part::Packages]),
    ("verify", &[Part::Layers, Part::Files, Part::Packages]),
    ("max_size", &[Part::Layers, Part::Files, Part::Packages]),
];

impl Cli {
    /// Returns an option that was given and says nothing of the parts that are compared,
    /// with the parts that it is for.
    pub(crate) fn useless(&self, matches: &ArgMatches) -> Option<(String, String)> {
        let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let (id, parts) =
            OF_PARTS.into_iter().find(|(id, parts)| is_given(id) && !self.wants_any(parts))?;
        let names = parts.iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|part| format!("'{}'", part.get_name())).collect();
        Some((format!("--{}", id.replace('_', "-")), names.join(" or ")))
    }

    /// Returns true if one of some parts is to be compared.
    pub(crate) fn wants_any(&self, parts: &[Part]) -> bool {
        parts.iter().any(|&part| self.wants(part))
    }

    /// Whether a part is to be compared.
    pub(crate) fn wants(&self, part: Part) -> bool {
        match self.only.is_empty() {
            // How layers are cut is nothing that a command in the image could see.
            true => !(self.semantic && part == Part::Layers),
            false => self.only.contains(&part),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::{Cli, Part};

    #[test]
    fn an_option_that_says_nothing_of_the_parts_is_told() {
        let useless = |args: &[&str]| {
            let args = [&["img-diff"], args, &["a", "b"]].concat();
            let matches = Cli::command().try_get_matches_from(args).unwrap();
            Cli::from_arg_matches(&matches).unwrap().useless(&matches).map(|(option, _)| option)
        };
        for option in ["--content", "--depth=2", "--top=3", "--ignore=x"] {
            assert_eq!(useless(&[option]), None);
            assert_eq!(useless(&[option, "--only=files"]), None);
            let name = option.split('=').next().unwrap();
            assert_eq!(useless(&[option, "--only=layers"]).as_deref(), Some(name));
        }
        assert_eq!(useless(&["--verify", "--only=layers"]), None);
        assert_eq!(useless(&["--verify", "--only=config"]).as_deref(), Some("--verify"));
        assert_eq!(useless(&["--max-size=1G", "--only=layers"]), None);
        assert_eq!(useless(&["--max-size=1G", "--only=config"]).as_deref(), Some("--max-size"));
    }

    #[test]
    fn only_the_parts_that_need_it_make_it_compare_content() {
        let wants = |args: &[&str]| {
            let args = [&["img-diff"], args, &["a", "b"]].concat();
            let matches = Cli::command().try_get_matches_from(args).unwrap();
            Cli::from_arg_matches(&matches).unwrap().wants_any(&[Part::Files, Part::Packages])
        };
        assert!(wants(&[]) && wants(&["--only=files"]) && wants(&["--only=packages"]));
        assert!(!wants(&["--only=layers"]) && !wants(&["--only=config", "--only=history"]));
    }
}
