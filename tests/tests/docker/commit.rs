//! `docker commit` and `img-commit` with the same arguments on the same image.

use layerutils_tests::require;
use serde_json::{Value, json};

use crate::{Daemon, says_nothing};

/// The parents: what `docker import -c` makes of each.
const PARENTS: [(&str, &[&str]); 2] = [
    ("plain", &["CMD [\"/bin/sh\", \"-i\"]"]),
    (
        "full",
        &[
            "ENTRYPOINT [\"/bin/e\"]",
            "CMD [\"x\"]",
            "ENV PATH=/bin A=0 Z=9",
            "LABEL kept=1 l=0",
            "EXPOSE 1",
            "VOLUME /v",
            "USER 1",
            "WORKDIR /w",
            "HEALTHCHECK --interval=9s --retries=9 CMD old",
            "ONBUILD RUN old",
        ],
    ),
];

const COMMITS: &[&[&str]] = &[
    &[],
    &["-m", "Add h", "-a", "Me <me@x>"],
    &["-c", "CMD [\"a\", \"b c\"]"],
    &["-c", "CMD a 'b c'"],
    &["-c", "CMD []"],
    &["-c", "ENTRYPOINT [\"/bin/other\", \"x\"]"],
    &["-c", "ENTRYPOINT other"],
    &["-c", "ENTRYPOINT [\"e\"]", "-c", "CMD [\"c\"]"],
    &["-c", "CMD [\"c\"]", "-c", "ENTRYPOINT [\"e\"]"],
    &["-c", "ENV A=1 B=\"two words\"", "-c", "ENV C three words", "-c", "ENV D=$A-$C"],
    &["-c", "ENV A=1 \\", "-c", "B=2"],
    &["-c", "LABEL l=1 'm n'=\"x y\""],
    &["-c", "EXPOSE 80 443/udp 9000-9001"],
    &["-c", "VOLUME /data /d2", "-c", "VOLUME [\"/e f\"]"],
    &["-c", "USER 5:6"],
    &["-c", "WORKDIR x"],
    &["-c", "WORKDIR /y", "-c", "WORKDIR z"],
    &["-c", "HEALTHCHECK --interval=5s --timeout=1m --retries=2 CMD true x"],
    &["-c", "HEALTHCHECK CMD [\"true\"]"],
    &["-c", "HEALTHCHECK NONE"],
    &["-c", "ONBUILD RUN a b", "-c", "ONBUILD COPY . /"],
    &["-c", "STOPSIGNAL SIGQUIT"],
    &[
        "-m",
        "All",
        "-c",
        "ENV X=1",
        "-c",
        "LABEL y=2",
        "-c",
        "CMD z",
        "-c",
        "USER u",
        "-c",
        "EXPOSE 7",
    ],
];

/// What docker notes of the container and the daemon, and we have not.
const OF_DOCKER: [&str; 4] = ["container", "container_config", "docker_version", "created"];
const OF_THE_CONTAINER: [&str; 9] = [
    "Hostname",
    "Domainname",
    "Image",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "Tty",
    "OpenStdin",
    "StdinOnce",
];

/// A config without what cannot be the same, and without what says nothing.
fn comparable(mut config: Value) -> Value {
    let object = config.as_object_mut().unwrap();
    object.retain(|key, value| !OF_DOCKER.contains(&key.as_str()) && !says_nothing(value));
    object["config"]
        .as_object_mut()
        .unwrap()
        .retain(|key, value| !OF_THE_CONTAINER.contains(&key.as_str()) && !says_nothing(value));
    for step in object["history"].as_array_mut().unwrap() {
        step["created"] = json!("some time");
    }
    config
}

/// Docker before 28 did not take the instruction.
fn is_unknown(said: &[u8]) -> bool {
    String::from_utf8_lossy(said).contains("is not a valid change command")
}

#[test]
fn the_config_and_history_of_a_commit_are_those_of_docker_field_by_field() {
    require!(DockerDaemon);
    let daemon = Daemon::new("commit");
    let sandbox = &daemon.sandbox;
    let _ = sandbox.sh("mkdir root; echo 1 > root/a; tar -C root -cf root.tar .").succeeds();
    let mut compared = 0;
    for (parent, changes) in PARENTS {
        let (image, container) = (daemon.name(parent), daemon.name(&format!("{parent}-box")));
        let mut import = vec!["docker", "import", "-m", "Import it"];
        changes.iter().for_each(|change| import.extend(["-c", change]));
        import.extend(["root.tar", &image]);
        daemon.run(&import);
        daemon.run(&["docker", "create", "--network", "none", "--name", &container, &image]);
        daemon.run(&["docker", "cp", "root/a", &format!("{container}:/h")]);
        daemon.save(parent, "parent.tar");
        for (number, options) in COMMITS.iter().enumerate() {
            let name = format!("{parent}-{number}");
            let tag = daemon.name(&name);
            let commit = [&["docker", "commit"], *options, &[&container, &tag]].concat();
            let outcome = sandbox.run(&commit).outcome();
            if outcome.status != 0 && is_unknown(&outcome.stderr) {
                assert_eq!(options[1], "STOPSIGNAL SIGQUIT", "{outcome}");
                continue;
            }
            outcome.succeeded();
            daemon.save(&name, "committed.tar");
            // The layer that docker made, so that the DiffIDs can be compared too.
            let layer = "layer=$(tar -xOf committed.tar manifest.json | jq -r '.[0].Layers[-1]') \
                         && tar -xOf committed.tar \"$layer\" > layer.tar";
            let _ = sandbox.sh(layer).succeeds();
            let ours = ["img-commit", "-t", "ours"];
            daemon.run(&[&ours[..], options, &["docker-archive:parent.tar", "layer.tar"]].concat());
            assert_eq!(
                comparable(daemon.config("ours")),
                comparable(daemon.config("docker-archive:committed.tar")),
                "{parent}: {options:?}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 2 * COMMITS.len() - 2, "{compared}");
}

#[test]
fn a_commit_without_a_change_adds_an_entry_and_no_layer() {
    require!(DockerDaemon);
    let daemon = Daemon::new("nothing");
    let sandbox = &daemon.sandbox;
    let _ = sandbox.sh("mkdir root none; echo 1 > root/a; tar -C root -cf root.tar .").succeeds();
    let _ = sandbox.sh("tar -cf none.tar -T /dev/null").succeeds();
    let (image, container) = (daemon.name("base"), daemon.name("box"));
    daemon.run(&["docker", "import", "-c", "CMD [\"sh\"]", "root.tar", &image]);
    daemon.run(&["docker", "create", "--network", "none", "--name", &container, &image]);
    daemon.run(&["docker", "commit", "-m", "Nothing", &container, &daemon.name("same")]);
    daemon.save("base", "base.tar");
    daemon.save("same", "same.tar");
    daemon.run(&[
        "img-commit",
        "-m",
        "Nothing",
        "-t",
        "ours",
        "docker-archive:base.tar",
        "none.tar",
    ]);
    let ours = comparable(daemon.config("ours"));
    assert_eq!(ours, comparable(daemon.config("docker-archive:same.tar")));
    assert_eq!(ours["history"][1]["empty_layer"], true);
}

#[test]
fn what_is_written_out_is_loaded_by_docker_in_either_format() {
    require!(DockerDaemon);
    let daemon = Daemon::new("load");
    let sandbox = &daemon.sandbox;
    let _ = sandbox.sh("mkdir root; echo 1 > root/a; tar -C root -cf root.tar .").succeeds();
    daemon.run(&["img-commit", "-t", "base", "-m", "One", "scratch", "root.tar"]);
    for options in [
        &["--format", "oci"][..],
        &["--format", "docker"],
        &["--format", "docker", "--compress", "gzip"],
        &["--compress", "gzip", "--squash"],
        &["--squash", "--format", "docker"],
    ] {
        let name = daemon.name("out");
        let line = ["img-commit", "-m", "Two", "-t", &name, "-o", "docker-archive:out.tar"];
        daemon.run(&[&line[..], options, &["base", "root.tar"]].concat());
        daemon.run(&["docker", "load", "-i", "out.tar"]);
        let config = daemon.config("docker-archive:out.tar");
        let shown =
            daemon.run(&["docker", "inspect", "--format", "{{json .RootFS.Layers}}", &name]);
        let layers: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(layers, config["rootfs"]["diff_ids"], "{options:?}");
        let shown = daemon.run(&["docker", "history", "--format", "{{.Comment}}", &name]);
        let comments: Vec<&str> = config["history"]
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .map(|step| step["comment"].as_str().unwrap_or(""))
            .collect();
        assert_eq!(shown.text().lines().collect::<Vec<_>>(), comments, "{options:?}");
    }
}
