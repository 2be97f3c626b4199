//! HTTP/2: many requests at a time on each connection.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::Request;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, timeout_at};

use super::{
    ConnectError, ProxyError, RequestBody, Sent,
    again::{again, is_untouched},
};
use crate::proxy::connection::OriginStream;

/// A connection that is open.
#[derive(Debug)]
pub(super) struct Http2 {
    sender: SendRequest<RequestBody>,
    /// Shared with each request on it.
    held: Held,
    /// Driven by a task of its own, until it is closed; asked how many requests the origin takes at a time.
    connection: Arc<Mutex<Option<Connection>>>,
    asked: Instant,
}

type Connection = http2::Connection<TokioIo<OriginStream>, RequestBody, TokioExecutor>;

/// A request's way onto a connection.
#[derive(Debug)]
pub(in crate::proxy) struct Slot {
    sender: SendRequest<RequestBody>,
    held: Held,
}

/// Its place there, free again when this is dropped; and whether the connection is given up.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct Held(Arc<AtomicBool>);

impl Http2 {
    /// Opens one.
    pub(super) async fn open(stream: OriginStream) -> Result<Self, ConnectError> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            // Clients that read slowly, however many, leave room for the others.
            .initial_connection_window_size(WINDOW * MOST_REQUESTS)
            .max_header_list_size(LARGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Protocol)?;
        let connection = Arc::new(Mutex::new(Some(connection)));
        tokio::spawn(drive(connection.clone()));
        Ok(Self {
            sender,
            held: Held::default(),
            connection,
            asked: Instant::now(),
        })
    }

    /// Whether it is open, and either in use or used not long ago.
    pub(super) fn is_good(&self, idle_timeout: Duration) -> bool {
        let is_used = self.requests() > 0 || self.asked.elapsed() < idle_timeout;
        is_used && !self.sender.is_closed() && !self.held.0.load(Ordering::Relaxed)
    }

    /// Whether the origin takes another request beside those on it.
    pub(super) fn has_room(&self) -> bool {
        let connection = lock(&self.connection);
        let room = connection
            .as_ref()
            .map(Connection::current_max_send_streams);
        let room = room.map(|room| room.min(MOST_REQUESTS as usize));
        room.is_some_and(|room| self.requests() < room)
    }

    pub(super) fn slot(&mut self) -> Slot {
        self.asked = Instant::now();
        Slot {
            sender: self.sender.clone(),
            held: self.held.clone(),
        }
    }

    fn requests(&self) -> usize {
        Arc::strong_count(&self.held.0) - 1
    }
}

/// Until it is closed. What went wrong, those whose requests were on it hear.
async fn drive(connection: Arc<Mutex<Option<Connection>>>) {
    poll_fn(|cx| match &mut *lock(&connection) {
        Some(connection) => Pin::new(connection).poll(cx).map(drop),
        None => Poll::Ready(()),
    })
    .await;
    // Only when it is gone is it closed for those who would send.
    let closed = lock(&connection).take();
    drop(closed);
}

fn lock(connection: &Mutex<Option<Connection>>) -> MutexGuard<'_, Option<Connection>> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// If no answer comes in time, perhaps none ever will on this connection: those who come later get another. (A
    /// PING would tell sooner, but servers take many of them for an attack.)
    pub(super) async fn send(
        mut self,
        request: Request<RequestBody>,
        deadline: Instant,
    ) -> Result<Sent, ProxyError> {
        let again = again(&request);
        let answer = timeout_at(deadline, self.sender.try_send_request(request));
        let Ok(answer) = answer.await else {
            self.held.0.store(true, Ordering::Relaxed);
            return Err(ProxyError::TimedOut);
        };
        let mut failed = match answer {
            Ok(response) => return Ok(Sent::Answer(response, Some(self.held))),
            Err(failed) => failed,
        };
        let unsent = failed.take_message();
        let error = failed.into_error();
        let again = unsent.or_else(|| again.filter(|_| is_untouched(&error)));
        let Some(again) = again else {
            return Err(ProxyError::of(error));
        };
        // On another connection: who ends this one may take a moment.
        self.held.0.store(true, Ordering::Relaxed);
        Ok(Sent::Back(again, error))
    }
}

/// Bytes of a body that are on their way at most, before the client has taken them.
const WINDOW: u32 = 512 << 10;

/// On one connection at a time, even if the origin takes more.
const MOST_REQUESTS: u32 = 100;

/// What HTTP/1.1 has room for, about.
const LARGEST_HEAD: u32 = 256 << 10;
