//! What is said of a request.

use std::{
    net::IpAddr,
    sync::mpsc::SyncSender,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use http::{Method, Request, StatusCode, Uri, Version, header::HOST};
use serde::Serialize;
use tower_keep::OutcomeCell;

use super::access_log::Message;

/// One request. Says itself when it is dropped: with the last byte, or when the client has left.
#[derive(Debug)]
pub(crate) struct Line {
    came: SystemTime,
    began: Instant,
    client: IpAddr,
    method: Method,
    target: Uri,
    host: Option<http::HeaderValue>,
    version: Version,
    outcome: OutcomeCell,
    status: Option<StatusCode>,
    bytes: u64,
    is_whole: bool,
    sender: SyncSender<Message>,
}

/// In the order in which it is written.
#[derive(Serialize)]
struct Said<'a> {
    time: f64,
    client: IpAddr,
    method: &'a str,
    host: &'a str,
    target: String,
    protocol: String,
    status: Option<u16>,
    bytes: u64,
    whole: bool,
    outcome: Option<&'static str>,
    ms: f64,
}

impl Line {
    pub(super) fn new<B>(
        request: &Request<B>,
        client: IpAddr,
        outcome: OutcomeCell,
        sender: SyncSender<Message>,
    ) -> Self {
        Self {
            came: SystemTime::now(),
            began: Instant::now(),
            client,
            method: request.method().clone(),
            target: request.uri().clone(),
            host: request.headers().get(HOST).cloned(),
            version: request.version(),
            outcome,
            status: None,
            bytes: 0,
            is_whole: false,
            sender,
        }
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    pub(super) fn passed(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn ended(&mut self) {
        self.is_whole = true;
    }

    /// JSON: whatever a client sends, it cannot end the line.
    fn text(&self) -> Option<Vec<u8>> {
        let came = self.came.duration_since(UNIX_EPOCH).unwrap_or_default();
        let host = self.host.as_ref().and_then(|host| host.to_str().ok());
        let said = Said {
            time: (came.as_secs_f64() * 1000.0).round() / 1000.0,
            client: self.client,
            method: self.method.as_str(),
            host: host.unwrap_or_default(),
            target: self.target.to_string(),
            protocol: format!("{:?}", self.version),
            status: self.status.map(|status| status.as_u16()),
            bytes: self.bytes,
            whole: self.is_whole,
            outcome: self.outcome.get().map(tower_keep::Outcome::as_str),
            ms: (self.began.elapsed().as_secs_f64() * 1e6).round() / 1000.0,
        };
        let mut text = serde_json::to_vec(&said).ok()?;
        text.push(b'\n');
        Some(text)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(text) = self.text() {
            // Lost if the log is far behind: a slow disk must not slow requests down.
            let _ = self.sender.try_send(Message::Line(text));
        }
    }
}
