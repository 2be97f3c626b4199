//! How well a candidate and a job fit.

use std::{collections::HashMap, sync::LazyLock};

use super::pool::{Job, Peer, Pool};
use crate::model::{Network, PROFILE, Profile};

/// Two networks: one embeds people and jobs, one judges a pair of embeddings.
/// Made at their first use and shared by all.
#[derive(Debug)]
pub(crate) struct Matcher {
    embed: Network,
    judge: Network,
}

/// A job with what the model thinks of it, in `0.0..=1.0`.
#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) job: &'a Job,
    pub(super) score: f64,
}

static MATCHER: LazyLock<Matcher> = LazyLock::new(|| Matcher {
    embed: Network::new("embed", &[PROFILE, 1152, 1152, EMBEDDING]),
    judge: Network::new("judge", &[3 * EMBEDDING, 512, 256, 1]),
});

impl Matcher {
    pub(crate) fn shared() -> &'static Self {
        &MATCHER
    }

    /// All jobs by score, best first. Two signals: what the second network says
    /// of the pair, and what the people most like this one applied for.
    pub(super) fn rank<'a>(&self, me: i64, profile: &Profile, pool: &'a Pool) -> Vec<Match<'a>> {
        let mine = self.embedding(profile);
        let demand = self.demand(me, &mine, &pool.peers);
        let mut matches: Vec<_> = pool
            .jobs
            .iter()
            .map(|job| {
                let fit = f64::from(self.fit(&mine, &self.embedding(&job.profile)));
                let wanted = demand.get(&job.id).copied().unwrap_or_default();
                Match {
                    job,
                    score: 0.8 * fit + 0.2 * wanted,
                }
            })
            .collect();
        matches.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.job.id.cmp(&b.job.id)));
        matches
    }

    /// The candidates most like this one, by the similarity of embeddings.
    fn demand(&self, me: i64, mine: &[f32], peers: &[Peer]) -> HashMap<i64, f64> {
        let mut near: Vec<(f32, &Peer)> = peers
            .iter()
            .filter(|peer| peer.id != me)
            .map(|peer| (dot(mine, &self.embedding(&peer.profile)), peer))
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id)));
        near.into_iter()
            .take(NEIGHBOURS)
            .map(|(near, peer)| (peer.job, f64::from(near)))
            .collect()
    }

    fn fit(&self, mine: &[f32], theirs: &[f32]) -> f32 {
        let product = mine.iter().zip(theirs).map(|(a, b)| a * b * SPREAD);
        let each = mine.iter().chain(theirs).copied();
        let pair: Vec<f32> = each.chain(product).map(|x| x * SPREAD).collect();
        self.judge.probability(&pair)
    }

    /// A direction: similarity asks what someone is like, not how much of it.
    fn embedding(&self, profile: &Profile) -> Vec<f32> {
        let mut vector = self.embed.outputs(profile.vector());
        let length = dot(&vector, &vector).sqrt().max(f32::EPSILON);
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

const EMBEDDING: usize = 128;

/// The judge was made for inputs around one; a direction's are around the root
/// of its length below that.
const SPREAD: f32 = 11.3;

const NEIGHBOURS: usize = 200;
