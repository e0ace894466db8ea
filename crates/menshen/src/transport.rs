//! The transport of Rust apps: sends an [`UploadRequest`] with reqwest and rustls on ring.

use std::{
    error::Error,
    fmt,
    io::{self, Read},
    net::IpAddr,
    sync::Arc,
    thread,
    time::Duration,
};

use reqwest::{
    Url,
    blocking::{Client, Response},
    header,
    redirect::Policy,
    retry,
};

use crate::exchange::{TransportReply, UploadRequest};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For everything: connecting, sending, waiting and the reply's body.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// What is kept of a reply's body. An OTLP reply takes a few bytes; the rest is somebody's web page.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Sends uploads over HTTP/1.1, one call each, blocking for at most 30 seconds.
///
/// It trusts the certificate authorities of Mozilla's list and leaves the process alone: no default
/// crypto provider is installed, no proxy is taken from the environment. No redirect is followed,
/// nothing is sent twice, no cookie is kept, no body is decompressed. Plain `http` works with the
/// machine itself only.
///
/// It may be called from anywhere, async code included, where it blocks the calling thread.
#[derive(Clone)]
pub struct Transport {
    client: Client,
    total_timeout: Duration,
}

/// Why no [`Transport`] could be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// TLS could not be set up.
    Tls(rustls::Error),
    /// The HTTP client could not be set up.
    Client(reqwest::Error),
    /// The operating system gave no thread.
    Thread(io::Error),
    /// The HTTP client panicked while it was set up.
    Panicked,
}

impl TransportError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Tls(_) => "transport-tls-unavailable",
            Self::Client(_) => "transport-client-unavailable",
            Self::Thread(_) => "transport-thread-unavailable",
            Self::Panicked => "transport-panicked",
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => write!(formatter, "tls could not be set up: {error}"),
            Self::Client(error) => {
                write!(formatter, "the http client could not be set up: {error}")
            }
            Self::Thread(error) => {
                write!(formatter, "the operating system gave no thread for the http client: {error}; try again later")
            }
            Self::Panicked => formatter.write_str("the http client panicked while it was set up"),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Tls(error) => Some(error),
            Self::Client(error) => Some(error),
            Self::Thread(error) => Some(error),
            Self::Panicked => None,
        }
    }
}

impl Transport {
    /// Sets up the client; nothing is connected yet.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn new() -> Result<Self, TransportError> {
        Self::with_total_timeout(TOTAL_TIMEOUT)
    }

    fn with_total_timeout(total_timeout: Duration) -> Result<Self, TransportError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TransportError::Tls)?
            .with_root_certificates(rustls::RootCertStore { roots })
            .with_no_client_auth();
        let build = || {
            Client::builder()
                .tls_backend_preconfigured(tls)
                .redirect(Policy::none())
                .retry(retry::never())
                .referer(false)
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(total_timeout)
                .build()
        };
        match on_own_thread(build).map_err(TransportError::Thread)? {
            Some(built) => Ok(Self { client: built.map_err(TransportError::Client)?, total_timeout }),
            None => Err(TransportError::Panicked),
        }
    }

    /// Sends one request and waits for what becomes of it. Never fails otherwise than by value.
    ///
    /// The codes of [`TransportReply::Failed`]:
    ///
    /// | code | meaning |
    /// |---|---|
    /// | `request-invalid` | the url or a header is malformed; nothing was sent |
    /// | `plaintext-refused` | plain `http` to another machine; nothing was sent |
    /// | `connection-failed` | no connection: offline, no such host, refused; nothing was sent |
    /// | `tls-failed` | the receiver could not prove who it is; nothing was sent |
    /// | `timed-out` | no reply in time; the receiver may have the records |
    /// | `connection-lost` | the connection ended before a reply; the receiver may have the records |
    /// | `transport-panicked` | a defect in the HTTP client; the receiver may have the records |
    /// | `thread-unavailable` | the operating system gave no thread; nothing was sent |
    pub fn send(&self, request: &UploadRequest) -> TransportReply {
        let code = match on_own_thread(|| self.exchange(request)) {
            Ok(Some(Ok(reply))) => return reply,
            Ok(Some(Err(code))) => code,
            Ok(None) => "transport-panicked",
            Err(_) => "thread-unavailable",
        };
        TransportReply::Failed { code }
    }

    fn exchange(&self, request: &UploadRequest) -> Result<TransportReply, &'static str> {
        let url = Url::parse(&request.url).map_err(|_| "request-invalid")?;
        if url.scheme() != "https" && !is_loopback(&url) {
            return Err("plaintext-refused");
        }
        let mut post = self
            .client
            .post(url)
            // On the request too: the client's own limit starts anew with each read of the body.
            .timeout(self.total_timeout)
            .body(request.body.clone());
        for (name, value) in &request.headers {
            post = post.header(name, value);
        }
        let mut response = post.send().map_err(|error| failure(&error))?;
        let (body, complete) = read_body(&mut response);
        Ok(TransportReply::Response {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
                .collect(),
            body,
            complete,
        })
    }
}

/// Runs `work` on a thread of its own and waits; `None` if it panicked.
///
/// reqwest's blocking client panics inside an async runtime and when its event loop has died; an app
/// must not go down with it.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<Option<T>> {
    thread::scope(|scope| {
        let handle = thread::Builder::new().name("menshen-transport".into()).spawn_scoped(scope, work)?;
        Ok(handle.join().ok())
    })
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    })
}

/// The body, and whether it is all of it by the reply's own framing.
fn read_body(response: &mut Response) -> (Vec<u8>, bool) {
    // Without a length or chunks, a cut looks like the end.
    let codings = response.headers().get_all(header::TRANSFER_ENCODING).iter().next_back();
    let last = codings.and_then(|codings| codings.to_str().ok()).and_then(|codings| codings.rsplit(',').next());
    let framed = response.headers().contains_key(header::CONTENT_LENGTH)
        || last.is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"))
        || matches!(response.status().as_u16(), 204 | 304);
    let mut body = Vec::new();
    let read = response.take(MAX_BODY_BYTES as u64 + 1).read_to_end(&mut body);
    let whole = read.is_ok() && body.len() <= MAX_BODY_BYTES;
    body.truncate(MAX_BODY_BYTES);
    (body, framed && whole)
}

fn failure(error: &reqwest::Error) -> &'static str {
    if error.is_builder() {
        "request-invalid"
    } else if is_tls(error) {
        "tls-failed"
    } else if error.is_connect() {
        "connection-failed"
    } else if error.is_timeout() {
        "timed-out"
    } else {
        "connection-lost"
    }
}

/// Whether rustls is behind an error. It hides inside `io::Error`s, which don't name it as a source.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || inside.is_some_and(|inside| is_tls(inside)) || error.source().is_some_and(is_tls)
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
