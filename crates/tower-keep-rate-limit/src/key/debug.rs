//! Keys as they are written down for people.

use std::fmt;

use super::{Key, Node};

/// Without what closures hold.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Node::ClientIp(client) => client.fmt(f),
            Node::Header(name, _) => f.debug_tuple("Header").field(name).finish(),
            Node::User => f.write_str("User"),
            Node::Route => f.write_str("Route"),
            Node::Function(_) => f.write_str("Function"),
            Node::AsyncFunction(_) => f.write_str("AsyncFunction"),
            Node::And(first, second) => f.debug_tuple("And").field(first).field(second).finish(),
            Node::Or(first, second) => f.debug_tuple("Or").field(first).field(second).finish(),
        }
    }
}
