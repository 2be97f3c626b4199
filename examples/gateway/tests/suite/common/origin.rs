use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// What an origin was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A server that answers as it is told, and remembers what it was asked.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    held: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Where an origin listens, and how.
#[derive(Default)]
pub(crate) struct Listening {
    /// Default: a free port.
    pub(crate) on: Option<TcpListener>,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Requests on one connection at a time, in HTTP/2.
    pub(crate) streams: Option<u32>,
}

type Answer = dyn Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync;

impl Origin {
    pub(crate) async fn start(
        answer: impl Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Listening::default(), answer).await
    }

    pub(crate) async fn listen(
        mut how: Listening,
        answer: impl Fn(&Asked) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let listener = match how.on.take() {
            Some(listener) => listener,
            None => TcpListener::bind("127.0.0.1:0").await.expect("a port"),
        };
        let address = listener.local_addr().expect("an address");
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let held = watch::Sender::new(false);
        let serving = serve(
            listener,
            how,
            asked.clone(),
            connections.clone(),
            held.subscribe(),
            Arc::new(answer),
        );
        Self {
            address,
            asked,
            connections,
            held,
            task: tokio::spawn(serving),
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panicked in it").clone()
    }

    /// Whether requests are left without an answer until they are not.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub(crate) fn last(&self) -> Asked {
        self.asked().pop().expect("the origin was asked")
    }

    pub(crate) fn count(&self) -> usize {
        self.asked().len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A response with these fields.
pub(crate) fn respond(status: u16, fields: &[(&str, &str)], body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    let body = Full::from(body.to_owned());
    response.body(body).expect("a response")
}

async fn serve(
    listener: TcpListener,
    how: Listening,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    held: watch::Receiver<bool>,
    answer: Arc<Answer>,
) {
    // Those that are open end with the origin.
    let mut open = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::Relaxed);
        let (asked, answer, held) = (asked.clone(), answer.clone(), held.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (asked, answer, mut held) = (asked.clone(), answer.clone(), held.clone());
            async move {
                let request = read(request).await;
                let response = answer(&request);
                asked.lock().expect("no test panicked in it").push(request);
                // An origin that is gone holds nobody.
                let _ = held.wait_for(|held| !held).await;
                Ok::<_, Infallible>(response)
            }
        });
        let tls = how.tls.clone();
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http2().max_concurrent_streams(how.streams);
        open.spawn(async move {
            let stream: Box<dyn ReadWrite> = match tls {
                None => Box::new(stream),
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => Box::new(stream),
                    Err(_refused) => return,
                },
            };
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

async fn read(request: Request<Incoming>) -> Asked {
    let (head, body) = request.into_parts();
    let body = body.collect().await;
    Asked {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: head.headers,
        body: body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default(),
    }
}
