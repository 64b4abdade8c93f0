//! What the index is read from, and what becomes of its text.

use super::Entries;
use crate::digest::Digest;
use crate::oci::{Descriptor, Index, media_type};

fn image(text: &str) -> Descriptor {
    Descriptor::new(media_type::MANIFEST, Digest::of(text.as_bytes()), text.len() as u64)
}

fn parsed(text: &str) -> Entries {
    Entries::parse(text.into()).unwrap()
}

fn written(entries: &Entries) -> String {
    let mut bytes = Vec::new();
    entries.write_to(&mut bytes).unwrap();
    assert_eq!(entries.len_bytes(), bytes.len() as u64);
    String::from_utf8(bytes).unwrap()
}

fn names(text: &str) -> Vec<String> {
    let index: Index = serde_json::from_str(text).unwrap();
    let name = |image: &Descriptor| image.ref_name().unwrap_or("-").to_owned();
    index.manifests.iter().map(name).collect()
}

#[test]
fn an_index_without_entries_gets_its_first_one() {
    for text in [
        r#"{"schemaVersion":2,"manifests":[]}"#,
        r#" { "schemaVersion" : 2 , "manifests" : [ ] , "x" : [ { } ] } "#,
        r#"{"manifests":null,"schemaVersion":2}"#,
        r#"{"schemaVersion":2 }"#,
    ] {
        let mut entries = parsed(text);
        entries.name(&["a".into()], &image("1")).unwrap();
        assert_eq!(names(&written(&entries)), ["a"], "{text}");
        let mut again = parsed(&written(&entries));
        again.retain(|_| false);
        assert_eq!(names(&written(&again)), Vec::<String>::new());
    }
}

#[test]
fn what_stays_is_copied_as_it_is() {
    let entry = |digest: &Digest, rest: &str| {
        format!(
            r#"{{ "size": 1e0, "digest":"{digest}","mediaType":"x", "new": {{"a":[1]}}{rest} }}"#
        )
    };
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let (one, two) = (entry(&one, ""), entry(&two, r#","annotations":{"x":"\u0041"}"#));
    let one = one.replace("1e0", "1");
    let two = two.replace("1e0", "2");
    let text =
        format!("{{\n\"new\":[[]],\"schemaVersion\":2,\"manifests\":[\n{one} ,\n {two}]}}\n");
    let mut entries = parsed(&text);
    entries.add(&image("3")).unwrap();
    let changed = written(&entries);
    assert!(changed.contains(&one) && changed.contains(&two), "{changed}");
    assert!(changed.starts_with("{\n\"new\":[[]],"), "{changed}");
    assert_eq!(names(&changed).len(), 3);
    entries.retain(|entry| entry.digest != Digest::of(b"1").to_string());
    assert!(!written(&entries).contains(&one));
    assert_eq!(names(&written(&entries)).len(), 2);
}

#[test]
fn a_name_that_is_there_changes_nothing() {
    let mut entries = parsed(r#"{"schemaVersion":2,"manifests":[]}"#);
    let both = ["a".to_owned(), "b".to_owned()];
    entries.name(&both, &image("1")).unwrap();
    let text = written(&entries);
    let mut again = parsed(&text);
    again.name(&both, &image("1")).unwrap();
    again.add(&image("1")).unwrap();
    assert!(!again.is_changed());
    again.name(&both, &image("2")).unwrap();
    assert!(again.is_changed());
    assert_eq!(names(&written(&again)), ["-", "a", "b"]);
}

#[test]
fn malformed_indexes_are_refused() {
    let digest = Digest::of(b"");
    let entry = format!(r#"{{"mediaType":"x","digest":"{digest}","size":1}}"#);
    let index = |entries: &str| format!(r#"{{"schemaVersion":2,"manifests":{entries}}}"#);
    assert_eq!(parsed(&index(&format!("[{entry},{entry}]"))).iter().len(), 2);
    for text in [
        "",
        "{}",
        "[]",
        r#"{"schemaVersion":2,"#,
        r#"{"schemaVersion":2,"manifests":[]}x"#,
        r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#,
        r#"{"schemaVersion":2,"manifests":[],"Manifests":[]}"#,
        r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
        r#"{"schemaVersion":2,,"manifests":[]}"#,
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#,
        &index(&format!("[{entry} {entry}]")),
        &index(&format!("[{entry},]")),
        &index(&format!("[,{entry}]")),
        &index(&format!("[{entry}")),
        &index(&format!("{{{entry}}}")),
        &index(&format!("[[{entry}]]")),
        &index(&format!("[[\"x\",\"{digest}\",1]]")),
        &index(&format!("[{}]", entry.replace(":1}", ":-1}"))),
        &index(&format!("[{}]", entry.replace("sha256:", "sha256:../"))),
        &index(&format!("[{}]", entry.replace(":\"x\"", ":7"))),
    ] {
        assert!(Entries::parse(text.into()).is_err(), "{text}");
    }
    assert!(Entries::parse(b"{\"schemaVersion\":2,\"x\":\"\xff\"}".to_vec()).is_err());
}

#[test]
fn depth_costs_neither_stack_nor_time() {
    let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let digest = Digest::of(b"");
    for depth in [100, 4_000_000] {
        let text = format!(
            r#"{{"schemaVersion":2,"x":{0},"manifests":[{{"mediaType":"x/y","digest":"{digest}","size":1,"y":{0}}}]}}"#,
            deep(depth)
        );
        let entries = parsed(&text);
        let entry = entries.iter().next().unwrap();
        assert_eq!(entry.descriptor().is_ok(), depth < 128);
    }
}
