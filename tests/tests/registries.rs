//! Every tool that reads images, on an image in a registry.

#![allow(clippy::unwrap_used)]

use layerutils_tests::registry::{Registry, Setup};
use layerutils_tests::require;
use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::Sandbox;
use serde_json::Value;

/// A sandbox with an image `app`, which is in the registry as `me/app:1`, `:2` and `:other`.
fn pushed(setup: Setup<'_>) -> (Sandbox, Registry) {
    let (sandbox, registry) = (Sandbox::new(), Registry::start(setup));
    let script = "mkdir tree && echo hi > tree/file && cp $(which busybox) tree/cat \
                  && layer-diff tree | img-commit -t base scratch \
                  && img-commit --config-only -c 'CMD [\"/cat\",\"/file\"]' -t app base";
    sandbox.sh(script).succeeds();
    for tag in ["1", "2"] {
        let name = registry.name(&format!("me/app:{tag}"));
        sandbox.run(&["img-copy", "--compress=none", "app", &name]).succeeds();
    }
    let other = registry.name("me/app:other");
    sandbox.run(&["img-copy", "--compress=none", "base", &other]).succeeds();
    (sandbox, registry)
}

fn silent(outcome: Outcome) -> String {
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "");
    outcome.text().to_owned()
}

#[test]
fn every_tool_reads_an_image_in_a_registry() {
    require!(Peer("docker-registry"), Peer("busybox"));
    let (sandbox, registry) = pushed(Setup::default());
    let name = registry.name("me/app:1");
    let run = |words: &[&str]| silent(sandbox.run(words).succeeds());
    let digest = run(&["img-inspect", "--digest", "app"]);
    assert_eq!(run(&["img-inspect", "--digest", &name]), digest);
    for bytes in ["--raw", "--manifest", "--config"] {
        assert_eq!(run(&["img-inspect", bytes, &name]), run(&["img-inspect", bytes, "app"]));
    }
    let shown: Value = serde_json::from_str(&run(&["img-inspect", &name])).unwrap();
    assert_eq!(shown[0]["Config"]["Cmd"][0], "/cat");
    assert_eq!(shown[0]["RepoTags"][0], name.trim_start_matches("docker://"));
    let history = run(&["img-history", "--no-trunc", "--format", "{{.CreatedBy}}", &name]);
    assert_eq!(history, run(&["img-history", "--no-trunc", "--format", "{{.CreatedBy}}", "app"]));
    assert_eq!(run(&["layer-ls", "--image", &name]), run(&["layer-ls", "--image", "app"]));
    let total = |image: &str| {
        let report: Value = serde_json::from_str(&run(&["img-du", "--json", image])).unwrap();
        report["size_bytes"].as_u64().unwrap()
    };
    assert_eq!(total(&name), total("app"));
    for pair in [["app", &name], [&name, "app"]] {
        assert_eq!(
            run(&["img-diff", "--exit-code", "--json", pair[0], pair[1]]).lines().count(),
            1
        );
        assert_eq!(run(&["layer-diff", "--exit-code", "--list", "--image", pair[0], pair[1]]), "");
    }
    run(&["layer-apply", "--image", &name, "applied"]);
    assert_eq!(std::fs::read(sandbox.path("applied/file")).unwrap(), b"hi\n");
    run(&["img-diff", "--exit-code", &name, "app"]);
    let other = registry.name("me/app:other");
    sandbox.run(&["layer-diff", "--image", &other, &name, "-o", "a.tar"]).succeeds();
    sandbox.run(&["layer-diff", "--image", "base", "app", "-o", "b.tar"]).succeeds();
    let read = |name: &str| std::fs::read(sandbox.path(name)).unwrap();
    assert_eq!(read("a.tar"), read("b.tar"));
    let committed = run(&["img-commit", "--config-only", "-c", "ENV A=1", "-t", "more", &name]);
    assert_eq!(run(&["img-inspect", "--digest", "more"]), committed);
    run(&["img-ls", "--check"]);

    let missing = registry.name("me/nope:1");
    for words in [
        &["img-inspect", &missing][..],
        &["img-history", &missing],
        &["layer-apply", "--image", &missing, "nowhere"],
        &["img-du", &missing],
    ] {
        let outcome = sandbox.run(words).outcome();
        let said = outcome.diagnostics(words[0]);
        assert_eq!(outcome.status, 2, "{said}");
        assert!(said.contains(" is not there"), "{said}");
    }
    // A tool that does not pull says how to.
    let said = sandbox.run(&["img-history", "x.example/nope"]).outcome().failed("img-history", 2);
    let hint =
        "img-history: hint: pull it first: img-copy docker://x.example/nope x.example/nope\n";
    assert!(said.ends_with(hint), "{said}");
}

#[test]
fn no_layer_is_fetched_where_config_and_manifest_are_enough() {
    require!(Peer("docker-registry"), Peer("busybox"));
    let (sandbox, registry) = pushed(Setup::default());
    let name = registry.name("me/app:1");
    // A layer that is not there any more is not missed.
    let layers = registry.data().join("docker/registry/v2/repositories/me/app/_layers/sha256");
    let config = silent(sandbox.run(&["img-inspect", "--manifest", "app"]).succeeds());
    let config: Value = serde_json::from_str(&config).unwrap();
    let layer = config["layers"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:");
    std::fs::remove_dir_all(layers.join(layer)).unwrap();
    for words in
        [&["img-inspect", &name][..], &["img-history", &name], &["img-inspect", "--digest", &name]]
    {
        silent(sandbox.run(words).succeeds());
    }
    let said = sandbox.run(&["img-du", &name]).outcome().failed("img-du", 2);
    assert!(said.contains(layer), "{said}");
}

#[test]
fn tags_and_repositories_are_listed() {
    require!(Peer("docker-registry"), Peer("busybox"));
    let (sandbox, registry) = pushed(Setup::default());
    let run = |words: &[&str]| silent(sandbox.run(words).succeeds());
    assert_eq!(run(&["img-ls", &registry.name("me/app")]), "1\n2\nother\n");
    assert_eq!(run(&["img-ls", &registry.name("")]), "me/app\n");
    let json = run(&["img-ls", "--json", &registry.name("me/app")]);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["name"], registry.name("me/app:1"));
    let two = sandbox.run(&["img-ls", &registry.name("me/nope"), &registry.name("me/app")]);
    let outcome = two.outcome();
    assert_eq!((outcome.status, outcome.text().lines().count()), (2, 3));
    let said = sandbox.run(&["img-ls", &registry.name("me/app:1")]).outcome().failed("img-ls", 2);
    assert!(said.contains("one image, not a list"), "{said}");
}

#[test]
fn a_tag_is_removed_or_it_is_said_what_else_would_be() {
    require!(Peer("docker-registry"), Peer("busybox"));
    let (sandbox, registry) = pushed(Setup { deletes: true, ..Setup::default() });
    let digest = silent(sandbox.run(&["img-inspect", "--digest", "app"]).succeeds());
    let tag = registry.name("me/app:1");
    assert_eq!(silent(sandbox.run(&["img-rm", "-n", &tag]).succeeds()), format!("{tag}\n"));
    // Debian's registry takes away manifests alone.
    let said = sandbox.run(&["img-rm", &tag]).outcome().failed("img-rm", 2);
    let exact = registry.name(&format!("me/app@{}", digest.trim()));
    let hint = format!("img-rm: hint: img-rm {exact} removes the manifest, and with it 2\n");
    assert!(said.ends_with(&hint), "{said}");
    assert_eq!(silent(sandbox.run(&["img-rm", &exact]).succeeds()), format!("{exact}\n"));
    let said = sandbox.run(&["img-history", &tag]).outcome().failed("img-history", 2);
    assert!(said.contains(" is not there"), "{said}");
    assert_eq!(silent(sandbox.run(&["img-ls", &registry.name("me/app")]).succeeds()), "other\n");
}

#[test]
fn an_index_joins_images_of_two_repositories() {
    require!(Peer("docker-registry"), Peer("busybox"));
    let (sandbox, registry) = pushed(Setup::default());
    sandbox.sh("layer-diff tree | img-commit --platform linux/s390x -t big scratch").succeeds();
    let (one, other) = (registry.name("me/app:1"), registry.name("you/app:1"));
    sandbox.run(&["img-copy", "big", &other]).succeeds();
    let index = ["img-index", "--store", "new", "-t", "both", &one, &other];
    silent(sandbox.run(&index).succeeds());
    for platform in ["--platform=linux/s390x", "--all"] {
        let copy = ["img-copy", "--store", "new", platform, "both", "oci:both"];
        silent(sandbox.run(&copy).succeeds());
    }
}

#[test]
fn img_run_pulls_what_is_missing() {
    require!(Peer("docker-registry"), Peer("busybox"), UserNamespace);
    let (sandbox, registry) = pushed(Setup::default());
    let short = registry.name("me/app:1").trim_start_matches("docker://").to_owned();
    let run = |words: &[&str]| sandbox.run(words).outcome();
    let never = run(&["img-run", "--pull=never", &short]).failed("img-run", 125);
    assert!(never.contains(": no such image in "), "{never}");
    let said = sandbox.run(&["img-run", &short]).env("LAYERUTILS_PULL", "never").outcome();
    said.failed("img-run", 125);
    let bad = sandbox.run(&["img-run", &short]).env("LAYERUTILS_PULL", "often").outcome();
    assert!(bad.failed("img-run", 125).contains("LAYERUTILS_PULL: 'often'"));
    let pulled = run(&["img-run", &short]);
    let note = format!("img-run: pulling docker://{short}\n");
    assert_eq!((pulled.text(), String::from_utf8_lossy(&pulled.stderr).as_ref()), ("hi\n", &*note));
    // It is there now, under its name, whole.
    assert_eq!(silent(run(&["img-run", "--pull=never", &short])), "hi\n");
    silent(sandbox.run(&["img-ls", "--check"]).succeeds());
    let again = run(&["img-run", "--pull=always", &short]);
    assert_eq!(String::from_utf8_lossy(&again.stderr), note);
    // Where it is, without a trace in the store.
    let before = silent(run(&["img-ls", "--blobs"]));
    assert_eq!(silent(run(&["img-run", &registry.name("me/app:2")])), "hi\n");
    assert_eq!(silent(run(&["img-ls", "--blobs"])), before);
}

#[test]
fn an_archive_of_images_is_taken_for_no_layer_and_a_tree_with_images_is() {
    let sandbox = Sandbox::new();
    let script = "mkdir tree && echo hi > tree/file && layer-diff tree | img-commit -t app scratch \
                  && img-copy app docker-archive:app.tar && img-copy app oci:layout";
    sandbox.sh(script).succeeds();
    for words in [
        &["layer-apply", "applied", "app.tar"][..],
        &["layer-ls", "app.tar"],
        &["layer-merge", "-o", "merged", "app.tar", "app.tar"],
        &["img-commit", "scratch", "app.tar"],
    ] {
        let said = sandbox.run(words).outcome().failed(words[0], 2);
        let line = format!("{}: app.tar: an archive of images, not a layer\n", words[0]);
        assert!(said.starts_with(&line) && said.lines().count() == 2, "{said}");
    }
    sandbox.sh("layer-diff layout | layer-apply copy && diff -r layout copy").succeeds();
    sandbox.run(&["layer-apply", "--image", "docker-archive:app.tar", "image"]).succeeds();
}

/// A registry with a password and a certificate of its own, which has the image `me/app:1`.
/// Credentials are in `auth.json`, and the certificate is in the directory `certs`.
fn guarded() -> (Sandbox, Registry) {
    let sandbox = Sandbox::new();
    let script = "mkdir tls certs tree && openssl req -x509 -newkey ec -pkeyopt \
                  ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=localhost -addext \
                  subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                  -keyout tls/key.pem -out tls/cert.pem 2>&1 && cp tls/cert.pem certs/ca.crt \
                  && echo hi > tree/file && layer-diff tree | img-commit -t app scratch";
    sandbox.sh(script).succeeds();
    let tls = sandbox.path("tls");
    let registry = Registry::start(Setup { password: true, tls: Some(&tls), ..Setup::default() });
    let auth = common::json::base64(b"me:secret");
    let auth = format!(r#"{{"auths":{{"localhost:{}":{{"auth":"{auth}"}}}}}}"#, registry.port());
    std::fs::write(sandbox.path("auth.json"), auth).unwrap();
    let name = registry.name("me/app:1");
    sandbox.run(&["img-copy", "--cert-dir=certs", "--creds=me:secret", "app", &name]).succeeds();
    (sandbox, registry)
}

#[test]
fn every_tool_takes_the_options_of_registries() {
    require!(Peer("docker-registry"), Peer("openssl"), UserNamespace);
    let (sandbox, registry) = guarded();
    let (name, list) = (registry.name("me/app:1"), registry.name("me/app"));
    let short = name.trim_start_matches("docker://");
    std::fs::write(sandbox.path("Containerfile"), format!("FROM {short}\n")).unwrap();
    for words in [
        &["img-inspect", &name][..],
        &["img-history", &name],
        &["img-du", &name],
        &["img-diff", &name, &name],
        &["img-ls", &list],
        &["img-rm", "-n", &name],
        &["img-index", "-t", "index", &name],
        &["img-commit", "--config-only", "-c", "ENV A=1", &name],
        &["layer-ls", "--image", &name],
        &["layer-ls", "--cat", &name, "file"],
        &["layer-diff", "--list", "--image", &name, &name],
        &["layer-apply", "--image", &name, "applied"],
        &["union-mount", "--print", "--image", &name],
    ] {
        let run = |options: &[&str]| {
            let words = [&words[..1], options, &words[1..]].concat();
            sandbox.run(&words).outcome()
        };
        for options in [
            &["--cert-dir=certs", "--authfile=auth.json"][..],
            &["--tls-verify=false", "--creds=me:secret"],
        ] {
            let done = run(options);
            assert_eq!(done.status, 0, "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        for (option, words) in [
            ("--cert-dir=certs", "credentials are needed"),
            ("--authfile=auth.json", "certificate"),
        ] {
            let failed = run(&[option]);
            let said = String::from_utf8_lossy(&failed.stderr);
            assert!(failed.status == 2 && said.contains(words), "{option}: {said}");
        }
    }
    // The administrator may say that no certificate is to be checked.
    let conf =
        format!("[[registry]]\nlocation = 'localhost:{}'\ninsecure = true\n", registry.port());
    std::fs::write(sandbox.path("registries.conf"), conf).unwrap();
    let words = ["img-inspect", "--authfile=auth.json", &name];
    let conf = sandbox.path("registries.conf").display().to_string();
    let insecure = sandbox.run(&words).env("CONTAINERS_REGISTRIES_CONF", &conf).outcome();
    assert_eq!(insecure.status, 0, "{}", String::from_utf8_lossy(&insecure.stderr));
    for words in [
        &["img-run", "--cert-dir=certs", "--creds=me:secret", "--entrypoint=/x", short][..],
        &["img-build", "--cert-dir=certs", "--authfile=auth.json", "--pull=always", "."],
    ] {
        let outcome = sandbox.run(words).outcome();
        let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
        // There is nothing to execute in it.
        assert!(outcome.status == 0 || outcome.status == 127, "{words:?}: {said}");
    }
}

#[test]
fn options_of_registries_are_for_one_registry() {
    let sandbox = Sandbox::new();
    sandbox.sh("mkdir tree && layer-diff tree | img-commit -t app scratch").succeeds();
    for option in ["--creds=a:b", "--authfile=x", "--tls-verify", "--cert-dir=x"] {
        for words in [
            &["img-inspect", "app"][..],
            &["img-history", "app"],
            &["img-du", "app"],
            &["img-diff", "app", "app"],
            &["img-ls"],
            &["img-rm", "app"],
            &["img-index", "-t", "x", "app"],
            &["img-commit", "--config-only", "app"],
            &["layer-ls", "--image", "app"],
            &["layer-ls", "x.tar"],
            &["layer-diff", "tree"],
            &["layer-diff", "--image", "app"],
            &["layer-apply", "dir", "x.tar"],
            &["union-mount", "--unmount", "tree"],
        ] {
            let words = [&words[..1], &[option], &words[1..]].concat();
            let said = sandbox.run(&words).outcome().failed(words[0], 2);
            let name = option.split('=').next().unwrap();
            assert!(said.contains(&format!("{name} is for registries")), "{words:?}: {said}");
        }
    }
    let two = ["docker://127.0.0.1:1/a", "docker://127.0.0.1:2/a"];
    let words = ["img-diff", "--creds=a:b", two[0], two[1]];
    let said = sandbox.run(&words).outcome().failed("img-diff", 2);
    assert!(said.contains("--creds could mean any of 2 registries"), "{said}");
    for (words, status) in [
        (&["img-inspect", "--creds=hunter2", two[0]][..], 2),
        (&["img-run", "--creds=hunter2", "app"], 125),
    ] {
        let said = sandbox.run(words).outcome().failed(words[0], status);
        assert!(said.contains("--creds: not of the form USER:PASSWORD"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
