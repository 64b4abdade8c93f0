//! Whom to trust, and the certificate that proves who we are.
//!
//! The system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` honoured), and what a folder
//! holds for one registry, as docker and containers-certs.d(5) have it: `*.crt` are
//! roots, `NAME.cert` with `NAME.key` is ours.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::document;
use common::message;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

use super::Error;

/// Far more than any certificate has.
const MAX_FILE_LEN_BYTES: u64 = 1 << 20;

/// The configuration for the registry at `host`, its port with it.
pub(super) fn config(host: &str, verify: bool, dir: Option<&Path>) -> Result<TlsConfig, Error> {
    let _ = ring::default_provider().install_default();
    let folder = match dir {
        Some(dir) => Some(dir.to_path_buf()),
        None => usual_folders().map(|folder| folder.join(host)).find(|folder| folder.is_dir()),
    };
    let mut builder =
        TlsConfig::builder().provider(TlsProvider::Rustls).disable_verification(!verify);
    let mut roots = Vec::new();
    if verify {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            message::verbose(format_args!("system certificates: {error}"));
        }
        roots = system.certs;
    }
    if let Some(folder) = folder {
        let files = files(&folder)?;
        for file in with_extension(&files, "crt") {
            roots.extend(certificates(file)?);
        }
        if let Some(file) = with_extension(&files, "cert").next() {
            builder = builder.client_cert(Some(client(file)?));
        }
    }
    let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    Ok(builder.root_certs(RootCerts::new_with_certs(&roots)).build())
}

/// Where administrators and users keep a folder for each registry.
fn usual_folders() -> impl Iterator<Item = PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".config"));
    let config = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let own = config.filter(|path| path.is_absolute()).map(|path| path.join("containers/certs.d"));
    own.into_iter().chain(["/etc/containers/certs.d".into(), "/etc/docker/certs.d".into()])
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::File { path: folder.into(), source };
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).map_err(failed)?.collect();
    let mut files: Vec<PathBuf> = entries.map_err(failed)?.iter().map(fs::DirEntry::path).collect();
    files.sort();
    Ok(files)
}

fn with_extension<'f>(files: &'f [PathBuf], wanted: &'f str) -> impl Iterator<Item = &'f PathBuf> {
    files.iter().filter(move |file| file.extension().is_some_and(|extension| extension == wanted))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    // Folders of certificates are full of links.
    let read = fs::canonicalize(path).and_then(|path| document::found(&path, MAX_FILE_LEN_BYTES));
    read.map_err(|source| Error::File { path: path.into(), source })
}

fn malformed(path: &Path, what: impl ToString) -> Error {
    Error::Malformed { path: path.into(), what: what.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(malformed(path, "holds no certificate")),
        Err(error) => Err(malformed(path, error)),
    }
}

fn client(path: &Path) -> Result<ClientCert, Error> {
    let chain = certificates(path)?;
    let key_path = path.with_extension("key");
    let pem = read(&key_path)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| malformed(&key_path, error))?;
    // A pair that does not fit must not get as far as the connection.
    CertifiedKey::from_der(chain.clone(), key, &Arc::new(ring::default_provider()))
        .map_err(|error| malformed(&key_path, error))?;
    let key = PrivateKey::from_pem(&pem).map_err(|error| malformed(&key_path, error))?;
    let chain: Vec<_> = chain.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    Ok(ClientCert::new_with_certs(&chain, key))
}
