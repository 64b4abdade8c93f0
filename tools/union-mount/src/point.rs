//! A union at a mount point of the host, for others to see.

use std::path::Path;

use common::cli::{Failure, Status};
use common::layer::apply::{Devices, SetId};
use common::message;
use common::mount::{Allowed, Audience, Driver};
use common::options::{Drivers, Trial};

use crate::layers::Stack;

/// Mounts the layers on `point`, or copies them there.
///
/// # Errors
/// Whatever keeps every way from working.
pub(crate) fn show(
    stack: &Stack,
    drivers: Drivers,
    point: &Path,
    allowed: Allowed,
) -> Result<Status, Failure> {
    drivers.try_each(Audience::MountPoint, |driver| {
        if driver == Driver::Copy {
            return match stack.refuses_copy() {
                Some(refusal) => Ok(Trial::Refused(refusal)),
                None => copy(stack, point, allowed),
            };
        }
        match stack.overlay(driver)?.mount_on(point, allowed) {
            Ok(()) => Ok(Trial::Done(())),
            Err(error) if error.is_refusal() => Ok(Trial::Refused(error.into())),
            Err(error) => Err(error.into()),
        }
    })?;
    Ok(Status::DONE)
}

/// Copies the layers to `point`. No mount option keeps what a copy holds from having
/// effect, so it gets only what is allowed.
fn copy(stack: &Stack, point: &Path, allowed: Allowed) -> Result<Trial<()>, Failure> {
    if let Err(error) = allowed.check_copy() {
        return Ok(Trial::Refused(error.into()));
    }
    let set_id = if allowed.suid { SetId::Keep } else { SetId::Drop };
    let devices = if allowed.dev { Devices::Make } else { Devices::LeaveOut };
    for line in stack.copy_to(point, set_id, devices)?.lines() {
        message::warning(line);
    }
    Ok(Trial::Done(()))
}
