//! `GET /api/devices`, `DELETE /api/devices/{id}`: where an account is signed in.

use std::time::SystemTime;

use axum::{Json, extract::Path};
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
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = session.load().await?;
    let devices = session.list().await?;
    let device = devices.iter().find(|device| device.id() == id);
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
