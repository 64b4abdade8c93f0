//! `docker image inspect` and `img-inspect` of the same image, key by key.

use layerutils_tests::require;
use serde_json::Value;

use crate::Daemon;

/// What only a daemon knows: its own storage, and the container of a commit.
const OF_DOCKER: [&str; 6] =
    ["Container", "ContainerConfig", "DockerVersion", "GraphDriver", "Metadata", "VirtualSize"];
/// What an archive cannot tell, or docker of the harness does not.
const OTHERWISE: [&str; 2] = ["Parent", "Descriptor"];

/// A value without the fields in it that say nothing, which docker has and OCI has not.
fn telling(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !crate::says_nothing(value));
    }
    value
}

#[test]
fn the_shape_and_the_values_are_dockers() {
    require!(DockerDaemon);
    let daemon = Daemon::new("inspect");
    let sandbox = &daemon.sandbox;
    let script = "mkdir root; echo 1 > root/a; ln -s a root/b; tar -C root -cf root.tar .";
    let _ = sandbox.sh(script).succeeds();
    let name = daemon.name("image");
    let changes = ["-c", "ENV A=1", "-c", "CMD [\"x\"]", "-c", "EXPOSE 80", "-c", "LABEL b=c a=b"];
    let import = [&["docker", "import", "-m", "Import"], &changes[..], &["root.tar", &name]];
    daemon.run(&import.concat());
    daemon.save("image", "saved.tar");
    let parse = |argv: &[&str]| -> Value {
        let shown: Value = serde_json::from_slice(&daemon.run(argv).stdout).unwrap();
        shown[0].clone()
    };
    let theirs = parse(&["docker", "image", "inspect", &name]);
    let ours = parse(&["img-inspect", "docker-archive:saved.tar"]);
    for (key, value) in theirs.as_object().unwrap() {
        if !OF_DOCKER.contains(&key.as_str()) && !OTHERWISE.contains(&key.as_str()) {
            assert_eq!(telling(&ours[key]), telling(value), "{key}");
        }
    }
    for key in ours.as_object().unwrap().keys() {
        let is_known = theirs.get(key).is_some() || OTHERWISE.contains(&key.as_str());
        assert!(is_known, "docker has no {key}");
    }
    for format in [
        "{{.Id}}",
        "{{.Os}}/{{.Architecture}} {{.Size}} {{.Created}}",
        "{{json .Config.Env}} {{json .RepoTags}}",
        "{{.Config.Cmd}} {{.Config.Labels}} {{.RootFS.Type}} {{.RootFS.Layers}}",
        "{{json .RootFS.Layers}}",
    ] {
        let theirs = daemon.run(&["docker", "image", "inspect", "-f", format, &name]);
        let ours = daemon.run(&["img-inspect", "-f", format, "docker-archive:saved.tar"]);
        assert_eq!(ours.text(), theirs.text(), "{format}");
    }
}
