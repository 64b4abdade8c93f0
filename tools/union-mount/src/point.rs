//! A union at a mount point of the host, for others to see.

use std::path::Path;

use common::cli::{Failure, Status};
use common::mount::{Audience, Driver, Drivers, Trial};

use crate::layers::Stack;

/// Mounts the layers on `point`, or copies them there.
///
/// # Errors
/// Whatever keeps every way from working.
pub(crate) fn show(stack: &Stack, drivers: Drivers, point: &Path) -> Result<Status, Failure> {
    drivers.try_each(Audience::MountPoint, |driver| {
        if driver == Driver::Copy {
            return match stack.refuses_copy() {
                Some(refusal) => Ok(Trial::Refused(refusal)),
                None => stack.copy_to(point).map(Trial::Done),
            };
        }
        match stack.overlay(driver)?.mount_on(point) {
            Ok(()) => Ok(Trial::Done(())),
            Err(error) if error.is_refusal() => Ok(Trial::Refused(error.into_failure())),
            Err(error) => Err(error.into_failure()),
        }
    })?;
    Ok(Status::DONE)
}
