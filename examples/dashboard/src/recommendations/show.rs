//! `GET /api/recommendations/{candidate}`: the ten jobs that fit best.

use axum::{Extension, Json, extract::State, response::IntoResponse};
use serde::Serialize;

use super::{Matcher, matcher::Match, pool::Pool};
use crate::{
    app::AppState,
    cache,
    database::Queries,
    http::{Id, Problem, QueryCount},
    model::Profile,
};

#[derive(Debug, Serialize)]
struct Recommendations {
    candidate: i64,
    name: String,
    compared_jobs: usize,
    compared_candidates: usize,
    jobs: Vec<Recommended>,
}

#[derive(Debug, Serialize)]
struct Recommended {
    id: i64,
    title: String,
    company: String,
    location: String,
    score: f64,
    shared_skills: Vec<&'static str>,
}

pub(crate) async fn show(
    State(app): State<AppState>,
    count: QueryCount,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let found = app
        .database
        .read(&count, move |sql| recommend(sql, id))
        .await?;
    Ok((Extension(cache::recommendations(id)), Json(found)))
}

fn recommend(sql: &Queries<'_>, id: i64) -> Result<Recommendations, Problem> {
    let name: String = sql
        .first("SELECT name FROM candidates WHERE id = ?1", [id], |row| {
            row.get(0)
        })?
        .ok_or_else(|| Problem::not_found(format!("there is no candidate {id}")))?;
    let pool = Pool::load(sql)?;
    let me = pool
        .peers
        .iter()
        .find(|peer| peer.id == id)
        .ok_or_else(|| Problem::not_found(format!("there is no candidate {id}")))?;
    let ranked = Matcher::shared().rank(id, &me.profile, &pool);
    Ok(Recommendations {
        candidate: id,
        name,
        compared_jobs: pool.jobs.len(),
        compared_candidates: pool.peers.len(),
        jobs: ranked
            .iter()
            .take(10)
            .map(|found| recommended(found, &me.profile))
            .collect(),
    })
}

fn recommended(found: &Match<'_>, profile: &Profile) -> Recommended {
    Recommended {
        id: found.job.id,
        title: found.job.title.clone(),
        company: found.job.company.clone(),
        location: found.job.location.clone(),
        score: (found.score * 10_000.0).round() / 10_000.0,
        shared_skills: found.job.profile.shared_skills(profile),
    }
}
