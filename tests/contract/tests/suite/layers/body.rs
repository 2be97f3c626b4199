use std::{
    collections::VecDeque,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower::{Layer, Service};

/// What a [`FaultyBodies`] does to the bodies of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// Gives nothing before it has everything.
    Collects,
    DropsTrailers,
    HidesHint,
    HidesEnd,
    /// Ends where the body broke.
    SwallowsErrors,
    DropsEmptyFrames,
    /// Keeps bodies that were dropped before their end.
    Leaks,
}

/// A layer that mishandles the bodies of responses, of any service.
#[derive(Clone, Copy)]
pub(crate) struct FaultyBodies(pub(crate) BodyFault);

impl<S> Layer<S> for FaultyBodies {
    type Service = FaultyService<S>;

    fn layer(&self, inner: S) -> FaultyService<S> {
        FaultyService {
            inner,
            fault: self.0,
        }
    }
}

#[derive(Clone)]
pub(crate) struct FaultyService<S> {
    inner: S,
    fault: BodyFault,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for FaultyService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Future: Send + 'static,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<FaultyBody<ResBody>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (answer, fault) = (self.inner.call(request), self.fault);
        Box::pin(async move { Ok(answer.await?.map(|body| FaultyBody::new(body, fault))) })
    }
}

impl<B: Body> Unpin for FaultyBody<B> {}

pub(crate) struct FaultyBody<B: Body> {
    inner: Option<Pin<Box<B>>>,
    fault: BodyFault,
    ended: bool,
    data: BytesMut,
    ready: VecDeque<Result<Frame<Bytes>, B::Error>>,
}

impl<B: Body<Data = Bytes>> FaultyBody<B> {
    fn new(body: B, fault: BodyFault) -> Self {
        Self {
            inner: Some(Box::pin(body)),
            fault,
            ended: false,
            data: BytesMut::new(),
            ready: VecDeque::new(),
        }
    }

    fn inner(&self) -> &B {
        self.inner.as_ref().expect("taken only on drop")
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let inner = self.inner.as_mut().expect("taken only on drop");
        inner.as_mut().poll_frame(cx)
    }

    fn poll_collected(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        while !self.ended {
            match ready!(self.poll_inner(cx)) {
                Some(Ok(frame)) if frame.is_data() => {
                    self.data.extend(frame.into_data().ok());
                }
                Some(other) => self.ready.push_back(other),
                None => self.ended = true,
            }
        }
        if !self.data.is_empty() {
            let data = self.data.split().freeze();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(self.ready.pop_front())
    }

    fn is_dropped(&self, frame: &Result<Frame<Bytes>, B::Error>) -> bool {
        match (self.fault, frame) {
            (BodyFault::DropsTrailers, Ok(frame)) => frame.is_trailers(),
            (BodyFault::SwallowsErrors, frame) => frame.is_err(),
            (BodyFault::DropsEmptyFrames, Ok(frame)) => {
                frame.data_ref().is_some_and(Bytes::is_empty)
            }
            _ => false,
        }
    }
}

impl<B: Body<Data = Bytes>> Body for FaultyBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.fault == BodyFault::Collects {
            return self.poll_collected(cx);
        }
        loop {
            match ready!(self.poll_inner(cx)) {
                Some(frame) if self.is_dropped(&frame) => {}
                frame => return Poll::Ready(frame),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.fault {
            BodyFault::HidesEnd | BodyFault::Collects => false,
            _ => self.inner().is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.fault {
            BodyFault::HidesHint | BodyFault::Collects => SizeHint::default(),
            _ => self.inner().size_hint(),
        }
    }
}

impl<B: Body> Drop for FaultyBody<B> {
    fn drop(&mut self) {
        let leaks = self.fault == BodyFault::Leaks;
        if let Some(inner) = self
            .inner
            .take()
            .filter(|inner| leaks && !inner.is_end_stream())
        {
            mem::forget(inner);
        }
    }
}
