//! JSON as these documents use it: bounded, tolerant of Go's nulls, deterministic.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::Error;

/// The longest document that is read or written: the bound that registries set
/// (distribution-spec, "Pushing Manifests"). Nesting is bounded by the parser, at 128.
pub const MAX_DOCUMENT_LEN_BYTES: u64 = 4 * 1024 * 1024;

/// Fields that we do not know, kept from reading to writing.
pub type Extra = BTreeMap<String, serde_json::Value>;

/// Parses a document; `what` names its kind in errors.
///
/// # Errors
/// Too long, not JSON, or of another shape.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, Error> {
    if bytes.len() as u64 > MAX_DOCUMENT_LEN_BYTES {
        return Err(Error::TooLong { what });
    }
    serde_json::from_slice(bytes).map_err(|source| Error::Json { what, source })
}

/// Writes a document: no blanks, fields in the order of the specification, maps
/// sorted, so that the same image has the same digest everywhere.
///
/// # Errors
/// A document longer than [`MAX_DOCUMENT_LEN_BYTES`], which no reader would take.
pub fn to_json<T: Serialize>(document: &T, what: &'static str) -> Result<Vec<u8>, Error> {
    let bytes = serde_json::to_vec(document).map_err(|source| Error::Json { what, source })?;
    if bytes.len() as u64 > MAX_DOCUMENT_LEN_BYTES {
        return Err(Error::TooLong { what });
    }
    Ok(bytes)
}

/// Go writes a nil slice, map or string as `null`: the empty value is meant.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// For `skip_serializing_if`: what Go's `omitempty` leaves out.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
