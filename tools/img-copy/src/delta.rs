//! Blobs that the other side already has, which an archive can leave out; and blobs that
//! neither an archive nor the store has.

use std::collections::HashSet;
use std::ffi::OsStr;

use common::cli::Failure;
use common::digest::Digest;
use common::document;
use common::human::count;
use common::image::{self, Found, Opener, Reference};
use common::oci::Descriptor;
use common::oci::media_type::Kind;
use common::store::{self, Store};
use common::stream::{Input, Payload};

use crate::cli::Cli;
use crate::tree::{Content, Node};

/// Enough for 800,000 digests.
const MAX_LIST_LEN_BYTES: u64 = 64 << 20;
/// As many digests as a message has room for.
const MAX_SHOWN: usize = 20;

/// The digests that `--have` and `--since` say are there.
///
/// # Errors
/// A list or an image that cannot be read.
///
/// # Streams
/// Reads standard input for `--have -`.
pub(crate) fn there(cli: &Cli, opener: &mut Opener<'_>) -> Result<HashSet<Digest>, Failure> {
    let mut there = HashSet::new();
    if let Some(file) = &cli.have {
        there.extend(list(file)?);
    }
    if let Some(image) = &cli.since {
        let reference = Reference::parse(image)?;
        let since = opener.find(&reference).and_then(|found| Node::there(&found));
        let since = since.map_err(|error| error.about(&reference))?;
        for node in since.manifests() {
            if let Content::Manifest { manifest, .. } = &node.content {
                there.extend(manifest.layers.iter().map(|layer| layer.digest.clone()));
            }
        }
    }
    Ok(there)
}

fn list(file: &OsStr) -> Result<Vec<Digest>, Failure> {
    let input = Input::open(file, Payload::Text)?;
    let label = input.label();
    let bytes = document::read(input.into_file(), MAX_LIST_LEN_BYTES)
        .map_err(|error| Failure::about(&label, error))?;
    let mut digests = Vec::new();
    for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line.trim_ascii());
        if !line.is_empty() {
            let digest = line.parse();
            let label = || format!("{label}:{}", number + 1);
            digests.push(digest.map_err(|error| Failure::about(label(), error))?);
        }
    }
    Ok(digests)
}

/// Refuses an image of which something is neither where it comes from nor in `store`, and
/// says what.
pub(crate) fn check_complete(found: &Found, root: &Node, store: &Store) -> Result<(), Failure> {
    let mut missing: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for node in root.manifests() {
        let Content::Manifest { manifest, .. } = &node.content else { continue };
        for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
            let may_be_missing = blob.kind() == Kind::ForeignLayer;
            if seen.insert(&blob.digest)
                && !may_be_missing
                && is_missing(found, blob)
                && !store.contains(blob)
            {
                missing.push(blob.digest.to_string());
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let total = count(missing.len() as u64, "blob", "blobs");
    let more = missing.len().saturating_sub(MAX_SHOWN);
    missing.truncate(MAX_SHOWN);
    let mut shown = missing.join(", ");
    if more > 0 {
        shown += &format!(" and {more} more");
    }
    let are = if missing.len() == 1 { "is" } else { "are" };
    Err(Failure::new(format!("{total} {are} missing: {shown}")))
}

/// Returns true if the image's source does not have the blob. The copy itself reports one that
/// cannot be read.
fn is_missing(found: &Found, blob: &Descriptor) -> bool {
    let is_nowhere = |error| matches!(error, image::Error::Store(store::Error::NoBlob(_)));
    !found.has(blob) && found.blob(blob).is_err_and(is_nowhere)
}
