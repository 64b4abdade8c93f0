//! Advice on the size of an image, with the saving: only facts that the
//! layers show.

use std::collections::BTreeMap;
use std::convert::Infallible;

use common::inside::{self, How, Inside, Waste};
use common::tar::Kind;

/// Directories whose content can be made or fetched again, and how to leave it out.
const CACHES: [(&str, &str); 14] = [
    ("var/lib/apt/lists", "package lists: rm -rf /var/lib/apt/lists/* in the same step"),
    ("var/cache/apt", "packages of apt: apt-get clean in the same step"),
    ("var/cache/apk", "package index of apk: apk add --no-cache"),
    ("var/cache/dnf", "packages of dnf: dnf clean all in the same step"),
    ("var/cache/yum", "packages of yum: yum clean all in the same step"),
    ("var/cache/pacman", "packages of pacman: pacman -Scc in the same step"),
    ("root/.cache/pip", "cache of pip: pip install --no-cache-dir"),
    ("root/.npm/_cacache", "cache of npm: npm cache clean --force in the same step"),
    ("root/.cache", "a user's cache: --mount=type=cache,target=/root/.cache"),
    ("root/.cargo/registry", "cache of cargo: --mount=type=cache,target=/root/.cargo/registry"),
    (
        "usr/local/cargo/registry",
        "cache of cargo: --mount=type=cache,target=/usr/local/cargo/registry",
    ),
    ("root/go/pkg/mod", "modules of go: --mount=type=cache,target=/root/go/pkg/mod"),
    ("tmp", "temporary files: delete them in the step that writes them"),
    ("var/tmp", "temporary files: delete them in the step that writes them"),
];

/// Commands that fetch what seldom changes.
const INSTALLERS: [&str; 9] = [
    "apt-get install",
    "apk add",
    "dnf install",
    "yum install",
    "pip install",
    "npm ci",
    "npm install",
    "go mod download",
    "cargo fetch",
];

/// A piece of advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The advice.
    pub(crate) text: String,
    /// The layer whose step it is about, counted from 1.
    pub(crate) layer: u32,
    /// The saving, in bytes of content; `None` if it saves time.
    pub(crate) saves_bytes: Option<u64>,
}

pub(crate) fn of(inside: &Inside, waste: &Waste) -> Vec<Advice> {
    let mut advice = caches(inside);
    advice.extend(wasted(waste));
    // Below a thousandth of what is there, nobody cares.
    let all = inside.layers.iter().fold(0_u64, |sum, it| sum.saturating_add(it.content_bytes));
    advice.retain(|it| it.saves_bytes.is_some_and(|saves| saves > all / 1000));
    advice.extend(order(inside));
    advice.sort_by(|one, other| {
        other.saves_bytes.cmp(&one.saves_bytes).then_with(|| one.layer.cmp(&other.layer))
    });
    advice
}

/// Advice on files of the image that could be left out.
fn caches(inside: &Inside) -> Vec<Advice> {
    let mut sums: BTreeMap<(usize, u32), u64> = BTreeMap::new();
    let walked: Result<(), Infallible> = inside::walk(&inside.tree, |path, node| {
        let Some(inode) = node.inode().filter(|inode| inode.kind == Kind::File) else {
            return Ok(());
        };
        let within = |(directory, _): &(&str, &str)| {
            let rest = path.strip_prefix(directory.as_bytes());
            rest.is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        if let Some(at) = CACHES.iter().position(within).filter(|_| inode.names() == 1) {
            let sum = sums.entry((at, inode.content.layer)).or_default();
            *sum = sum.saturating_add(inode.len_bytes);
        }
        Ok(())
    });
    match walked {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let advice = |((at, layer), len_bytes): ((usize, u32), u64)| {
        let (directory, text) = CACHES.get(at)?;
        let text = format!("/{directory}: {text}");
        (len_bytes > 0).then_some(Advice { text, layer, saves_bytes: Some(len_bytes) })
    };
    sums.into_iter().filter_map(advice).collect()
}

/// Advice on wasted files, by the step that wrote and the step that wasted them.
fn wasted(waste: &Waste) -> Vec<Advice> {
    let mut sums: BTreeMap<(How, u32, u32), u64> = BTreeMap::new();
    for it in &waste.list {
        let sum = sums.entry((it.how, it.written_by, it.wasted_by)).or_default();
        *sum = sum.saturating_add(it.len_bytes);
    }
    let advice = |((how, written_by, wasted_by), len_bytes)| {
        let text = match how {
            How::Deleted => format!(
                "layer {wasted_by} deletes what layer {written_by} wrote: delete it in the step that writes it"
            ),
            How::Copied => format!(
                "layer {wasted_by} copies files of layer {written_by} to change their mode or owner: set it when they are written, as with COPY --chmod or --chown"
            ),
            How::Replaced => {
                format!("layer {wasted_by} replaces files of layer {written_by}: write them once")
            }
            How::Twice => format!("layer {written_by} holds the same names twice"),
        };
        Advice { text, layer: wasted_by, saves_bytes: Some(len_bytes) }
    };
    sums.into_iter().map(advice).collect()
}

/// A copy of everything before the installation of what seldom changes.
fn order(inside: &Inside) -> Option<Advice> {
    let steps: Vec<String> = inside.layers.iter().map(|sums| sums.step.text()).collect();
    let copies_all = |text: &String| {
        let mut words = text.split(' ');
        matches!(words.next(), Some("COPY" | "ADD"))
            && words.find(|word| !word.starts_with("--")).is_some_and(|source| source == ".")
    };
    let copy = steps.iter().position(copies_all)?;
    let installs = |text: &String| {
        text.starts_with("RUN") && INSTALLERS.iter().any(|installer| text.contains(installer))
    };
    let later = steps.iter().skip(copy).position(installs)? + copy;
    let (copy, layer) = (copy + 1, u32::try_from(later + 1).ok()?);
    let text = format!(
        "layer {layer} installs after layer {copy} has copied everything: any change of a file spoils its cache; copy only what the installation reads before it"
    );
    Some(Advice { text, layer, saves_bytes: None })
}
