use std::pin::pin;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use tower_keep_test_support::BodyError;

/// All that a reader can see of a body, in order.
pub(crate) type Transcript = Vec<Moment>;

/// One frame, and what the body said of itself before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    lower: u64,
    upper: Option<u64>,
    at_end: bool,
    pub(crate) event: Event,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(u64),
    End,
}

/// Reads a body to its end or its error.
pub(crate) async fn transcript<B>(body: B) -> Transcript
where
    B: Body<Data = Bytes, Error = BodyError>,
{
    let mut body = pin!(body);
    let mut moments = Vec::new();
    loop {
        let (hint, at_end) = (body.size_hint(), body.is_end_stream());
        let event = event(body.frame().await);
        let last = matches!(event, Event::Error(_) | Event::End);
        moments.push(Moment {
            lower: hint.lower(),
            upper: hint.upper(),
            at_end,
            event,
        });
        if last {
            return moments;
        }
    }
}

fn event(frame: Option<Result<http_body::Frame<Bytes>, BodyError>>) -> Event {
    match frame {
        None => Event::End,
        Some(Err(error)) => Event::Error(error.number()),
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) => Event::Data(data),
            Err(frame) => Event::Trailers(frame.into_trailers().unwrap_or_default()),
        },
    }
}

/// Where two transcripts differ first.
pub(crate) fn difference(expected: &Transcript, seen: &Transcript) -> Option<String> {
    let place = expected
        .iter()
        .zip(seen)
        .position(|(one, other)| one != other);
    let place =
        place.or_else(|| (expected.len() != seen.len()).then(|| expected.len().min(seen.len())))?;
    Some(format!(
        "at frame {place}: expected {:?}, got {:?}",
        expected.get(place),
        seen.get(place)
    ))
}
