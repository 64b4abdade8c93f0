//! `img-rm` through its binary.

#![allow(clippy::unwrap_used)]

use layerutils_tests::place::Place;

#[test]
fn names_go_and_blobs_go_when_no_name_reaches_them() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-rm"));
    place.put_image(&["base"], "2001-01-01T00:00:00Z", &[1000]);
    let app = place.put_image(&["app", "app:1"], "2002-01-01T00:00:00Z", &[1000, 5]);
    let blobs = |place: &Place| place.store().blobs().map(|blobs| blobs.len()).ok();
    assert_eq!(blobs(&place), Some(6));
    let (removed, said) = place.failed(&[&app.to_string()]);
    assert_eq!(removed, "");
    assert_eq!(said, format!("img-rm: {app} has several names: app:latest, app:1\n"));
    assert_eq!(place.done(&["-n", "app"]), "app:latest\n");
    assert_eq!(place.done(&["app"]), "app:latest\n");
    assert_eq!(place.done(&["--prune"]), "", "the image still has a name");
    // Text that could be a name is not taken for the beginning of a digest.
    let (_, said) = place.failed(&["-n", app.short()]);
    let hint = format!("img-rm: hint: to remove by digest, write sha256:{}\n", app.short());
    assert!(said.ends_with(&hint), "{said}");
    let short = format!("sha256:{}", app.short());
    let told = place.done(&["-n", "--prune", &short]);
    assert_eq!(told.lines().count(), 4, "the name, and manifest, config and layer: {told}");
    assert_eq!(blobs(&place), Some(6));
    assert_eq!(place.done(&["--prune", &short]), told);
    assert_eq!(blobs(&place), Some(3), "what the other image needs stays");
    let (removed, said) = place.failed(&["-0", "nope", "base"]);
    assert_eq!(removed, "base:latest\0");
    assert!(said.starts_with("img-rm: nope: no such image in "), "{said}");
    place.failed(&[]);
}

#[test]
fn what_is_freed_is_told_to_who_asks() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-rm"));
    place.put_image(&["app"], "2001-01-01T00:00:00Z", &[1000]);
    let said = |args: &[&str]| String::from_utf8(place.run(args, b"").stderr).unwrap_or_default();
    let blobs = place.store().blobs().map(|blobs| blobs.values().sum::<u64>()).unwrap_or(0);
    let size = common::human::size(blobs);
    let told = said(&["-v", "-n", "--prune", "app"]);
    assert_eq!(told, format!("img-rm: would free {size} in 3 blobs\n"));
    assert_eq!(said(&["-v", "app"]), "img-rm: nothing is freed without --prune\n");
    assert_eq!(said(&["--prune", "-v"]), format!("img-rm: freed {size} in 3 blobs\n"));
    assert_eq!(said(&["--prune", "-v"]), "img-rm: freed 0B in 0 blobs\n");
}

#[test]
fn images_are_pruned_by_any_name_that_finds_them() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-rm"));
    let image = place.put_image(&["x.y/app:1"], "2001-01-01T00:00:00Z", &[1000]);
    let config = place.image("x.y/app:1").manifest.config.digest;
    let hex = image.hex().to_owned();
    let short = [&image, &config].map(|digest| format!("sha256:{}", digest.short()));
    for name in ["x.y/app:1", &image.to_string(), &hex, &short[0], &short[1]] {
        assert_eq!(place.done(&["-n", name]), "x.y/app:1\n", "{name}");
    }
    for name in ["x.y/app", "app", "0123456789", "sha256:012", "", "Bad Name"] {
        place.failed(&["-n", name]);
    }
}

#[test]
fn pruning_removes_what_killed_processes_left_in_the_cache() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-rm"));
    place.put_image(&["app"], "2001-01-01T00:00:00Z", &[1000]);
    let folder = common::scratch::folder(&place.path("cache/layerutils"));
    let living = common::scratch::Scratch::new(&folder).unwrap();
    let dead = folder.join("1.0");
    std::fs::create_dir_all(dead.join("upper")).unwrap();
    assert_eq!(place.done(&["-n", "--prune"]), "");
    assert!(dead.try_exists().unwrap());
    assert_eq!(place.done(&["--prune"]), "");
    assert!(!dead.try_exists().unwrap());
    assert!(living.dir().try_exists().unwrap());
}

#[test]
fn an_upper_directory_is_removed_with_all_below_and_nothing_else_is() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-rm"));
    let up = place.path("up");
    std::fs::create_dir_all(up.join("a/b")).unwrap();
    std::fs::write(place.path("file"), "").unwrap();
    std::os::unix::fs::symlink(&up, place.path("link")).unwrap();
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    for (name, problem) in [("file", "not a directory"), ("link", "not a directory")] {
        let (_, said) = place.failed(&["--upper", &path(name)]);
        assert!(said.contains(problem), "{said}");
    }
    assert_eq!(place.done(&["-n", "-0", "--upper", &path("up")]), format!("{}\0", path("up")));
    assert!(up.join("a/b").is_dir());
    // One that is missing does not keep the others.
    place.failed(&["--upper", &path("none"), "--upper", &path("up")]);
    assert!(std::fs::symlink_metadata(&up).is_err() && place.path("file").is_file());
    let refused = place.run(&["--upper", &path("up"), "app"], b"");
    assert_eq!(refused.status.code(), Some(2));
}
