//! One request, from its coming to the end of its answer.

use std::{sync::Arc, time::Duration};

use http::{Method, Response, StatusCode, header::CONTENT_LENGTH, request::Parts};
use http_body::Body;
use tower_keep_store::{Outcome, OutcomeCell, Told};

use crate::{
    cell::RequestCell,
    classes::ClassId,
    counts::{Figure, is_lookup},
    kind::Kind,
    label::proves_method,
    monitor::{Membership, Monitor},
    server_timing,
};

/// Counts a request once, whatever becomes of it. What was not said by when it is dropped is said then.
#[derive(Debug)]
pub(crate) struct Recorder {
    monitor: Arc<Monitor>,
    cell: RequestCell,
    membership: Membership,
    /// The hash of what it asked for.
    key: u64,
    began: u64,
    /// A cache might answer it.
    is_cacheable: bool,
    /// Simulated caches were asked for it.
    is_simulated: bool,
    /// Its answer has no body on the wire.
    is_head: bool,
    /// Its answer tells what took how long.
    is_timed: bool,
    /// The inner service, its future or its body is at work: if this is dropped now, that has panicked.
    is_inside: bool,
    /// What it was counted as, and when its head was there.
    counted: Option<(ClassId, Told)>,
    answered: u64,
    /// Bytes that have come, and those that were promised.
    bytes: u64,
    promised: Option<u64>,
    is_over: bool,
}

impl Recorder {
    /// Takes a request up, and leaves a cell with it for the layers further in.
    pub(crate) fn begin(monitor: Arc<Monitor>, head: &mut Parts) -> Self {
        let now = monitor.ticker.now();
        monitor.begin();
        let mut recorder = Self {
            monitor,
            cell: RequestCell::of(&mut head.extensions),
            membership: Membership::Known(ClassId::Unmatched),
            key: 0,
            began: now,
            is_cacheable: head.method == Method::GET || head.method == Method::HEAD,
            is_simulated: false,
            is_head: head.method == Method::HEAD,
            is_timed: false,
            is_inside: true,
            counted: None,
            answered: now,
            bytes: 0,
            promised: None,
            is_over: false,
        };
        // Closures of somebody else's run here; one that panics is counted, too.
        recorder.is_timed = recorder.monitor.rules.server_timing.is_asked(head);
        recorder.membership = recorder.monitor.classify(head, now);
        recorder.key = recorder.monitor.key(head, now);
        recorder
    }

    /// Runs what is inside.
    pub(crate) fn around<T>(&mut self, inside: impl FnOnce() -> T) -> T {
        self.is_inside = true;
        let result = inside();
        self.is_inside = false;
        result
    }

    /// The answer has begun. True if that was all.
    pub(crate) fn answered<B: Body>(&mut self, response: &mut Response<B>) -> bool {
        if self.cell.get().is_none()
            && let Some(theirs) = response.extensions().get::<OutcomeCell>()
            && theirs.get().is_some()
        {
            self.cell = theirs.clone().into();
        }
        let told = self.cell.told();
        let now = self.monitor.ticker.now();
        let id = self.id(proves_method(response.headers()), now);
        self.answered = now;
        self.count(id, told.unwrap_or(Outcome::Bypass.into()), now);
        if self.is_cacheable && told.is_none_or(|told| is_lookup(told.outcome)) {
            self.monitor.simulate(id, self.key, now);
            self.is_simulated = true;
        }
        if let Some((_, told)) = self.counted.filter(|_| self.is_timed) {
            let to_head = Duration::from_nanos(now.saturating_sub(self.began));
            server_timing::add(response.headers_mut(), told, to_head);
        }
        self.promised = self.promised(response);
        if response.body().is_end_stream() || self.promised == Some(0) {
            self.end(now);
        }
        self.is_over
    }

    /// The inner service has failed.
    pub(crate) fn failed(&mut self) {
        let now = self.monitor.ticker.now();
        let told = self.cell.told().unwrap_or(Outcome::Error.into());
        self.count(self.id(false, now), told, now);
        self.is_over = true;
    }

    pub(crate) fn passed(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The last frame has come.
    pub(crate) fn ended(&mut self) {
        self.end(self.monitor.ticker.now());
    }

    /// The body has failed. The outcome stands: it was told to the client already.
    pub(crate) fn broke(&mut self) {
        self.weigh();
        self.add(Figure::Broken);
        self.is_over = true;
    }
}

impl Recorder {
    fn end(&mut self, now: u64) {
        self.weigh();
        if let Some((id, told)) = self.known() {
            let [to_head, took] = [self.answered, now].map(|at| at.saturating_sub(self.began));
            self.monitor.class(id, now).time(told, to_head, took);
            if self.is_simulated {
                self.monitor.measure(told.outcome, self.bytes);
            }
        }
        self.is_over = true;
    }

    fn count(&mut self, id: ClassId, told: Told, now: u64) {
        self.counted = Some((id, told));
        self.monitor.count(id, told, now);
    }

    /// What it was counted as, with what became known since.
    fn known(&self) -> Option<(ClassId, Told)> {
        let (id, counted) = self.counted?;
        let told = self
            .cell
            .told()
            .filter(|told| told.outcome == counted.outcome);
        Some((id, told.unwrap_or(counted)))
    }

    /// The class; a method that was claimed becomes one when it is proved.
    fn id(&self, is_proved: bool, now: u64) -> ClassId {
        match &self.membership {
            Membership::Known(id) => *id,
            Membership::Claimed(method) if is_proved => self.monitor.make(Kind::Http, method, now),
            Membership::Claimed(_) => ClassId::Unmatched,
        }
    }

    fn promised<B: Body>(&self, response: &Response<B>) -> Option<u64> {
        let status = response.status();
        let is_bare = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        if self.is_head || is_bare {
            return Some(0);
        }
        let length = response.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        response.body().size_hint().exact().or(length)
    }

    fn weigh(&self) {
        if let Some((id, told)) = self.known() {
            let class = self.monitor.class(id, self.began);
            class.weigh(told, self.bytes);
        }
    }

    fn add(&self, figure: Figure) {
        if let Some((id, _)) = self.counted {
            let class = self.monitor.class(id, self.began);
            class.counters().add(figure, 1);
        }
    }

    /// What is to be said of a request whose future has gone without an answer.
    fn lost(&mut self) {
        let unsaid = if self.is_inside {
            Outcome::Error
        } else {
            Outcome::Cancelled
        };
        let now = self.monitor.ticker.now();
        let told = self.cell.told().unwrap_or_else(|| match unsaid {
            Outcome::Error => unsaid.into(),
            // What it had called by then, it has called.
            _ => Told::from(unsaid).origin_calls(self.cell.origin_calls()),
        });
        self.count(self.id(false, now), told, now);
    }

    /// A server may stop asking once it has all the bytes that were promised.
    fn left(&mut self) {
        if self.promised == Some(self.bytes) {
            self.ended();
        } else if self.is_inside {
            self.broke();
        } else {
            self.weigh();
            self.add(Figure::Abandoned);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        match (self.counted, self.is_over) {
            (None, _) => self.lost(),
            (Some(_), false) => self.left(),
            (Some(_), true) => {}
        }
        self.monitor.end();
    }
}
