//! An image, and a registry that has it.

use common::digest::Digest;
use layerutils_tests::place::Place;

use super::fake::{Fake, Reply, Request};
use super::{place, put_noise};

pub(crate) const LEN: usize = 3 << 20;

/// A place whose image `app` is also what a registry serves, and an empty store to pull to.
pub(crate) struct Pulled {
    pub(crate) place: Place,
    pub(crate) image: Digest,
    /// Its only layer.
    pub(crate) layer: Digest,
}

impl Pulled {
    pub(crate) fn new() -> Self {
        let place = place();
        let image = put_noise(&place, "app", LEN);
        let layer = place.image("app").manifest.layers.first().unwrap().digest.clone();
        Self { place, image, layer }
    }

    pub(crate) fn serve(
        &self,
        handler: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Fake {
        Fake::start(&self.place, &self.image, handler)
    }

    pub(crate) fn bytes(&self, digest: &Digest) -> Vec<u8> {
        std::fs::read(self.place.store().blob_path(digest)).unwrap()
    }

    pub(crate) fn pulls(&self, fake: &Fake) {
        let printed = self.place.done(&[&fake.name("app:1"), "oci:pulled:x"]);
        assert_eq!(printed, format!("{}\n", self.image));
        let layer = self.place.path("pulled/blobs/sha256").join(self.layer.hex());
        assert!(std::fs::read(layer).unwrap() == self.bytes(&self.layer));
    }

    /// Fails in one line, in which `words` are, and leaves no image.
    #[track_caller]
    pub(crate) fn fails(&self, fake: &Fake, words: &str) {
        let arguments = [&fake.name("app:1"), "oci:new:x", "--retry-times=1"];
        let (printed, said) = self.place.failed(&arguments);
        assert_eq!(printed, "");
        assert!(said.starts_with("img-copy: docker://127.0.0.1:"), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(said.lines().count() - said.matches(": hint: ").count() == 1, "{said}");
        if let Ok(layout) = common::store::Store::open(&self.place.path("new")) {
            assert!(layout.images().unwrap().is_empty());
            assert!(!layout.blob_path(&self.layer).is_file());
        }
    }
}
