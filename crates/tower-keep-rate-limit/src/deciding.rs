//! From a request to a verdict: at once where possible, in a future where not.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::request::Parts;
use tokio::sync::oneshot;

use crate::{
    charge::Charges,
    limits::Limits,
    place::{Answer, Decision},
    plan::{self, PlanFuture, Unplanned},
    verdict::Verdict,
};

/// What is known about a request when it is looked at.
#[derive(Debug)]
pub(crate) enum Begun {
    /// No policy concerns it.
    Free,
    Decided(Verdict),
    Deciding(Deciding),
}

/// A verdict in the making.
pub(crate) struct Deciding {
    limits: Arc<Limits>,
    stage: Stage,
}

enum Stage {
    /// Its charges are not known yet.
    Planning(PlanFuture),
    /// The store has been asked.
    Asked(Charges, oneshot::Receiver<Decision>),
}

impl Begun {
    fn deciding(limits: &Arc<Limits>, stage: Stage) -> Self {
        Self::Deciding(Deciding {
            limits: limits.clone(),
            stage,
        })
    }
}

/// Begins to decide a request.
pub(crate) fn begin(limits: &Arc<Limits>, head: &Parts) -> Begun {
    let mut charges = Charges::new();
    match plan::plan(limits, head, &mut charges) {
        Ok(()) => with_charges(limits, charges),
        Err(Unplanned::Refused(status)) => Begun::Decided(Verdict::refused(status)),
        Err(Unplanned::Waiting(plan)) => Begun::deciding(limits, Stage::Planning(plan)),
    }
}

fn with_charges(limits: &Arc<Limits>, charges: Charges) -> Begun {
    if charges.is_empty() {
        return Begun::Free;
    }
    match limits.decide(&charges) {
        Answer::Now(decision) => Begun::Decided(limits.verdict(&charges, decision)),
        Answer::Failed => Begun::Decided(limits.fail(&charges)),
        Answer::Later(decision) => Begun::deciding(limits, Stage::Asked(charges, decision)),
    }
}

impl Future for Deciding {
    /// Nothing if no policy concerns the request.
    type Output = Option<Verdict>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = &mut *self;
            match &mut this.stage {
                Stage::Planning(plan) => {
                    let charges = match ready!(plan.as_mut().poll(cx)) {
                        Ok(charges) => charges,
                        Err(status) => return Poll::Ready(Some(Verdict::refused(status))),
                    };
                    match with_charges(&this.limits, charges) {
                        Begun::Free => return Poll::Ready(None),
                        Begun::Decided(verdict) => return Poll::Ready(Some(verdict)),
                        Begun::Deciding(next) => this.stage = next.stage,
                    }
                }
                Stage::Asked(charges, decision) => {
                    let decision = ready!(Pin::new(decision).poll(cx));
                    return Poll::Ready(Some(match decision {
                        Ok(decision) => this.limits.verdict(charges, decision),
                        Err(_) => this.limits.fail(charges),
                    }));
                }
            }
        }
    }
}

impl std::fmt::Debug for Deciding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deciding").finish_non_exhaustive()
    }
}
