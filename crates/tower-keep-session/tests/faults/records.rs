//! What lies on the server.

use tower_keep_test_support::{RedisServer, Reply};

/// The records of sessions that have not ended.
pub(crate) fn live(server: &RedisServer) -> Vec<String> {
    let Reply::Array(Some(keys)) = server.command(&["KEYS", "keep:s:*"]) else {
        panic!("KEYS answers with a list");
    };
    let keys = keys.iter().map(|key| key.text().expect("a name"));
    let is_live = |key: &String| {
        let kind = server.command(&["GETRANGE", key, "0", "0"]);
        kind.text().as_deref() == Some("s")
    };
    keys.filter(is_live).collect()
}
