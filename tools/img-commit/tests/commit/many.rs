//! Stores with very many names, and images with very many layers: memory is bounded, and
//! time grows with what there is, not with its square.

use std::fs;
use std::process::Command;

use common::oci::{Descriptor, ImageConfig, Index};
use layerutils_tests::place::layer;

/// Commits with so much address space, which is more than any memory used.
fn commit_within(place: &super::Place, kilobytes: u32, args: &[&str]) {
    let script = format!(r#"ulimit -v {kilobytes}; exec timeout 300 "$0" "$@""#);
    let plain = place.command(args);
    let mut command = Command::new("bash");
    command.args(["-c", &script]).arg(plain.get_program()).args(args).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", "/usr/bin:/bin").current_dir(place.path(""));
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_store_may_have_100_000_names() {
    const NAMES: usize = 100_000;
    let place = super::place();
    place.put_image(&["base"], "2001-01-01T00:00:00Z", &[5]);
    let base: Descriptor = place.store().images().unwrap().remove(0);
    let entry = |number: usize| {
        let mut entry = base.clone();
        let name = format!("registry.example.org/team/app-{number}:latest");
        entry.annotations.insert(common::oci::REF_NAME.into(), name);
        entry
    };
    let mut text = serde_json::to_string(&Index::new(vec![base.clone()])).unwrap();
    let more: Vec<String> =
        (1..NAMES).map(|number| serde_json::to_string(&entry(number)).unwrap()).collect();
    text.insert_str(text.rfind(']').unwrap(), &format!(",{}", more.join(",")));
    fs::write(place.path("store/index.json"), text).unwrap();

    let wanted = format!("registry.example.org/team/app-{}", NAMES - 1);
    commit_within(&place, 300_000, &["--config-only", "-t", "new", &wanted]);
    let entries = place.store().entries().unwrap();
    assert_eq!(entries.iter().len(), NAMES + 1);
    assert!(entries.named("new:latest").is_some());
    let results = place.store().remove(&["new".into(), wanted], common::store::Pruning::Remove);
    assert!(results.unwrap().iter().all(Result::is_ok));
    assert_eq!(place.store().entries().unwrap().iter().len(), NAMES - 1);
}

#[test]
fn an_image_may_have_3_000_layers() {
    let place = super::place();
    let layers: Vec<Vec<u8>> =
        (0..3000).map(|number| layer(&[(&format!("file{number}"), b"")])).collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    for number in 0..3000 {
        config.config.env.push(format!("NAME{number}=value"));
        config.config.labels.insert(format!("label{number}"), "value".into());
    }
    place.put(&["base"], config, &layers, |_| {});
    fs::write(place.path("new.tar"), layer(&[("new", b"new")])).unwrap();
    commit_within(&place, 300_000, &["-t", "app", "base", "new.tar"]);
    assert_eq!(place.image("app").layers().len(), 3001);
    commit_within(&place, 300_000, &["-o", "oci-archive:out.tar", "app", "new.tar"]);
}
