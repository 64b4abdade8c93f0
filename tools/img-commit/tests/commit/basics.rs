//! A layer, a config and a history: what becomes of them, and what is refused.

use std::fs;
use std::path::Path;

use common::digest::Digest;
use common::store::Store;
use layerutils_tests::place::layer_of;

use crate::{commit, gzip, layer, layer_bytes, members, place, refuse};

#[test]
fn an_image_with_a_bad_layer_is_not_built_on() {
    let place = place();
    let good = layer_of(5);
    let garbage = vec![1; 5000];
    for (blob, diff_id, words) in [
        (&good, Digest::of(b"other"), "DiffID mismatch: expected sha256:"),
        (&garbage, Digest::of(&garbage), "archive member at byte 0"),
    ] {
        place.put_claim("bad", blob, &diff_id);
        let source = format!("oci:{}:bad", place.path("store").display());
        for parent in ["bad", &source] {
            for args in [
                &["-t", "new", parent][..],
                &["-t", "new", "--config-only", parent],
                &["-t", "new", "--squash", parent],
                &["-o", "oci:out:x", parent],
                &["-o", "docker-archive:out.tar", parent],
            ] {
                let output = place.run(args, &layer_of(7));
                let said = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
                assert!(said.contains(words) && said.lines().count() == 1, "{args:?}: {said}");
                let names = place.store().images().unwrap();
                assert!(names.iter().all(|image| image.ref_name() != Some("new:latest")));
                assert!(std::fs::metadata(place.path("out.tar")).is_err());
            }
        }
    }
}

#[test]
fn a_refused_commit_leaves_no_new_store_behind() {
    let place = place();
    for args in [&["-t", "new", "scratch"][..], &["-t", "new", "-o", "oci:out:x", "scratch"]] {
        refuse(&place, args, b"not a layer");
        assert!(["store", "out"].map(|dir| fs::metadata(place.path(dir)).is_err()) == [true; 2]);
    }
    commit(&place, &["-t", "new", "scratch"], &layer(&["a"]));
    assert!(place.path("store").is_dir());
}

#[test]
fn a_commit_is_what_docker_would_make() {
    let place = place();
    let (first, second) = (layer(&["a"]), layer(&["b"]));
    let base = commit(
        &place,
        &["-t", "base", "-m", "Import", "-a", "me", "-c", "CMD [\"/bin/sh\", \"-i\"]", "scratch"],
        &first,
    );
    let app = commit(
        &place,
        &[
            "-t",
            "app:1",
            "-t",
            "app",
            "-m",
            "Add b",
            "-c",
            "ENV A=1 B=2",
            "-c",
            "CMD [\"b\"]",
            "base",
        ],
        &second,
    );
    let image = place.image("app:1");
    assert_eq!(image.id().to_string(), app);
    assert_eq!(place.image("app").id(), image.id());
    assert_eq!(image.base().unwrap().id().to_string(), base);
    let layers: Vec<Digest> = image.layers().map(|layer| layer.diff_id.0).collect();
    assert_eq!(layers, [Digest::of(&first), Digest::of(&second)]);
    assert_eq!(image.manifest.layers[1].digest, layers[1], "stored plain");
    assert_eq!(image.manifest.layers[1].media_type, "application/vnd.oci.image.layer.v1.tar");
    assert_eq!(image.config.config.env, ["A=1", "B=2"]);
    assert_eq!(image.config.config.cmd.as_deref().unwrap(), ["b"]);
    let history: Vec<_> = image
        .config
        .history
        .iter()
        .map(|step| {
            (
                step.created_by.as_str(),
                step.comment.as_str(),
                step.author.as_str(),
                step.empty_layer,
            )
        })
        .collect();
    assert_eq!(history, [("", "Import", "me", false), ("/bin/sh -i", "Add b", "", false)]);
    assert_eq!(image.config.created.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!(image.config.author, "");
    let cache = place.path("cache/layerutils/sizes");
    assert_eq!(fs::read_dir(cache).unwrap().count(), 2, "sizes are remembered");
}

#[test]
fn the_same_commit_has_the_same_digest_however_the_layer_comes() {
    let place = place();
    let plain = layer(&["a"]);
    fs::write(place.path("layer.tar"), &plain).unwrap();
    let first = commit(&place, &["scratch"], &plain);
    assert_eq!(commit(&place, &["scratch", "-"], &gzip(&plain)), first);
    assert_eq!(commit(&place, &["scratch", "layer.tar"], b""), first);
    assert_eq!(commit(&place, &["--compress=none", "scratch", "layer.tar"], b""), first);
    assert_ne!(commit(&place, &["--platform", "linux/arm64", "scratch", "layer.tar"], b""), first);
    let zipped =
        commit(&place, &["-t", "zipped", "--compress", "gzip", "scratch", "layer.tar"], b"");
    assert_ne!(zipped, first);
    let image = place.image("zipped");
    assert_eq!(image.config.rootfs.diff_ids[0].0, Digest::of(&plain));
    assert_eq!(image.manifest.layers[0].media_type, "application/vnd.oci.image.layer.v1.tar+gzip");
}

#[test]
fn a_layer_without_its_marker_needs_an_option() {
    let place = place();
    let layer = layer(&["a"]);
    commit(&place, &["scratch"], &layer);
    let cut = &layer[..layer.len() - 1024];
    let refused = refuse(&place, &["-t", "cut", "scratch"], cut);
    let hint = "img-commit: hint: if it is known to be whole, use --allow-missing-end\n";
    assert!(refused.contains("marker") && refused.ends_with(hint), "{refused}");
    commit(&place, &["--allow-missing-end", "-t", "cut", "scratch"], cut);
    assert_eq!(layer_bytes(&place, "cut", 0), cut);
    commit(&place, &["--squash", "--config-only", "-t", "whole", "cut"], b"");
    assert_eq!(members(&layer_bytes(&place, "whole", 0)), ["a"]);
}

#[test]
fn a_layer_grows_to_its_limit() {
    let place = place();
    commit(&place, &["scratch"], &layer(&["a"]));
    let bomb = gzip(&layerutils_tests::place::layer(&[("a", &vec![0; 8 << 20])]));
    let refused = refuse(&place, &["--max-size", "1M", "-t", "a", "scratch"], &bomb);
    let hint = "img-commit: hint: allow more with --max-size SIZE\n";
    assert!(refused.contains("1048576 bytes") && refused.ends_with(hint), "{refused}");
    commit(&place, &["--max-size", "9M", "-t", "a", "scratch"], &bomb);
}

#[test]
fn an_empty_layer_or_none_leaves_only_an_entry() {
    let place = place();
    commit(&place, &["-t", "base", "scratch"], &layer(&["a"]));
    commit(&place, &["-t", "empty", "-m", "Nothing", "base"], &layer(&[]));
    commit(
        &place,
        &["-t", "config", "--config-only", "-c", "ENV A=1", "-c", "USER 5", "base"],
        b"unread",
    );
    for (name, created_by) in [("empty", ""), ("config", "ENV A=1; USER 5")] {
        let image = place.image(name);
        assert_eq!(image.manifest.layers.len(), 1);
        let step = image.config.history.last().unwrap();
        assert_eq!((step.created_by.as_str(), step.empty_layer), (created_by, true));
    }
}

#[test]
fn layers_that_a_history_does_not_mention_get_entries() {
    let place = place();
    commit(&place, &["-t", "base", "scratch"], &layer(&["a"]));
    let base = place.image("base");
    let mut config = base.config.clone();
    config.history.clear();
    let store = Store::create(&place.path("store")).unwrap();
    let (digest, len_bytes) = store.put(&config.to_bytes().unwrap()).unwrap();
    let mut manifest = base.manifest.clone();
    (manifest.config.digest, manifest.config.len_bytes) = (digest, len_bytes);
    let (digest, len_bytes) = store.put(&manifest.to_bytes().unwrap()).unwrap();
    let mut descriptor = base.descriptor.clone();
    (descriptor.digest, descriptor.len_bytes) = (digest, len_bytes);
    store.tag(&["mute".parse().unwrap()], &descriptor).unwrap();
    commit(&place, &["-t", "app", "-m", "Ours", "mute"], &layer(&["b"]));
    let comments: Vec<String> =
        place.image("app").config.history.into_iter().map(|step| step.comment).collect();
    assert_eq!(comments, ["", "Ours"]);
}

#[test]
fn an_image_written_elsewhere_is_complete_and_not_in_the_store() {
    let place = place();
    commit(&place, &["-t", "base", "scratch"], &layer(&["a"]));
    let index = fs::read(place.path("store/index.json")).unwrap();
    let to_layout = commit(&place, &["-o", "oci:layout:x", "base"], &layer(&["b"]));
    let to_archive =
        commit(&place, &["-o", "oci-archive:a.tar", "-t", "app", "base"], &layer(&["b"]));
    let to_stdout = place.run(&["-o", "-", "-t", "app", "base"], &layer(&["b"]));
    assert_eq!(to_stdout.status.code(), Some(0));
    assert!(fs::read(place.path("a.tar")).unwrap() == to_stdout.stdout);
    assert_eq!(to_layout, to_archive);
    assert_eq!(fs::read(place.path("store/index.json")).unwrap(), index);
    let at = |transport: &str, path: &Path| format!("{transport}:{}", path.display());
    for reference in [
        at("oci", &place.path("layout")) + ":x",
        at("oci-archive", &place.path("a.tar")) + ":app",
        at("docker-archive", &place.path("a.tar")) + ":app:latest",
    ] {
        let image = place.image(&reference);
        assert_eq!(image.id().to_string(), to_layout);
        for layer in image.layers() {
            std::io::copy(&mut image.layer(&layer).unwrap(), &mut std::io::sink()).unwrap();
        }
    }
    fs::write(place.path("in.tar"), gzip(&to_stdout.stdout)).unwrap();
    commit(&place, &["-t", "again", "oci-archive:in.tar"], &layer(&["c"]));
    assert_eq!(place.image("again").manifest.layers.len(), 3);
    commit(&place, &["-t", "piped", "--config-only", "-"], &to_stdout.stdout);
    assert_eq!(place.image("piped").manifest.layers.len(), 2);
}

#[test]
fn what_cannot_be_committed_is_refused_and_changes_nothing() {
    let place = place();
    let good = layer(&["a"]);
    commit(&place, &["-t", "base", "scratch"], &good);
    let truncated = &good[..good.len() - 700];
    for (args, input, message) in [
        (&["base"][..], &b""[..], "img-commit: standard input: empty input, not a layer\n"),
        (&["base"], b"garbage", "img-commit: standard input: "),
        (&["base"], truncated, "img-commit: standard input: "),
        (&["base"], &gzip(&good)[..40], "img-commit: standard input: "),
        (&["nope"], &good, "img-commit: nope: no such image in "),
        (&["base", "nope.tar"], b"", "img-commit: nope.tar: "),
        (&["-", "-"], b"", "img-commit: standard input ('-') can be read only once\n"),
        (&["-"], b"", "img-commit: standard input ('-') can be read only once\n"),
        (&["-c", "RUN x", "base"], &good, "img-commit: --change: "),
        (&["-t", "Bad", "base"], &good, "img-commit: invalid value 'Bad' for '--tag <NAME>': "),
        (&["-o", "x.tar", "base"], &good, "img-commit: x.tar: not a destination "),
        (
            &["--config-only", "base", "layer.tar"],
            b"",
            "img-commit: the argument '--config-only' cannot be used with ",
        ),
        (&["docker://127.0.0.1:1/x"], &good, "img-commit: docker://127.0.0.1:1/x: 127.0.0.1:1: "),
        (&[], b"", "img-commit: the following required arguments were not provided: <PARENT>"),
    ] {
        let said = refuse(&place, args, input);
        assert!(said.starts_with(message), "{args:?}: {said}");
        assert!(said.lines().all(|line| line.starts_with("img-commit: ")), "{said}");
    }
}
