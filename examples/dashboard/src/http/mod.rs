//! What every endpoint shares: problems, limits, the query count, its report.

mod bypass;
mod downstream;
mod input;
mod problem;
mod query_count;
mod timing;

pub(crate) use self::{
    bypass::{BYPASS, Bypass},
    downstream::{ask_each_time, keep_nothing},
    input::{Filter, Id, RawBody, json},
    problem::Problem,
    query_count::QueryCount,
    timing::TimingLayer,
};
