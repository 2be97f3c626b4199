//! Three scores by the model: what the coming quarter looks like.

use std::{collections::HashMap, sync::LazyLock};

use serde::Serialize;

use super::row::Scope;
use crate::{
    database::Queries,
    http::Problem,
    model::Network,
    seed::{TODAY, words},
};

/// The three networks, made at their first use and shared by all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook;

/// The recruiter's open candidates in three means, each beside the company's.
#[derive(Debug, Serialize)]
pub(super) struct Forecast {
    hire_this_quarter: Score,
    accepts_offer: Score,
    stays_a_year: Score,
    candidates: usize,
    most_likely: Vec<Likely>,
}

#[derive(Debug, Serialize)]
struct Score {
    mine: f64,
    company: f64,
}

#[derive(Debug, Serialize)]
struct Likely {
    id: i64,
    name: String,
    hire_this_quarter: f64,
}

/// One candidate as the model sees them.
pub(super) struct Features {
    id: i64,
    name: String,
    mine: bool,
    values: Vec<f32>,
}

impl Outlook {
    /// Makes the networks now, so that no request has to wait for them.
    pub(crate) fn prepare() {
        LazyLock::force(&NETWORKS);
    }

    pub(super) fn forecast(candidates: &[Features]) -> Forecast {
        let [hire, accept, stay] = &*NETWORKS;
        let hires = ask(hire, candidates);
        Forecast {
            hire_this_quarter: Score::new(candidates, &hires),
            accepts_offer: Score::new(candidates, &ask(accept, candidates)),
            stays_a_year: Score::new(candidates, &ask(stay, candidates)),
            candidates: candidates.len(),
            most_likely: most_likely(candidates, &hires),
        }
    }
}

impl Score {
    fn new(candidates: &[Features], answers: &[f32]) -> Self {
        let mine = candidates.iter().zip(answers).filter(|(c, _)| c.mine);
        Self {
            mine: mean(mine.map(|(_, answer)| *answer)),
            company: mean(answers.iter().copied()),
        }
    }
}

/// Two statements: the people, and every score they ever got.
pub(super) fn features(sql: &Queries<'_>, scope: Scope) -> Result<Vec<Features>, Problem> {
    let mut candidates = people(sql, scope)?;
    let place: HashMap<i64, usize> = candidates
        .iter()
        .enumerate()
        .map(|(index, c)| (c.id, index))
        .collect();
    for (id, kind, mean, count) in marks(sql, scope)? {
        let kind = words::SCORE_KINDS.iter().position(|name| *name == kind);
        if let (Some(index), Some(kind)) = (place.get(&id), kind) {
            candidates[*index].values[PEOPLE + 2 * kind] = mean;
            candidates[*index].values[PEOPLE + 2 * kind + 1] = count / 4.0;
        }
    }
    Ok(candidates)
}

fn people(sql: &Queries<'_>, scope: Scope) -> rusqlite::Result<Vec<Features>> {
    sql.all(PERSON, [scope.company, scope.recruiter], |row| {
        let mut values = vec![0.0; FEATURES];
        values[0] = row.get::<_, f32>(2)? / 10.0;
        values[1] = row.get::<_, f32>(3)? / 100_000.0;
        values[2] = (TODAY as f32 - row.get::<_, f32>(4)?) / 1e7;
        values[3] = (TODAY as f32 - row.get::<_, f32>(5)?) / 1e7;
        let status: String = row.get(6)?;
        if let Some(index) = words::STATUSES.iter().position(|(name, _)| *name == status) {
            values[4 + index] = 1.0;
        }
        Ok(Features {
            id: row.get(0)?,
            name: row.get(1)?,
            mine: row.get(7)?,
            values,
        })
    })
}

fn marks(sql: &Queries<'_>, scope: Scope) -> rusqlite::Result<Vec<(i64, String, f32, f32)>> {
    sql.all(MARKS, [scope.company], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })
}

fn most_likely(candidates: &[Features], hires: &[f32]) -> Vec<Likely> {
    let mut ranked: Vec<_> = candidates
        .iter()
        .zip(hires)
        .filter(|(candidate, _)| candidate.mine)
        .collect();
    ranked.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.id.cmp(&b.id)));
    ranked
        .into_iter()
        .take(5)
        .map(|(c, hire)| Likely {
            id: c.id,
            name: c.name.clone(),
            hire_this_quarter: rounded(f64::from(*hire)),
        })
        .collect()
}

fn ask(network: &Network, candidates: &[Features]) -> Vec<f32> {
    candidates
        .iter()
        .map(|candidate| network.probability(&candidate.values))
        .collect()
}

fn mean(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, n), x| (sum + f64::from(x), n + 1));
    rounded(sum / f64::from(count.max(1)))
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

static NETWORKS: LazyLock<[Network; 3]> = LazyLock::new(|| {
    ["hire this quarter", "accepts offer", "stays a year"]
        .map(|name| Network::new(name, &[FEATURES, 1920, 1920, 512, 1]))
});

/// Features of the person: numbers, then the status as one of seven.
const PEOPLE: usize = 11;

/// With the mean and the number of scores of each kind.
const FEATURES: usize = PEOPLE + 2 * words::SCORE_KINDS.len();

const PERSON: &str = "
    SELECT id, name, experience_years, expected_salary, applied_at, status_changed_at, status,
           recruiter_id = ?2
    FROM candidates
    WHERE company_id = ?1 AND status NOT IN ('hired', 'rejected', 'withdrawn')
    ORDER BY id";

const MARKS: &str = "
    SELECT c.id, s.kind, avg(s.value), count(*)
    FROM scores s JOIN candidates c ON c.id = s.candidate_id
    WHERE c.company_id = ?1
    GROUP BY c.id, s.kind";
