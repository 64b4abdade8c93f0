//! `img-copy` and a real registry, with skopeo for a judge.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use common::compression::MaxSize;
use common::digest::Digest;
use common::json::base64;
use common::oci::{Descriptor, Index, Manifest, Platform, media_type};
use common::store::Store;
use layerutils_tests::place::Place;
use layerutils_tests::registry::{Registry, Setup};
use layerutils_tests::require;

use support::proxy::Proxy;
use support::{place, put_noise};

const WHEN: &str = "2001-01-01T00:00:00Z";

/// Runs a peer, which must succeed, in the place's folder; what it printed.
fn peer(place: &Place, words: &[&str]) -> String {
    let mut command = Command::new(words.first().unwrap());
    command.args(&words[1..]).current_dir(place.path("."));
    // Where credentials may be: not in a folder that root has made for the user.
    command.env("HOME", place.path(".")).env("XDG_RUNTIME_DIR", place.path("."));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn skopeo(place: &Place, words: &[&str]) -> String {
    peer(place, &[&["skopeo", "--insecure-policy"], words].concat())
}

#[test]
fn what_is_pushed_is_pulled_again() {
    require!(Peer("docker-registry"));
    let (place, registry) = (place(), Registry::start(Setup::default()));
    let image = place.put_image(&["app"], WHEN, &[1000, 5, 1000, 6_000_000]);
    let plain = place.done(&["app", &registry.name("a/app:1"), "--compress", "none"]);
    assert_eq!(plain, format!("{image}\n"));
    assert_eq!(place.done(&[&registry.name("a/app:1"), "oci:new:x"]), plain);
    assert_eq!(place.done(&["oci:new:x", "oci-archive:new.tar"]), plain);
    assert_eq!(place.done(&[&registry.name("a/app:1"), "docker-archive:pulled.tar:x"]), plain);
    assert_eq!(place.done(&["docker-archive:pulled.tar", "back"]), plain);

    // Compressed on the way, the same bytes in every run and from every cache.
    let sent = place.done(&["app", &registry.name("a/app:2")]);
    assert_ne!(sent, plain);
    assert_eq!(place.done(&["app", &registry.name("a/app:2")]), sent);
    fs::remove_dir_all(place.path("cache")).unwrap();
    assert_eq!(place.done(&["app", &registry.name("b/app:2")]), sent);
    assert_eq!(place.done(&[&registry.name("a/app:2"), "compressed"]), sent);
    let stored = place.image("compressed");
    assert!(stored.manifest.layers.iter().all(|layer| layer.media_type == media_type::LAYER_GZIP));
    assert_eq!(stored.config_bytes, place.image("app").config_bytes);
    // And back to what they were.
    assert_eq!(place.done(&[&registry.name("a/app:2"), "plain", "--compress=none"]), plain);
    let digest = sent.trim();
    assert_eq!(place.done(&[&registry.name(&format!("a/app@{digest}")), "exact"]), sent);

    // Under a digest goes what has it, and nothing else.
    let exact = registry.name(&format!("c/app@{image}"));
    assert_eq!(place.done(&["app", &exact, "--compress=none"]), plain);
    let (_, said) = place.failed(&["app", &exact]);
    assert!(said.contains(&format!("the copy's digest is {digest}")), "{said}");
}

#[test]
fn what_is_there_is_neither_sent_nor_fetched_again() {
    require!(Peer("docker-registry"));
    let (place, registry) = (place(), Registry::start(Setup::default()));
    put_noise(&place, "app", 8 << 20);
    let proxy = Proxy::start(registry.port(), 0, 0);
    let name = |name: &str| format!("docker://127.0.0.1:{}/{name}", proxy.port);
    let said = |from: &str, to: &str| {
        let output = place.run(&["-v", from, to], b"");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(said("app", &name("one:1")).matches(" was sent").count(), 2);
    assert!(proxy.passed() > 8 << 20);
    assert_eq!(said("app", &name("one:2")).matches(" is there already").count(), 2);
    // From one repository to another, nothing passes here.
    assert_eq!(said(&name("one:1"), &name("two:1")).matches(" was taken from another").count(), 2);
    // A store that has the image knows where else it may be.
    place.done(&[&name("one:1"), &format!("127.0.0.1:{}/one:1", proxy.port)]).pop();
    let from = format!("127.0.0.1:{}/one:1", proxy.port);
    assert_eq!(said(&from, &name("three:1")).matches(" was taken from another").count(), 2);
    assert!(proxy.passed() < 12 << 20);
}

#[test]
fn an_upload_that_is_cut_gets_through() {
    require!(Peer("docker-registry"));
    let (place, registry) = (place(), Registry::start(Setup::default()));
    let image = put_noise(&place, "app", 24 << 20);
    let proxy = Proxy::start(registry.port(), 2, 9 << 20);
    let name = format!("docker://127.0.0.1:{}/app", proxy.port);
    let printed = place.done(&["app", &name, "--compress", "none"]);
    assert_eq!(printed, format!("{image}\n"));
    assert_eq!(place.done(&[&registry.name("app"), "oci:new:x"]), printed);
}

#[test]
fn skopeo_reads_what_we_push_and_we_read_what_it_pushes() {
    require!(Peer("docker-registry"), Peer("skopeo"));
    let (place, registry) = (place(), Registry::start(Setup::default()));
    place.put_image(&["app"], WHEN, &[1000, 70_000]);
    for (option, name) in [("--format=oci", "ours:oci"), ("--format=docker", "ours:docker")] {
        let pushed = place.done(&["app", &registry.name(name), option]);
        let from = registry.name(name);
        let to = format!("oci:skopeo:{}", name.replace(':', "-"));
        skopeo(&place, &["copy", "-q", "--src-tls-verify=false", &from, &to]);
        let digest =
            skopeo(&place, &["inspect", "--tls-verify=false", "--format={{.Digest}}", &from]);
        assert_eq!(digest, pushed);
    }
    let raw =
        skopeo(&place, &["inspect", "--raw", "--tls-verify=false", &registry.name("ours:docker")]);
    let manifest: Manifest = serde_json::from_str(&raw).unwrap();
    assert_eq!(manifest.media_type.unwrap(), media_type::DOCKER_MANIFEST);
    assert_eq!(manifest.config.media_type, media_type::DOCKER_CONFIG);
    assert!(manifest.layers.iter().all(|layer| layer.media_type == media_type::DOCKER_LAYER_GZIP));

    let store = format!("oci:{}:app:latest", place.path("store").display());
    for format in ["oci", "v2s2"] {
        let name = registry.name(&format!("theirs:{format}"));
        skopeo(
            &place,
            &["copy", "-q", "--dest-tls-verify=false", "--format", format, &store, &name],
        );
        let digest =
            skopeo(&place, &["inspect", "--tls-verify=false", "--format={{.Digest}}", &name]);
        assert_eq!(place.done(&[&name, &format!("theirs:{format}")]), digest);
        let image = place.image(&format!("theirs:{format}"));
        assert_eq!(image.config.rootfs, place.image("app").config.rootfs);
        // Docker's words become OCI's, and these are for every tool.
        place.done(&["--format=oci", &name, &format!("oci:words:{format}")]).pop();
        peer(&place, &["skopeo", "inspect", &format!("oci:words:{format}")]);
    }
}

#[test]
fn a_password_comes_from_wherever_it_is_kept() {
    require!(Peer("docker-registry"));
    let place = place();
    let registry = Registry::start(Setup { password: true, ..Setup::default() });
    place.put_image(&["app"], WHEN, &[1000]);
    let name = registry.name("app");
    let host = format!("localhost:{}", registry.port());
    let (_, said) = place.failed(&["app", &name]);
    assert_eq!(
        said,
        format!(
            "img-copy: {name}: {host}: credentials are needed\nimg-copy: hint: log in with \
             'img-copy --login {host}' or 'docker login', or give --creds USER:PASSWORD\n"
        )
    );
    let (_, said) = place.failed(&["app", &name, "--creds", "me:wrong"]);
    assert!(said.contains("the credentials are not accepted"), "{said}");
    let pushed = place.done(&["app", &name, "--creds", "me:secret"]);

    let write = |file: &str, text: &str| {
        let path = place.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let host = format!("localhost:{}", registry.port());
    let auth = format!(r#"{{"auths":{{"{host}":{{"auth":"{}"}}}}}}"#, base64(b"me:secret"));
    for file in [
        "runtime/containers/auth.json",
        "config/containers/auth.json",
        "home/.config/containers/auth.json",
        "home/.docker/config.json",
        "docker/config.json",
        "file",
    ] {
        write(file, &auth);
    }
    let helper = format!(
        "#!/bin/sh\n[ \"$1\" = get ] || exit 1\nread -r server\n[ \"$server\" = {host} ] || \
         {{ echo credentials not found in native keychain; exit 1; }}\n\
         echo '{{\"ServerURL\":\"x\",\"Username\":\"me\",\"Secret\":\"secret\"}}'\n"
    );
    write("bin/docker-credential-test", &helper);
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path("bin/docker-credential-test"), executable).unwrap();
    write("helped/config.json", &format!(r#"{{"credHelpers":{{"{host}":"test"}}}}"#));
    write("stored/config.json", r#"{"credsStore":"test"}"#);
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    let pull = |variable: &str, value: &Path, status: i32| {
        let mut command = place.command(&[&name, "oci:pulled:x"]);
        let output = command.env("PATH", &path).env(variable, value).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{variable}: {output:?}");
        if status == 0 {
            assert_eq!(String::from_utf8(output.stdout).unwrap(), pushed);
        }
    };
    pull("NOTHING", Path::new(""), 2);
    pull("HOME", &place.path("home"), 0);
    pull("XDG_CONFIG_HOME", &place.path("config"), 0);
    pull("XDG_RUNTIME_DIR", &place.path("runtime"), 0);
    pull("DOCKER_CONFIG", &place.path("docker"), 0);
    pull("REGISTRY_AUTH_FILE", &place.path("file"), 0);
    pull("DOCKER_CONFIG", &place.path("helped"), 0);
    pull("DOCKER_CONFIG", &place.path("stored"), 0);
    write("stored/config.json", r#"{"credsStore":"none-such"}"#);
    pull("DOCKER_CONFIG", &place.path("stored"), 2);
    assert_eq!(place.done(&[&name, "oci:pulled:x", "--authfile", "file"]), pushed);
    let (_, said) = place.failed(&[&name, "oci:pulled:x", "--authfile", "nope"]);
    assert!(said.contains(": nope: No such file"), "{said}");
}

/// A certificate for localhost that only itself vouches for.
fn certify(place: &Place, folder: &str) {
    fs::create_dir(place.path(folder)).unwrap();
    let file = |name: &str| place.path(folder).join(name).display().to_string();
    let words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "3650",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &file("key.pem"),
        "-out",
        &file("cert.pem"),
    ];
    peer(place, &words);
}

#[test]
fn certificates_are_checked() {
    require!(Peer("docker-registry"), Peer("openssl"));
    let place = place();
    certify(&place, "tls");
    let tls = place.path("tls");
    let registry = Registry::start(Setup { tls: Some(&tls), ..Setup::default() });
    place.put_image(&["app"], WHEN, &[1000]);
    let name = registry.name("app");
    let (_, said) = place.failed(&["app", &name]);
    assert!(said.contains("certificate"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let (_, again) = place.failed(&["app", &name, "--tls-verify"]);
    assert_eq!(again, said);
    let pushed = place.done(&["app", &name, "--tls-verify=false"]);

    let trusting =
        place.command(&[&name, "oci:pulled:x"]).env("SSL_CERT_FILE", tls.join("cert.pem")).output();
    assert_eq!(String::from_utf8(trusting.unwrap().stdout).unwrap(), pushed);
    fs::create_dir(place.path("certs")).unwrap();
    fs::copy(tls.join("cert.pem"), place.path("certs/ca.crt")).unwrap();
    assert_eq!(place.done(&[&name, "oci:pulled:x", "--cert-dir", "certs"]), pushed);
    let own = place.path(format!("config/containers/certs.d/localhost:{}", registry.port()));
    fs::create_dir_all(&own).unwrap();
    fs::copy(tls.join("cert.pem"), own.join("ca.crt")).unwrap();
    let usual = place
        .command(&[&name, "oci:pulled:x"])
        .env("XDG_CONFIG_HOME", place.path("config"))
        .output();
    assert_eq!(String::from_utf8(usual.unwrap().stdout).unwrap(), pushed);

    // A key that does not fit, and what is no certificate.
    certify(&place, "other");
    fs::copy(tls.join("cert.pem"), place.path("certs/client.cert")).unwrap();
    fs::copy(place.path("other/key.pem"), place.path("certs/client.key")).unwrap();
    let (_, said) = place.failed(&[&name, "oci:pulled:x", "--cert-dir", "certs"]);
    assert!(said.contains("certs/client.key: "), "{said}");
    fs::write(place.path("certs/ca.crt"), "nonsense").unwrap();
    let (_, said) = place.failed(&[&name, "oci:pulled:x", "--cert-dir", "certs"]);
    assert!(said.contains("certs/ca.crt: holds no certificate"), "{said}");

    // Who insists on TLS does not get by without.
    let plain = Registry::start(Setup::default());
    let (_, said) = place.failed(&["app", &plain.name("app"), "--tls-verify"]);
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// Puts an index of two platforms, an attestation and a nested index into the store.
fn put_index(place: &Place, name: &str) -> Digest {
    let store = place.store();
    let image = |name: &str, platform: &str, len: usize| {
        let platform: Platform = platform.parse().unwrap();
        let config = common::oci::ImageConfig::scratch(&platform);
        let layer = layerutils_tests::place::layer_of(len);
        let digest = place.put(&[name], config, &[&layer], |_| {});
        let mut found = store.resolve(name).unwrap();
        assert_eq!(found.digest, digest);
        found.annotations.clear();
        found.platform = Some(platform);
        found
    };
    let put = |media_type: &str, bytes: &[u8]| {
        let (digest, len_bytes) = store.put(bytes).unwrap();
        Descriptor::new(media_type, digest, len_bytes)
    };
    let amd64 = image("one", "linux/amd64", 10);
    let arm64 = image("two", "linux/arm64", 20);
    let riscv64 = image("three", "linux/riscv64", 30);
    let statement = put("application/vnd.in-toto+json", br#"{"predicateType":"x"}"#);
    // As BuildKit has it: the statements are the layers of a platform that is none.
    let mut config = common::oci::ImageConfig::scratch(&Platform::host());
    (config.os, config.architecture) = ("unknown".into(), "unknown".into());
    config.rootfs.diff_ids = vec![common::digest::DiffId(statement.digest.clone())];
    let config = put(media_type::CONFIG, &config.to_bytes().unwrap());
    let attestation = Manifest::new(config, vec![statement]).to_bytes().unwrap();
    let mut attestation = put(media_type::MANIFEST, &attestation);
    let of = [
        ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
        ("vnd.docker.reference.digest", amd64.digest.to_string()),
    ];
    attestation.annotations = of.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    attestation.platform =
        Some(Platform { os: "unknown".into(), architecture: "unknown".into(), ..Platform::host() });
    let nested = put(media_type::INDEX, &Index::new(vec![riscv64]).to_bytes().unwrap());
    let index = Index::new(vec![amd64, arm64, attestation, nested]).to_bytes().unwrap();
    let index = put(media_type::INDEX, &index);
    store.tag(&[name.parse().unwrap()], &index).unwrap();
    index.digest
}

/// The index at the top of what `layout` calls `name`.
fn index_of(layout: &Path, name: &str) -> Index {
    let store = Store::open(layout).unwrap();
    let bytes = store.document(&store.resolve(name).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn all_that_an_index_holds_goes_with_it() {
    require!(Peer("docker-registry"));
    let (place, registry) = (place(), Registry::start(Setup::default()));
    let index = put_index(&place, "many");
    let printed = format!("{index}\n");
    let name = registry.name("many:1");
    assert_eq!(place.done(&["--all", "many", &name, "--compress=none"]), printed);
    assert_eq!(place.done(&["-a", &name, "oci:pulled:x"]), printed);
    assert_eq!(place.done(&["-a", &name, "oci-archive:pulled.tar"]), printed);
    assert_eq!(place.done(&["-a", "oci-archive:pulled.tar", "oci:again:x"]), printed);
    let store = Store::open(&place.path("again")).unwrap();
    store.check(MaxSize::default(), |error| panic!("{error:?}")).unwrap();
    // Two platforms, their layers and configs, the attestation's three, four of the nested.
    assert_eq!(store.blobs().unwrap().len(), 1 + 3 + 3 + 3 + 4);

    // Of one platform, only that.
    let arm64 = place.done(&["--platform=linux/arm64", &name, "oci:one:x"]);
    assert_eq!(arm64, format!("{}\n", place.store().resolve("two").unwrap().digest));
    assert_eq!(Store::open(&place.path("one")).unwrap().blobs().unwrap().len(), 3);

    // Compressed, the attestation goes with its image under the new digest.
    let sent = place.done(&["--all", "many", &registry.name("many:2")]);
    assert_ne!(sent, printed);
    assert_eq!(place.done(&["--all", &registry.name("many:2"), "oci:sent:x"]), sent);
    let sent = index_of(&place.path("sent"), "x");
    let of = sent.manifests[2].annotations.get("vnd.docker.reference.digest");
    assert_eq!(of, Some(&sent.manifests[0].digest.to_string()));
    assert_eq!(sent.manifests.len(), 4);

    let (_, said) = place.failed(&["--all", "many", &registry.name("many:3"), "--format=docker"]);
    assert!(said.contains("has no counterpart in docker's format"), "{said}");
    // What was never fetched cannot be copied.
    fs::remove_file(place.store().blob_path(&place.store().resolve("two").unwrap().digest))
        .unwrap();
    let (_, said) = place.failed(&["--all", "many", &registry.name("many:4")]);
    assert!(
        said.starts_with("img-copy: many: blob sha256:") && said.ends_with("is missing\n"),
        "{said}"
    );
}

#[test]
fn docker_s_list_goes_with_its_images() {
    require!(Peer("docker-registry"), Peer("skopeo"));
    let (place, registry) = (place(), Registry::start(Setup::default()));
    put_index(&place, "many");
    let store = place.store();
    let mut index = index_of(store.path(), "many");
    index.manifests.truncate(2);
    let (digest, len_bytes) = store.put(&index.to_bytes().unwrap()).unwrap();
    let index = Descriptor::new(media_type::INDEX, digest, len_bytes);
    store.tag(&["two-of-them".parse().unwrap()], &index).unwrap();
    let name = registry.name("list");
    let pushed = place.done(&["--all", "--format=docker", "two-of-them", &name]);
    let raw = skopeo(&place, &["inspect", "--raw", "--tls-verify=false", &name]);
    assert_eq!(Digest::of(raw.as_bytes()).to_string(), pushed.trim());
    let list: Index = serde_json::from_str(&raw).unwrap();
    assert_eq!(list.media_type.unwrap(), media_type::DOCKER_INDEX);
    assert!(list.manifests.iter().all(|image| image.media_type == media_type::DOCKER_MANIFEST));
    skopeo(&place, &["copy", "-q", "--src-tls-verify=false", "--all", &name, "dir:skopeo"]);
    assert_eq!(place.done(&["--all", &name, "list"]), pushed);
    assert_eq!(place.done(&["--all", "list", "words", "--format=oci"]).len(), pushed.len());
    let words = index_of(store.path(), "words");
    assert!(words.manifests.iter().all(|image| image.media_type == media_type::MANIFEST));
}

#[test]
fn a_layer_that_is_not_to_be_redistributed_stays_where_it_is() {
    require!(Peer("docker-registry"));
    let (place, registry) = (place(), Registry::start(Setup::default()));
    let foreign = layerutils_tests::place::layer_of(77);
    let config = common::oci::ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    let image = place.put(
        &["app"],
        config,
        &[&foreign, &layerutils_tests::place::layer_of(5)],
        |manifest| {
            manifest.layers[0].media_type = media_type::NONDISTRIBUTABLE_GZIP.into();
            manifest.layers[0].urls = vec!["https://example.org/layer".into()];
        },
    );
    fs::remove_file(place.store().blob_path(&Digest::of(&foreign))).unwrap();
    let printed = format!("{image}\n");
    assert_eq!(place.done(&["app", &registry.name("app"), "--compress=none"]), printed);
    assert_eq!(place.done(&[&registry.name("app"), "oci:pulled:x"]), printed);
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let place = place();
    place.put_image(&["app"], WHEN, &[10]);
    let (one, two) = ("docker://127.0.0.1:1/a", "docker://127.0.0.1:1/b");
    let other = "docker://127.0.0.1:2/b";
    for (arguments, words) in [
        (&["app", "x", "--creds", "a:b"][..], "--creds is for registries, and there is none"),
        (&[one, two, "--creds", "a:b"], "--creds could mean either registry"),
        (&[one, two, "--tls-verify=false"], "--tls-verify could mean either registry"),
        (
            &[one, "x", "--dest-cert-dir", "d"],
            "--dest-* options need a registry as the destination",
        ),
        (&[one, other, "store:", "--creds=a:b"], "--creds could mean any of 2 registries"),
        (&[one, other, "store:", "--src-creds=a:b"], "--src-creds could mean any of 2 registries"),
        (&[one, other, "store:", "--cert-dir=d"], "--cert-dir could mean any of 2 registries"),
        (&[one, other, "store:", "--src-tls-verify=false"], "--src-tls-verify could mean any of 2"),
        (&[one, "-", "--since", other, "--creds=a:b"], "--creds could mean any of 2 registries"),
        (
            &["app", "-", "--since", one, "--creds=hunter2"],
            "--creds: not of the form USER:PASSWORD",
        ),
        (&[one, "x", "--creds=hunter2"], "--creds: not of the form USER:PASSWORD"),
        (&[one, "x", "--src-creds=hunter2"], "--src-creds: not of the form USER:PASSWORD"),
        (&["app", one, "--dest-creds=:hunter2"], "--dest-creds: not of the form USER:PASSWORD"),
        (&["app", "x", "--level", "3"], "--level needs --compress"),
        (
            &["app", "x", "--compress", "gzip", "--level", "10"],
            "--level 10: there are levels 1 to 9",
        ),
        (&["app", "x", "--all", "--platform", "linux/arm64"], "cannot be used with"),
        (&["app", "docker://X"], "not an image name"),
        (&["app", "docker://x@sha256:0"], "not a sha256 or sha512 digest"),
    ] {
        let (printed, said) = place.failed(arguments);
        assert_eq!(printed, "");
        assert!(said.contains(words) && !said.contains("hunter2"), "{arguments:?}: {said}");
    }
}
