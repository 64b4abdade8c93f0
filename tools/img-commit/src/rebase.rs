//! `--onto`: an image's own layers, config and history over another base.
//!
//! The config is merged three ways, as a rebase merges a file: what the image has
//! otherwise than its old base, it keeps; the rest is the new base's. Entrypoint and
//! command go together, since one is the other's arguments. Variables, labels, ports
//! and volumes are merged one by one.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use common::cli::Failure;
use common::digest::DiffId;
use common::image::{Image, Layer};
use common::name::show_path;
use common::oci::{ContainerConfig, History, ImageConfig};

/// The image's own part: what it has above its base.
#[derive(Debug)]
pub(crate) struct Own {
    /// Its layers.
    pub(crate) layers: Vec<Layer>,
    /// Their part of the history.
    history: Vec<History>,
}

impl Own {
    /// What `image` has above `base`, which is nothing if there is none.
    ///
    /// # Errors
    /// An image that has other layers than that base at its bottom; `name` begins the
    /// message.
    pub(crate) fn above(
        base: Option<&Image>,
        image: &Image,
        name: &OsStr,
    ) -> Result<Self, Failure> {
        let old: Vec<DiffId> = base.iter().flat_map(|base| base.layers()).map(diff_id).collect();
        let all: Vec<Layer> = image.layers().collect();
        let is_base = all.len() >= old.len()
            && all.iter().zip(&old).all(|(layer, diff_id)| layer.diff_id == *diff_id);
        if !is_base {
            let name = show_path(name);
            let text = format!("{name}: does not begin with the layers of the base it is to leave");
            return Err(Failure::new(text).hint("name the base it was made from with --base"));
        }
        let layers = all.get(old.len()..).unwrap_or_default().to_vec();
        let base = base.map(|base| base.config.history.as_slice()).unwrap_or_default();
        let history = history_above(base, old.len(), &image.config.history);
        Ok(Self { layers, history })
    }
}

fn diff_id(layer: Layer) -> DiffId {
    layer.diff_id
}

/// The entries of `all` that are not those of the base.
fn history_above(base: &[History], base_layers: usize, all: &[History]) -> Vec<History> {
    if let Some(own) = all.strip_prefix(base) {
        let mentioned = base.iter().filter(|entry| !entry.empty_layer).count();
        if mentioned == base_layers {
            return own.to_vec();
        }
    }
    // A history of the image's own telling: the base's part ends with its last layer.
    let mut layers = 0;
    let own = all.iter().skip_while(|entry| {
        let is_of_base = layers < base_layers;
        layers += usize::from(!entry.empty_layer);
        is_of_base
    });
    own.cloned().collect()
}

/// The config of the image that `own` makes over a new base, layers aside.
pub(crate) fn config(
    old: &ImageConfig,
    image: &ImageConfig,
    new: &ImageConfig,
    own: &Own,
) -> ImageConfig {
    let mut history = new.history.clone();
    crate::config::complete(&mut history, new.rootfs.diff_ids.len());
    history.extend(own.history.iter().cloned());
    ImageConfig {
        history,
        config: container(&old.config, &image.config, &new.config),
        extra: by_key(&old.child().extra, &image.child().extra, &new.child().extra),
        ..new.child()
    }
}

fn container(
    old: &ContainerConfig,
    ours: &ContainerConfig,
    new: &ContainerConfig,
) -> ContainerConfig {
    let command = |config: &ContainerConfig| {
        (config.entrypoint.clone(), config.cmd.clone(), config.args_escaped)
    };
    let (entrypoint, cmd, args_escaped) = changed(&command(old), &command(ours), &command(new));
    ContainerConfig {
        user: changed(&old.user, &ours.user, &new.user),
        exposed_ports: by_key(&old.exposed_ports, &ours.exposed_ports, &new.exposed_ports),
        env: variables(&old.env, &ours.env, &new.env),
        entrypoint,
        cmd,
        args_escaped,
        volumes: by_key(&old.volumes, &ours.volumes, &new.volumes),
        working_dir: changed(&old.working_dir, &ours.working_dir, &new.working_dir),
        labels: by_key(&old.labels, &ours.labels, &new.labels),
        stop_signal: changed(&old.stop_signal, &ours.stop_signal, &new.stop_signal),
        healthcheck: changed(&old.healthcheck, &ours.healthcheck, &new.healthcheck),
        on_build: changed(&old.on_build, &ours.on_build, &new.on_build),
        shell: changed(&old.shell, &ours.shell, &new.shell),
        extra: by_key(&old.extra, &ours.extra, &new.extra),
    }
}

/// Ours where it was changed, else the new one.
fn changed<T: PartialEq + Clone>(old: &T, ours: &T, new: &T) -> T {
    if ours == old { new.clone() } else { ours.clone() }
}

/// Each value by itself: what we set is set, what we took away is gone.
fn by_key<K: Ord + Clone, V: PartialEq + Clone>(
    old: &BTreeMap<K, V>,
    ours: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) -> BTreeMap<K, V> {
    let mut merged = new.clone();
    merged.retain(|key, _| ours.contains_key(key) || !old.contains_key(key));
    for (key, value) in ours {
        if old.get(key) != Some(value) {
            merged.insert(key.clone(), value.clone());
        }
    }
    merged
}

/// As [`by_key`], in the order of the new base, with what is ours alone after it.
fn variables(old: &[String], ours: &[String], new: &[String]) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let map = |entries: &[String]| -> BTreeMap<String, String> {
        entries.iter().map(|entry| (name(entry), entry.clone())).collect()
    };
    let mut merged = by_key(&map(old), &map(ours), &map(new));
    let order = new.iter().chain(ours).map(|entry| name(entry));
    order.filter_map(|name| merged.remove(&name)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{by_key, history_above, variables};
    use common::oci::History;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_was_changed_is_kept_and_the_rest_is_the_new_bases() {
        let merged = variables(
            &words("PATH=/bin OLD=1 GONE=1 SAME=1"),
            &words("PATH=/bin OLD=2 SAME=1 OURS=1"),
            &words("PATH=/usr/bin GONE=1 OLD=1 NEW=1 SAME=3"),
        );
        assert_eq!(merged, words("PATH=/usr/bin OLD=2 NEW=1 SAME=3 OURS=1"));
        let map =
            |text: &str| -> BTreeMap<char, ()> { text.chars().map(|key| (key, ())).collect() };
        assert_eq!(by_key(&map("ab"), &map("ac"), &map("abd")), map("acd"));
    }

    #[test]
    fn a_history_is_cut_after_the_bases_last_layer() {
        let entry = |text: &str| History {
            created_by: text.trim_end_matches('-').to_owned(),
            empty_layer: text.ends_with('-'),
            ..History::default()
        };
        let history = |text: &str| -> Vec<History> { text.split_whitespace().map(entry).collect() };
        let above =
            |base: &str, layers, all: &str| history_above(&history(base), layers, &history(all));
        assert_eq!(above("a b-", 1, "a b- c- d"), history("c- d"));
        assert_eq!(above("", 0, "a b-"), history("a b-"));
        assert_eq!(above("x", 1, "a- b c"), history("c"), "the image tells it otherwise");
        assert_eq!(above("", 1, "b c"), history("c"), "the base does not tell it");
    }
}
