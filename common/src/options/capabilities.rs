//! The options `--cap-add` and `--cap-drop`.

use clap::Args;

use crate::sandbox::{Capabilities, Network};

/// The options `--cap-add` and `--cap-drop`.
#[derive(Debug, Clone, Default, Args)]
pub struct CapabilityOptions {
    /// Let the command have a capability; repeatable
    #[arg(long, value_name = "NAME", value_parser = Capabilities::named)]
    cap_add: Vec<Capabilities>,

    /// Take a capability away; repeatable
    #[arg(long, value_name = "NAME", value_parser = Capabilities::named)]
    cap_drop: Vec<Capabilities>,
}

impl CapabilityOptions {
    /// Whether neither is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cap_add.is_empty() && self.cap_drop.is_empty()
    }

    /// The capabilities of a command on `network`. As in docker, a capability that
    /// `--cap-add` names wins over `--cap-drop`.
    #[must_use]
    pub fn on(&self, network: Network) -> Capabilities {
        Capabilities::on(network).changed(&self.cap_add, &self.cap_drop)
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::CapabilityOptions;
    use crate::sandbox::{Capabilities, Network};

    #[test]
    fn what_is_added_wins_over_what_is_dropped() {
        let default = || Capabilities::on(Network::Host);
        let all = || Capabilities::named("all").unwrap();
        let one = |name: &str| Capabilities::named(name).unwrap();
        let set = |words: &[&str]| {
            let command = CapabilityOptions::augment_args(clap::Command::new("x"));
            let matches = command.no_binary_name(true).try_get_matches_from(words).unwrap();
            let options = <CapabilityOptions as clap::FromArgMatches>::from_arg_matches(&matches);
            options.unwrap().on(Network::Host)
        };
        assert_eq!(set(&[]), default());
        let with_raw = default().changed(&[one("NET_RAW")], &[]);
        assert_eq!(set(&["--cap-add=net_raw"]), with_raw);
        assert_eq!(set(&["--cap-add=ALL"]), all());
        assert_eq!(
            set(&["--cap-add=ALL", "--cap-drop=CHOWN"]),
            all().changed(&[], &[one("chown")])
        );
        assert_eq!(set(&["--cap-drop=all", "--cap-add=NET_RAW"]), one("net_raw"));
        assert_eq!(set(&["--cap-add=NET_RAW", "--cap-drop=NET_RAW"]), with_raw);
    }
}
