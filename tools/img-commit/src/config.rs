//! What a commit does to the config, and what it says in the history.
//!
//! Follows docker commit: an entry with author, message and the command that made the
//! layer, which for a container that was started from an image is the image's own.

use common::cli::Failure;
use common::containerfile::{Unset, config};
use common::oci::{History, ImageConfig};
use common::time::Timestamp;

use crate::cli::Cli;
use crate::start::Start;

/// The config of a container that is started from an image: docker gives it all but the
/// triggers, which are meant for builds, and the shell, which is meant for instructions.
pub(crate) fn of_container(image: &ImageConfig) -> ImageConfig {
    let mut config = image.child();
    config.config.on_build.clear();
    config.config.shell.clear();
    config
}

/// The config without what `--unset` takes out, and with the changes that `-c` asks for.
pub(crate) fn changed(cli: &Cli, mut config: ImageConfig) -> Result<ImageConfig, Failure> {
    for text in &cli.unset {
        let shown = || format!("--unset {}", common::name::show(text.as_bytes()));
        let unset: Unset = text.parse().map_err(|error| Failure::about(shown(), error))?;
        if !unset.apply(&mut config) {
            return Err(Failure::new(format!("{}: not in the image's config", shown())));
        }
    }
    if !cli.changes.is_empty() {
        config::change(&cli.changes, &mut config)
            .map_err(|error| Failure::about("--change", error))?;
    }
    Ok(config)
}

/// What the commit adds to the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// One layer.
    Layer,
    /// One layer in place of those from this number on.
    Squashed(usize),
    /// None.
    Nothing,
}

/// Notes the commit in `config`: who, when, why, and by what.
pub(crate) fn record(
    cli: &Cli,
    start: &Start,
    added: Added,
    now: Timestamp,
    config: &mut ImageConfig,
) {
    let author = cli.author.clone().unwrap_or_default();
    config.created = Some(now.to_string());
    config.author.clone_from(&author);
    if let Added::Squashed(kept) = added {
        empty_from(&mut config.history, kept);
    }
    if added == Added::Nothing && cli.onto.is_some() && has_nothing_to_say(cli) {
        // Its own history tells it already.
        return;
    }
    config.history.push(History {
        created: Some(now.to_string()),
        created_by: cli.created_by.clone().unwrap_or_else(|| created_by(cli, start)),
        author,
        comment: cli.message.clone().unwrap_or_else(|| comment(cli, start)),
        empty_layer: added == Added::Nothing,
        ..History::default()
    });
}

fn has_nothing_to_say(cli: &Cli) -> bool {
    cli.changes.is_empty()
        && cli.unset.is_empty()
        && cli.message.is_none()
        && cli.author.is_none()
        && cli.created_by.is_none()
}

/// Docker notes the container's command. Where no container can have run, the
/// changes themselves tell more.
fn created_by(cli: &Cli, start: &Start) -> String {
    if cli.config_only {
        let unset = cli.unset.iter().map(|thing| format!("--unset {thing}"));
        return unset.chain(cli.changes.iter().cloned()).collect::<Vec<_>>().join("; ");
    }
    let command = start.parent.as_ref().and_then(|parent| parent.config.config.cmd.as_ref());
    command.map(|words| words.join(" ")).unwrap_or_default()
}

/// What docker notes of an image that it squashed.
fn comment(cli: &Cli, start: &Start) -> String {
    let name = |image: Option<&std::sync::Arc<common::image::Image>>| {
        image.map_or_else(|| "scratch".to_owned(), |image| image.id().to_string())
    };
    let base = start.base.as_ref().filter(|_| cli.onto.is_some());
    match cli.squash {
        true => format!("merge {} to {}", name(start.parent.as_ref()), name(base)),
        false => String::new(),
    }
}

/// Gives layers that the history does not mention an entry each: without them, a
/// reader would take ours for theirs.
pub(crate) fn complete(history: &mut Vec<History>, layers: usize) {
    let mentioned = history.iter().filter(|entry| !entry.empty_layer).count();
    history.extend(std::iter::repeat_n(History::default(), layers.saturating_sub(mentioned)));
}

/// Leaves only the first `kept` layers to their entries.
fn empty_from(history: &mut [History], kept: usize) {
    let with_layers = history.iter_mut().filter(|entry| !entry.empty_layer);
    with_layers.skip(kept).for_each(|entry| entry.empty_layer = true);
}
