//! An origin for measurements: `GET /1024` is answered with so many bytes, which are fresh for an hour.

use std::{error::Error, iter};

use axum::{Router, extract::Path, http::header::CACHE_CONTROL, routing::get};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("origin ADDRESS")?;
    let app = Router::new().route("/{bytes}", get(answer));
    let listener = TcpListener::bind(address).await?;
    Ok(axum::serve(listener, app).await?)
}

async fn answer(Path(bytes): Path<u32>) -> ([(http::HeaderName, &'static str); 1], String) {
    let bytes = bytes.min(LARGEST) as usize;
    let text = iter::repeat_n('x', bytes).collect();
    ([(CACHE_CONTROL, "public, max-age=3600")], text)
}

const LARGEST: u32 = 1 << 26;
