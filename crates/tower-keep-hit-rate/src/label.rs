//! The class that a request belongs to.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{Extensions, HeaderMap, Method, Uri, header::CONTENT_TYPE, request::Parts};

/// What is found of a request's class when it comes.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Label(Cow<'a, str>),
    /// What the request claims to call: believed when the answer has shown that there is such a method.
    Claimed(&'a str),
    Nothing,
}

/// Where labels come from.
#[derive(Clone, Default)]
pub(crate) struct Labels {
    own: Option<Arc<Own>>,
}

type Own = dyn for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>> + Send + Sync;

impl Labels {
    pub(crate) fn own(
        label: impl for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            own: Some(Arc::new(label)),
        }
    }

    /// A closure wants to see the whole head.
    pub(crate) fn asks_for_head(&self) -> bool {
        self.own.is_some()
    }

    pub(crate) fn find<'a>(&self, head: &'a Parts) -> Found<'a> {
        match self.own.as_ref().and_then(|own| own(head)) {
            Some(label) => Found::Label(label),
            None => of_itself(&head.method, &head.uri, &head.headers, &head.extensions),
        }
    }
}

/// The class of a request that nobody has named.
#[cfg_attr(not(feature = "axum"), allow(unused_variables))]
#[inline]
pub(crate) fn of_itself<'a>(
    method: &Method,
    uri: &'a Uri,
    headers: &HeaderMap,
    extensions: &'a Extensions,
) -> Found<'a> {
    #[cfg(feature = "axum")]
    if let Some(route) = extensions.get::<axum::extract::MatchedPath>() {
        return Found::Label(Cow::Borrowed(route.as_str()));
    }
    if method == Method::POST && is_grpc(headers) {
        return Found::Claimed(cut(uri.path(), LONGEST));
    }
    Found::Nothing
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Labels")
            .field("own", &self.own.is_some())
            .finish()
    }
}

/// Whether an answer is that of a method which exists. A refusal is not: whoever refuses (a limit, who signs people
/// in, a router) stands before the methods and knows none, so that clients could make up as many as they like.
pub(crate) fn proves_method(answer: &HeaderMap) -> bool {
    is_grpc(answer) && answer.get("grpc-status").is_none_or(|status| status == OK)
}

/// The longest beginning of a text that has at most so many bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The longest label, in bytes.
pub(crate) const LONGEST: usize = 128;

const OK: &str = "0";

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn head(content_type: &'static str) -> Parts {
        let request = Request::post("/hiring.Jobs/List").header(CONTENT_TYPE, content_type);
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn the_path_is_a_label_of_grpc_only() {
        let labels = Labels::default();
        let found = head("application/grpc+proto");
        assert!(matches!(
            labels.find(&found),
            Found::Claimed("/hiring.Jobs/List")
        ));
        let found = head("text/html");
        assert!(matches!(labels.find(&found), Found::Nothing));
    }

    #[test]
    fn the_closure_comes_first_and_may_pass() {
        let labels = Labels::own(|head| head.uri.path().split('/').next_back().map(Cow::Borrowed));
        let found = head("application/grpc");
        assert!(matches!(
            labels.find(&found),
            Found::Label(Cow::Borrowed("List"))
        ));
        let found = Labels::own(|_| None);
        assert!(matches!(
            found.find(&head("application/grpc")),
            Found::Claimed(_)
        ));
    }

    #[test]
    fn a_method_is_proved_by_an_answer_of_grpc_that_is_no_refusal() {
        let mut answer = HeaderMap::new();
        assert!(!proves_method(&answer));
        answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        assert!(proves_method(&answer));
        for (status, proves) in [("0", true), ("12", false), ("8", false), ("16", false)] {
            answer.insert("grpc-status", HeaderValue::from_static(status));
            assert_eq!(proves_method(&answer), proves, "{status}");
        }
    }

    #[test]
    fn a_text_is_cut_where_a_character_ends() {
        assert_eq!(cut("aü", 2), "a");
        assert_eq!(cut("aü", 3), "aü");
        assert_eq!(cut("", 3), "");
    }
}
