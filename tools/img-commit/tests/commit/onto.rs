//! `--onto`: what is an image's own, over another base.

use common::digest::Digest;
use layerutils_tests::place::{self, Place};

use crate::{commit, gzip, history, layer, layer_bytes, members, refuse};

/// Two bases, and an image of two steps over the first.
fn images(place: &Place) {
    let old = ["-t", "old", "-m", "old", "-c", "ENV PATH=/bin OLD=1 GONE=1", "-c", "CMD [\"sh\"]"];
    let more = ["-c", "USER 1", "-c", "WORKDIR /old", "-c", "LABEL v=1 kept=1", "scratch"];
    commit(place, &[&old[..], &more[..]].concat(), &layer(&["base", "old"]));
    let new = ["-t", "new", "-m", "new", "-c", "ENV PATH=/usr/bin NEW=1", "-c", "CMD [\"bash\"]"];
    let more = ["-c", "USER 2", "-c", "WORKDIR /new", "-c", "LABEL v=2", "scratch"];
    commit(place, &[&new[..], &more[..]].concat(), &layer(&["base", "new"]));
    let one = ["-t", "one", "-m", "one", "-c", "ENV OLD=2 OURS=1", "-c", "USER 3", "old"];
    commit(place, &one, &layer(&["one"]));
    commit(place, &["-t", "app", "-m", "two", "one"], &gzip(&place::layer(&[(".wh.old", b"")])));
}

#[test]
fn own_layers_config_and_history_go_over_the_new_base() {
    let place = crate::place();
    images(&place);
    let args = ["-t", "moved", "--onto", "new", "--base", "old", "--config-only", "app"];
    let digest = commit(&place, &args, b"");
    let (image, app, new) = (place.image("moved"), place.image("app"), place.image("new"));
    assert_eq!(image.id().to_string(), digest);
    assert_eq!(image.base().unwrap().id(), new.id());
    let layers = |image: &common::image::Image| -> Vec<Digest> {
        image.manifest.layers.iter().map(|layer| layer.digest.clone()).collect()
    };
    assert_eq!(layers(&image), [&layers(&new)[..], &layers(&app)[1..]].concat());
    assert_eq!(history(&place, "moved"), ["|new|false", "sh|one|false", "sh|two|false"]);
    let config = image.config.config;
    assert_eq!(config.env, ["PATH=/usr/bin", "NEW=1", "OLD=2", "OURS=1"]);
    assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("3", "/new"));
    assert_eq!(config.cmd.unwrap(), ["bash"], "the image never had one of its own");
    assert_eq!(config.labels.into_iter().collect::<Vec<_>>(), [("v".to_owned(), "2".to_owned())]);
}

#[test]
fn the_base_is_the_one_the_image_names_unless_another_is_named() {
    let place = crate::place();
    images(&place);
    commit(&place, &["-t", "last", "--onto", "new", "--config-only", "app"], b"");
    assert_eq!(history(&place, "last"), ["|new|false", "sh|two|false"]);
    let all = ["-t", "all", "--onto", "new", "--base", "scratch", "--config-only", "app"];
    commit(&place, &all, b"");
    assert_eq!(place.image("all").manifest.layers.len(), 4);
    let own = ["-t", "own", "--onto", "scratch", "--base", "old", "--config-only", "app"];
    commit(&place, &own, b"");
    assert_eq!(history(&place, "own"), ["sh|one|false", "sh|two|false"]);
    assert_eq!(place.image("own").base().map(|_| ()), None);
}

#[test]
fn more_can_be_added_on_the_way_and_squashed() {
    let place = crate::place();
    images(&place);
    let more = ["--onto", "new", "--base", "old", "-m", "three", "-c", "CMD [\"x\"]"];
    commit(&place, &[&["-t", "more"], &more[..], &["app"]].concat(), &layer(&["three"]));
    assert_eq!(history(&place, "more").last().unwrap(), "sh|three|false");
    assert_eq!(place.image("more").manifest.layers.len(), 4);
    let args = [&["-t", "flat", "--squash"], &more[..], &["app"]].concat();
    commit(&place, &args, &layer(&["three"]));
    let flat = place.image("flat");
    assert_eq!(
        (flat.manifest.layers.len(), flat.base().unwrap().id()),
        (2, place.image("new").id())
    );
    assert_eq!(members(&layer_bytes(&place, "flat", 1)), [".wh.old", "one", "three"]);
    assert_eq!(
        history(&place, "flat"),
        ["|new|false", "sh|one|true", "sh|two|true", "sh|three|false"]
    );
    assert_eq!(flat.config.config.cmd.unwrap(), ["x"]);
    // Written elsewhere, from two places at once.
    let archive = place.run(&["-o", "-", "-t", "new", "--config-only", "new"], b"").stdout;
    std::fs::write(place.path("new.tar"), archive).unwrap();
    let args = ["-o", "oci:out:x", "--onto", "oci-archive:new.tar", "--base", "old", "app"];
    commit(&place, &[&args[..], &["--config-only"]].concat(), b"");
    let out = place.image("oci:out:x");
    for layer in out.layers() {
        std::io::copy(&mut out.layer(&layer).unwrap(), &mut std::io::sink()).unwrap();
    }
    assert_eq!((out.manifest.layers.len(), out.config.history.len()), (3, 4));
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let place = crate::place();
    images(&place);
    commit(&place, &["-t", "arm", "--platform", "linux/arm64", "scratch"], &layer(&["a"]));
    for (args, message) in [
        (&["--onto", "new", "--base", "new", "app"][..], "img-commit: app: does not begin with "),
        (&["--onto", "new", "old"], "img-commit: old: does not say what it was made from, "),
        (&["--onto", "nope", "--base", "old", "app"], "img-commit: nope: no such image in "),
        (&["--onto", "arm", "--base", "old", "app"], "img-commit: arm: no image for platform "),
        (&["--onto", "new", "scratch"], "img-commit: --onto: 'scratch' has nothing to move\n"),
        (&["--base", "old", "app"], "img-commit: the following required arguments "),
    ] {
        let said = refuse(&place, &[&["--config-only"], args].concat(), b"");
        assert!(said.starts_with(message), "{args:?}: {said}");
    }
}
