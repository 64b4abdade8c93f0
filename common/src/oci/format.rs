//! The two forms a manifest comes in: OCI's, and docker's schema 2, which old daemons
//! and registries want. They differ in media types, and docker's has no annotations.

use super::media_type::{
    CONFIG, DOCKER_CONFIG, DOCKER_FOREIGN_LAYER, DOCKER_FOREIGN_LAYER_GZIP, DOCKER_INDEX,
    DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_LAYER_ZSTD, DOCKER_MANIFEST, INDEX, LAYER, LAYER_GZIP,
    LAYER_ZSTD, MANIFEST, NONDISTRIBUTABLE, NONDISTRIBUTABLE_GZIP,
};
use super::{Annotations, Descriptor, Error, Manifest, media_type};

/// The pairs of media types that mean the same.
const SAME: [(&str, &str); 8] = [
    (INDEX, DOCKER_INDEX),
    (MANIFEST, DOCKER_MANIFEST),
    (CONFIG, DOCKER_CONFIG),
    (LAYER, DOCKER_LAYER),
    (LAYER_GZIP, DOCKER_LAYER_GZIP),
    (LAYER_ZSTD, DOCKER_LAYER_ZSTD),
    (NONDISTRIBUTABLE, DOCKER_FOREIGN_LAYER),
    (NONDISTRIBUTABLE_GZIP, DOCKER_FOREIGN_LAYER_GZIP),
];

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ManifestFormat {
    /// OCI's.
    #[default]
    Oci,
    /// Docker's schema 2.
    Docker,
}

impl ManifestFormat {
    /// What `media_type` is called in this form; none if the form has nothing like it.
    #[must_use]
    pub fn media_type(self, media_type: &str) -> Option<&'static str> {
        let media_type = media_type::essence(media_type);
        let (oci, docker) =
            SAME.into_iter().find(|(oci, docker)| [*oci, *docker].contains(&media_type))?;
        Some(match self {
            Self::Oci => oci,
            Self::Docker => docker,
        })
    }

    /// The manifest of the same image in this form.
    ///
    /// # Errors
    /// A layer or config of a type that docker's form does not have.
    pub fn manifest(self, manifest: &Manifest) -> Result<Manifest, Error> {
        let mut changed = manifest.clone();
        for blob in std::iter::once(&mut changed.config).chain(&mut changed.layers) {
            self.rename(blob)?;
        }
        let own = changed.media_type.as_deref().unwrap_or(MANIFEST);
        let renamed = self.media_type(own).ok_or_else(|| Error::MediaType(own.to_owned()))?;
        changed.media_type = Some(renamed.to_owned());
        if self == Self::Docker {
            changed.annotations = Annotations::new();
        }
        Ok(changed)
    }

    fn rename(self, blob: &mut Descriptor) -> Result<(), Error> {
        match self.media_type(&blob.media_type) {
            // A type that some builders write and that podman and skopeo refuse.
            Some(DOCKER_LAYER_ZSTD) => return Err(Error::DockersZstd),
            Some(renamed) => blob.media_type = renamed.to_owned(),
            // OCI has words for more than docker has.
            None if self == Self::Oci => {}
            None => return Err(Error::NotDockers(blob.media_type.clone())),
        }
        if self == Self::Docker {
            blob.annotations = Annotations::new();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ManifestFormat;
    use crate::digest::Digest;
    use crate::oci::{Descriptor, Manifest, media_type};

    #[test]
    fn a_manifest_goes_to_docker_and_back_but_for_its_annotations() {
        let blob = |media_type: &str| Descriptor::new(media_type, Digest::of(b""), 0);
        let layers = [media_type::LAYER, media_type::LAYER_GZIP].map(blob).to_vec();
        let oci = Manifest::new(blob(media_type::CONFIG), layers);
        let mut noted = oci.clone();
        noted.annotations.insert("a".into(), "b".into());
        let docker = ManifestFormat::Docker.manifest(&noted).unwrap();
        assert_eq!(docker.media_type.as_deref(), Some(media_type::DOCKER_MANIFEST));
        assert_eq!(docker.layers[1].media_type, media_type::DOCKER_LAYER_GZIP);
        assert_eq!(ManifestFormat::Oci.manifest(&docker).unwrap(), oci);
        assert_eq!(ManifestFormat::Oci.manifest(&noted).unwrap(), noted);
    }

    #[test]
    fn docker_has_no_zstd() {
        let blob = |media_type: &str| Descriptor::new(media_type, Digest::of(b""), 0);
        let manifest = Manifest::new(blob(media_type::CONFIG), vec![blob(media_type::LAYER_ZSTD)]);
        let refused = ManifestFormat::Docker.manifest(&manifest);
        assert!(matches!(refused, Err(crate::oci::Error::DockersZstd)));
        // An existing manifest of this type can be read, and converted to OCI's form.
        let docker = Manifest::new(
            blob(media_type::DOCKER_CONFIG),
            vec![blob(media_type::DOCKER_LAYER_ZSTD)],
        );
        let oci = ManifestFormat::Oci.manifest(&docker).unwrap();
        assert_eq!(oci.layers, manifest.layers);
    }

    #[test]
    fn what_docker_has_no_word_for_is_refused() {
        let layer = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
        let blob = |media_type: &str| Descriptor::new(media_type, Digest::of(b""), 0);
        let manifest = Manifest::new(blob(media_type::CONFIG), vec![blob(layer)]);
        assert!(ManifestFormat::Docker.manifest(&manifest).is_err());
        assert_eq!(ManifestFormat::Oci.manifest(&manifest).unwrap(), manifest);
    }
}
