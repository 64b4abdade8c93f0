//! The report for programs: one JSON object.

use common::inside::LayerSums;
use common::json::{self, insert_name};
use common::layer::listing::kind_name;
use serde_json::{Map, Value, json};

use crate::report::Report;
use common::inside::compare::{Facts, File};

pub(crate) fn line(report: &Report) -> serde_json::Result<String> {
    let image = |reference: &common::image::Reference, id: &String| json!({ "reference": reference.to_string(), "image": id });
    let fields = report.config.iter();
    let fields = fields.map(|it| json!({ "key": it.key, "old": it.old, "new": it.new }));
    let packages = report.packages.list.iter();
    let packages = packages
        .map(|it| json!({ "kind": it.kind, "name": it.name, "old": it.old, "new": it.new }));
    let not_read = report.packages.not_read.iter().map(|path| {
        let mut object = Map::new();
        insert_name(&mut object, "path", path);
        Value::from(object)
    });
    let directories = report.directories.iter().map(|(path, sum)| {
        let mut object = Map::new();
        insert_name(&mut object, "path", if path.is_empty() { b"/" } else { path });
        object.insert("added".into(), sum.added.into());
        object.insert("changed".into(), sum.changed.into());
        object.insert("removed".into(), sum.removed.into());
        object.insert("growth_bytes".into(), number(sum.growth));
        Value::from(object)
    });
    json::line(&json!({
        "old": image(&report.old, &report.ids.0),
        "new": image(&report.new, &report.ids.1),
        "config": fields.collect::<Vec<_>>(),
        "history": { "old": report.history.old, "new": report.history.new },
        "layers": {
            "shared": report.shared_layers,
            "old": layers(&report.layers.old),
            "new": layers(&report.layers.new),
        },
        "files": report.files.iter().map(file).collect::<Vec<_>>(),
        "directories": directories.collect::<Vec<_>>(),
        "packages": packages.collect::<Vec<_>>(),
        "not_read": not_read.collect::<Vec<_>>(),
    }))
}

fn number(number: i128) -> Value {
    i64::try_from(number).map_or(Value::Null, Value::from)
}

fn layers(layers: &[LayerSums]) -> Vec<Value> {
    let layer = |sums: &LayerSums| {
        json!({
            "digest": sums.layer.descriptor.digest.to_string(),
            "diff_id": sums.layer.diff_id.to_string(),
            "created_by": sums.step.entry.created_by,
            "stored_bytes": sums.layer.descriptor.len_bytes,
            "size_bytes": sums.content_bytes,
        })
    };
    layers.iter().map(layer).collect()
}

fn file(file: &File) -> Value {
    let mut object = Map::new();
    insert_name(&mut object, "path", &file.path);
    object.insert("change".into(), file.change.word().into());
    let facts = |facts: &Facts| json!({ "type": kind_name(&facts.kind), "size": facts.len_bytes });
    object.insert("old".into(), file.old.as_ref().map_or(Value::Null, facts));
    object.insert("new".into(), file.new.as_ref().map_or(Value::Null, facts));
    object.insert("differs".into(), file.differs.clone().into());
    object.into()
}
