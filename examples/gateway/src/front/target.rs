//! One form for all targets: a path, with the host in `Host`.

use http::{HeaderValue, Method, Uri, request::Parts, uri::Scheme};

use super::{host, path, refusal::Refusal};

/// Brings the target of a request into the form of `GET /path?query`, whatever it came in (RFC 9112 §3.2;
/// RFC 9113 §8.3.1), so that all of them share entries.
pub(super) fn settle(request: &mut Parts, default_host: &HeaderValue) -> Result<(), Refusal> {
    check_method(&request.method)?;
    check_scheme(request)?;
    host::settle(request, default_host)?;
    // "*" is for OPTIONS alone.
    if request.uri.path() == "*" {
        return Err(if request.method == Method::OPTIONS {
            Refusal::Options
        } else {
            Refusal::Target
        });
    }
    if !path::is_plain(request.uri.path()) {
        return Err(Refusal::Path);
    }
    if request.uri.scheme().is_some() {
        let path = request.uri.path_and_query().cloned();
        request.uri = path.map_or_else(Uri::default, Uri::from);
    }
    Ok(())
}

/// A tunnel to anywhere and an echo of a request's secrets are not for a server in front of one origin.
fn check_method(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::CONNECT | Method::TRACE => Err(Refusal::Method),
        _ => Ok(()),
    }
}

/// A target with an authority and no scheme is in the form of `CONNECT`; a proxy for other schemes this
/// is not.
fn check_scheme(request: &Parts) -> Result<(), Refusal> {
    let uri = &request.uri;
    match uri.scheme() {
        None if uri.authority().is_some() => Err(Refusal::Target),
        Some(scheme) if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS => Err(Refusal::Target),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, header::HOST};

    use super::*;

    fn settled(method: &str, uri: &str) -> Result<String, Refusal> {
        let request = Request::builder().method(method).uri(uri).header(HOST, "a");
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        settle(&mut head, &HeaderValue::from_static("origin"))?;
        Ok(head.uri.to_string())
    }

    #[test]
    fn every_form_becomes_a_path_or_is_refused() {
        assert_eq!(settled("GET", "/a?b"), Ok("/a?b".into()));
        assert_eq!(settled("GET", "http://a/b?c"), Ok("/b?c".into()));
        assert_eq!(settled("GET", "https://a?c"), Ok("/?c".into()));
        assert_eq!(settled("GET", "ftp://a/b"), Err(Refusal::Target));
        assert_eq!(settled("GET", "a:80"), Err(Refusal::Target));
        assert_eq!(settled("GET", "*"), Err(Refusal::Target));
        assert_eq!(settled("OPTIONS", "*"), Err(Refusal::Options));
        assert_eq!(settled("GET", "http://u:p@a/"), Err(Refusal::Host));
        assert_eq!(settled("CONNECT", "a:80"), Err(Refusal::Method));
        assert_eq!(settled("TRACE", "/"), Err(Refusal::Method));
        assert_eq!(settled("PROPFIND", "/"), Ok("/".into()));
    }
}
