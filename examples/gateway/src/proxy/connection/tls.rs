//! Who the origin must prove to be.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{ConnectError, Offer, OriginStream};
use crate::{error::StartError, proxy::OriginUrl};

/// Makes connections on which the origin has shown a certificate for the host in its URL, from an authority that
/// the operating system knows, or that the configuration names.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    pub(super) fn new(origin: &OriginUrl, ca: Option<&Path>) -> Result<Self, StartError> {
        let name = name(origin.authority().host())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| StartError::because("TLS", error))?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        Ok(Self {
            connector: Arc::new(config).into(),
            name,
        })
    }

    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        offer: Offer,
    ) -> Result<OriginStream, ConnectError> {
        let connector = self.connector.clone();
        let connecting = connector
            .with_alpn(offer.protocols())
            .connect(self.name.clone(), stream);
        let stream = connecting.await.map_err(ConnectError::Tls)?;
        Ok(OriginStream::Secure(Box::new(stream)))
    }
}

impl Offer {
    fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http1 => vec![b"http/1.1".to_vec()],
            Self::Either => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A name, or an address without the brackets that it has in a URL.
fn name(host: &str) -> Result<ServerName<'static>, StartError> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    ServerName::try_from(bare.unwrap_or(host).to_owned())
        .map_err(|error| StartError::because(format!("the origin's host {host:?}"), error))
}

/// Those of the operating system, and the operator's own.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, StartError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // A few that cannot be read are no reason to trust none.
    let (_added, _ignored) = roots.add_parsable_certificates(found.certs);
    if let Some(path) = ca {
        add(&mut roots, path)?;
    }
    if roots.is_empty() {
        let why = "the system knows no certificate authority: name one in pool.ca";
        return Err(StartError::new(why));
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), StartError> {
    let named = format!("pool.ca: {}", path.display());
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| StartError::because(named.clone(), error))?;
    if certificates.is_empty() {
        return Err(StartError::new(format!("{named}: it has no certificate")));
    }
    for certificate in certificates {
        let added = roots.add(certificate);
        added.map_err(|error| StartError::because(named.clone(), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_can_be_certified_and_nothing_else() {
        let is_address = |host| matches!(name(host), Ok(ServerName::IpAddress(_)));
        assert!(is_address("127.0.0.1") && is_address("[::1]"));
        assert!(matches!(name("app.example"), Ok(ServerName::DnsName(_))));
        assert!(name("a..b").is_err());
    }
}
