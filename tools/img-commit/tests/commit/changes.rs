//! Every instruction that changes a config, and every option that says something in it.

use serde_json::{Value, json};

use crate::{commit, history, layer, place, refuse};

/// The changes, and what the config has then that it did not have.
type Change = (&'static [&'static str], fn() -> Value);

const CHANGES: &[Change] = &[
    (&[r#"CMD ["a", "b c"]"#], || json!({"Cmd": ["a", "b c"]})),
    (&["CMD a b"], || json!({"Cmd": ["/bin/sh", "-c", "a b"]})),
    (&[r#"ENTRYPOINT ["e"]"#], || json!({"Entrypoint": ["e"]})),
    (
        &["ENTRYPOINT e f", "CMD x"],
        || json!({"Entrypoint": ["/bin/sh", "-c", "e f"], "Cmd": ["/bin/sh", "-c", "x"]}),
    ),
    (
        &["ENV A=1 B=\"two words\"", "ENV C three words", "ENV A=4"],
        || json!({"Env": ["A=4", "B=two words", "C=three words"]}),
    ),
    (&["ENV A=1", "ENV B=$A-2"], || json!({"Env": ["A=1", "B=1-2"]})),
    (
        &["EXPOSE 80 53/udp 9000-9001/tcp"],
        || json!({"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "9000/tcp": {}, "9001/tcp": {}}}),
    ),
    (&["HEALTHCHECK --interval=5s --timeout=1m --start-period=2s --retries=3 CMD true"], || {
        json!({"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_i64,
            "Timeout": 60_000_000_000_i64, "StartPeriod": 2_000_000_000_i64, "Retries": 3}})
    }),
    (&["HEALTHCHECK NONE"], || json!({"Healthcheck": {"Test": ["NONE"]}})),
    (&["LABEL a=1 \"b c\"='d e'"], || json!({"Labels": {"a": "1", "b c": "d e"}})),
    (&["ONBUILD RUN make", "ONBUILD COPY . /"], || json!({"OnBuild": ["RUN make", "COPY . /"]})),
    (
        &[r#"SHELL ["/bin/bash", "-c"]"#, "CMD x"],
        || json!({"Shell": ["/bin/bash", "-c"], "Cmd": ["/bin/bash", "-c", "x"]}),
    ),
    (&["STOPSIGNAL SIGQUIT"], || json!({"StopSignal": "SIGQUIT"})),
    (&["USER 5:6"], || json!({"User": "5:6"})),
    (
        &["VOLUME /a /b", r#"VOLUME ["/c d"]"#],
        || json!({"Volumes": {"/a": {}, "/b": {}, "/c d": {}}}),
    ),
    (&["WORKDIR /a", "WORKDIR b"], || json!({"WorkingDir": "/a/b"})),
    // A line may go on in the next, as docker has it.
    (&["ENV A=1 \\", "B=2"], || json!({"Env": ["A=1", "B=2"]})),
];

#[test]
fn every_instruction_changes_the_config_and_nothing_else() {
    for (changes, expected) in CHANGES {
        let place = place();
        let mut args = vec!["-t", "app"];
        changes.iter().for_each(|change| args.extend(["-c", change]));
        args.push("scratch");
        commit(&place, &args, &layer(&["a"]));
        let image = place.image("app");
        let config: Value = serde_json::from_slice(&image.config_bytes).unwrap();
        assert_eq!(config["config"], expected(), "{changes:?}");
    }
}

#[test]
fn what_the_base_has_is_taken_out() {
    let place = place();
    let changes = [
        "ENV A=1 AB=2",
        "LABEL a=1 b=2",
        "EXPOSE 80 81/udp 90-92",
        "VOLUME /a /b",
        "HEALTHCHECK CMD true",
        "CMD x",
        "USER 5",
    ];
    let mut args = vec!["-t", "base", "scratch"];
    changes.iter().for_each(|change| args.extend(["-c", change]));
    commit(&place, &args, &layer(&["a"]));
    let config = |name: &str| place.image(name).config.config;
    let mut args = vec!["--config-only", "-t", "app", "base"];
    for thing in [
        "ENV=A",
        "LABEL=a",
        "PORT=80",
        "PORT=81/udp",
        "PORT=90-91",
        "VOLUME=/a",
        "cmd",
        "HEALTHCHECK",
    ] {
        args.extend(["--unset", thing]);
    }
    commit(&place, &args, b"");
    let json = serde_json::to_value(config("app")).unwrap();
    let expected = json!({
        "User": "5",
        "Env": ["AB=2"],
        "Labels": {"b": "2"},
        "ExposedPorts": {"92/tcp": {}},
        "Volumes": {"/b": {}},
    });
    assert_eq!(json, expected);
    let said = history(&place, "app").pop().unwrap();
    assert!(said.starts_with("--unset ENV=A; --unset LABEL=a; "), "{said}");
    // A removed variable may be set again.
    let args = ["--config-only", "-t", "new", "--unset", "ENV=A", "-c", "ENV A=3", "base"];
    commit(&place, &args, b"");
    assert_eq!(config("new").env, ["AB=2", "A=3"]);
    for (thing, words) in [
        ("ENV=B", "--unset ENV=B: not in the image's config"),
        ("VOLUME=/c", "not in the image's config"),
        ("PORT=81", "not in the image's config"),
        ("ENV", "not ENV=NAME, "),
        ("ENV=", "not ENV=NAME, "),
        ("PORT=x", "not ENV=NAME, "),
        ("USER", "not ENV=NAME, "),
    ] {
        let said = refuse(&place, &["--config-only", "--unset", thing, "base"], b"");
        assert!(said.starts_with("img-commit: --unset ") && said.contains(words), "{said}");
    }
}

#[test]
fn an_archive_of_images_is_no_layer() {
    let place = place();
    let hex = "a".repeat(64);
    commit(&place, &["scratch"], &layer(&["a"]));
    for name in [
        "oci-layout".to_owned(),
        format!("blobs/sha256/{hex}"),
        format!("{hex}/VERSION"),
        format!("{hex}/layer.tar"),
        format!("{hex}.json"),
        format!("{hex}.tar"),
        format!("sha256:{hex}"),
    ] {
        let said = refuse(&place, &["scratch"], &layer(&[&name, "manifest.json"]));
        let expected = "img-commit: standard input: an archive of images, not a layer\n\
                        img-commit: hint: put it into the store: img-copy docker-archive:FILE NAME\n";
        assert_eq!(said, expected, "{name}");
    }
    // Names that are nearly such are files'.
    for name in ["index.json", "manifest.json", "blobs/sha256/x", "a.tar", &hex] {
        commit(&place, &["scratch"], &layer(&[name, "oci-layout"]));
    }
}

#[test]
fn what_is_about_builds_is_taken_over_by_a_squash_alone() {
    let place = place();
    let changes = ["-c", "ONBUILD RUN x", "-c", "SHELL [\"s\"]", "-c", "STOPSIGNAL 9"];
    commit(&place, &[&["-t", "base"], &changes[..], &["scratch"]].concat(), &layer(&["a"]));
    commit(&place, &["-t", "app", "-c", "CMD x", "base"], &layer(&["b"]));
    let config = place.image("app").config.config;
    assert!(config.on_build.is_empty() && config.shell.is_empty(), "{config:?}");
    assert_eq!(config.cmd.unwrap(), ["/bin/sh", "-c", "x"]);
    assert_eq!(config.stop_signal, "9");
    commit(&place, &["-t", "flat", "--squash", "--config-only", "base"], b"");
    assert_eq!(place.image("flat").config.config, place.image("base").config.config);
}

#[test]
fn what_is_no_change_of_a_config_is_refused() {
    let place = place();
    commit(&place, &["-t", "base", "scratch"], &layer(&["a"]));
    for change in [
        "RUN x",
        "FROM x",
        "COPY a b",
        "ADD a b",
        "ARG a",
        "MAINTAINER me",
        "NOPE x",
        "EXPOSE x",
        "STOPSIGNAL NOPE",
        "HEALTHCHECK --interval=x CMD true",
        "ONBUILD FROM x",
        "ENV A",
        "SHELL x",
        "",
    ] {
        let said = refuse(&place, &["-c", change, "base"], &layer(&["b"]));
        assert!(said.starts_with("img-commit: --change: "), "{change}: {said}");
        assert_eq!(said.lines().count(), 1, "{change}: {said}");
    }
}

#[test]
fn what_is_said_of_a_commit_is_in_the_history_and_the_manifest() {
    let place = place();
    commit(&place, &["-t", "base", "-c", "CMD [\"a\", \"b\"]", "scratch"], &layer(&["a"]));
    let args = ["-t", "one", "-t", "x.y/two:3", "-m", "message", "-a", "Me <me@x>"];
    let more = ["--created-by", "a tool", "--annotation", "k=v=w", "--annotation", "l=", "base"];
    commit(&place, &[&args[..], &more[..]].concat(), &layer(&["b"]));
    let image = place.image("one");
    assert_eq!(place.image("x.y/two:3").id(), image.id());
    let step = image.config.history.last().unwrap();
    assert_eq!((step.comment.as_str(), step.author.as_str()), ("message", "Me <me@x>"));
    assert_eq!(step.created_by, "a tool");
    assert_eq!(step.created.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!((image.config.author.as_str(), step.empty_layer), ("Me <me@x>", false));
    assert_eq!(image.manifest.annotations["k"], "v=w");
    assert_eq!(image.manifest.annotations["l"], "");
    commit(&place, &["-t", "arm", "--platform", "linux/arm/v6", "scratch"], &layer(&["a"]));
    let arm = place.image("arm").config;
    assert_eq!(
        (arm.os.as_str(), arm.architecture.as_str(), arm.variant.as_str()),
        ("linux", "arm", "v6")
    );
    let said = refuse(&place, &["--platform", "linux/arm/v6", "base"], &layer(&["a"]));
    assert!(said.starts_with("img-commit: base: no image for platform linux/arm/v6: "), "{said}");
    let said = refuse(&place, &["--annotation", "k", "base"], &layer(&["a"]));
    assert!(said.contains("not KEY=VALUE"), "{said}");
}
