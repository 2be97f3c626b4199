//! The layer and its options.

use std::{fmt, sync::Arc};

use http::request::Parts;
use tower_keep_store::ConfigError;
use tower_layer::Layer;

use super::{decide::Rules, origin::Origin, service::CrossOrigin};

/// Refuses requests that another site makes a user's browser send (cross-site request forgery), without
/// tokens and without state: browsers say themselves where a request comes from.
///
/// What happens to a request, as in Go's [`CrossOriginProtection`](https://pkg.go.dev/net/http#CrossOriginProtection):
///
/// 1. GET, HEAD, OPTIONS and TRACE pass. They must not change anything.
/// 2. Where there is `Sec-Fetch-Site` ([Fetch Metadata](https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header);
///    all browsers since 2023), `same-origin` and `none` (the user typed it) pass, `same-site` if that is
///    [allowed](CrossOriginLayerBuilder::allow_same_site), and nothing else.
/// 3. Where there is none, `Origin` has to be of the request's own host and port: those of the `Host` field,
///    or of the URI where it has them (HTTP/2).
/// 4. What has neither field does not come from a browser of these years, and passes.
/// 5. What would be refused passes if its `Origin` is [trusted](CrossOriginLayerBuilder::trust), or if it is
///    [allowed](CrossOriginLayerBuilder::allow_when) otherwise. `Origin: null` is nobody's.
///
/// A refusal is a response: 403, `application/problem+json`, `Cache-Control: no-store`; the inner service does
/// not hear of it. A request that has one of these fields twice, or `Host` where it matters, is refused too, and
/// no trust helps it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use http::{Request, Response, StatusCode};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_keep_session::CrossOriginLayer;
///
/// let layer = CrossOriginLayer::builder()
///     .trust("https://admin.example.com")
///     .allow_when(|request| request.uri.path() == "/webhooks/payment")
///     .build()?;
/// let app = layer.layer(service_fn(|_: Request<String>| async {
///     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// }));
///
/// for (origin, expected) in [
///     ("https://shop.example.com", StatusCode::OK),
///     ("https://admin.example.com", StatusCode::OK),
///     ("https://evil.example", StatusCode::FORBIDDEN),
/// ] {
///     let request = Request::post("/buy")
///         .header("host", "shop.example.com")
///         .header("origin", origin);
///     let response = app.clone().oneshot(request.body(String::new())?).await?;
///     assert_eq!(response.status(), expected);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # What it relies on
///
/// * That proxies in front leave `Host`, `Origin` and `Sec-Fetch-Site` as they are. If one has to put another
///   `Host` there, [trust](CrossOriginLayerBuilder::trust) the public origin: browsers that say
///   `Sec-Fetch-Site` need it no more.
/// * That nothing further in makes another method of a GET. What rewrites methods (`X-HTTP-Method-Override`)
///   belongs around this layer.
/// * By step 3 a page of `http://` cannot be told from one of `https://` on the same host and default port:
///   behind a proxy the request does not say which it is. Browsers with `Sec-Fetch-Site` can; for older ones
///   there is `Strict-Transport-Security`.
/// * A WebSocket begins with a GET and passes. Other *sites* open it without a cookie that is
///   [`SameSite::Lax`](crate::SameSite); against other origins of the same site, look at `Origin` in its handler.
///
/// gRPC clients send neither field, and their calls pass untouched. Browsers that speak gRPC-Web from another
/// origin do: trust it. They take the 403 for `PERMISSION_DENIED`, although it has no `grpc-status`.
#[derive(Clone, Debug, Default)]
pub struct CrossOriginLayer {
    rules: Arc<Rules>,
}

impl CrossOriginLayer {
    /// The safe preset: nothing but the own origin.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Options first, then [`build`](CrossOriginLayerBuilder::build).
    pub fn builder() -> CrossOriginLayerBuilder {
        CrossOriginLayerBuilder {
            rules: Rules::default(),
            fault: None,
        }
    }
}

impl<S> Layer<S> for CrossOriginLayer {
    type Service = CrossOrigin<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CrossOrigin::new(inner, self.rules.clone())
    }
}

/// Options of a [`CrossOriginLayer`].
#[must_use]
pub struct CrossOriginLayerBuilder {
    rules: Rules,
    fault: Option<ConfigError>,
}

impl CrossOriginLayerBuilder {
    /// Pages of this origin may send any request: `https://admin.example.com`, with a port unless it is the
    /// scheme's own. Scheme, host and port have to be the same; there are no wildcards.
    pub fn trust(mut self, origin: impl AsRef<str>) -> Self {
        let origin = origin.as_ref();
        match Origin::parse(origin) {
            Ok(origin) => {
                self.rules.trusted.insert(origin);
            }
            Err(fault) => {
                let fault = ConfigError::new(format!("the trusted origin {origin:?}: {fault}"));
                self.fault.get_or_insert(fault);
            }
        }
        self
    }

    /// Lets pages of the same site pass where browsers say so: other subdomains, other ports. Whoever has a
    /// page on one of them, or breaks into it, can then act for users here. Default: refused. Browsers that do
    /// not say `Sec-Fetch-Site` know no sites: for them, [trust](Self::trust) each origin.
    pub fn allow_same_site(mut self) -> Self {
        self.rules.same_site = true;
        self
    }

    /// Lets pass what would be refused if `exempt` is true of it: for paths that prove in another way who
    /// calls, such as webhooks. Of several, one suffices. It is not asked of what passes anyway.
    pub fn allow_when(mut self, exempt: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.rules.exempt.push(Box::new(exempt));
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// An origin that is none; the error names it.
    pub fn build(self) -> Result<CrossOriginLayer, ConfigError> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(CrossOriginLayer {
                rules: Arc::new(self.rules),
            }),
        }
    }
}

impl fmt::Debug for CrossOriginLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrossOriginLayerBuilder")
            .field("rules", &self.rules)
            .field("fault", &self.fault)
            .finish()
    }
}
