//! What is measured, and how often.

use bytes::Bytes;
use http::{Request, Uri};

use super::{
    client::{Client, Reply},
    report::Endpoint,
};
use crate::{error::StartError, webhook::Caller};

/// A page that is read.
#[derive(Debug)]
pub(super) struct Page {
    name: &'static str,
    path: &'static str,
    uncached: usize,
}

/// Slow pages a few times, quick ones often.
pub(super) const PAGES: &[Page] = &[
    Page {
        name: "dashboard",
        path: "/api/dashboard/7",
        uncached: 5,
    },
    Page {
        name: "jobs",
        path: "/api/jobs?seniority=senior&remote=true",
        uncached: 7,
    },
    Page {
        name: "recommendations",
        path: "/api/recommendations/4711",
        uncached: 3,
    },
    Page {
        name: "candidate",
        path: "/api/candidates/4711",
        uncached: 100,
    },
];

const CACHED: usize = 300;

const DELIVERIES_UNCACHED: usize = 9;

const DELIVERIES_CACHED: usize = 60;

/// With the one that fills the cache.
pub(super) const DELIVERIES: usize = DELIVERIES_UNCACHED + 1 + DELIVERIES_CACHED;

impl Page {
    pub(super) async fn measure(&self, client: &mut Client) -> Result<Endpoint, StartError> {
        let mut uncached = Vec::new();
        for _ in 0..self.uncached {
            let reply = self.read(client, true).await?;
            self.expect(
                !reply.is_hit(),
                &reply,
                "came from the cache in spite of the bypass",
            )?;
            uncached.push(reply);
        }
        self.read(client, false).await?;
        let mut cached = Vec::new();
        for _ in 0..CACHED {
            let reply = self.read(client, false).await?;
            self.expect(reply.is_hit(), &reply, "should have come from the cache")?;
            self.expect(
                reply.body == uncached[0].body,
                &reply,
                "differs from the uncached answer",
            )?;
            cached.push(reply);
        }
        Ok(Endpoint::new(self.name, &uncached, &cached))
    }

    async fn read(&self, client: &mut Client, bypass: bool) -> Result<Reply, StartError> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = Uri::from_static(self.path);
        let reply = client.send(request, bypass).await?;
        self.expect(reply.status.is_success(), &reply, "failed")?;
        Ok(reply)
    }

    fn expect(&self, holds: bool, reply: &Reply, complaint: &str) -> Result<(), StartError> {
        expect(self.path, holds, reply, complaint)
    }
}

/// Deliveries are never answered from the cache; what is or is not cached is
/// the configuration that they are checked against. So the proof is in the
/// number of queries.
pub(super) async fn webhook(
    client: &mut Client,
    mut caller: Caller,
) -> Result<Endpoint, StartError> {
    let uncached = deliver(client, &mut caller, DELIVERIES_UNCACHED, true).await?;
    deliver(client, &mut caller, 1, false).await?;
    let cached = deliver(client, &mut caller, DELIVERIES_CACHED, false).await?;
    for reply in &cached {
        let fewer = reply.queries() < uncached[0].queries();
        expect(
            "webhook",
            fewer,
            reply,
            "should have found its configuration in the cache",
        )?;
    }
    Ok(Endpoint::new("webhook", &uncached, &cached))
}

async fn deliver(
    client: &mut Client,
    caller: &mut Caller,
    times: usize,
    bypass: bool,
) -> Result<Vec<Reply>, StartError> {
    let mut replies = Vec::new();
    for _ in 0..times {
        let full = || StartError::new("webhook: the calendars of this database are full");
        let reply = client
            .send(caller.next_booking().ok_or_else(full)?, bypass)
            .await?;
        expect("webhook", reply.status.is_success(), &reply, "failed")?;
        replies.push(reply);
    }
    Ok(replies)
}

fn expect(what: &str, holds: bool, reply: &Reply, complaint: &str) -> Result<(), StartError> {
    if holds {
        return Ok(());
    }
    let (status, cache) = (reply.status, reply.cache_status());
    Err(StartError::new(format!(
        "{what}: a response {complaint} ({status}, Cache-Status: {cache})"
    )))
}
