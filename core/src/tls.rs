//! TLS: which servers a client trusts, who it says it is, and what a failed handshake means.
//!
//! Nothing here is shared by connections but what never changes, and no session is resumed: a forked child finds no lock
//! that another thread of its parent may have held.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Code, Error, Result};

/// How to speak TLS with one server.
pub(crate) struct Tls {
    /// The host of the URL: sent to the server, and looked for in its certificate.
    pub name: ServerName<'static>,
    trust: Trust,
    identity: Option<Identity>,
    at_open: Arc<ClientConfig>,
}

/// The authorities whose word for a server is taken.
pub(crate) enum Trust {
    System(Arc<RootCertStore>),
    File(PathBuf),
    /// None is asked for.
    Blind,
}

/// The client's certificate, with those between it and its authority, and its key.
pub(crate) struct Identity {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the host, or the file that cannot be read or is not what it should be.
    pub fn new(host: &str, trust: Trust, identity: Option<Identity>) -> Result<Tls> {
        let name = ServerName::try_from(host)
            .map_err(|_| Error::invalid(format!("url: no certificate can be for a host named {host:?}")))?
            .to_owned();
        let at_open = Arc::new(configuration(&trust, identity.as_ref())?);
        Ok(Tls { name, trust, identity, at_open })
    }

    /// What a new connection begins with. The files are read again, so that renewed certificates count without a restart;
    /// where they cannot be used just now, as they were when the client was opened.
    pub fn configuration(&self) -> Arc<ClientConfig> {
        if self.identity.is_none() && !matches!(self.trust, Trust::File(_)) {
            return Arc::clone(&self.at_open);
        }
        configuration(&self.trust, self.identity.as_ref()).map_or_else(|_| Arc::clone(&self.at_open), Arc::new)
    }
}

impl Trust {
    /// The authorities that this system trusts, or those of the file or folder that SSL_CERT_FILE or SSL_CERT_DIR names.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when there are none.
    pub fn system() -> Result<Trust> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Systems keep some that are broken or of long ago.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
            return Err(Error::invalid(format!(
                "url: this system has no certificate authorities to trust{why}; name one by ca=FILE"
            )));
        }
        Ok(Trust::System(Arc::new(roots)))
    }
}

fn configuration(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("TLS: {error}")))?;
    let builder = match trust {
        Trust::System(roots) => builder.with_root_certificates(Arc::clone(roots)),
        Trust::File(path) => builder.with_root_certificates(authorities(path)?),
        Trust::Blind => builder.dangerous().with_custom_certificate_verifier(Arc::new(Blind(provider))),
    };
    let mut configuration = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { cert, key }) => {
            let (chain, secret) = (certificates("cert", cert)?, private_key(key)?);
            builder.with_client_auth_cert(chain, secret).map_err(|error| {
                Error::invalid(format!("url: cert {} with key {}: {error}", cert.display(), key.display()))
            })?
        }
    };
    configuration.resumption = Resumption::disabled();
    Ok(configuration)
}

fn authorities(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates("ca", path)?);
    if roots.is_empty() { Err(unfit("ca", path, "no certificate that can be used")) } else { Ok(roots) }
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let content = read(option, path)?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(unfit(option, path, "no certificate in PEM form")),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    // What is wrong with it is not said in the words of the file: they may be the key's.
    PrivateKeyDer::from_pem_slice(&read("key", path)?)
        .map_err(|_| unfit("key", path, "no private key in PEM form without a password"))
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Error::invalid(format!("url: {option} {}: {error}", path.display())))
}

fn unfit(option: &str, path: &Path, what: &str) -> Error {
    Error::invalid(format!("url: {option} {}: the file holds {what}", path.display()))
}

/// Why a handshake that is repeated will fail again: a certificate does not fit. None for any other fault.
pub(crate) fn refusal(error: &rustls::Error) -> Option<Error> {
    let denied = |message| Some(Error::new(Code::Denied, message));
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => denied(
            "no certificate authority trusted here has signed the server's certificate; name its own by ca=FILE in the URL"
                .to_owned(),
        ),
        rustls::Error::InvalidCertificate(why) => denied(format!("the server's certificate does not fit: {why}")),
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate),
        ) => denied(format!(
            "the server refuses this client's certificate or asks for one, cert=FILE&key=FILE in the URL: {alert:?}"
        )),
        _ => None,
    }
}

/// What is said of a signature.
type Signature = std::result::Result<HandshakeSignatureValid, rustls::Error>;

/// Takes any certificate (`insecure=1`).
#[derive(Debug)]
struct Blind(Arc<CryptoProvider>);

impl ServerCertVerifier for Blind {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Signature {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Signature {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
