//! The page and the treemap: whole, harmless, and understood by a browser.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::process::Command;

use common::oci::{History, ImageConfig};
use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::place::Place;
use layerutils_tests::require;

const HOSTILE: &[u8] = b"</title><script>document.title='owned'</script>\"'\x1b]52;\xff";

fn layer(members: &[(&[u8], usize)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, len) in members {
        let content = vec![b'x'; *len];
        let entry = Entry {
            path: path.to_vec(),
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Timestamp::EPOCH,
            len_bytes: content.len() as u64,
            xattrs: Xattrs::new(),
        };
        writer.append(&entry, &*content).unwrap();
    }
    writer.finish().unwrap()
}

fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_img-du"));
    // One component, with all that could be markup.
    let hostile: Vec<u8> =
        HOSTILE.iter().map(|&byte| if byte == b'/' { b'\\' } else { byte }).collect();
    let below = [&hostile[..], b"/big"].concat();
    let layers = [
        layer(&[(b"usr/lib/large", 300_000), (b"usr/lib/small", 100_000), (&below, 200_000)]),
        layer(&[(b"usr/lib/large", 300_000), (b"etc/conf", 50_000)]),
    ];
    let mut config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    let step = |created_by: &[u8]| History {
        created_by: String::from_utf8_lossy(created_by).into_owned(),
        ..History::default()
    };
    config.history = vec![step(b"ADD a"), step(HOSTILE)];
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    place.put(&["app"], config, &layers, |_| {});
    place
}

fn written(place: &Place, option: &str, name: &str) -> String {
    assert_eq!(place.done(&[option, name, "app"]), "");
    fs::read_to_string(place.path(name)).unwrap()
}

#[test]
fn a_picture_has_a_tile_for_each_file_and_directory_in_the_colour_of_its_layer() {
    let svg = written(&place(), "--svg", "app.svg");
    let tile = |path: &str| {
        let mark = format!("data-path=\"{path}\"");
        let tile = svg.lines().find(|line| line.contains(&mark));
        tile.unwrap_or_else(|| panic!("no tile for {path}: {svg}")).to_owned()
    };
    for (path, layer) in [("usr/lib/large", 2), ("usr/lib/small", 1), ("etc/conf", 2)] {
        assert!(tile(path).contains(&format!("data-layer=\"{layer}\"><rect")), "{}", tile(path));
    }
    let fill = |path: &str| tile(path).split("fill=\"").nth(1).unwrap()[..12].to_owned();
    assert_eq!(fill("usr/lib/large"), fill("etc/conf"));
    assert_ne!(fill("usr/lib/large"), fill("usr/lib/small"));
    assert!(tile("usr/lib/large").contains("<title>usr/lib/large: 300kB, layer 2</title>"));
    assert!(tile("usr").contains("class=\"directory\""));
}

#[test]
fn a_directory_that_is_not_divided_has_the_colour_of_most_of_its_bytes() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-du"));
    // Small files of layer 1 are together more than the largest one, which layer 2 wrote.
    let small: Vec<String> = (0..300).map(|number| format!("d/{number}")).collect();
    let mut members: Vec<(&[u8], usize)> = small.iter().map(|path| (path.as_bytes(), 10)).collect();
    members.push((b"rest", 700_000));
    let layers = [layer(&members), layer(&[(b"d/large", 1000)])];
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let config = ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    place.put(&["app"], config, &layers, |_| {});
    let svg = written(&place, "--svg", "app.svg");
    assert!(svg.contains("data-path=\"d\" data-layer=\"1\""), "{svg}");
}

#[test]
fn a_page_holds_no_markup_but_its_own_and_fetches_nothing() {
    let page = written(&place(), "--html", "app.html");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&lt;script&gt;document.title=&#39;owned&#39;"));
    assert!(!page.contains('\u{1b}'));
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    for word in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!elsewhere.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("<tr data-path=\"usr/lib/large\">"));
}

#[test]
fn a_page_is_of_one_image_and_appears_whole_or_not_at_all() {
    let place = place();
    let refused = place.failed(&["--html", "x.html", "app", "app"]).1;
    assert!(refused.contains("of one image"), "{refused}");
    fs::write(place.path("x.html"), "before").unwrap();
    place.failed(&["--html", "x.html", "nothing"]);
    assert_eq!(fs::read_to_string(place.path("x.html")).unwrap(), "before");
    let shown = place.done(&["--svg", "-", "app"]);
    assert!(shown.starts_with("<?xml") && shown.ends_with("</svg>\n"));
    let status = place.run(&["--svg", "x.svg", "--max-waste", "1", "app"], b"").status;
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_browser_shows_the_page_and_finds_what_is_searched_for() {
    require!(Peer("chromium"));
    let place = place();
    written(&place, "--html", "app.html");
    let profile = format!("--user-data-dir={}", place.path("profile").display());
    let dom = |search: &str| {
        let url = format!("file://{}#{search}", place.path("app.html").display());
        let browser = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", &profile, &url];
        let output = Command::new("chromium").args(browser).env("HOME", place.path("")).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    // A search that is no address is taken as it is.
    assert!(dom("LARGE%").contains("<span id=\"found\">0 of 4 tiles</span>"));
    let dom = dom("LARGE");
    // The script has run, found one of the tiles, and nobody else's has.
    assert!(dom.contains("<span id=\"found\">1 of 4 tiles</span>"), "{dom}");
    assert!(dom.contains("<title>app: img-du</title>"), "{dom}");
    let classes = |path: &str| {
        let at = dom.find(&format!("<g data-path=\"{path}\"")).unwrap();
        let tag = &dom[at..at + dom[at..].find('>').unwrap()];
        tag.split("class=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned())
    };
    assert_eq!(classes("usr/lib/large").as_deref(), Some("found"));
    assert_eq!(classes("usr/lib/small").as_deref(), Some("dim"));
}
