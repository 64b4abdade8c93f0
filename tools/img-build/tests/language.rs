//! Details of the language in which BuildKit is the judge.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::process::Command;

use support::{Bench, skip, with_busybox};

#[test]
fn triggers_of_a_stage_run_in_the_stage_that_begins_from_it() {
    let bench = Bench::new();
    bench.write("f", "F");
    let image =
        bench.build("FROM scratch AS a\nONBUILD ENV X=1\nONBUILD COPY f /$X\nFROM a\nLABEL x=$X\n");
    assert_eq!(image.config.config.labels["x"], "1");
    assert_eq!(image.last(), ["f 0644 0:0 1 \"F\""]);
    assert_eq!(image.history(), ["- ENV X=1", "+ COPY f /1 # buildkit", "- LABEL x=1"]);
    assert!(image.config.config.on_build.is_empty());
}

#[test]
fn triggers_of_a_base_use_stages_of_the_file() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let base = "FROM bb\nONBUILD COPY --from=builder /f /f\nONBUILD RUN --mount=from=builder,target=/m busybox cat /m/f >/g\n";
    bench.write("Base", base);
    assert_eq!(bench.run(&["-t", "base", "-f", "ctx/Base", "ctx"], b"").status, 0);
    let image = bench.build("FROM scratch AS builder\nCOPY <<E /f\nF\nE\nFROM base\n");
    assert_eq!(image.last(), ["f 0644 0:0 g \"F\\n\""]);
}

#[test]
fn only_earlier_stages_are_copied_from() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\nCOPY nonce /\n");
    assert_eq!(bench.run(&["-t", "later", "ctx"], b"").status, 0);
    let message = bench.fail_in(
        "FROM scratch\nCOPY --from=later /nonce /\nFROM scratch AS later\nFROM scratch\nCOPY --from=0 / /\n",
    );
    assert_eq!(message, "img-build: Containerfile:2: COPY: 'later' is not an earlier stage\n");
    let image = bench.build("FROM scratch\nCOPY --from=scratch / /x\n");
    assert_eq!(image.last(), ["d 0755 0:0 x/"]);
    let message = bench.fail_in("FROM scratch\nCOPY --from=scratch /f /x\n");
    assert!(message.ends_with("COPY: '/f': no such file in 'scratch'\n"), "{message}");
}

#[test]
fn the_word_that_was_meant_is_named() {
    let bench = Bench::new();
    for (text, hint) in [
        ("FORM scratch", "did you mean FROM?"),
        ("FROM scratch\nCOPPY a /", "did you mean COPY?"),
        ("FROM scratch\nCOPY --chwon=1 a /", "did you mean --chown?"),
        (
            "FROM scratch AS builder\nFROM scratch\nCOPY --from=biulder a /",
            "did you mean the stage 'builder'?",
        ),
        ("FROM scratch AS builder\nFROM bulder", "did you mean the stage 'builder'?"),
    ] {
        let message = bench.fail(text);
        let last = message.lines().last().unwrap();
        assert_eq!(last, format!("img-build: hint: {hint}"), "{text}: {message}");
    }
}

#[test]
fn a_working_directory_is_kept_as_it_is_written() {
    let bench = Bench::new();
    let image = bench.build("FROM scratch\nWORKDIR /tmp/\nWORKDIR a/\nWORKDIR /a//b/./\n");
    assert_eq!(image.config.config.working_dir, "/a//b/./");
    assert_eq!(image.history(), ["+ WORKDIR /tmp/", "+ WORKDIR /tmp/a", "+ WORKDIR /a//b/./"]);
    assert_eq!(image.last(), ["d 0755 0:0 a/", "d 0755 0:0 a/b/"]);
}

#[test]
fn a_working_directory_that_a_step_removed_is_made_again() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let image = bench.build("FROM bb\nWORKDIR /w/\nRUN busybox rm -r /w\nRUN busybox pwd >/f\n");
    assert_eq!(image.last(), ["f 0644 0:0 f \"/w\\n\"", "d 0755 0:0 w/"]);
}

#[test]
fn the_epoch_is_an_argument_too() {
    let bench = Bench::new();
    bench.write("f", "");
    let text =
        "FROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL e=$SOURCE_DATE_EPOCH\nCOPY f /\nWORKDIR /w\n";
    let by_argument = bench.build_with(text, &["--build-arg", "SOURCE_DATE_EPOCH=1700000000"]);
    assert_eq!(by_argument.config.config.labels["e"], "1700000000");
    assert_eq!(by_argument.config.created.as_deref(), Some("2023-11-14T22:13:20Z"));
    let mut bench = bench;
    bench.env.insert("SOURCE_DATE_EPOCH".into(), "1700000000".into());
    assert_eq!(bench.build(text).digest, by_argument.digest);
    let built = bench.run(&["--build-arg", "SOURCE_DATE_EPOCH=x", "ctx"], b"");
    assert_eq!(built.status, 2);
    assert!(
        built.stderr.contains("SOURCE_DATE_EPOCH: not a number of seconds"),
        "{}",
        built.stderr
    );
    let built = bench.run(&["--build-arg", "SOURCE_DATE_EPOCH=1", "-"], b"FROM scratch\n");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0), "an argument that means something");
}

#[test]
fn arguments_win_over_the_environment_in_their_own_stage_alone() {
    let bench = Bench::new();
    let text =
        "FROM scratch AS a\nENV X=4\nARG X=5\nARG Z=3\nLABEL in=$X\nFROM a\nLABEL out=$X-$Z\n";
    let labels = bench.build(text).config.config.labels;
    assert_eq!((labels["in"].as_str(), labels["out"].as_str()), ("5", "4-3"));
}

#[test]
fn a_proxy_is_set_in_both_spellings() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let text = "FROM bb\nRUN echo $http_proxy $HTTP_PROXY $no_proxy $NO_PROXY $ftp_proxy >/f\n";
    let arguments = ["--build-arg", "HTTP_PROXY=h", "--build-arg", "no_proxy=n"];
    let image = bench.build_with(text, &arguments);
    assert_eq!(image.last(), ["f 0644 0:0 f \"h h n n\\n\""]);
}

#[test]
fn a_flag_that_expands_to_nothing_is_as_if_it_were_not_given() {
    let bench = Bench::new();
    bench.write("f", "");
    let image = bench.build("FROM scratch\nARG NONE\nCOPY --chmod=$NONE --chown=$NONE f /\n");
    assert_eq!(image.last(), ["f 0644 0:0 f \"\""]);
    assert_eq!(image.history()[1], "+ COPY f / # buildkit");
}

#[test]
fn commands_see_the_host_name_that_was_given() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let text = "FROM bb\nRUN busybox hostname >/f\n";
    let image = bench.build_with(text, &["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=box"]);
    assert_eq!(image.last(), ["f 0644 0:0 f \"box\\n\""]);
    assert_ne!(bench.build(text).last(), image.last());
}

#[test]
fn a_file_at_etc_hostname_is_the_images() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let image = bench.build("FROM bb\nRUN busybox mkdir -p /etc; echo q >/etc/hostname\n");
    assert!(
        image.last().contains(&"f 0644 0:0 etc/hostname \"q\\n\"".to_owned()),
        "{:?}",
        image.last()
    );
}

#[test]
fn windows_is_refused() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\n");
    let built = bench.run(&["--platform", "windows/amd64", "ctx"], b"");
    assert_eq!(built.status, 2);
    assert_eq!(
        built.stderr,
        "img-build: platform windows/amd64: building for Windows is not supported\n"
    );
}

#[test]
fn the_file_may_be_called_dockerfile_in_small_letters() {
    let bench = Bench::new();
    bench.write("dockerfile", "FROM scratch\nLABEL f=small\n");
    let built = bench.run(&["ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    bench.write("Dockerfile", "FROM scratch\nLABEL f=large\n");
    let built = bench.run(&["ctx"], b"");
    assert_eq!(bench.image(built.stdout.trim()).config.config.labels["f"], "large");
}

#[test]
fn the_output_of_a_command_that_failed_is_shown_even_quietly() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    bench.write("Containerfile", "FROM bb\nRUN echo the reason; exit 3\n");
    let built = bench.run(&["-q", "ctx"], b"");
    assert_eq!(
        built.stderr,
        "img-build: | the reason\nimg-build: Containerfile:2: RUN exited with status 3\n"
    );
}

#[test]
fn a_base_without_history_gets_an_entry_for_each_layer() {
    let bench = Bench::new();
    bench.write("Containerfile", "FROM scratch\nCOPY nonce /a\nCOPY nonce /b\n");
    assert_eq!(bench.run(&["-o", "oci:base", "ctx"], b"").status, 0);
    let script = r#"
import json, hashlib, os, sys
def load(d): return json.load(open('base/blobs/sha256/' + d.split(':')[1]))
def put(x):
    b = json.dumps(x).encode(); d = hashlib.sha256(b).hexdigest()
    open('base/blobs/sha256/' + d, 'wb').write(b); return 'sha256:' + d, len(b)
index = json.load(open('base/index.json')); entry = index['manifests'][0]
manifest = load(entry['digest']); config = load(manifest['config']['digest'])
del config['history']
manifest['config']['digest'], manifest['config']['size'] = put(config)
entry['digest'], entry['size'] = put(manifest)
entry['annotations'] = {'org.opencontainers.image.ref.name': 'bare:latest'}
json.dump(index, open('base/index.json', 'w'))
"#;
    let made = Command::new("python3").args(["-c", script]).current_dir(bench.dir.path()).status();
    if !made.is_ok_and(|status| status.success()) {
        return skip("no python3");
    }
    bench.write("Containerfile", "FROM bare\nCOPY nonce /c\nLABEL a=b\n");
    let built = bench.run(&["--store", "base", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    std::fs::remove_dir_all(bench.path("store")).unwrap();
    std::fs::rename(bench.path("base"), bench.path("store")).unwrap();
    let image = bench.image(built.stdout.trim());
    assert_eq!(image.history(), ["+ ", "+ ", "+ COPY nonce /c # buildkit", "- LABEL a=b"]);
}

#[test]
fn bytes_of_another_encoding_pass_through() {
    let bench = Bench::new();
    let text = b"# caf\xe9\nFROM scratch\nLABEL a=caf\xe9\nCOPY <<'E' /raw\ncaf\xe9\nE\nCOPY <<E /text\ncaf\xe9\nE\n";
    std::fs::write(bench.path("ctx/Containerfile"), text).unwrap();
    let built = bench.run(&["ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    let image = bench.image(built.stdout.trim());
    // In JSON, as in BuildKit's.
    assert_eq!(image.config.config.labels["a"], "caf\u{fffd}");
    let holds = |layer: usize, bytes: &[u8]| {
        image.layers[layer].windows(bytes.len()).any(|window| window == bytes)
    };
    assert!(holds(0, b"caf\xe9\n"), "a quoted heredoc is not touched");
    assert!(holds(1, "caf\u{fffd}\n".as_bytes()));
}
