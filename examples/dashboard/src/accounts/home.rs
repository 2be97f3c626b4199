//! `GET /recruiter`: the candidates that wait for the recruiter who is signed in.
//!
//! One address, another page for each recruiter: what a cache must never share. It does not, because a session
//! was looked at; that the page says `no-store` as well is for browsers.

use std::fmt::Write;

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;

use super::{account::Account, signed_in::SignedIn};
use crate::{
    app::AppState,
    database::Queries,
    http::{Problem, QueryCount},
    page,
    seed::TODAY,
};

struct Waiting {
    name: String,
    status: String,
    job: String,
    days: i64,
}

pub(crate) async fn show(
    State(app): State<AppState>,
    count: QueryCount,
    signed_in: Result<SignedIn, Problem>,
) -> Result<Response, Problem> {
    let account = match signed_in {
        Ok(SignedIn(account)) => account,
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            return Ok(Redirect::to("/#account").into_response());
        }
        Err(problem) => return Err(problem),
    };
    let recruiter = account.recruiter_id;
    let waiting = app.database.read(&count, move |sql| load(sql, recruiter));
    let body = body(&account, &waiting.await?);
    Ok(page::document("My candidates", &body).into_response())
}

fn load(sql: &Queries<'_>, recruiter: i64) -> Result<Vec<Waiting>, Problem> {
    Ok(sql.all(WAITING, [recruiter, TODAY], |row| {
        Ok(Waiting {
            name: row.get(0)?,
            status: row.get(1)?,
            job: row.get(2)?,
            days: row.get(3)?,
        })
    })?)
}

fn body(account: &Account, waiting: &[Waiting]) -> String {
    let mut lines = String::new();
    for Waiting {
        name,
        status,
        job,
        days,
    } in waiting
    {
        let (name, status, job) = (escape(name), escape(status), escape(job));
        let _ = write!(
            lines,
            r#"<li><span class="main">{name}<span class="sub">{job}</span></span>
               <span class="end">{status}<span class="sub">{days} days</span></span></li>"#
        );
    }
    let (name, company, email) = (
        escape(&account.name),
        escape(&account.company),
        escape(&account.email),
    );
    format!(
        r#"<header class="bar-top"><div class="title"><h1>My candidates</h1>
           <p id="whose">{name}, {company} ({email})</p></div><a href="/">Dashboard</a></header>
           <main><section class="panel wide"><div class="head"><h2>Waiting longest</h2></div>
           <div class="body"><ul class="rows">{lines}</ul></div></section></main>"#
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const WAITING: &str = "
    SELECT c.name, c.status, j.title, (?2 - c.status_changed_at) / 86400 AS days
    FROM candidates c JOIN jobs j ON j.id = c.job_id
    WHERE c.recruiter_id = ?1 AND c.status IN ('applied', 'screening', 'interview', 'offer')
    ORDER BY days DESC, c.id LIMIT 20";

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_are_text_and_no_markup() {
        let name = r#"<b a="1">O & P</b>"#;
        assert_eq!(escape(name), "&lt;b a=&quot;1&quot;&gt;O &amp; P&lt;/b&gt;");
    }
}
