//! Programs that a test cannot have for real, as scripts on the sandbox's PATH
//! which do what a pipeline needs of them.

use crate::sandbox::Sandbox;

/// Runs a remote command here, with `/srv` in the user's home.
const SSH: &str = r##"#!/bin/bash
[ "$1" = host ] || exit 255
shift
mkdir -p "$HOME/srv"
exec "${@/#\/srv/$HOME/srv}"
"##;

/// Saves the image that the store has under this name, as docker would, and loads
/// an archive if skopeo finds it whole.
const DOCKER: &str = r##"#!/bin/bash
set -e -o pipefail
archive=$(mktemp --dry-run)
trap 'rm -f "$archive"' EXIT
case $1 in
save) skopeo --insecure-policy copy -q "oci:$LAYERUTILS_STORE:$2:latest" "docker-archive:$archive:$2:latest"
      cat "$archive" ;;
load) cat > "$archive"
      name=$(skopeo --insecure-policy copy -q "oci-archive:$archive" "dir:$HOME/loaded" && echo an image)
      echo "Loaded $name" ;;
*) exit 1 ;;
esac
"##;

/// An `ssh` that knows the machine `host`.
pub fn ssh(sandbox: &Sandbox) {
    sandbox.program_file("ssh", SSH);
}

/// A `docker` that saves and loads, with skopeo's help.
pub fn docker(sandbox: &Sandbox) {
    sandbox.program_file("docker", DOCKER);
}
