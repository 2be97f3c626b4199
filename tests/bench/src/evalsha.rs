//! Handlers that make one call to a script, and nothing else.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redis::aio::MultiplexedConnection;
use tower::Service;

use crate::{BODY_BYTES, bare_response, request::MERCHANT};

/// Runs a script in Redis and returns the bytes of [`Bare`](crate::Bare): what a service would pay if it
/// limited by hand, with one `EVALSHA` for each request.
#[derive(Clone)]
pub struct BareScript {
    connection: MultiplexedConnection,
    /// The script's digest.
    digest: Arc<str>,
    body: Bytes,
}

impl BareScript {
    /// Loads the script.
    pub(crate) async fn load(mut connection: MultiplexedConnection, script: &str) -> Self {
        let digest: String = redis::cmd("SCRIPT")
            .arg("LOAD")
            .arg(script)
            .query_async(&mut connection)
            .await
            .expect("Redis takes the script");
        Self {
            connection,
            digest: digest.into(),
            body: Bytes::from(vec![b'x'; BODY_BYTES]),
        }
    }
}

impl<B> Service<Request<B>> for BareScript {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut connection = self.connection.clone();
        let body = self.body.clone();
        let merchant = request.headers().get(MERCHANT).expect("a merchant");
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(&*self.digest)
            .arg(1)
            .arg(merchant.as_bytes())
            .arg(INTERVAL)
            .arg(BURST);
        Box::pin(async move {
            let passes: i64 = command
                .query_async(&mut connection)
                .await
                .expect("Redis answers");
            assert_eq!(passes, 1, "the limit is far above what is reached");
            Ok(bare_response(Full::new(body)))
        })
    }
}

impl fmt::Debug for BareScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BareScript").finish_non_exhaustive()
    }
}

/// The least that a script can do.
pub(crate) const TRIVIAL: &str = "return 1";

/// The generic cell rate algorithm as it is found in textbooks: one bucket, one number.
pub(crate) const TEXTBOOK: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local arrival = tonumber(redis.call('GET', KEYS[1])) or now
arrival = math.max(arrival, now) + tonumber(ARGV[1])
if arrival - now > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
return 1
";

/// Microseconds for one unit, and for as many as may be used at once: a million in each second.
const INTERVAL: u32 = 1;
const BURST: u32 = 1_000_000;
