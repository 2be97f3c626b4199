//! Connections of clients.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header::UPGRADE};
use http_body::Body;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tower::BoxError;
use tower_service::Service;

use crate::{
    config::Config,
    front::{Front, respond},
    place::Place,
    proxy::{ProxyError, RequestBody},
    workers::{Worker, Workers},
};

/// Where clients come in.
pub(crate) struct Entrance<'a> {
    pub(crate) listener: TcpListener,
    pub(crate) workers: &'a Workers,
    pub(crate) front: Arc<Front>,
    pub(crate) config: &'a Config,
}

impl Entrance<'_> {
    /// Serves until `stop`, then lets what is under way finish, within a bound.
    pub(crate) async fn serve<S, B>(self, service: S, stop: impl Future<Output = ()>)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = ProxyError>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let config = self.config;
        let connections = Connections {
            builder: builder(config),
            front: self.front,
            service,
            head_timeout: config.timeouts.head.0,
        };
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(
            config.bounds.connections.min(Semaphore::MAX_PERMITS),
        ));
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                (stream, peer, permit) = accept(&self.listener, &room) => {
                    let worker = self.workers.idlest();
                    connections.spawn(worker, stream, peer, graceful.watcher(), permit);
                }
                () = &mut stop => break,
            }
        }
        drop(self.listener);
        let _late = timeout(config.timeouts.shutdown.0, graceful.shutdown()).await;
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = room.clone().acquire_owned().await;
    let permit = permit.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                // Out of files, most likely: some will be closed soon.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

struct Connections<S> {
    builder: Builder<TokioExecutor>,
    front: Arc<Front>,
    service: S,
    head_timeout: Duration,
}

impl<S, B> Connections<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = ProxyError>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn spawn(
        &self,
        worker: &Worker,
        stream: TcpStream,
        peer: SocketAddr,
        watcher: Watcher,
        permit: OwnedSemaphorePermit,
    ) {
        let _slower_without = stream.set_nodelay(true);
        let _missed_when_idle = SockRef::from(&stream).set_tcp_keepalive(&asked_if_there());
        // It is woken by the thread that registers it.
        let Ok(stream) = stream.into_std() else {
            return;
        };
        let (builder, front) = (self.builder.clone(), self.front.clone());
        let place = Place::new(permit, worker.busy());
        let (service, head_timeout) = (self.service.clone(), self.head_timeout);
        worker.spawn(async move {
            let Ok(stream) = TcpStream::from_std(stream) else {
                return;
            };
            let has_asked = Arc::new(AtomicBool::new(false));
            let asks = has_asked.clone();
            let keeps = place.clone();
            let service = service_fn(move |mut request: Request<Incoming>| {
                if request.headers().contains_key(UPGRADE) {
                    request.extensions_mut().insert(keeps.clone());
                }
                asks.store(true, Ordering::Relaxed);
                respond(front.clone(), service.clone(), peer, request)
            });
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            let connection = pin!(watcher.watch(connection));
            tokio::select! {
                // What goes wrong on a connection is the client's, and it knows.
                _ = connection => {}
                () = says_nothing(head_timeout, &has_asked) => {}
            }
            drop(place);
        });
    }
}

/// Who vanishes without a word is noticed within some minutes, also where nothing is to be said: on a connection that
/// has gone over to another protocol, which may be silent for as long as it likes.
fn asked_if_there() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
}

/// The time-out for heads begins when the protocol is known; who sends half a preface would never tell it.
async fn says_nothing(bound: Duration, has_asked: &AtomicBool) {
    sleep(bound).await;
    if has_asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

fn builder(config: &Config) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let bounds = &config.bounds;
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.timeouts.head.0)
        .max_buf_size(bounds.head);
    // Its own bound costs it less: where it is told one, each head is read into a list that is filled first.
    if bounds.fields != FIELDS_OF_HYPER {
        builder.http1().max_headers(bounds.fields);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(bounds.head).unwrap_or(u32::MAX))
        .max_concurrent_streams(200)
        .keep_alive_interval(config.timeouts.head.0)
        .keep_alive_timeout(config.timeouts.head.0);
    builder
}

/// See [`max_headers`](hyper::server::conn::http1::Builder::max_headers).
const FIELDS_OF_HYPER: usize = 100;
