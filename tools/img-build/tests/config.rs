//! Config, history, variables, stages: what the image says of itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::process::Command;

use support::Bench;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn config_and_history_are_as_buildkit_writes_them() {
    let bench = Bench::new();
    bench.write("f", "x");
    let image = bench.build_with(
        "ARG G=global\nFROM scratch\nARG G\nARG V=1 W\nENV A=1 B=\"two words\" C=$V\nLABEL l=\"$B\"\nCOPY --chown=1:2 f /d/\nEXPOSE 80 443/udp\nVOLUME /data\nUSER 7\nWORKDIR /w\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=5s CMD ok\nONBUILD RUN x\nMAINTAINER me\nENTRYPOINT [\"/e\"]\nCMD a \"b\"",
        &["--build-arg", "V=2", "--label", "extra=1"],
    );
    assert_eq!(
        image.history(),
        [
            "- ARG G=global",
            "- ARG V=2 W",
            "- ENV A=1 B=two words C=2",
            "- LABEL l=two words",
            "+ COPY --chown=1:2 f /d/ # buildkit",
            "- EXPOSE [443/udp 80/tcp]",
            "- VOLUME [/data]",
            "- USER 7",
            "+ WORKDIR /w",
            "- STOPSIGNAL SIGINT",
            "- HEALTHCHECK {Test:[CMD-SHELL ok] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}",
            "- MAINTAINER me",
            "- ENTRYPOINT [\"/e\"]",
            "- CMD [\"/bin/sh\" \"-c\" \"a \\\"b\\\"\"]",
        ]
    );
    let json = serde_json::to_value(&image.config.config).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "User": "7",
            "ExposedPorts": {"443/udp": {}, "80/tcp": {}},
            "Env": [PATH, "A=1", "B=two words", "C=2"],
            "Entrypoint": ["/e"],
            "Cmd": ["/bin/sh", "-c", "a \"b\""],
            "ArgsEscaped": true,
            "Volumes": {"/data": {}},
            "WorkingDir": "/w",
            "Labels": {"extra": "1", "l": "two words"},
            "StopSignal": "SIGINT",
            "Healthcheck": {"Test": ["CMD-SHELL", "ok"], "Interval": 5_000_000_000_u64},
            "OnBuild": ["RUN x"],
        })
    );
    assert_eq!(image.config.author, "me");
    assert_eq!(image.config.os, "linux");
    let comments =
        image.config.history.iter().filter(|entry| entry.comment == "buildkit.dockerfile.v0");
    assert_eq!(comments.count(), image.config.history.len());
    assert!(image.config.history.iter().all(|entry| entry.created.is_some()));
}

#[test]
fn scratch_begins_with_a_path_and_a_directory() {
    let image = Bench::new().build("FROM scratch");
    let json = serde_json::to_string(&image.config.config).unwrap();
    assert_eq!(json, format!("{{\"Env\":[\"{PATH}\"],\"WorkingDir\":\"/\"}}"));
    assert!(image.layers.is_empty());
}

#[test]
fn variables_have_their_scopes_and_ranks() {
    let bench = Bench::new();
    for (text, arguments, expected) in [
        ("FROM scratch\nARG V=1\nLABEL v=$V", vec![], "1"),
        ("FROM scratch\nARG V=1\nLABEL v=$V", vec!["--build-arg", "V=2"], "2"),
        ("ARG V=g\nFROM scratch\nLABEL v=[$V]", vec![], "[]"),
        ("ARG V=g\nFROM scratch\nARG V\nLABEL v=$V", vec![], "g"),
        ("ARG V=g\nFROM scratch\nARG V=s\nLABEL v=$V", vec![], "s"),
        ("ARG V=g\nFROM scratch\nARG V=s\nLABEL v=$V", vec!["--build-arg", "V=c"], "c"),
        ("FROM scratch\nARG V=1\nENV V=2\nLABEL v=$V", vec![], "2"),
        ("FROM scratch\nENV V=2\nARG V=1\nLABEL v=$V", vec![], "1"),
        ("FROM scratch\nARG V=1 W=x$V\nLABEL v=$W", vec![], "x1"),
        ("FROM scratch\nENV a=1\nENV a=2 b=$a\nLABEL v=$b", vec![], "1"),
        ("FROM scratch AS x\nARG V=1\nFROM x\nLABEL v=$V", vec![], "1"),
        ("FROM scratch AS x\nARG V=1\nFROM scratch\nLABEL v=[$V]", vec![], "[]"),
        ("ARG B=scratch\nFROM $B\nLABEL v=${B:-none}", vec![], "none"),
        (
            "FROM scratch\nARG TARGETARCH\nLABEL v=$TARGETARCH",
            vec!["--platform", "linux/arm64"],
            "arm64",
        ),
        ("# escape=`\nFROM scratch\nENV V=`$x\nLABEL v=$V`\n", vec![], "$x"),
    ] {
        let image = bench.build_with(text, &arguments);
        assert_eq!(image.config.config.labels["v"], expected, "{text} {arguments:?}");
    }
}

#[test]
fn stages_are_built_as_far_as_they_are_needed() {
    let bench = Bench::new();
    bench.write("a", "A");
    let text = "FROM scratch AS one\nCOPY a /one\nCMD [\"one\"]\nFROM scratch AS unused\nCOPY missing /\nFROM one AS two\nCOPY --from=ONE /one /two\nCOPY --from=0 /one /three\nENTRYPOINT [\"two\"]\n";
    let image = bench.build(text);
    assert_eq!(image.layers.len(), 3);
    assert_eq!(image.list(1), ["f 0644 0:0 two \"A\""]);
    assert_eq!(image.config.config.cmd, None);
    let image = bench.build_with(text, &["--target", "one"]);
    assert_eq!(image.config.config.cmd.unwrap(), ["one"]);
    let failed = bench.run(&["--target", "three", "ctx"], b"");
    assert_eq!(failed.stderr, "img-build: --target three: there is no such stage\n");
    assert_eq!(failed.status, 2);
}

#[test]
fn images_of_the_store_are_bases_and_their_triggers_run() {
    let bench = Bench::new();
    bench.write("a", "A");
    let base = bench.build_with(
        "FROM scratch\nCOPY a /a\nENV E=1\nCMD [\"old\"]\nONBUILD COPY a /triggered\nONBUILD ENV T=$E",
        &["-t", "base"],
    );
    assert_eq!(base.config.config.on_build.len(), 2);
    let image = bench.build("FROM base\nCOPY --from=base /a /again\nENTRYPOINT [\"e\"]");
    assert_eq!(image.layers.len(), 3);
    assert_eq!(image.layers[0], base.layers[0]);
    assert_eq!(image.list(1), ["f 0644 0:0 triggered \"A\""]);
    assert_eq!(image.config.config.env, [PATH, "E=1", "T=1"]);
    assert!(image.config.config.on_build.is_empty());
    assert_eq!(image.config.config.cmd, None);
    assert_eq!(image.history()[..3], base.history()[..3]);
    let failed = bench.run(&["-f", "-", "ctx"], b"FROM nothing\n");
    assert_eq!(failed.status, 2);
    assert!(failed.stderr.starts_with("img-build: standard input:1: FROM: "), "{}", failed.stderr);
}

#[test]
fn errors_name_file_and_line() {
    for (text, expected) in [
        ("FROM scratch\n\nXYZZY", "Containerfile:3: unknown instruction: XYZZY"),
        (
            "FROM scratch\nENV a=${",
            "Containerfile:2: failed to process '${': syntax error: missing '}'",
        ),
        (
            "FROM $x",
            "Containerfile:1: FROM: '$x' stands for nothing: is the ARG set before the first FROM?",
        ),
        ("FROM scratch\nEXPOSE x", "Containerfile:2: invalid port: 'x'"),
        (
            "FROM scratch\nRUN --mount=type=ssh,required x",
            "Containerfile:2: RUN: the agent 'default' is required: give it with --ssh",
        ),
        (
            "FROM scratch\nRUN --security=insecure x",
            "Containerfile:2: RUN: --security=insecure is not supported",
        ),
        (
            "FROM scratch\nRUN --mount=type=secret,id=k,required x",
            "Containerfile:2: RUN: secret 'k' is required: give it with --secret",
        ),
        ("FROM scratch\nRUN --device=x y", "Containerfile:2: unknown flag: --device for RUN"),
    ] {
        assert_eq!(Bench::new().fail(text), format!("img-build: {expected}\n"));
    }
}

#[test]
fn what_no_arg_asks_for_is_warned_of() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch");
    let built = bench.run(&["--build-arg", "X=1", "--build-arg", "http_proxy=p", "ctx"], b"");
    assert_eq!(built.stderr, "img-build: warning: --build-arg X: no ARG asks for it\n");
    assert_eq!(built.status, 0);
}

#[test]
fn several_platforms_are_an_index_of_their_images() {
    let bench = Bench::new();
    let text = "FROM --platform=$BUILDPLATFORM scratch AS tool\nCOPY nonce /\n\
                FROM scratch\nARG TARGETARCH\nCOPY --from=tool nonce /$TARGETARCH\n";
    bench.write("Containerfile", text);
    let both = ["--platform", "linux/arm64,linux/x86_64", "--platform", "linux/amd64"];
    let built = bench.run(&[&both[..], &["-t", "both", "ctx"]].concat(), b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    let blob = |digest: &str| {
        let path = format!("store/blobs/{}", digest.trim().replace(':', "/"));
        serde_json::from_slice::<serde_json::Value>(&std::fs::read(bench.path(&path)).unwrap())
    };
    let index = blob(&built.stdout).unwrap();
    let images = index["manifests"].as_array().unwrap();
    let architectures: Vec<_> =
        images.iter().map(|image| &image["platform"]["architecture"]).collect();
    assert_eq!(architectures, ["arm64", "amd64"]);
    for (image, name) in images.iter().zip(["arm64", "amd64"]) {
        let image = bench.image(image["digest"].as_str().unwrap());
        assert_eq!(image.config.architecture, name);
        assert!(image.list(0)[0].contains(name), "{:?}", image.list(0));
    }
    // The one that docker loads is this machine's.
    let archive = bench.output(&[&both[..], &["-o", "-", "ctx"]].concat(), b"");
    std::fs::write(bench.path("both.tar"), archive.stdout).unwrap();
    let list =
        Command::new("tar").arg("-xOf").arg(bench.path("both.tar")).arg("manifest.json").output();
    let list: serde_json::Value = serde_json::from_slice(&list.unwrap().stdout).unwrap();
    let host = common::oci::Platform::host().architecture;
    let host = images.iter().find(|image| image["platform"]["architecture"] == host.as_str());
    let config = host.map(|host| {
        let manifest = blob(host["digest"].as_str().unwrap()).unwrap();
        format!("blobs/{}", manifest["config"]["digest"].as_str().unwrap().replace(':', "/"))
    });
    assert_eq!(list[0]["Config"].as_str(), config.as_deref());
    // What is the same for each platform is done once.
    bench.write("nonce", "another");
    assert_eq!(bench.hits(&both), [false, false, true, false]);
    let bad = bench.run(&["--platform", "linux/amd64,bogus", "ctx"], b"");
    assert_eq!((bad.stdout.as_str(), bad.status), ("", 2));
    assert!(bad.stderr.contains("'bogus'"), "{}", bad.stderr);
}
