//! `oci-layout`, the file that marks an image layout (image-spec image-layout.md).

use serde::Deserialize;

use super::{Error, from_json};

/// The mark of a layout, as we write it.
pub const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Checks the content of an `oci-layout` file: any version 1 of the layout will do.
///
/// # Errors
/// A malformed file, or a later version.
pub fn check_layout(text: &[u8]) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Layout {
        #[serde(rename = "imageLayoutVersion")]
        version: String,
    }
    let layout: Layout = from_json(text, "oci-layout")?;
    match layout.version.split('.').next() {
        Some("1") => Ok(()),
        _ => Err(Error::LayoutVersion(layout.version)),
    }
}
