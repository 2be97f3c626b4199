//! Which server is behind.

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

use crate::error::StartError;

/// `http://host:port` or `https://host:port`, and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct OriginUrl {
    uri: Uri,
    scheme: Scheme,
    authority: Authority,
}

impl OriginUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, StartError> {
        let fault = |why: &str| StartError::new(format!("the origin {text:?}: {why}"));
        let uri: Uri = text
            .parse()
            .map_err(|error| StartError::because(format!("the origin {text:?}"), error))?;
        let scheme = uri.scheme().cloned();
        let scheme = scheme
            .filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))
            .ok_or_else(|| fault("it must begin with http:// or https://"))?;
        if uri.query().is_some() || uri.path() != "/" {
            return Err(fault("it is a server, without a path"));
        }
        let authority = uri.authority().cloned();
        let authority = authority.ok_or_else(|| fault("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("it has a user, whom nobody would be told of"));
        }
        Ok(Self {
            uri,
            scheme,
            authority,
        })
    }

    /// Whether it is spoken to over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The URI of a path, under this or another name of the server.
    pub(crate) fn with(&self, authority: Authority, path: Option<PathAndQuery>) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(authority);
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        Uri::from_parts(parts).expect("all three parts are there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_server_and_nothing_else() {
        assert!(OriginUrl::parse("http://127.0.0.1:3000").is_ok());
        assert!(OriginUrl::parse("http://app/").is_ok());
        assert!(OriginUrl::parse("https://app.example:8443").is_ok());
        for odd in [
            "",
            "app",
            "ftp://app",
            "https://app/base",
            "http://app/base",
            "http://u@app",
            "http://app/?a",
        ] {
            assert!(OriginUrl::parse(odd).is_err(), "{odd}");
        }
    }
}
