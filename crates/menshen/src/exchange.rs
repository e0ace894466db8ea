//! What the SDK hands to a transport and what a transport hands back: values, no I/O.

use std::fmt;

/// One HTTP `POST` that the host's transport is asked to make.
///
/// The bytes are final: a transport adds nothing, follows no redirect and sends them at most once.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadRequest {
    /// Names this request when its reply comes back or when it has to be cancelled.
    pub id: u64,
    /// Where to send it, as the policy's endpoint declares it.
    pub url: String,
    /// Header names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body as it goes over the wire, already compressed where the headers say so.
    pub body: Vec<u8>,
}

/// What became of one [`UploadRequest`].
#[derive(Clone, PartialEq, Eq)]
pub enum TransportReply {
    /// The receiver answered.
    Response {
        /// The HTTP status.
        status: u16,
        /// Header names and values, in order. Values that are not text are left out.
        headers: Vec<(String, String)>,
        /// The body as far as it arrived and was kept.
        body: Vec<u8>,
        /// True only if the reply's own framing shows that `body` is all of it.
        ///
        /// A body that was cut, was longer than the transport keeps, or ends only because the
        /// connection did is not complete, and acknowledges nothing.
        complete: bool,
    },
    /// No answer arrived. The receiver may still have taken the records.
    Failed {
        /// A stable code in kebab-case that says why.
        code: &'static str,
    },
}

impl TransportReply {
    /// The first value of a header, whose name is compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Response { headers, .. } => {
                headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
            }
            Self::Failed { .. } => None,
        }
    }
}

// By hand: headers can hold an access token and bodies personal data, and both end up in logs.
impl fmt::Debug for UploadRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UploadRequest")
            .field("id", &self.id)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TransportReply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { status, body, complete, .. } => formatter
                .debug_struct("Response")
                .field("status", status)
                .field("body_bytes", &body.len())
                .field("complete", complete)
                .finish_non_exhaustive(),
            Self::Failed { code } => formatter.debug_struct("Failed").field("code", code).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_any_case() {
        let reply = TransportReply::Response {
            status: 503,
            headers: vec![("retry-after".into(), "7".into())],
            body: Vec::new(),
            complete: true,
        };
        assert_eq!(reply.header("Retry-After"), Some("7"));
        assert_eq!(reply.header("content-type"), None);
    }

    #[test]
    fn debug_output_shows_neither_url_nor_headers_nor_bodies() {
        let request = UploadRequest {
            id: 3,
            url: "https://canary.example/".into(),
            headers: vec![("authorization".into(), "canary".into())],
            body: b"canary".to_vec(),
        };
        let reply = TransportReply::Response {
            status: 200,
            headers: vec![("x-echo".into(), "canary".into())],
            body: b"canary".to_vec(),
            complete: true,
        };
        let text = format!("{request:?} {reply:?}");
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("id: 3") && text.contains("status: 200"));
    }
}
