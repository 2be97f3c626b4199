//! One request, from its coming to the end of its answer.

use std::{sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode, header::CONTENT_LENGTH, request::Parts};
use http_body::Body;
use tower_keep_store::{Outcome, OutcomeCell, Told};

use crate::{
    classes::ClassId,
    counts::{Figure, is_lookup},
    kind::Kind,
    label::{of_itself, proves_method},
    monitor::{Membership, Monitor},
    notes::Notes,
    server_timing,
    simulations::Question,
};

/// Counts a request once, whatever becomes of it. What was not said by when it is dropped is said then.
///
/// It moves with the request's future and its body, so what it knows stays where it is.
#[derive(Debug)]
pub(crate) struct Recorder {
    monitor: Arc<Monitor>,
    notes: Notes,
}

impl Recorder {
    /// A request has come.
    pub(crate) fn begin(monitor: Arc<Monitor>) -> Self {
        let now = monitor.ticker.now();
        monitor.begin();
        let mut notes = Notes::take();
        (notes.began, notes.answered) = (now, now);
        notes.is_inside = true;
        Self { monitor, notes }
    }

    /// Sees what it is, and leaves a cell with it for the layers further in.
    pub(crate) fn receive<B>(&mut self, mut request: Request<B>) -> Request<B> {
        let Self { monitor, notes } = self;
        notes.is_head = request.method() == Method::HEAD;
        notes.is_cacheable = notes.is_head || request.method() == Method::GET;
        notes.key = monitor.key(request.uri(), request.headers(), notes.began);
        notes.cell.travel(request.extensions_mut());
        if !monitor.rules.ask_for_head() {
            let (method, uri) = (request.method(), request.uri());
            let found = of_itself(method, uri, request.headers(), request.extensions());
            notes.membership = monitor.classify(found, notes.began);
            return request;
        }
        let (head, body) = request.into_parts();
        self.see(&head);
        Request::from_parts(head, body)
    }

    /// Closures of somebody else's run here; one that panics is counted, too.
    fn see(&mut self, head: &Parts) {
        let monitor = &self.monitor;
        self.notes.is_timed = monitor.rules.server_timing.is_asked(head);
        let found = monitor.rules.labels.find(head);
        self.notes.membership = monitor.classify(found, self.notes.began);
    }

    /// Runs what is inside.
    pub(crate) fn around<T>(&mut self, inside: impl FnOnce() -> T) -> T {
        self.notes.is_inside = true;
        let result = inside();
        self.notes.is_inside = false;
        result
    }

    /// The answer has begun. True if that was all.
    pub(crate) fn answered<B: Body>(&mut self, response: &mut Response<B>) -> bool {
        if self.notes.cell.get().is_none()
            && let Some(theirs) = response.extensions().get::<OutcomeCell>()
            && theirs.get().is_some()
        {
            self.notes.cell.believe(theirs.clone());
        }
        let told = self.notes.cell.told();
        let now = self.monitor.ticker.now();
        let id = self.id(|| proves_method(response.headers()), now);
        self.notes.answered = now;
        self.notes.is_simulated =
            self.notes.is_cacheable && told.is_none_or(|told| is_lookup(told.outcome));
        self.count(id, told.unwrap_or(Outcome::Bypass.into()), now);
        if let Some((_, told)) = self.notes.counted.filter(|_| self.notes.is_timed) {
            let to_head = Duration::from_nanos(now.saturating_sub(self.notes.began));
            server_timing::add(response.headers_mut(), told, to_head);
        }
        self.notes.promised = self.promised(response);
        if response.body().is_end_stream() || self.notes.promised == Some(0) {
            self.end(now);
        }
        self.notes.is_over
    }

    /// The inner service has failed.
    pub(crate) fn failed(&mut self) {
        let now = self.monitor.ticker.now();
        let told = self.notes.cell.told().unwrap_or(Outcome::Error.into());
        self.count(self.id(|| false, now), told, now);
        self.notes.is_over = true;
    }

    pub(crate) fn passed(&mut self, bytes: usize) {
        self.notes.bytes += bytes as u64;
    }

    /// The last frame has come.
    pub(crate) fn ended(&mut self) {
        self.end(self.monitor.ticker.now());
    }

    /// The body has failed. The outcome stands: it was told to the client already.
    pub(crate) fn broke(&mut self) {
        self.weigh();
        self.add(Figure::Broken);
        self.notes.is_over = true;
    }
}

impl Recorder {
    #[inline]
    fn end(&mut self, now: u64) {
        self.weigh();
        if let Some((id, told)) = self.known() {
            let [to_head, took] =
                [self.notes.answered, now].map(|at| at.saturating_sub(self.notes.began));
            self.monitor.class(id, now).time(told, to_head, took);
            if self.notes.is_simulated {
                self.monitor.measure(told.outcome, self.notes.bytes);
            }
        }
        self.notes.is_over = true;
    }

    #[inline]
    fn count(&mut self, id: ClassId, told: Told, now: u64) {
        self.notes.counted = Some((id, told));
        self.monitor.count(id, told, now);
        self.monitor.ask(Question {
            key: self.notes.key,
            class: id,
            now,
            is_request: true,
            is_cacheable: self.notes.is_simulated,
        });
    }

    /// What it was counted as, with what became known since.
    #[inline]
    fn known(&self) -> Option<(ClassId, Told)> {
        let (id, counted) = self.notes.counted?;
        let told = self
            .notes
            .cell
            .told()
            .filter(|told| told.outcome == counted.outcome);
        Some((id, told.unwrap_or(counted)))
    }

    /// The class; a method that was claimed becomes one when it is proved.
    #[inline]
    fn id(&self, is_proved: impl FnOnce() -> bool, now: u64) -> ClassId {
        match &self.notes.membership {
            Membership::Known(id) => *id,
            Membership::Unmatched => ClassId::Unmatched,
            Membership::Claimed(method) if is_proved() => {
                self.monitor.make(Kind::Http, method, now)
            }
            Membership::Claimed(_) => ClassId::Unmatched,
        }
    }

    fn promised<B: Body>(&self, response: &Response<B>) -> Option<u64> {
        let status = response.status();
        let is_bare = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        if self.notes.is_head || is_bare {
            return Some(0);
        }
        let told = || {
            let length = response.headers().get(CONTENT_LENGTH)?;
            length.to_str().ok()?.parse().ok()
        };
        response.body().size_hint().exact().or_else(told)
    }

    #[inline]
    fn weigh(&self) {
        if let Some((id, told)) = self.known() {
            let class = self.monitor.class(id, self.notes.began);
            class.weigh(told, self.notes.bytes);
        }
    }

    fn add(&self, figure: Figure) {
        if let Some((id, _)) = self.notes.counted {
            let class = self.monitor.class(id, self.notes.began);
            class.counters().add(figure, 1);
        }
    }

    /// What is to be said of a request whose future has gone without an answer.
    fn lost(&mut self) {
        let unsaid = if self.notes.is_inside {
            Outcome::Error
        } else {
            Outcome::Cancelled
        };
        let now = self.monitor.ticker.now();
        let told = self.notes.cell.told().unwrap_or_else(|| match unsaid {
            Outcome::Error => unsaid.into(),
            // What it had called by then, it has called.
            _ => Told::from(unsaid).origin_calls(self.notes.cell.origin_calls()),
        });
        self.count(self.id(|| false, now), told, now);
    }

    /// A server may stop asking once it has all the bytes that were promised.
    fn left(&mut self) {
        if self.notes.promised == Some(self.notes.bytes) {
            self.ended();
        } else if self.notes.is_inside {
            self.broke();
        } else {
            self.weigh();
            self.add(Figure::Abandoned);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        match (self.notes.counted, self.notes.is_over) {
            (None, _) => self.lost(),
            (Some(_), false) => self.left(),
            (Some(_), true) => {}
        }
        self.monitor.end();
    }
}
