//! Tests of the transport against the examples' receiver and against hand-made replies.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread::JoinHandle,
    time::Instant,
};

use super::*;
use receiver::{Behaviour, Receiver};

#[path = "../../../examples/support/receiver.rs"]
mod receiver;

/// An OTLP request with one record, `uid-1`.
fn request(url: String) -> UploadRequest {
    let mut body = b"\x32\x19\x0a\x0elog.record.uid\x12\x07\x0a\x05uid-1".to_vec();
    for tag in [0x12, 0x12, 0x0a] {
        let length = u8::try_from(body.len()).expect("a short body");
        body.splice(0..0, [tag, length]);
    }
    UploadRequest { id: 1, url, headers: vec![("Content-Type".into(), "application/x-protobuf".into())], body }
}

fn transport() -> Transport {
    Transport::new().expect("a transport")
}

fn send(receiver: &Receiver) -> TransportReply {
    transport().send(&request(receiver.url()))
}

fn receiver(behaviours: Vec<Behaviour>) -> Receiver {
    let receiver = Receiver::start().expect("a loopback port");
    receiver.script(behaviours);
    receiver
}

fn response(reply: &TransportReply) -> (u16, &[u8], bool) {
    match reply {
        TransportReply::Response { status, body, complete, .. } => (*status, body, *complete),
        TransportReply::Failed { code } => panic!("failed: {code}"),
    }
}

fn failed(code: &'static str) -> TransportReply {
    TransportReply::Failed { code }
}

/// Reads one request, lets `answer` write what it likes, and closes.
fn answering<T: Send + 'static>(answer: impl FnOnce(&mut TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("an address");
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("a header");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        reader.read_exact(&mut vec![0; length]).expect("a body");
        answer(&mut stream)
    });
    (format!("http://{address}/v1/logs"), thread)
}

fn send_to_answering(bytes: impl Into<Vec<u8>>) -> TransportReply {
    let bytes = bytes.into();
    // A client that keeps a bounded part of a long reply closes early.
    let (url, thread) = answering(move |stream| drop(stream.write_all(&bytes)));
    let reply = transport().send(&request(url));
    thread.join().expect("the stub served");
    reply
}

#[test]
fn a_plain_loopback_url_delivers_and_brings_back_status_headers_and_body() {
    let receiver = receiver(vec![]);
    let reply = send(&receiver);
    assert_eq!(response(&reply), (200, [0x0a, 0x00].as_slice(), true));
    assert_eq!(reply.header("content-type"), Some("application/x-protobuf"));
    let records = receiver.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].uid, "uid-1");
}

#[test]
fn only_what_the_request_says_is_sent() {
    let receiver = receiver(vec![]);
    send(&receiver);
    let sent = &receiver.requests()[0];
    let names: Vec<&str> = sent.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["accept", "content-length", "content-type", "host"]);
}

#[test]
fn a_busy_receiver_says_when_to_come_back() {
    let retry_after = Duration::from_secs(7);
    let receiver = receiver(vec![Behaviour::Unavailable { retry_after }]);
    let reply = send(&receiver);
    assert_eq!(response(&reply).0, 503);
    assert_eq!(reply.header("Retry-After"), Some("7"));
    assert!(receiver.records().is_empty());
}

#[test]
fn a_body_cut_before_its_declared_length_is_not_complete() {
    let receiver = receiver(vec![Behaviour::CutBody]);
    assert_eq!(response(&send(&receiver)), (200, [0x0a].as_slice(), false));
}

#[test]
fn chunks_that_do_not_end_are_not_complete() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n";
    assert_eq!(response(&send_to_answering(head)), (200, b"ok".as_slice(), false));
    let whole = format!("{head}0\r\n\r\n");
    assert_eq!(response(&send_to_answering(whole)), (200, b"ok".as_slice(), true));
}

#[test]
fn a_body_that_ends_with_the_connection_is_not_complete() {
    for body in ["", "ok"] {
        let reply = send_to_answering(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}"));
        assert_eq!(response(&reply), (200, body.as_bytes(), false));
    }
}

#[test]
fn a_body_in_a_coding_that_does_not_end_itself_is_not_complete() {
    for coding in ["identity", "gzip", "chunked, gzip"] {
        let reply = send_to_answering(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n"));
        let whole = matches!(reply, TransportReply::Response { complete: true, .. });
        assert!(!whole, "{coding}");
    }
}

#[test]
fn a_reply_without_content_is_complete() {
    let reply = send_to_answering("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(response(&reply), (204, b"".as_slice(), true));
}

#[test]
fn a_body_longer_than_the_bound_is_kept_in_part_and_not_complete() {
    for (length, complete) in [(MAX_BODY_BYTES, true), (MAX_BODY_BYTES + 1, false), (1 << 22, false)] {
        let mut reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
        reply.resize(reply.len() + length, b'x');
        let reply = send_to_answering(reply);
        let (_, body, whole) = response(&reply);
        assert_eq!((body.len(), whole), (MAX_BODY_BYTES, complete));
    }
}

#[test]
fn a_compressed_body_is_left_as_it_is() {
    let reply = send_to_answering("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(response(&reply), (200, b"ok".as_slice(), true));
}

#[test]
fn a_dropped_connection_is_lost_though_the_records_arrived() {
    let receiver = receiver(vec![Behaviour::CommitAndDrop]);
    assert_eq!(send(&receiver), failed("connection-lost"));
    assert_eq!(receiver.records().len(), 1);
    assert_eq!(receiver.requests().len(), 1, "nothing is sent twice");
}

#[test]
fn a_head_cut_in_the_middle_is_a_lost_connection() {
    assert_eq!(send_to_answering("HTTP/1.1 200 OK\r\nco"), failed("connection-lost"));
}

#[test]
fn a_redirect_is_not_followed() {
    for status in [301, 302, 307, 308] {
        let receiver = receiver(vec![Behaviour::Status(status)]);
        let reply = send(&receiver);
        assert_eq!(response(&reply).0, status);
        assert_eq!(reply.header("location"), Some("/elsewhere"));
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[test]
fn nobody_listening_is_a_failed_connection() {
    let receiver = receiver(vec![]);
    let url = receiver.url();
    drop(receiver);
    assert_eq!(transport().send(&request(url)), failed("connection-failed"));
}

#[test]
fn a_receiver_that_does_not_speak_tls_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let stub = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("a reader");
        let mut sent = Vec::new();
        stream.read_to_end(&mut sent).expect("a client that closes");
        sent
    });
    assert_eq!(transport().send(&request(url)), failed("tls-failed"));
    let sent = stub.join().expect("the stub served");
    assert!(!sent.windows(5).any(|window| window == b"uid-1"));
}

#[test]
fn plain_text_to_another_machine_is_refused() {
    for url in ["http://192.0.2.1/v1/logs", "http://[2001:db8::1]/", "http://localhost.example/"] {
        assert_eq!(transport().send(&request(url.into())), failed("plaintext-refused"));
    }
}

#[test]
fn loopback_is_known_in_every_spelling() {
    for url in ["http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]:1/", "http://localhost/"] {
        assert!(is_loopback(&Url::parse(url).expect("a url")), "{url}");
    }
}

#[test]
fn a_malformed_url_or_header_sends_nothing() {
    let receiver = receiver(vec![]);
    let header = |name: &str, value: &str| UploadRequest {
        headers: vec![(name.into(), value.into())],
        ..request(receiver.url())
    };
    for wrong in [
        request("not a url".into()),
        request(receiver.url().replace("http://", "ftp://")),
        header("two words", "value"),
        header("x-injected", "value\r\nhost: elsewhere"),
    ] {
        assert_eq!(transport().send(&wrong), failed("request-invalid"));
    }
    assert!(receiver.requests().is_empty());
}

#[test]
fn one_transport_serves_many_threads() {
    let receiver = receiver(vec![]);
    let transport = transport();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(response(&transport.send(&request(receiver.url()))).0, 200));
        }
    });
    assert_eq!((receiver.records().len(), receiver.duplicates()), (1, 7));
}

#[test]
fn dropping_the_receiver_ends_a_waiting_request_at_once() {
    let receiver = receiver(vec![Behaviour::Delay(Duration::from_secs(20))]);
    let upload = request(receiver.url());
    let transport = transport();
    let started = Instant::now();
    thread::scope(|scope| {
        let sending = scope.spawn(|| transport.send(&upload));
        while receiver.requests().is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        drop(receiver);
        assert_eq!(sending.join().expect("no panic"), failed("connection-lost"));
    });
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_receiver_that_says_nothing_is_given_up() {
    let receiver = receiver(vec![Behaviour::Delay(Duration::from_secs(20))]);
    let transport = Transport::with_total_timeout(Duration::from_millis(200)).expect("a transport");
    let started = Instant::now();
    let reply = transport.send(&request(receiver.url()));
    assert_eq!(reply, failed("timed-out"));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_body_that_trickles_in_does_not_hold_the_caller_past_the_limit() {
    let (url, stub) = answering(|stream| {
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        for _ in 0..200 {
            if sent.is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
            sent = stream.write_all(b"x");
        }
        sent.is_err()
    });
    let transport = Transport::with_total_timeout(Duration::from_millis(500)).expect("a transport");
    let reply = transport.send(&request(url));
    let (status, body, complete) = response(&reply);
    assert_eq!((status, complete), (200, false));
    assert!(body.len() < 150, "{} bytes", body.len());
    assert!(stub.join().expect("the stub served"), "the client hung up");
}

#[test]
fn no_crypto_provider_is_installed_for_the_process() {
    let receiver = receiver(vec![]);
    let url = receiver.url().replace("http://", "https://");
    transport().send(&request(url));
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[test]
fn a_panic_in_the_client_stays_a_value() {
    let result = on_own_thread(|| -> u8 { panic!("a defect") });
    assert!(result.expect("a thread").is_none());
}
