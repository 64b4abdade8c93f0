//! The tags of a repository, and the repositories of a registry.

use std::ffi::OsStr;

use common::cli::Failure;
use common::json;
use common::name::show;
use registry::{Access, Options, RegistryReference, Repository};
use serde_json::json;

/// Lists the tags of `docker://HOST/NAME`, or the repositories of `docker://HOST/`:
/// one a line, or one JSON object a line.
pub(crate) fn list(
    operand: &str,
    options: &Options,
    as_json: bool,
    is_terminal: bool,
) -> Result<String, Failure> {
    let reference = match RegistryReference::catalog(OsStr::new(operand)) {
        Some(catalog) => catalog,
        None => named(operand)?,
    };
    let found = Repository::connect(&reference, Access::Pull, &[], options)
        .and_then(|repository| repository.list());
    let mut names = found.map_err(|error| Failure::about(&reference, error))?;
    // Registries keep no order, or change it.
    names.sort();
    let mut text = String::new();
    for name in &names {
        text += &match (as_json, is_terminal) {
            (true, _) => json::line(&json!({"name": reference.beside(name)}))?,
            (false, true) => show(name).to_string(),
            (false, false) => name.clone(),
        };
        text.push('\n');
    }
    Ok(text)
}

/// A repository, which has no tag.
fn named(operand: &str) -> Result<RegistryReference, Failure> {
    let Some(reference) = RegistryReference::parse(OsStr::new(operand)) else {
        return Err(Failure::new(format!("{}: not in a registry", show(operand))));
    };
    let reference = reference?;
    let last = operand.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) {
        let hint = "leave the tag out to list the repository's tags; img-inspect shows an image";
        return Err(Failure::new(format!("{reference}: one image, not a list")).hint(hint));
    }
    Ok(reference)
}
