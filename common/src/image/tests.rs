//! Images read from and written to layouts and archives.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{Destination, Error, Image, Reference, open};
use crate::digest::{DiffId, Digest};
use crate::oci::{Descriptor, ImageConfig, Index, Manifest, Platform, media_type};
use crate::store::{self, Location, Name, Store};

const LAYER: &[u8] = &[0; 1024];

fn config(platform: &str, layers: &[&[u8]]) -> ImageConfig {
    let mut config = ImageConfig::scratch(&platform.parse().unwrap());
    config.rootfs.diff_ids = layers.iter().map(|layer| DiffId(Digest::of(layer))).collect();
    config
}

fn put(store: &Store, media_type: &str, bytes: &[u8]) -> Descriptor {
    let (digest, len) = store.put(bytes).unwrap();
    Descriptor::new(media_type, digest, len)
}

fn add(store: &Store, config: &ImageConfig, layers: &[&[u8]]) -> Descriptor {
    let config = put(store, media_type::CONFIG, &config.to_bytes().unwrap());
    let layers = layers.iter().map(|layer| put(store, media_type::LAYER, layer)).collect();
    put(store, media_type::MANIFEST, &Manifest::new(config, layers).to_bytes().unwrap())
}

fn open_text(text: &str, platform: Option<&str>, dir: &Path) -> Result<Image, Error> {
    let platform: Option<Platform> = platform.map(|text| text.parse().unwrap());
    open(&Reference::parse(text.as_ref()).unwrap(), platform.as_ref(), &Location::at(dir.into()))
}

fn read_layers(image: &Image) -> Vec<Vec<u8>> {
    let read = |layer| {
        let mut bytes = Vec::new();
        image.layer(&layer).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(Digest::of(&bytes), layer.diff_id.0);
        bytes
    };
    image.layers().map(read).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn store(&self) -> Store {
        Store::create(&self.path("store")).unwrap()
    }
}

#[test]
fn an_archive_written_is_read_as_either_kind_with_the_same_digests() {
    let folder = Folder::new();
    let store = folder.store();
    let layers = [LAYER, &[0; 2048], LAYER];
    let descriptor = add(&store, &config("linux/amd64", &layers), &layers);
    let name: Name = "app:1".parse().unwrap();
    store.tag(std::slice::from_ref(&name), &descriptor).unwrap();
    let image = open_text("app:1", None, store.path()).unwrap();
    assert_eq!(image.id(), &descriptor.digest);
    assert_eq!(image.names, ["app:1"]);
    let file = folder.path("app.tar");
    for _ in 0..2 {
        let destination =
            Destination::parse(format!("oci-archive:{}", file.display()).as_ref()).unwrap();
        destination.write(&image.clone().into(), std::slice::from_ref(&name)).unwrap();
        let again = fs::read(&file).unwrap();
        let mut written = Vec::new();
        let product = super::Product::from(image.clone());
        let selection = product.selection(vec![name.clone()]);
        super::archive::write(&selection, |blob| image.blob(blob), &mut written).unwrap();
        assert!(again == written, "the same bytes");
    }
    for reference in ["oci-archive:", "docker-archive:"] {
        for name in ["", ":app:1", ":docker.io/library/app:1"] {
            let text = format!("{reference}{}{name}", file.display());
            let read = open_text(&text, None, store.path()).unwrap();
            assert_eq!(read.id(), &descriptor.digest, "{text}");
            assert_eq!(read_layers(&read).len(), 3);
        }
        let text = format!("{reference}{}:other", file.display());
        assert!(matches!(open_text(&text, None, store.path()), Err(Error::Choice(_))));
    }
    let other =
        Destination::parse(format!("oci:{}:x", folder.path("other").display()).as_ref()).unwrap();
    let archive =
        open_text(&format!("oci-archive:{}", file.display()), None, store.path()).unwrap();
    other.write(&archive.into(), &[]).unwrap();
    let copied =
        open_text(&format!("oci:{}:x", folder.path("other").display()), None, store.path())
            .unwrap();
    assert_eq!(copied.id(), &descriptor.digest);
    assert_eq!(read_layers(&copied), layers);
}

/// What `docker save` wrote before version 25: folders with `layer.tar`, one a link.
fn docker_archive(layers: &[(&str, &[u8])], diff_ids: &[&[u8]]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    let mut file = |name: &str, bytes: &[u8]| {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    for (name, bytes) in layers {
        file(&format!("{name}/layer.tar"), bytes);
    }
    file("abc.json", &config("linux/amd64", diff_ids).to_bytes().unwrap());
    let names: Vec<String> =
        layers.iter().map(|(name, _)| format!("\"{name}/layer.tar\"")).collect();
    let names = names.join(",");
    let list = format!(
        r#"[{{"Config":"abc.json","RepoTags":["app:latest"],"Layers":[{names},"link/layer.tar"]}}]"#
    );
    file("manifest.json", list.as_bytes());
    let mut header = ::tar::Header::new_ustar();
    header.set_entry_type(::tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "link/layer.tar", "../1/layer.tar").unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn archives_of_old_docker_are_read_and_checked_against_their_diff_ids() {
    let folder = Folder::new();
    let file = folder.path("saved.tar");
    let text = format!("docker-archive:{}:app", file.display());
    fs::write(&file, docker_archive(&[("1", LAYER)], &[LAYER, LAYER])).unwrap();
    let image = open_text(&text, None, &folder.path("none")).unwrap();
    let config = config("linux/amd64", &[LAYER, LAYER]).to_bytes().unwrap();
    assert_eq!(image.id(), &Digest::of(&config), "docker's image ID");
    assert_eq!(image.names, ["app:latest"]);
    assert_eq!(read_layers(&image), [LAYER, LAYER]);
    image.copy_to(&folder.store()).unwrap();

    let mut gzip =
        crate::compression::Encoder::new(Vec::new(), crate::compression::Format::Gzip, None)
            .unwrap();
    gzip.write_all(LAYER).unwrap();
    let gzip = gzip.finish().unwrap();
    fs::write(&file, docker_archive(&[("1", &gzip)], &[LAYER, LAYER])).unwrap();
    let image = open_text(&text, None, &folder.path("none")).unwrap();
    assert_eq!(image.manifest.layers[0].media_type, media_type::LAYER_GZIP);
    let layer = image.layers().next().unwrap();
    image.layer(&layer).unwrap().read_to_end(&mut Vec::new()).unwrap();

    fs::write(&file, docker_archive(&[("1", b"something else")], &[LAYER, LAYER])).unwrap();
    let image = open_text(&text, None, &folder.path("none")).unwrap();
    let layer = image.layers().next().unwrap();
    assert!(image.layer(&layer).unwrap().read_to_end(&mut Vec::new()).is_err());
    fs::write(&file, docker_archive(&[("1", LAYER)], &[LAYER])).unwrap();
    assert!(matches!(open_text(&text, None, &folder.path("none")), Err(Error::LayerCount { .. })));
}

#[test]
fn archives_of_an_unknown_layout_are_refused() {
    let folder = Folder::new();
    let file = folder.path("odd.tar");
    let open = |version: &str| {
        let layout = format!(r#"{{"imageLayoutVersion":"{version}"}}"#);
        let mut builder = ::tar::Builder::new(Vec::new());
        for (name, bytes) in
            [("oci-layout", layout.as_bytes()), ("index.json", br#"{"schemaVersion":2}"#)]
        {
            let mut header = ::tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).unwrap();
        }
        fs::write(&file, builder.into_inner().unwrap()).unwrap();
        open_text(&format!("oci-archive:{}", file.display()), None, &folder.path("none"))
    };
    for version in ["9.9", "2.0.0", "", "01"] {
        assert!(matches!(open(version), Err(Error::Document { .. })), "{version}");
    }
    assert!(matches!(open("1.1.0"), Err(Error::Choice(_))), "it holds no image");
}

#[test]
fn damaged_archives_are_errors() {
    let folder = Folder::new();
    let file = folder.path("saved.tar");
    let whole = docker_archive(&[("1", LAYER)], &[LAYER, LAYER]);
    for kind in ["oci-archive", "docker-archive"] {
        let text = format!("{kind}:{}", file.display());
        for bytes in [&b""[..], b"garbage", &[0; 4096], &whole[..1000], &[7; 5000]] {
            fs::write(&file, bytes).unwrap();
            assert!(open_text(&text, None, &folder.path("none")).is_err());
        }
    }
    assert!(open_text("oci-archive:/nonexistent", None, &folder.path("none")).is_err());
}

fn index_of(store: &Store, platforms: &[&str]) -> (Descriptor, Vec<Descriptor>) {
    let image = |text: &&str| {
        let mut descriptor = add(store, &config(text, &[]), &[]);
        descriptor.platform = Some(text.parse().unwrap());
        descriptor
    };
    let images: Vec<Descriptor> = platforms.iter().map(image).collect();
    let mut attested = images.clone();
    let mut attestation = Descriptor::new(media_type::MANIFEST, Digest::of(b"attestation"), 9);
    attestation.platform = Some("unknown/unknown".parse().unwrap());
    attested.push(attestation);
    (put(store, media_type::INDEX, &Index::new(attested).to_bytes().unwrap()), images)
}

#[test]
fn platforms_are_chosen_and_attestations_skipped() {
    let folder = Folder::new();
    let store = folder.store();
    let (index, images) = index_of(&store, &["linux/arm/v6", "linux/arm/v7", "linux/s390x"]);
    let (only, other) = index_of(&store, &["linux/s390x"]);
    let nested =
        put(&store, media_type::INDEX, &Index::new(vec![index.clone()]).to_bytes().unwrap());
    for (name, image) in
        [("many", &index), ("only", &only), ("nested", &nested), ("plain", &other[0])]
    {
        store.tag(&[name.parse().unwrap()], image).unwrap();
    }
    let id = |name: &str, platform| {
        open_text(name, platform, store.path()).map(|image| image.id().clone())
    };
    assert_eq!(id("many", Some("linux/arm")).unwrap(), images[1].digest);
    assert_eq!(id("nested", Some("linux/arm/v6")).unwrap(), images[0].digest);
    assert_eq!(id("only", None).unwrap(), other[0].digest);
    assert_eq!(id("plain", Some("linux/s390x")).unwrap(), other[0].digest);
    for name in ["many", "only", "plain"] {
        assert!(matches!(id(name, Some("linux/riscv64")), Err(Error::Platform { .. })), "{name}");
    }
}

#[test]
fn hostile_layouts_are_refused() {
    let folder = Folder::new();
    let store = folder.store();
    let tag = |image: &Descriptor| store.tag(&["x".parse().unwrap()], image).unwrap();
    let open = || open_text("x", None, store.path());

    let good = add(&store, &config("linux/amd64", &[LAYER]), &[LAYER]);
    let mut confused = good.clone();
    confused.media_type = media_type::INDEX.into();
    tag(&confused);
    assert!(matches!(open(), Err(Error::Document { .. })));
    let mut long = good.clone();
    long.len_bytes += 1;
    tag(&long);
    assert!(matches!(open(), Err(Error::Store(store::Error::Size { .. }))));
    tag(&add(&store, &config("linux/amd64", &[LAYER, LAYER]), &[LAYER]));
    assert!(matches!(open(), Err(Error::LayerCount { .. })));

    let empty = put(&store, media_type::EMPTY, b"{}");
    tag(&put(
        &store,
        media_type::MANIFEST,
        &Manifest::new(empty.clone(), vec![]).to_bytes().unwrap(),
    ));
    assert!(matches!(open(), Err(Error::NotAnImage { .. })));
    let config =
        put(&store, media_type::CONFIG, &config("linux/amd64", &[LAYER]).to_bytes().unwrap());
    tag(&put(
        &store,
        media_type::MANIFEST,
        &Manifest::new(config, vec![empty]).to_bytes().unwrap(),
    ));
    assert!(matches!(open(), Err(Error::LayerType { .. })));

    let mut nested = good;
    for _ in 0..6 {
        nested = put(&store, media_type::INDEX, &Index::new(vec![nested]).to_bytes().unwrap());
    }
    tag(&nested);
    assert!(matches!(open(), Err(Error::TooDeep(_))));
}

#[test]
fn indexes_that_hold_only_indexes_many_times_over_cost_bounded_work() {
    let folder = Folder::new();
    let store = folder.store();
    let mut below = put(&store, media_type::INDEX, &Index::new(Vec::new()).to_bytes().unwrap());
    for _ in 0..3 {
        let index = Index::new(vec![below.clone(); 2000]);
        below = put(&store, media_type::INDEX, &index.to_bytes().unwrap());
    }
    store.tag(&["deep".parse::<Name>().unwrap()], &below).unwrap();
    let refused = open_text("deep", None, &folder.path("store"));
    assert!(matches!(refused, Err(Error::TooDeep(_))), "{refused:?}");
}
