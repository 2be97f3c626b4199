use std::{fs, path::Path};

use crate::Authority;

/// A certificate authority of this server's own, and the server's certificate signed by it.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) authority: String,
}

impl Tls {
    /// Makes both and writes what `redis-server` reads into `dir`.
    pub(super) fn make(dir: &Path) -> Self {
        let authority = Authority::new();
        let certificate = authority.certificate(&["localhost", "127.0.0.1"]);
        write(dir, AUTHORITY, &authority.pem());
        write(dir, CERTIFICATE, &certificate.pem);
        write(dir, KEY, &certificate.key);
        Self {
            authority: authority.pem(),
        }
    }

    /// The arguments that make the server speak TLS, and only TLS, on its port.
    pub(super) fn args(dir: &Path, port: u16) -> Vec<String> {
        let file = |name| dir.join(name).display().to_string();
        [
            ("--port", "0".to_owned()),
            ("--tls-port", port.to_string()),
            ("--tls-ca-cert-file", file(AUTHORITY)),
            ("--tls-cert-file", file(CERTIFICATE)),
            ("--tls-key-file", file(KEY)),
            ("--tls-auth-clients", "no".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }
}

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).expect("the server's directory can be written");
}

const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";
