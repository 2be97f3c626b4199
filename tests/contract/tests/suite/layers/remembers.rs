use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Method, Response};
use http_body::{Body, Frame, SizeHint};
use tower::ServiceExt;
use tower_keep_test_support::{BodyError, ScriptedBody};

use super::{Around, around, boxed};

/// The smallest cache that keeps the contract: it copies the bodies of GETs as they pass, and
/// answers again with those that came to their end.
pub(crate) fn remembers() -> Around {
    let memory = Memory::default();
    around(move |inner, request| {
        let memory = memory.clone();
        async move {
            let uri = request.uri().to_string();
            if let Some(body) = memory.recall(&uri) {
                return Ok(boxed(Response::new(body)));
            }
            let is_get = request.method() == Method::GET;
            let response = inner.oneshot(request).await?;
            let is_kept = is_get && response.status().is_success();
            let memory = is_kept.then_some(memory);
            Ok(boxed(response.map(|inner| Tee {
                inner,
                uri,
                memory,
                frames: Vec::new(),
            })))
        }
    })
}

type Frames = Vec<Kept>;

#[derive(Clone)]
enum Kept {
    Data(Bytes),
    Trailers(http::HeaderMap),
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<HashMap<String, Frames>>>);

impl Memory {
    fn recall(&self, uri: &str) -> Option<ScriptedBody> {
        let frames = self.0.lock().unwrap().get(uri)?.clone();
        Some(
            frames
                .into_iter()
                .fold(ScriptedBody::empty(), |body, frame| match frame {
                    Kept::Data(data) => body.data(data),
                    Kept::Trailers(trailers) => body.trailers(trailers),
                }),
        )
    }
}

struct Tee {
    inner: ScriptedBody,
    uri: String,
    memory: Option<Memory>,
    frames: Frames,
}

impl Tee {
    fn copy(&mut self, frame: &Frame<Bytes>) {
        let data = frame.data_ref().cloned().map(Kept::Data);
        let trailers = frame.trailers_ref().cloned().map(Kept::Trailers);
        self.frames.extend(data.or(trailers));
    }

    fn store(&mut self) {
        if let Some(memory) = self.memory.take() {
            let frames = std::mem::take(&mut self.frames);
            memory.0.lock().unwrap().insert(self.uri.clone(), frames);
        }
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.copy(frame),
            Some(Err(_)) => self.memory = None,
            None => self.store(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
