use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use serde_json::Value;

use crate::{Answer, Client, Kind, Ledger, Random, Timings};

/// One of many clients: asks for this and that, and checks every answer.
pub(crate) struct Visitor {
    pub(crate) client: Client,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) random: Random,
    /// The candidate that this one may change; none for a reader.
    pub(crate) own: Option<i64>,
    /// How many candidates the ledger knows, from 1.
    pub(crate) candidates: i64,
    /// How old an answer may be.
    pub(crate) grace: Duration,
    /// Reads go past the cache.
    pub(crate) uncached: bool,
    pub(crate) timings: Timings,
}

impl Visitor {
    /// One request, most often a read.
    pub(crate) async fn ask(&mut self) {
        match (self.random.below(100), self.own) {
            (0..2, Some(own)) => self.change(own).await,
            (0..30, Some(own)) => self.candidate(own).await,
            (0..50, _) => {
                let id = self.one_to(self.candidates);
                self.candidate(id).await;
            }
            (50..70, _) => self.list().await,
            (70..85, _) => self.dashboard().await,
            _ => self.jobs().await,
        }
    }

    async fn change(&mut self, own: i64) {
        let status = self.ledger.next_status(own);
        self.ledger.sending(own, status);
        let answer = self.client.change_status(own, status).await;
        self.ledger.answered(own);
        let page = self.note(Kind::Change, &answer);
        assert_eq!(page["status"], status, "{page}");
    }

    async fn candidate(&mut self, id: i64) {
        let asked = Instant::now();
        let page = self
            .read(Kind::Candidate, &format!("/api/candidates/{id}"))
            .await;
        assert_eq!(page["id"], id, "{page}");
        assert!(page["name"].is_string(), "{page}");
        self.check_status(&page, asked);
    }

    /// The first page has the ledger's candidates.
    async fn list(&mut self) {
        let asked = Instant::now();
        let page = self.read(Kind::List, "/api/candidates").await;
        let lines = page["candidates"].as_array().expect("a list");
        assert!(!lines.is_empty(), "{page}");
        for line in lines {
            self.check_status(line, asked);
        }
    }

    async fn dashboard(&mut self) {
        let id = self.one_to(3);
        let page = self
            .read(Kind::Dashboard, &format!("/api/dashboard/{id}"))
            .await;
        assert_eq!(page["recruiter"]["id"], id, "{page}");
        for part in ["pipeline", "scores", "interviews", "sourcing", "forecast"] {
            assert!(page[part].is_object() || page[part].is_array(), "{page}");
        }
    }

    async fn jobs(&mut self) {
        let seniority = ["junior", "senior"][self.random.below(2) as usize];
        let page = self
            .read(Kind::Jobs, &format!("/api/jobs?seniority={seniority}"))
            .await;
        let jobs = page["jobs"].as_array().expect("a list");
        for job in jobs {
            assert_eq!(job["seniority"], seniority, "{job}");
        }
    }

    async fn read(&mut self, kind: Kind, path: &str) -> Value {
        let answer = if self.uncached {
            self.client.get_uncached(path).await
        } else {
            self.client.get(path).await
        };
        self.note(kind, &answer)
    }

    fn note(&mut self, kind: Kind, answer: &Answer) -> Value {
        assert_eq!(answer.status, StatusCode::OK, "{kind:?}: {answer:?}");
        self.timings.note(kind, answer);
        answer.json()
    }

    fn check_status(&self, candidate: &Value, asked: Instant) {
        let id = candidate["id"].as_i64().expect("a number");
        let seen = candidate["status"].as_str().expect("a status");
        if self.ledger.knows(id) {
            self.ledger.check(id, seen, asked, self.grace);
        }
    }

    fn one_to(&mut self, most: i64) -> i64 {
        1 + self.random.below(most.unsigned_abs()) as i64
    }
}
