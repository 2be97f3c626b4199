//! Connections that have gone over to another protocol.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::place::Place;

/// Copies both ways until both sides have ended.
pub(super) fn open(client: OnUpgrade, origin: OnUpgrade, place: Option<Place>) {
    tokio::spawn(async move {
        let (Ok(client), Ok(origin)) = tokio::join!(client, origin) else {
            return;
        };
        let (mut client, mut origin) = (TokioIo::new(client), TokioIo::new(origin));
        // Who hangs up ends it: there is nobody left to tell.
        let _ = copy_bidirectional(&mut client, &mut origin).await;
        drop(place);
    });
}
