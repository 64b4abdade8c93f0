//! The differences of two configs and their histories.

use std::collections::{BTreeMap, BTreeSet};

use common::image::Image;
use common::oci::History;
use serde_json::Value;

/// A field that differs; nothing on the side that does not have it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Names with dots between: `Env.PATH`, `Labels.a`, `Cmd`, `architecture`.
    pub(crate) key: String,
    pub(crate) old: Option<Value>,
    pub(crate) new: Option<Value>,
}

/// The fields that differ, by key.
pub(crate) fn fields(
    old: &Image,
    new: &Image,
    is_semantic: bool,
) -> serde_json::Result<Vec<Field>> {
    let (mut old, mut new) = (flat(old)?, flat(new)?);
    if is_semantic {
        // It tells when one image was made, and not what it is.
        old.remove("created");
        new.remove("created");
    }
    let (mut old_env, mut new_env) = (old.remove("Env"), new.remove("Env"));
    let keys: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    let field = |key: String| {
        let (old, new) = (old.get(&key).cloned(), new.get(&key).cloned());
        (old != new).then_some(Field { key, old, new })
    };
    let mut fields: Vec<Field> = keys.into_iter().filter_map(field).collect();
    let has_env = fields.iter().any(|field| field.key.starts_with("Env."));
    if !is_semantic && !has_env && old_env != new_env {
        let (old, new) = (old_env.take(), new_env.take());
        fields.push(Field { key: "Env".into(), old, new });
    }
    Ok(fields)
}

/// A config as one table: what it holds of objects, and the variables, each by itself.
fn flat(image: &Image) -> serde_json::Result<BTreeMap<String, Value>> {
    let mut table = BTreeMap::new();
    let Value::Object(mut top) = serde_json::to_value(&image.config)? else { return Ok(table) };
    top.remove("rootfs");
    top.remove("history");
    let config = top.remove("config");
    for (key, value) in top {
        table.insert(key, value);
    }
    let Some(Value::Object(config)) = config else { return Ok(table) };
    for (key, value) in config {
        match value {
            Value::Object(members) => {
                let members = members.into_iter();
                table.extend(members.map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            Value::Array(variables) if key == "Env" => {
                for variable in variables.iter().filter_map(Value::as_str) {
                    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
                    table.insert(format!("Env.{name}"), value.into());
                }
                table.insert(key, Value::Array(variables));
            }
            value => {
                table.insert(key, value);
            }
        }
    }
    Ok(table)
}

/// The members of two lists between their common beginning and their common end.
#[derive(Debug)]
pub(crate) struct Rest<T> {
    pub(crate) old: Vec<T>,
    pub(crate) new: Vec<T>,
}

/// The steps that differ, oldest first.
pub(crate) fn history(old: &Image, new: &Image, is_semantic: bool) -> Rest<History> {
    let same = |one: &History, other: &History| match is_semantic {
        true => one.created_by == other.created_by && one.empty_layer == other.empty_layer,
        false => one == other,
    };
    rest(&old.config.history, &new.config.history, same)
}

pub(crate) fn rest<T: Clone>(old: &[T], new: &[T], same: impl Fn(&T, &T) -> bool) -> Rest<T> {
    let both = old.iter().zip(new);
    let start = both.take_while(|(one, other)| same(one, other)).count();
    let (old, new) = (old.get(start..).unwrap_or_default(), new.get(start..).unwrap_or_default());
    let both = old.iter().rev().zip(new.iter().rev());
    let end = both.take_while(|(one, other)| same(one, other)).count();
    let cut = |list: &[T]| list.get(..list.len() - end).unwrap_or_default().to_vec();
    Rest { old: cut(old), new: cut(new) }
}
