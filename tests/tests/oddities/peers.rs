//! Images as other implementations make them, with whatever of them the machine has,
//! and ours as they read them.

use layerutils_tests::require;
use layerutils_tests::requirement::{find, skip};
use layerutils_tests::sandbox::Sandbox;

use crate::table::{Read, all, check_one};

/// A tree for the peers to make images of, and a daemonless place for their storage.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    let script = r#"
        mkdir tree store.d
        echo one > tree/one; ln -s one tree/link; ln tree/one tree/hard; mkdir -m 700 tree/folder
        tar -C tree -cf tree.tar .
        tar -C tree -cf - . | gzip > tree.tar.gz
    "#;
    let _ = sandbox.sh(script).succeeds();
    sandbox
}

/// Asserts that all tools read the image, and that its tree is the one it was made of.
fn is_read(sandbox: &Sandbox, name: &str, reference: &str) {
    check_one(sandbox, name, reference, all(Read));
    let same = "diff -r --no-dereference tree applied && [ -h applied/link ]";
    let outcome = sandbox.sh(same).outcome();
    assert_eq!(outcome.status, 0, "{name}\n{outcome}");
    let _ = sandbox.sh("rm -rf applied && img-rm --prune copy").outcome();
}

/// Storage of containers/storage that is all the test's own and needs no overlay.
const STORAGE: &str = "--root $PWD/store.d/root --runroot $PWD/store.d/run --storage-driver vfs";

fn make(sandbox: &Sandbox, script: &str) {
    let outcome = sandbox.sh(script).outcome();
    assert_eq!(outcome.status, 0, "{outcome}");
}

#[test]
fn what_docker_saves_is_read() {
    require!(DockerDaemon);
    let sandbox = prepared();
    let name = format!("layerutils-test-odd-{}", std::process::id());
    make(
        &sandbox,
        &format!(
            "docker import -c 'CMD [\"x\"]' tree.tar {name} >id && docker save -o saved.tar {name} && \
             docker rmi {name} >/dev/null"
        ),
    );
    is_read(&sandbox, "docker save", "docker-archive:saved.tar");
    let outcome = sandbox.sh("img-history - < saved.tar").succeeds();
    assert_eq!(outcome.text().lines().count(), 2);
}

#[test]
fn what_buildkit_builds_is_read() {
    require!(DockerDaemon);
    let sandbox = prepared();
    sandbox.write("Containerfile", "FROM scratch\nCOPY tree /\nENV A=1\nCMD [\"x\"]\n");
    let name = format!("layerutils-test-buildkit-{}", std::process::id());
    // A client without the plugin has no BuildKit; the daemon's own client has it.
    let clients = [find("docker"), Some("/usr/bin/docker".into())].into_iter().flatten();
    let build = |client: &std::path::PathBuf| {
        let client = client.to_str().unwrap();
        let line = [client, "build", "-q", "-t", &name, "-f", "Containerfile", "."];
        let outcome = sandbox.run(&line).env("DOCKER_BUILDKIT", "1").outcome();
        outcome.status == 0
    };
    if !clients.filter(|client| client.is_file()).any(|client| build(&client)) {
        return skip("", "needs a docker client with BuildKit");
    }
    make(&sandbox, &format!("docker save -o saved.tar {name} && docker rmi {name} >/dev/null"));
    is_read(&sandbox, "BuildKit", "docker-archive:saved.tar");
}

#[test]
fn what_podman_saves_is_read_in_either_form() {
    require!(Root, Peer("podman"));
    let sandbox = prepared();
    let podman = format!("podman {STORAGE}");
    make(
        &sandbox,
        &format!(
            "{podman} import -q -m Import tree.tar localhost/app:1 >id && \
             {podman} save -q --format docker-archive -o docker.tar localhost/app:1 && \
             {podman} save -q --format oci-archive -o oci.tar localhost/app:1 && \
             {podman} save -q --format oci-dir -o dir localhost/app:1"
        ),
    );
    is_read(&sandbox, "podman save, docker-archive", "docker-archive:docker.tar:localhost/app:1");
    is_read(&sandbox, "podman save, oci-archive", "oci-archive:oci.tar");
    is_read(&sandbox, "podman save, oci-dir", "oci:dir");
}

#[test]
fn what_buildah_pushes_is_read() {
    require!(Root, Peer("buildah"));
    let sandbox = prepared();
    let buildah = format!("buildah {STORAGE}");
    make(
        &sandbox,
        &format!(
            "box=$({buildah} from scratch) && {buildah} copy -q $box tree / >id && \
             {buildah} config --cmd x --env A=1 $box && {buildah} commit -q $box app >id && \
             {buildah} push -q app oci:pushed:app && \
             {buildah} push -q app oci-archive:pushed.tar:app && \
             {buildah} push -q --format v2s2 app docker-archive:docker.tar:app:1"
        ),
    );
    is_read(&sandbox, "buildah push oci:", "oci:pushed:app");
    is_read(&sandbox, "buildah push oci-archive:", "oci-archive:pushed.tar:app");
    is_read(&sandbox, "buildah push docker-archive:", "docker-archive:docker.tar:app:1");
}

#[test]
fn what_umoci_makes_is_read() {
    require!(Root, Peer("umoci"));
    let sandbox = prepared();
    make(
        &sandbox,
        "umoci init --layout made && umoci new --image made:app && \
         umoci unpack --image made:app bundle 2>&1 && cp -a tree/. bundle/rootfs/ && \
         umoci repack --image made:app bundle 2>&1 && \
         umoci config --image made:app --config.cmd x --history.comment Hello",
    );
    is_read(&sandbox, "umoci repack", "oci:made:app");
}

#[test]
fn what_skopeo_copies_is_read() {
    require!(Peer("skopeo"));
    let sandbox = prepared();
    let _ = sandbox.sh("img-commit -t app scratch tree.tar.gz").succeeds();
    let copy = "skopeo --insecure-policy copy -q";
    make(
        &sandbox,
        &format!(
            "{copy} oci:$LAYERUTILS_STORE:app:latest oci-archive:oci.tar:app && \
             {copy} --dest-compress-format zstd --dest-compress oci:$LAYERUTILS_STORE:app:latest oci:zstd:app && \
             {copy} --format v2s2 oci:$LAYERUTILS_STORE:app:latest docker-archive:docker.tar:app:1"
        ),
    );
    is_read(&sandbox, "skopeo, oci-archive", "oci-archive:oci.tar:app");
    is_read(&sandbox, "skopeo, zstd", "oci:zstd:app");
    is_read(&sandbox, "skopeo, docker-archive", "docker-archive:docker.tar:app:1");
}

/// An image of ours in every form that there is: `app` in the store, `ours.d`,
/// `ours.oci.tar` and `ours.docker.tar`.
const OURS: &str = "img-commit -t app -m Hello -c 'CMD [\"x\"]' -c 'ENV A=1' scratch tree.tar >id && \
                    img-copy app oci:ours.d:app >id && img-copy app oci-archive:ours.oci.tar:app >id && \
                    img-copy app docker-archive:ours.docker.tar:app:1 >id && \
                    img-inspect --format '{{json .RootFS.Layers}} {{json .Config.Env}}' app >facts";

/// The storage that an image is loaded into, and then looked at and exported from.
fn reads(sandbox: &Sandbox, tool: &str, load: &str) {
    let script = format!(
        "id=$({load}) && id=${{id##* }} && \
         {tool} inspect --type image --format '{{{{json .RootFS.Layers}}}} {{{{json .Config.Env}}}}' $id >theirs && \
         cmp facts theirs && {tool} save -q --format oci-archive -o back.tar $id && \
         layer-apply --image oci-archive:back.tar back >diffids && \
         diff -r --no-dereference tree back && rm -r back back.tar"
    );
    let outcome = sandbox.sh(&script).outcome();
    assert_eq!(outcome.status, 0, "{load}\n{outcome}");
}

#[test]
fn what_we_make_is_read_by_podman_and_given_back() {
    require!(Root, Peer("podman"));
    let sandbox = prepared();
    make(&sandbox, OURS);
    let podman = format!("podman {STORAGE}");
    for from in ["ours.oci.tar", "ours.docker.tar"] {
        reads(&sandbox, &podman, &format!("{podman} load -q -i {from}"));
    }
    reads(&sandbox, &podman, &format!("{podman} pull -q oci:ours.d:app"));
    // podman makes a name of the path, which must be in small letters.
    make(&sandbox, "ln -s $LAYERUTILS_STORE store.link");
    reads(&sandbox, &podman, &format!("{podman} pull -q oci:store.link:app:latest"));
}

#[test]
fn what_we_make_is_read_by_buildah_and_umoci() {
    require!(Root, Peer("buildah"), Peer("umoci"));
    let sandbox = prepared();
    make(&sandbox, OURS);
    let buildah = format!("buildah {STORAGE}");
    for from in ["oci-archive:ours.oci.tar", "docker-archive:ours.docker.tar", "oci:ours.d:app"] {
        let script = format!(
            "box=$({buildah} from -q {from}) && tree=$({buildah} mount $box) && \
             diff -r --no-dereference tree $tree && {buildah} rm $box >id"
        );
        let outcome = sandbox.sh(&script).outcome();
        assert_eq!(outcome.status, 0, "{from}\n{outcome}");
    }
    make(
        &sandbox,
        "umoci raw unpack --image ours.d:app theirs.d && diff -r --no-dereference tree theirs.d",
    );
}
