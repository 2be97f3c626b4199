//! HTTP/2: many requests at a time on each connection.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::Request;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Instant;

use super::{
    ConnectError, ProxyError, RequestBody, Sent,
    again::{again, is_untouched},
};
use crate::proxy::{
    connection::OriginStream,
    upload::{Patience, Upload},
};

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

/// Its place there, free again when this is dropped; and how the connection does.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct Held(Arc<Line>);

#[derive(Debug, Default)]
struct Line {
    is_given_up: AtomicBool,
    answers: AtomicUsize,
}

/// A request that is not answered yet.
struct Waiting<'a> {
    held: &'a Held,
    since: Instant,
    /// What had come on the connection before.
    answers: usize,
    is_over: bool,
}

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
        is_used && !self.sender.is_closed() && !self.held.is_given_up()
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
        patience: &Patience,
        upload: Option<&Arc<Upload>>,
    ) -> Result<Sent, ProxyError> {
        let again = again(&request);
        let answer = patience.wait(upload, self.sender.try_send_request(request));
        let mut waiting = Waiting::on(&self.held);
        let answer = answer.await.inspect_err(|_late| {
            self.held.give_up();
        });
        waiting.is_over = true;
        drop(waiting);
        let answer = answer?;
        let mut failed = match answer {
            Ok(response) => {
                self.held.has_answered();
                return Ok(Sent::Answer(response, Some(self.held)));
            }
            Err(failed) => failed,
        };
        let unsent = failed.take_message();
        let error = failed.into_error();
        let again = unsent.or_else(|| again.filter(|again| is_untouched(&error, again)));
        let Some(again) = again else {
            return Err(ProxyError::of(error));
        };
        // On another connection: who ends this one may take a moment.
        self.held.give_up();
        Ok(Sent::Back(Box::new(again), ProxyError::of(error)))
    }
}

impl Held {
    fn give_up(&self) {
        self.0.is_given_up.store(true, Ordering::Relaxed);
    }

    fn is_given_up(&self) -> bool {
        self.0.is_given_up.load(Ordering::Relaxed)
    }

    fn has_answered(&self) {
        self.0.answers.fetch_add(1, Ordering::Relaxed);
    }

    fn answers(&self) -> usize {
        self.0.answers.load(Ordering::Relaxed)
    }
}

impl<'a> Waiting<'a> {
    fn on(held: &'a Held) -> Self {
        Self {
            held,
            since: Instant::now(),
            answers: held.answers(),
            is_over: false,
        }
    }
}

/// Whoever waits may leave before the time is over: clients do, and a class may have less. Then a connection that has
/// said nothing since to anybody is given up too.
impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let is_silent = self.held.answers() == self.answers;
        if !self.is_over && is_silent && self.since.elapsed() >= SILENCE {
            self.held.give_up();
        }
    }
}

/// After so long a connection on which nothing came may be dead.
const SILENCE: Duration = Duration::from_secs(1);

/// Bytes of a body that are on their way at most, before the client has taken them.
const WINDOW: u32 = 512 << 10;

/// On one connection at a time, even if the origin takes more.
const MOST_REQUESTS: u32 = 100;

/// What HTTP/1.1 has room for, about.
const LARGEST_HEAD: u32 = 256 << 10;
