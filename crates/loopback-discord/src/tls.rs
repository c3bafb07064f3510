//! A certificate authority made at start, and with it a certificate for every name that Discord answers to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::StartError;

/// Who the certificate speaks for.
const NAMES: [&str; 10] = [
    "localhost",
    "127.0.0.1",
    "discord.com",
    "*.discord.com",
    "discordapp.com",
    "*.discordapp.com",
    "discord.gg",
    "*.discord.gg",
    "discord.media",
    "*.discord.media",
];

/// The authority, its certificate in a file that clients are pointed at, and what accepts their connections.
pub(crate) struct Tls {
    folder: TempDir,
    ca_pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

impl Tls {
    pub(crate) fn make() -> Result<Self, StartError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::default();
        ca.distinguished_name
            .push(DnType::CommonName, "Loopback Discord, for tests on this machine");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_cert = ca.self_signed(&ca_key)?;
        let ca_pem = ca_cert.pem();
        let issuer = Issuer::new(ca, ca_key);

        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&key, &issuer)?;

        let chain = vec![leaf.der().clone(), ca_cert.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("ca.pem"), &ca_pem)?;
        Ok(Self {
            folder,
            ca_pem,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        Path::join(self.folder.path(), "ca.pem")
    }
}
