//! `GET /api/dashboard/{recruiter}`: what a recruiter sees in the morning.
//!
//! Nineteen statements and three scores by the model. Hardly any statement
//! finds an index that helps it: that is how such a page comes to take a second.

mod interviews;
mod outlook;
mod pipeline;
mod recruiters;
mod row;
mod scores;
mod sourcing;

use axum::{Extension, Json, extract::State, response::IntoResponse};
use serde::Serialize;

use self::{interviews::Interviews, outlook::Forecast, pipeline::Pipeline, row::Scope};
pub(crate) use self::{outlook::Outlook, recruiters::recruiters};
use self::{scores::Scores, sourcing::Sourcing};
use crate::{
    app::AppState,
    cache,
    database::Queries,
    http::{Id, Problem, QueryCount},
};

/// The whole page.
#[derive(Debug, Serialize)]
struct Overview {
    recruiter: Recruiter,
    as_of: String,
    pipeline: Pipeline,
    scores: Scores,
    interviews: Interviews,
    sourcing: Sourcing,
    forecast: Forecast,
}

#[derive(Debug, Serialize)]
struct Recruiter {
    id: i64,
    name: String,
    company: String,
    #[serde(skip)]
    company_id: i64,
}

pub(crate) async fn show(
    State(app): State<AppState>,
    count: QueryCount,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let overview = app
        .database
        .read(&count, move |sql| assemble(sql, id))
        .await?;
    let directive = cache::dashboard(id, overview.recruiter.company_id);
    Ok((Extension(directive), Json(overview)))
}

fn assemble(sql: &Queries<'_>, id: i64) -> Result<Overview, Problem> {
    let recruiter = recruiter(sql, id)?;
    let scope = Scope {
        recruiter: id,
        company: recruiter.company_id,
    };
    Ok(Overview {
        recruiter,
        as_of: row::today(sql)?,
        pipeline: pipeline::load(sql, scope)?,
        scores: scores::load(sql, scope)?,
        interviews: interviews::load(sql, scope)?,
        sourcing: sourcing::load(sql, scope)?,
        forecast: Outlook::forecast(&outlook::features(sql, scope)?),
    })
}

fn recruiter(sql: &Queries<'_>, id: i64) -> Result<Recruiter, Problem> {
    sql.first(
        "SELECT r.id, r.name, c.name, c.id
         FROM recruiters r JOIN companies c ON c.id = r.company_id
         WHERE r.id = ?1",
        [id],
        |row| {
            Ok(Recruiter {
                id: row.get(0)?,
                name: row.get(1)?,
                company: row.get(2)?,
                company_id: row.get(3)?,
            })
        },
    )?
    .ok_or_else(|| Problem::not_found(format!("there is no recruiter {id}")))
}
