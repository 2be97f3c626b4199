//! One request, from its coming to the end of its answer.

use std::sync::Arc;

use http::{Extensions, Method, Response, StatusCode, header::CONTENT_LENGTH, request::Parts};
use http_body::Body;
use tower_keep_store::{Outcome, OutcomeCell};

use crate::{
    classes::ClassId,
    counts::{Figure, is_lookup},
    label::proves_method,
    monitor::{Membership, Monitor},
};

/// Counts a request once, whatever becomes of it. What was not said by when it is dropped is said then.
#[derive(Debug)]
pub(crate) struct Recorder {
    monitor: Arc<Monitor>,
    cell: OutcomeCell,
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
    /// The inner service, its future or its body is at work: if this is dropped now, that has panicked.
    is_inside: bool,
    counted: Option<(ClassId, Outcome)>,
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
            cell: leave_cell(&mut head.extensions),
            membership: Membership::Known(ClassId::Unmatched),
            key: 0,
            began: now,
            is_cacheable: head.method == Method::GET || head.method == Method::HEAD,
            is_simulated: false,
            is_head: head.method == Method::HEAD,
            is_inside: true,
            counted: None,
            bytes: 0,
            promised: None,
            is_over: false,
        };
        // A closure of somebody else's runs here; one that panics is counted, too.
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
    pub(crate) fn answered<B: Body>(&mut self, response: &Response<B>) -> bool {
        let told = self.cell.get().or_else(|| {
            let cell = response.extensions().get::<OutcomeCell>()?;
            cell.get()
        });
        let now = self.monitor.ticker.now();
        let id = self.id(proves_method(response.headers()), now);
        self.count(id, told.unwrap_or(Outcome::Bypass), now);
        if self.is_cacheable && told.is_none_or(is_lookup) {
            self.monitor.simulate(id, self.key, now);
            self.is_simulated = true;
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
        let outcome = self.cell.get().unwrap_or(Outcome::Error);
        self.count(self.id(false, now), outcome, now);
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
        if let Some((id, outcome)) = self.counted {
            self.monitor.time(id, outcome, self.key, self.began, now);
            if self.is_simulated {
                self.monitor.measure(outcome, self.bytes);
            }
        }
        self.is_over = true;
    }

    fn count(&mut self, id: ClassId, outcome: Outcome, now: u64) {
        self.counted = Some((id, outcome));
        self.monitor.count(id, outcome, now);
    }

    /// The class; a method that was claimed becomes one when it is proved.
    fn id(&self, is_proved: bool, now: u64) -> ClassId {
        let classes = &self.monitor.classes;
        match &self.membership {
            Membership::Known(id) => *id,
            Membership::Claimed(method) if is_proved => {
                classes.find_or_make(method, now, &self.monitor.rules)
            }
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
        if let Some((id, outcome)) = self.counted {
            let class = self.monitor.class(id, self.began);
            class.weigh(outcome, self.bytes);
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
        let outcome = self.cell.get().unwrap_or(unsaid);
        self.count(self.id(false, now), outcome, now);
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

/// The cell of the request: that of a layer further out, which asks the same, unless it holds the word of an
/// earlier try; else a new one.
fn leave_cell(extensions: &mut Extensions) -> OutcomeCell {
    let theirs = extensions.get::<OutcomeCell>();
    if let Some(cell) = theirs.filter(|cell| cell.get().is_none()) {
        return cell.clone();
    }
    let cell = OutcomeCell::default();
    extensions.insert(cell.clone());
    cell
}
