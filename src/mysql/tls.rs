//! TLS to a server: what its certificate is held against, and what a refusal means.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};

use crate::error::{Error, ErrorKind, Means, Result, Words};

/// How the way to a server is encrypted, as the stock clients name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    Disabled,
    /// Where the server offers it; nobody is kept from taking the server's place.
    Preferred,
    /// Always; nobody is kept from taking the server's place.
    Required,
    /// The server's certificate is signed by one of this file's.
    VerifyCa(PathBuf),
    /// And it is made out to the host that is connected to.
    VerifyIdentity(PathBuf),
}

/// The client's own certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// File of the certificate, and of those that lead to its signer.
    pub certificate: PathBuf,
    /// File of its key.
    pub key: PathBuf,
}

/// What each connection to a server begins TLS with.
#[derive(Clone)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// The client shows a certificate of its own.
    pub(crate) identified: bool,
}

impl Client {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be used (usage).
    pub(crate) fn new(
        host: &str,
        encryption: &Encryption,
        identity: Option<&Identity>,
    ) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(encryption, &provider)?;
        let named = ServerName::try_from(host.to_owned());
        let name = named.map_err(|_| Error::usage("the host's name is none that TLS can carry"))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::failed(format!("TLS: {e}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|e| file(key, "the key of " + Means::SslCert, &e))?,
        };
        // A resumed session would be one with the rights of another login.
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name, identified: identity.is_some() })
    }

    /// One connection's TLS, before its first byte.
    ///
    /// # Errors
    /// When the library refuses.
    pub(crate) fn begin(&self) -> Result<ClientConnection> {
        let mut tls = ClientConnection::new(self.config.clone(), self.name.clone())
            .map_err(|e| Error::failed(format!("TLS: {e}")))?;
        // What is handed to it is written at once.
        tls.set_buffer_limit(None);
        Ok(tls)
    }
}

/// Reads a private key.
///
/// # Errors
/// When there is none in the file (usage).
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|e| file(path, "an unencrypted private key (PEM)", &e))
}

/// Reads certificates, of which there is at least one.
///
/// # Errors
/// When there is none in the file (usage).
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|e| file(path, "certificates (PEM)", &e))?;
    match found.is_empty() {
        true => Err(file(path, "certificates (PEM)", &"no certificate in it")),
        false => Ok(found),
    }
}

fn file(path: &Path, wanted: impl Into<Words>, why: &dyn std::fmt::Display) -> Error {
    Error::usage(format!("{}: {why}", path.display()))
        .help(Words::from("name a file with ") + wanted)
}

/// Holds a server's certificate against what was asked for.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// None: whatever certificate will do.
    signers: Option<Signers>,
    /// The certificate has to be made out to the host.
    name: bool,
}

/// The certificates of `--ssl-ca`.
#[derive(Debug)]
struct Signers {
    named: Vec<CertificateDer<'static>>,
    chain: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    fn new(encryption: &Encryption, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let (signers, name) = match encryption {
            Encryption::VerifyCa(ca) => (Some(Signers::read(ca, provider)?), false),
            Encryption::VerifyIdentity(ca) => (Some(Signers::read(ca, provider)?), true),
            Encryption::Disabled | Encryption::Preferred | Encryption::Required => (None, false),
        };
        Ok(Self { provider: provider.clone(), signers, name })
    }
}

impl Signers {
    fn read(ca: &Path, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let wanted = "the certificates of those who sign (PEM)";
        let (named, mut roots) = (certificates(ca)?, RootCertStore::empty());
        for certificate in &named {
            roots.add(certificate.clone()).map_err(|e| file(ca, wanted, &e))?;
        }
        let chain = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
            .build()
            .map_err(|e| file(ca, wanted, &e))?;
        Ok(Self { named, chain })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(Signers { named, chain }) = &self.signers else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at when all else holds.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            // The library takes no authority for a server. One that is itself named here signs for
            // itself, and its time has been looked at before its kind.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if named.contains(end_entity) =>
            {
                let own = ParsedCertificate::try_from(end_entity)?;
                if self.name {
                    verify_server_name(&own, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.signers {
            Some(Signers { chain, .. }) => chain.verify_tls12_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.signers {
            Some(Signers { chain, .. }) => chain.verify_tls13_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What it means that TLS ended before the login did.
pub(crate) fn refused(place: &str, error: &io::Error) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => certificate(place, why),
        Some(rustls::Error::AlertReceived(alert)) => {
            Error::failed(format!("{place}: the server refused TLS: {alert:?}")).help((
                "if it is the client's certificate, give {} and {} that the server's own CA has \
                 signed; else the server speaks no TLS 1.2 or 1.3",
                [Means::SslCert, Means::SslKey],
            ))
        }
        Some(other) => Error::failed(format!("{place}: TLS: {other}"))
            .help(Means::SslMode + " disabled connects without TLS"),
        None => Error::new(ErrorKind::Lost, format!("{place}: cannot connect: TLS: {error}")).help(
            ("check that the server's TLS works; {} disabled connects without", [Means::SslMode]),
        ),
    }
}

fn certificate(place: &str, why: &CertificateError) -> Error {
    use CertificateError as E;
    let said = |text: Words| {
        Error::failed(Words::from(format!("{place}: the server's certificate ")) + text)
    };
    match why {
        E::UnknownIssuer | E::BadSignature => said("is not signed by one of " + Means::SslCa)
            .help("name the CA that has signed it, or ask who answers there in the server's place"),
        E::Expired | E::ExpiredContext { .. } => {
            said("has expired".into()).help("give the server a new one; check this machine's clock")
        }
        E::NotValidYet | E::NotValidYetContext { .. } => said("is not valid yet".into())
            .help("check the clocks of this machine and of its maker"),
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            said(format!("is not made out to this host: {why}").into()).help((
                "connect by a name that it holds (as subjectAltName), or take {} verify-ca, which \
                 does not look at the name",
                [Means::SslMode],
            ))
        }
        other => said(format!("cannot be checked: {other}").into()).help((
            "the server needs one of X.509 version 3, signed by one of {}; {} required takes \
             any certificate",
            [Means::SslCa, Means::SslMode],
        )),
    }
}
