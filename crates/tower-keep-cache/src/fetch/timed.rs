//! An origin that takes its time: after the soft time-out what is stale answers and the fetch goes on, after
//! the hard one the fetch ends.

use std::{pin::pin, sync::Arc, time::Duration};

use http::Response;
use http_body::Body;
use tokio::time::{Instant, error::Elapsed, timeout, timeout_at};
use tower_keep_store::Outcome;

use super::{asking::Asking, tell};
use crate::{
    body::ResponseBody,
    engine::{
        background::Task,
        entry::Entry,
        flight::{Ending, Follow, Lead},
    },
    http::{answer, entry::Stored},
    shared::{Shared, flight_key},
};

/// What the origin says, in its time or not.
type Answered<B, E> = Result<Result<Response<B>, E>, Elapsed>;

impl Asking {
    /// Waits for the origin, for as long as it may take.
    pub(super) async fn wait_for<B, E>(
        mut self,
        call: impl Future<Output = Result<Response<B>, E>> + Send + 'static,
    ) -> Result<Response<ResponseBody<B>>, E>
    where
        B: Body + Send + 'static,
        B::Error: Send,
    {
        let timeouts = self.shared.timeouts(self.stored());
        let soft = timeouts.soft.filter(|_| self.may_stand_in());
        let hard = timeouts
            .hard
            .and_then(|hard| Instant::now().checked_add(hard));
        if soft.is_none() && hard.is_none() {
            return self.conclude(Ok(call.await));
        }
        let mut call = Box::pin(call);
        if let Some(soft) = soft {
            if let Ok(result) = timeout(soft, &mut call).await {
                return self.conclude(Ok(result));
            }
            if let Some(stale) = self.stand_in() {
                self.go_on(call, hard);
                return Ok(stale);
            }
        }
        let answered = match hard {
            Some(hard) => timeout_at(hard, call).await,
            None => Ok(call.await),
        };
        self.conclude(answered)
    }

    /// In the background, if there is room; else the fetch ends here.
    fn go_on<B, E>(
        self,
        call: impl Future<Output = Result<Response<B>, E>> + Send + 'static,
        hard: Option<Instant>,
    ) where
        B: Body + Send + 'static,
        B::Error: Send,
    {
        let engine = &self.shared.engine;
        let Some(permit) = engine.refresh_permit() else {
            return;
        };
        let background = engine.background.clone();
        let left = |hard: Instant| hard.saturating_duration_since(Instant::now());
        let left = hard.map_or(self.shared.patience, left);
        background.spawn(Task::Refresh, async move {
            let _permit = permit;
            let answered = timeout(left, call).await;
            // The body, dropped, is read to its end; then the new entry takes the stale one's place.
            drop(self.conclude(answered));
        });
    }

    fn conclude<B, E>(mut self, answered: Answered<B, E>) -> Result<Response<ResponseBody<B>>, E>
    where
        B: Body + Send + 'static,
        B::Error: Send,
    {
        match answered {
            Ok(Ok(response)) => Ok(self.receive(response)),
            Ok(Err(error)) => self.bridge().ok_or_else(|| {
                tell(self.cell.as_ref(), Outcome::Error.into());
                self.release();
                error
            }),
            Err(_) => Ok(self.bridge().unwrap_or_else(|| {
                tell(self.cell.as_ref(), Outcome::Error.into());
                if let Some(lead) = self.lead.take() {
                    lead.time_out();
                }
                answer::timed_out(&self.shared.status, self.why)
            })),
        }
    }

    /// What is stored for the request's key.
    fn stored(&self) -> Option<&Entry<Stored>> {
        self.fallback.as_deref().or(self.known.as_deref())
    }

    /// Whether somebody waits who could be answered with what is stale.
    fn may_stand_in(&self) -> bool {
        !self.is_unattended && self.fallback.is_some()
    }

    /// What is stale, for all who wait; those who come later follow the fetch that goes on.
    fn stand_in<B: Body>(&mut self) -> Option<Response<ResponseBody<B>>> {
        let lease = self.lead.as_mut().and_then(Lead::take_lease);
        let stale = self.fall_back();
        if stale.is_some() {
            let flight = flight_key(&self.key, &self.lookup);
            let entry = self.fallback.as_ref()?;
            self.lead = Some(self.shared.engine.lead_on(entry, &flight));
        }
        // The fetch goes on, for the other processes too.
        if let Some(lead) = &mut self.lead {
            lead.hold(lease);
        }
        let stale = stale?;
        // It has been told, and the fetch is nobody's now.
        self.cell = None;
        Some(stale)
    }
}

/// How long one waits for another's fetch, here or in another process, where this could answer.
pub(super) fn soft(shared: &Shared, stale: Option<&Entry<Stored>>) -> Option<Duration> {
    shared.timeouts(Some(stale?)).soft
}

/// Waits for what another fetches; if something stale could answer not longer than for the origin: then that
/// does.
pub(super) async fn wait(
    shared: &Shared,
    stale: Option<&Arc<Entry<Stored>>>,
    follow: Follow<Stored>,
    will_do: impl Fn(&Entry<Stored>) -> bool,
) -> Result<Ending<Stored>, Arc<Entry<Stored>>> {
    let mut ending = pin!(follow.wait(will_do));
    let soft = soft(shared, stale.map(|stale| &**stale));
    if let (Some(stale), Some(soft)) = (stale, soft) {
        if let Ok(ending) = timeout(soft, &mut ending).await {
            return Ok(ending);
        }
        let engine = &shared.engine;
        if stale.may_bridge(engine.log(), engine.now()) {
            return Err(stale.clone());
        }
    }
    Ok(ending.await)
}
