//! Law 6 for builds: what BuildKit makes of a Containerfile is the same tree, the
//! same config and the same history as what `img-build` makes of it.
//!
//! The judge is the BuildKit of the docker daemon that there is, which may be years
//! old; what newer ones do otherwise is left out ([`in_any_age`]).

#![allow(clippy::unwrap_used)]

mod cases;

use std::fs;

use layerutils_tests::require;
use layerutils_tests::requirement::skip;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tree::{dump, read};
use serde_json::{Value, json};

use cases::{CASES, Case};

#[test]
fn buildkit_makes_the_same_of_a_containerfile() {
    require!(Root, Peer("busybox"), DockerDaemon);
    let Some(docker) = docker_with_buildkit() else {
        return skip("", "needs a docker client that builds with BuildKit by itself");
    };
    let failed: Vec<_> = CASES.iter().filter_map(|case| differences(case, &docker)).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A client that has BuildKit's part built in, as newer ones have not.
fn docker_with_buildkit() -> Option<String> {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("context")).unwrap();
    sandbox.write("context/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("docker").display().to_string())
        .filter(|docker| std::path::Path::new(docker).is_file())
        .find(|docker| {
            let script = format!("DOCKER_BUILDKIT=1 {docker} build -q context >/dev/null 2>&1");
            sandbox.sh(&script).outcome().status == 0
        })
}

/// Builds a case twice; what is not the same.
fn differences(case: &Case, docker: &str) -> Option<String> {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("context")).unwrap();
    sandbox.write("context/Dockerfile", case.file);
    let prepare =
        format!("cp \"$(command -v busybox)\" context/busybox; cd context; {}", case.context);
    let _ = sandbox.sh(&prepare).succeeds();
    let name = "layerutils-buildkit-test";
    let script = format!(
        "img-build -q --network none -t ours {arguments} context >/dev/null
         DOCKER_BUILDKIT=1 {docker} build -q --network none -t {name} {arguments} context >/dev/null 2>theirs.log || {{ tail -n 5 theirs.log >&2; exit 1; }}
         {docker} save {name} -o theirs.tar && {docker} rmi -f {name} >/dev/null
         layer-apply --image ours ours-tree >/dev/null
         layer-apply --image docker-archive:theirs.tar theirs-tree >/dev/null",
        arguments = case.arguments,
    );
    let built = sandbox.sh(&format!("set -e\n{script}")).outcome();
    if built.status != 0 {
        return Some(format!("== {}: not built\n{built}", case.name));
    }
    let mut text = dump::difference(&tree(&sandbox, "theirs-tree"), &tree(&sandbox, "ours-tree"));
    let (theirs, ours) = (config(&sandbox, "docker-archive:theirs.tar"), config(&sandbox, "ours"));
    if theirs != ours {
        text += &format!("- {theirs:#}\n+ {ours:#}\n");
    }
    (!text.is_empty()).then(|| format!("== {}\n{text}", case.name))
}

/// A tree as text, but for times, which are those of the build.
fn tree(sandbox: &Sandbox, name: &str) -> String {
    let mut tree = read(&sandbox.path(name)).unwrap();
    for node in tree.nodes.values_mut() {
        (node.attributes.seconds, node.attributes.nanoseconds) = (0, 0);
    }
    dump::dump(&tree)
}

/// The config of an image, and its steps.
fn config(sandbox: &Sandbox, image: &str) -> Value {
    let printed = sandbox.words(&format!("img-inspect --config {image}")).succeeds().stdout;
    let document: Value = serde_json::from_slice(&printed).unwrap();
    let steps = document["history"].as_array().into_iter().flatten();
    let steps: Vec<_> =
        steps.map(|step| in_any_age(step["created_by"].as_str().unwrap_or(""))).collect();
    let mut config = document["config"].clone();
    // What older ones write although it says nothing.
    if let Some(config) = config.as_object_mut() {
        config.retain(|_, value| !value.is_null() && *value != json!("") && *value != json!(false));
    }
    json!({
        "config": config,
        "history": steps,
        "platform": [&document["os"], &document["architecture"]],
        "author": document.get("author").cloned().unwrap_or_default(),
    })
}

/// A step, but for what BuildKits of different ages write differently: the notation of
/// some values, which the config has too, and flags.
fn in_any_age(created_by: &str) -> String {
    let (keyword, rest) = created_by.split_once(' ').unwrap_or((created_by, ""));
    let rest = match keyword {
        // `map[443/udp:{} 80/tcp:{}]`, or `[443/udp 80/tcp]`
        "EXPOSE" => rest.trim_start_matches("map").replace(":{}", ""),
        "HEALTHCHECK" => String::new(),
        // With the default, or with the value.
        "ARG" => {
            let names = rest.split(' ').filter_map(|word| word.split('=').next());
            names.collect::<Vec<_>>().join(" ")
        }
        "COPY" | "ADD" => {
            let words = rest.split(' ').skip_while(|word| word.starts_with("--"));
            words.collect::<Vec<_>>().join(" ")
        }
        _ => rest.to_owned(),
    };
    format!("{keyword} {rest}")
}
