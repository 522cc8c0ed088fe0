//! As much of HTTP/1.1 as two addresses need: `GET /` and `GET /data`, from this machine alone.
//!
//! A page of somebody else's that is open in the same browser may send requests here, and a name that it owns may be made to point here
//! (DNS rebinding): whoever asks must name this address as the host, and nothing tells a browser to hand an answer to another page.
//! Requests are small, few at once, and over after [`PATIENCE`], however slowly they come, so nobody who asks holds up the training.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Shared;

/// The most bytes of a request.
const MOST: usize = 8192;
/// The most requests that are answered at once; others are closed.
const AT_ONCE: usize = 8;
/// How long a request may take, from its first byte to the last of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing is accepted after a request: 100 a second are more than enough, and a flood of them takes no core from the training.
const PAUSE: Duration = Duration::from_millis(10);

/// Answers on threads of their own until there is nothing more to answer.
pub fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let Ok(address) = listener.local_addr() else { return };
    // Without threads there is no page; the training goes on.
    _ = thread::Builder::new().name("report".into()).spawn(move || {
        let running = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming() {
            if shared.is_over.load(Ordering::Relaxed) {
                return;
            }
            if let Ok(stream) = stream
                && running.load(Ordering::Relaxed) < AT_ONCE
            {
                running.fetch_add(1, Ordering::Relaxed);
                let (shared, done) = (Arc::clone(&shared), Arc::clone(&running));
                let answering =
                    thread::Builder::new().name("report".into()).stack_size(256 << 10).spawn(move || {
                        answer(stream, address, &shared);
                        done.fetch_sub(1, Ordering::Relaxed);
                    });
                if answering.is_err() {
                    running.fetch_sub(1, Ordering::Relaxed);
                }
            }
            thread::sleep(PAUSE);
        }
    });
}

fn answer(mut stream: TcpStream, address: SocketAddr, shared: &Shared) {
    let end = Instant::now() + PATIENCE;
    let reply = match head(&mut stream, end) {
        Ok(head) => reply(&head, address, shared),
        Err(Refused::TooLarge) => status("431 Request Header Fields Too Large", "the request is too large"),
        Err(Refused::Gone) => return,
    };
    write(&mut stream, reply.as_bytes(), end);
    _ = stream.shutdown(Shutdown::Write);
}

/// Why there is no request to answer.
#[derive(Debug, PartialEq)]
enum Refused {
    TooLarge,
    /// It was broken off, or took too long.
    Gone,
}

/// Reads up to the empty line that ends the head of a request.
fn head(stream: &mut TcpStream, end: Instant) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    loop {
        // A system takes no time at all for any time.
        let left = left(end).ok_or(Refused::Gone)?;
        stream.set_read_timeout(Some(left)).map_err(|_| Refused::Gone)?;
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return Err(Refused::Gone),
            Ok(n) => bytes.extend_from_slice(&part[..n]),
        }
        if bytes.windows(4).any(|w| w == b"\r\n\r\n") {
            return Ok(bytes);
        }
        if bytes.len() > MOST {
            return Err(Refused::TooLarge);
        }
    }
}

fn write(stream: &mut TcpStream, mut bytes: &[u8], end: Instant) {
    while !bytes.is_empty() {
        let Some(left) = left(end) else { return };
        if stream.set_write_timeout(Some(left)).is_err() {
            return;
        }
        match stream.write(&bytes[..bytes.len().min(1 << 16)]) {
            Ok(0) | Err(_) => return,
            Ok(n) => bytes = &bytes[n..],
        }
    }
}

/// How much time there is; none when it is over.
fn left(end: Instant) -> Option<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    (left > Duration::ZERO).then_some(left)
}

/// The answer to the head of a request.
fn reply(head: &[u8], address: SocketAddr, shared: &Shared) -> String {
    let Ok(head) = std::str::from_utf8(head) else {
        return status("400 Bad Request", "the request is no text");
    };
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1" | "HTTP/1.0"] = words[..] else {
        return status("400 Bad Request", "this is no request");
    };
    let hosts =
        lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    let hosts: Vec<&str> = hosts.map(|(_, host)| host.trim()).collect();
    let port = address.port();
    let is_here = |host: &str| {
        host == format!("127.0.0.1:{port}") || host.eq_ignore_ascii_case(&format!("localhost:{port}"))
    };
    if !matches!(hosts[..], [host] if is_here(host)) {
        return status("403 Forbidden", "the page is for this machine alone");
    }
    if method != "GET" {
        return status("405 Method Not Allowed", "there is nothing but to look");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/" => whole("200 OK", "text/html", &shared.page),
        "/data" => {
            shared.asked.fetch_add(1, Ordering::Relaxed);
            let seen = query.strip_prefix("v=").and_then(|version| version.parse().ok());
            whole("200 OK", "application/json", &shared.data(seen))
        }
        _ => status("404 Not Found", "there is only / and /data"),
    }
}

fn status(status: &str, text: &str) -> String {
    whole(status, "text/plain", &format!("{text}\n"))
}

fn whole(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nCross-Origin-Resource-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Now;

    /// A server with a page, its address, and what ends it.
    fn served() -> (SocketAddr, Arc<Shared>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::new("<p>page</p>".into()));
        serve(listener, Arc::clone(&shared));
        (address, shared)
    }

    /// What is answered to bytes; the head and the body.
    fn ask(address: SocketAddr, request: &[u8]) -> (String, String) {
        let mut stream = TcpStream::connect(address).unwrap();
        _ = stream.write_all(request);
        let mut bytes = Vec::new();
        // An answer to a request of which a part was never read may end by a reset.
        _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        (head.to_string(), body.to_string())
    }

    #[test]
    fn the_page_and_its_data_are_given_to_this_machine_and_nothing_else_is() {
        let (address, shared) = served();
        let port = address.port();
        let get = |target: &str, host: &str| {
            ask(address, format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
        };
        let here = format!("127.0.0.1:{port}");
        let (head, body) = get("/", &here);
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nContent-Length: 11\r\n"),
            "{head}"
        );
        assert!(!head.to_lowercase().contains("access-control"), "no other page may read it: {head}");
        assert_eq!(body, "<p>page</p>");
        assert_eq!(get("/", &format!("localhost:{port}")).1, body);
        shared.set(|_| Now { version: 3, body: "<b>\"7\"</b>".into(), list: "list".into(), is_done: true });
        let data = |target: &str| Json::parse(&get(target, &here).1).unwrap();
        use mapsto::spec::Json;
        let text = |json: &Json, key: &str| json.get(key).and_then(Json::str).map(str::to_string);
        for target in ["/data", "/data?v=2", "/data?v=-1", "/data?v=<script>"] {
            assert_eq!(text(&data(target), "body").as_deref(), Some("<b>\"7\"</b>"), "{target}");
        }
        assert_eq!(text(&data("/data?v=3"), "body"), None);
        // A name that somebody else made to point here, another port, no name and two of them.
        for host in [
            "evil.example",
            "evil.example:80",
            "127.0.0.1",
            "127.0.0.1:1",
            "",
            &format!("{here}.evil.example"),
            &format!("[::1]:{port}"),
        ] {
            assert!(get("/data", host).0.starts_with("HTTP/1.1 403 "), "{host}");
        }
        let raw = |request: &str| ask(address, request.as_bytes()).0;
        assert!(raw("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 403 "));
        assert!(
            raw(&format!("GET / HTTP/1.1\r\nHost: {here}\r\nHost: evil.example\r\n\r\n"))
                .starts_with("HTTP/1.1 403 ")
        );
        assert!(raw(&format!("POST /data HTTP/1.1\r\nhost: {here}\r\n\r\n")).starts_with("HTTP/1.1 405 "));
        for path in ["/../../etc/passwd", "/report.html", "//", "/data/", "http://evil.example/"] {
            assert!(get(path, &here).0.starts_with("HTTP/1.1 404 "), "{path}");
        }
        for request in [
            "\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/2\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "\u{16}\u{3}\u{1}\r\n\r\n",
        ] {
            assert!(raw(request).starts_with("HTTP/1.1 400 "), "{request:?}");
        }
        assert!(ask(address, b"GET /\xff HTTP/1.1\r\n\r\n").0.starts_with("HTTP/1.1 400 "));
        shared.is_over.store(true, Ordering::Relaxed);
        _ = TcpStream::connect(address);
    }

    #[test]
    fn who_sends_too_much_too_slowly_or_from_many_sides_holds_up_nobody() {
        let (address, shared) = served();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pair = || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, listener.accept().unwrap().0)
        };
        // A head without an end.
        let (mut client, mut stream) = pair();
        let flood = thread::spawn(move || while client.write_all(&[b'a'; 4096]).is_ok() {});
        assert_eq!(head(&mut stream, Instant::now() + PATIENCE), Err(Refused::TooLarge));
        drop(stream);
        flood.join().unwrap();
        // Nothing at all, and a byte now and then: the time is that of the whole request.
        for drip in [false, true] {
            let (mut client, mut stream) = pair();
            let slow = thread::spawn(move || {
                let start = Instant::now();
                while drip && start.elapsed() < PATIENCE && client.write_all(b"a").is_ok() {
                    thread::park_timeout(Duration::from_millis(5));
                }
                client
            });
            let start = Instant::now();
            assert_eq!(head(&mut stream, start + Duration::from_millis(100)), Err(Refused::Gone));
            assert!(start.elapsed() < Duration::from_secs(3));
            drop(stream);
            drop(slow.join().unwrap());
        }
        // Who does not read what is answered.
        let (client, mut stream) = pair();
        let start = Instant::now();
        write(&mut stream, &vec![b'a'; 64 << 20], start + Duration::from_millis(100));
        assert!(start.elapsed() < Duration::from_secs(3));
        drop(client);
        // Connections that say nothing take the places there are, and no thread more; what is shown goes on being written.
        let silent: Vec<TcpStream> =
            (0..3 * AT_ONCE).filter_map(|_| TcpStream::connect(address).ok()).collect();
        let start = Instant::now();
        for version in 0..1000 {
            shared.set(|_| Now { version, ..Now::default() });
        }
        assert!(start.elapsed() < Duration::from_secs(1));
        drop(silent);
        shared.is_over.store(true, Ordering::Relaxed);
        _ = TcpStream::connect(address);
    }
}
