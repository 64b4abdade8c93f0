//! The plan as JSON, for `--print`.

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use common::cli::{Failure, Status};
use common::mount::{Allowed, Audience, Driver, Durability, Namespace, Overlay};
use common::options::Drivers;
use common::stream::{self, Output, Payload};
use serde_json::{Value, json};

use crate::cli::Goal;
use crate::layers::Stack;

/// Prints what would be mounted.
///
/// # Streams
/// One JSON object on standard output.
pub(crate) fn print(
    stack: &Stack,
    drivers: Drivers,
    goal: Option<&Goal>,
    allowed: Allowed,
) -> Result<Status, Failure> {
    let audience = match goal {
        Some(Goal::Point(_)) => Audience::MountPoint,
        Some(Goal::Command(_)) | None => Audience::Command,
    };
    let driver = drivers.first(audience)?;
    let plan = plan(&stack.overlay(driver)?, driver, goal, allowed);
    let mut output = Output::standard(Payload::Text)?;
    let mut text = common::json::pretty(&plan)?.into_bytes();
    text.push(b'\n');
    output.write_all(&text).map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    Ok(Status::DONE)
}

fn plan(overlay: &Overlay, driver: Driver, goal: Option<&Goal>, allowed: Allowed) -> Value {
    // What a command gains is the sandbox's affair.
    let at_point = |refused: bool| matches!(goal, Some(Goal::Point(_))).then_some(refused);
    let upper = overlay.upper.as_ref();
    json!({
        "driver": driver.to_string(),
        "lowers": overlay.lowers.iter().map(bytes).collect::<Vec<_>>(),
        "upper": upper.map(|upper| bytes(&upper.dir)),
        "work": upper.and_then(|upper| upper.work.as_ref()).map(bytes),
        "xattrs": match overlay.namespace {
            Namespace::Trusted => "trusted",
            Namespace::User => "user",
        },
        "volatile": overlay.durability == Durability::Volatile,
        "nosuid": at_point(!allowed.suid),
        "nodev": at_point(!allowed.dev),
        "mountpoint": match goal {
            Some(Goal::Point(point)) => Some(bytes(point)),
            _ => None,
        },
        "command": match goal {
            Some(Goal::Command(argv)) => Some(argv.iter().map(bytes).collect::<Vec<_>>()),
            _ => None,
        },
    })
}

/// A name as a string where it is UTF-8, as an array of its bytes otherwise.
fn bytes(name: impl AsRef<std::ffi::OsStr>) -> Value {
    let name = name.as_ref();
    name.to_str().map_or_else(|| json!(name.as_bytes()), |text| json!(text))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use common::mount::{Allowed, Driver, Overlay};

    #[test]
    fn names_that_are_not_utf8_are_arrays_of_bytes() {
        let overlay = Overlay::new(vec!["/a".into(), OsString::from_vec(vec![b'/', 0xff]).into()]);
        let plan = super::plan(&overlay, Driver::Overlay, None, Allowed::default());
        assert_eq!(plan["lowers"], serde_json::json!(["/a", [47, 255]]));
    }
}
