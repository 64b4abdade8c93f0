//! Reports for programs: one JSON object an image.

use common::json::{self, insert_name};
use serde_json::{Map, Value, json};

use crate::report::Report;
use crate::sharing::Sharing;

pub(crate) fn line(report: &Report, sharing: Sharing) -> serde_json::Result<String> {
    let image = &report.image;
    json::line(&json!({
        "reference": report.reference.to_string(),
        "image": image.id().to_string(),
        "platform": image.config.platform().to_string(),
        "size_bytes": report.content_bytes(),
        "stored_bytes": sharing.stored_bytes,
        "shared_bytes": sharing.shared_bytes,
        "added_bytes": sharing.added_bytes,
        "own_bytes": sharing.own_bytes(),
        "wasted_bytes": report.waste.len_bytes,
        "efficiency": report.waste.efficiency,
        "layers": layers(report),
        "directories": directories(report),
        "waste": waste(report),
        "advice": advice(report),
    }))
}

fn layers(report: &Report) -> Vec<Value> {
    let layers = (1..).zip(&report.layers).zip(&report.wasted_of_layers);
    let layer = |((number, sums), wasted): ((u32, &common::inside::LayerSums), &u64)| {
        json!({
            "layer": number,
            "digest": sums.layer.descriptor.digest.to_string(),
            "diff_id": sums.layer.diff_id.to_string(),
            "created_by": sums.step.entry.created_by,
            "stored_bytes": sums.layer.descriptor.len_bytes,
            "unpacked_bytes": sums.len_bytes,
            "size_bytes": sums.content_bytes,
            "files": sums.files,
            "whiteouts": sums.whiteouts,
            "wasted_bytes": wasted,
        })
    };
    layers.map(layer).collect()
}

fn directories(report: &Report) -> Vec<Value> {
    let directory = |it: &crate::directories::Directory| {
        let mut object = Map::new();
        let path: &[u8] = if it.path.is_empty() { b"/" } else { &it.path };
        insert_name(&mut object, "path", path);
        object.insert("files".into(), it.files.into());
        object.insert("size_bytes".into(), it.len_bytes.into());
        object.into()
    };
    report.directories.iter().map(directory).collect()
}

fn waste(report: &Report) -> Vec<Value> {
    let steps: Vec<String> = report.layers.iter().map(|sums| sums.step.brief()).collect();
    let step = |number: u32| {
        let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        at.and_then(|at| steps.get(at)).cloned().unwrap_or_default()
    };
    let wasted = |it: &common::inside::Wasted| {
        let mut object = Map::new();
        insert_name(&mut object, "path", &it.path);
        object.insert("how".into(), it.how.word().into());
        object.insert("wasted_bytes".into(), it.len_bytes.into());
        object.insert("files".into(), it.files.into());
        object.insert("written_by".into(), it.written_by.into());
        object.insert("written_by_step".into(), step(it.written_by).into());
        object.insert("wasted_by".into(), it.wasted_by.into());
        object.insert("wasted_by_step".into(), step(it.wasted_by).into());
        object.into()
    };
    report.waste.list.iter().map(wasted).collect()
}

fn advice(report: &Report) -> Vec<Value> {
    let one = |it: &crate::advice::Advice| json!({ "text": it.text, "layer": it.layer, "saves_bytes": it.saves_bytes });
    report.advice.iter().map(one).collect()
}
