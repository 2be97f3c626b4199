//! `GET /api/devices`, `DELETE /api/devices/{id}`: where an account is signed in.

use std::time::SystemTime;

use axum::{
    Json,
    extract::{Path, rejection::PathRejection},
};
use http::StatusCode;
use serde::Serialize;
use tower_keep::session::{self, SessionHandle};

use crate::http::Problem;

#[derive(Debug, Serialize)]
pub(crate) struct Device {
    id: String,
    label: String,
    /// Seconds since 1970.
    signed_in_at: u64,
    is_this: bool,
}

pub(crate) async fn list(session: SessionHandle) -> Result<Json<Vec<Device>>, Problem> {
    let devices = session.load().await?.list().await?;
    Ok(Json(devices.iter().map(Device::from).collect()))
}

/// Ends one of the account's own sessions, at once. Those of others do not exist here.
pub(crate) async fn revoke(
    session: SessionHandle,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let session = session.load().await?;
    let devices = session.list().await?;
    // What is no text names none of them.
    let id = id.ok();
    let is_meant = |device: &&session::Device| id.as_ref().is_some_and(|id| device.id() == id.0);
    let device = devices.iter().find(is_meant);
    let device = device.ok_or_else(|| Problem::not_found("there is no such device"))?;
    session.revoke(device).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<&session::Device> for Device {
    fn from(device: &session::Device) -> Self {
        let since = device.created().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            id: device.id(),
            label: device.label().to_owned(),
            signed_in_at: since.unwrap_or_default().as_secs(),
            is_this: device.is_this(),
        }
    }
}
