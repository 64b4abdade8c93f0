//! Who can look into a store.

use std::os::unix::fs::PermissionsExt as _;

use layerutils_tests::sandbox::Sandbox;

/// Set-id programs in it must be out of reach of the host's users (CVE-2021-41091). In
/// a place that was named, the umask says who shares it.
#[test]
fn the_usual_store_is_its_owners_alone() {
    let sandbox = Sandbox::new();
    sandbox.sh("tar -cf layer.tar -T /dev/null").succeeds();
    let commit = "img-commit -t x scratch layer.tar";
    let usual = "umask 022 && unset LAYERUTILS_STORE && XDG_DATA_HOME=$PWD/data";
    sandbox.sh(&format!("{usual} {commit}")).succeeds();
    sandbox.sh(&format!("umask 022 && {commit} --store named")).succeeds();
    let mode = |name: &str| {
        let found = sandbox.path(name).metadata().unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!((mode("data/layerutils"), mode("named")), (0o700, 0o755));
}
