//! What a commit does to the config, and what it says in the history.
//!
//! Follows docker commit: an entry with author, message and the command that made the
//! layer, which for a container that was started from an image is the image's own.

use common::cli::Failure;
use common::containerfile::config;
use common::image::Image;
use common::oci::{History, ImageConfig};
use common::time::Timestamp;

use crate::cli::Cli;

/// The parent's config with the changes that `-c` asks for.
pub(crate) fn changed(cli: &Cli, mut config: ImageConfig) -> Result<ImageConfig, Failure> {
    if !cli.changes.is_empty() {
        config::change(&cli.changes, &mut config)
            .map_err(|error| Failure::about("--change", error))?;
    }
    Ok(config)
}

/// Notes the commit in `config`: who, when, why, and by what.
pub(crate) fn record(
    cli: &Cli,
    parent: Option<&Image>,
    empty_layer: bool,
    now: Timestamp,
    config: &mut ImageConfig,
) {
    let author = cli.author.clone().unwrap_or_default();
    config.created = Some(now.to_string());
    config.author.clone_from(&author);
    complete(&mut config.history, config.rootfs.diff_ids.len() - usize::from(!empty_layer));
    config.history.push(History {
        created: Some(now.to_string()),
        created_by: cli.created_by.clone().unwrap_or_else(|| created_by(cli, parent)),
        author,
        comment: cli.message.clone().unwrap_or_default(),
        empty_layer,
        ..History::default()
    });
}

/// Docker notes the container's command. Where no container can have run, the
/// changes themselves tell more.
fn created_by(cli: &Cli, parent: Option<&Image>) -> String {
    if cli.config_only {
        return cli.changes.join("; ");
    }
    let command = parent.and_then(|parent| parent.config.config.cmd.as_ref());
    command.map(|words| words.join(" ")).unwrap_or_default()
}

/// Gives layers that the parent's history does not mention an entry each: without
/// them, a reader would take ours for theirs.
fn complete(history: &mut Vec<History>, layers: usize) {
    let mentioned = history.iter().filter(|entry| !entry.empty_layer).count();
    history.extend(std::iter::repeat_n(History::default(), layers.saturating_sub(mentioned)));
}
