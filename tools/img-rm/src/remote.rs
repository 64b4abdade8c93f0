//! Tags and manifests taken away from registries.

use std::ffi::OsStr;

use common::cli::Failure;
use common::name::show;
use registry::{Access, Error, Options, RegistryReference, Repository, Target};

/// Other tags are looked for among so many.
const MAX_TAGS: usize = 1000;

/// Takes away the tag or, by its digest, the manifest that an operand names; what that was.
pub(crate) fn remove(operand: &str, options: &Options, dry_run: bool) -> Result<String, Failure> {
    let Some(reference) = RegistryReference::parse(OsStr::new(operand)) else {
        return Err(Failure::new(format!("{}: not in a registry", show(operand))));
    };
    let reference = reference?;
    let about = |error: Error| Failure::about(&reference, error);
    let repository = Repository::connect(&reference, Access::Delete, &[], options);
    let repository = repository.map_err(about)?;
    let digest = repository.digest(&reference.target).map_err(about)?;
    if dry_run {
        return Ok(reference.to_string());
    }
    match repository.delete(&reference.target) {
        Ok(()) => Ok(reference.to_string()),
        // Many registries take away manifests, and with them all their tags, and no tag.
        Err(error @ (Error::Status { status: 400 | 405 | 501, .. } | Error::Missing { .. }))
            if matches!(reference.target, Target::Tag(_)) =>
        {
            let others = others(&repository, &reference, &digest.to_string());
            let with = match others.as_deref() {
                Some([]) => ", which has no other tag".to_owned(),
                Some(others) => format!(", and with it {}", others.join(", ")),
                None => ", and with it all its tags".to_owned(),
            };
            let name = reference.by_digest(&digest);
            Err(about(error).hint(format!("img-rm {name} removes the manifest{with}")))
        }
        Err(error) => Err(about(error)),
    }
}

/// The other tags of this digest, if they can be found out.
fn others(
    repository: &Repository,
    reference: &RegistryReference,
    digest: &str,
) -> Option<Vec<String>> {
    let mut tags = repository.list().ok().filter(|tags| tags.len() <= MAX_TAGS)?;
    tags.retain(|tag| {
        let target = Target::Tag(tag.clone());
        target != reference.target
            && repository.digest(&target).is_ok_and(|other| other.to_string() == digest)
    });
    Some(tags.iter().map(|tag| show(tag).to_string()).collect())
}
