//! All there is to know of a history, as JSON: one object a line, newest step first.
//!
//! Beside docker's words it has what docker does not show: digests, DiffIDs, ChainIDs
//! and stored sizes. The keys are described in img-history(1).

use common::image::{Image, Reference};
use common::json;
use serde_json::{Value, json};

use crate::steps::Step;

pub(crate) fn lines(
    reference: &Reference,
    image: &Image,
    steps: &[Step],
) -> serde_json::Result<String> {
    let reference = reference.to_string();
    let platform = image.config.platform().to_string();
    let mut text = String::new();
    for step in steps {
        let layer = step.layer.as_ref().map_or(Value::Null, |step| {
            json!({
                "digest": step.layer.descriptor.digest.to_string(),
                "diff_id": step.layer.diff_id.to_string(),
                "chain_id": step.chain_id.to_string(),
                "media_type": step.layer.descriptor.media_type,
                "stored_bytes": step.layer.descriptor.len_bytes,
                "size_bytes": step.size,
            })
        });
        let entry = &step.entry;
        let object = json!({
            "reference": reference,
            "platform": platform,
            "image": step.image.as_ref().map(ToString::to_string),
            "created": entry.created,
            "created_by": entry.created_by,
            "author": entry.author,
            "comment": entry.comment,
            "empty_layer": step.layer.is_none(),
            "layer": layer,
        });
        text.push_str(&json::line(&object)?);
        text.push('\n');
    }
    Ok(text)
}
