use http::{HeaderMap, HeaderValue};
use tower_keep_test_support::ScriptedBody;

/// A body that can be made again and again: once for the layer, once to compare with.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) body: fn() -> ScriptedBody,
}

/// All shapes that a body can have as far as a layer can tell.
pub(crate) const SCRIPTS: &[Script] = &[
    EMPTY,
    Script {
        name: "one frame",
        body: || ScriptedBody::full("whole"),
    },
    Script {
        name: "several frames",
        body: || ScriptedBody::frames(["a", "", "bc", "def"]),
    },
    Script {
        name: "several frames of unknown length, one at a time",
        body: || {
            let body = ScriptedBody::full("a")
                .pend_once()
                .data("bc")
                .pend_once()
                .data("def");
            body.unknown_length()
        },
    },
    Script {
        name: "frames and trailers",
        body: || ScriptedBody::frames(["a", "bc"]).trailers(trailers()),
    },
    Script {
        name: "only trailers",
        body: || ScriptedBody::empty().trailers(trailers()),
    },
    Script {
        name: "an error after a frame",
        body: || ScriptedBody::full("a").error(71),
    },
    Script {
        name: "an error at once",
        body: || ScriptedBody::empty().error(72).unknown_length(),
    },
];

pub(crate) const EMPTY: Script = Script {
    name: "no frame",
    body: ScriptedBody::empty,
};

/// What a body that takes its time looks like: a place to be cancelled at before every frame.
pub(crate) fn slow_body() -> ScriptedBody {
    let body = ScriptedBody::empty()
        .pend_once()
        .data("one")
        .pend_once()
        .data("two")
        .pend_once();
    body.trailers(trailers()).unknown_length()
}

pub(crate) fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.append("x-contract", HeaderValue::from_static("first"));
    trailers.append("x-contract", HeaderValue::from_static("second"));
    trailers
}
